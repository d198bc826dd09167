internal import Core
internal import HarbourProtocol
internal import ServiceClients
internal import ServiceKit

/// What there is and how runs went, as far as the caller may see it.
struct DashboardHandlers: Sendable {
    let tree: WorkspaceTree
    let gate: AccessGate
    let scheduler: ServiceClient
    let clusters: ServiceClient

    private static let defaultDays = 7
    private static let recent = 10
    /// Lists are read in pages, and so many of them: beyond that the answer says that it is not complete.
    private static let pages = 10

    func register(on router: ServiceRouter) {
        router.on(WorkspaceAPI.getDashboardStats) { [self] input, context in
            try await stats(try await counts(input.days, context), input.days, context)
        }
        router.on(WorkspaceAPI.getDashboardTrends) { [self] input, context in
            DashboardHandlers.trends(try await counts(input.days, context), days: input.days, now: .now)
        }
        router.on(WorkspaceAPI.getDashboard) { [self] input, context in
            let counts = try await counts(input.days, context)
            return Dashboard(
                stats: try await stats(counts, input.days, context),
                trends: DashboardHandlers.trends(counts, days: input.days, now: .now),
                recentRuns: try await recentRuns(input.days, context).map { JobUpdate($0) })
        }
    }

    // MARK: Counting

    private func stats(
        _ counted: [RunCount], _ days: Int?, _ context: RequestContext
    ) async throws -> DashboardStats {
        let principal = try await gate.principal(context.caller)
        let jobs = try await all(context) { token in
            let page = try await scheduler.call(
                SchedulerAPI.listJobs, .init(pageSize: 100, pageToken: token), context: context.call())
            return (page.jobs, page.nextPageToken)
        } visible: { jobs in
            try await gate.visible(jobs, .init(of: SchedulerAPI.listJobs.route), to: principal) {
                ["creator_user_name": .string($0.creatorUserName), "job_id": .integer($0.jobID)]
            }
        }
        let clusters: (found: [ClusterInfo], isComplete: Bool) = try await all(context) { token in
            let page = try await self.clusters.call(
                ClusterAPI.listClusters, .init(pageSize: 100, pageToken: token), context: context.call())
            return (page.clusters, page.nextPageToken)
        } visible: { clusters in
            try await gate.visible(
                clusters, .init(of: ClusterAPI.listClusters.route), to: principal
            ) { (cluster: ClusterInfo) in
                var fields: JSONObject = [
                    "cluster_id": .string(cluster.clusterID), "creator_user_name": .string(cluster.creatorUserName),
                ]
                fields["owner"] = cluster.owner.map { .string($0) }
                return fields
            }
        }
        let counts = DashboardDay(counted, on: "")
        let decided = counts.succeeded + counts.failed
        return DashboardStats(
            jobs: jobs.found.count, clusters: clusters.found.count,
            runningClusters: clusters.found.count { $0.state == .running },
            notebooks: try await tree.objects.countNotebooks(
                seenBy: try await gate.sight(of: principal), on: tree.pool),
            days: days ?? DashboardHandlers.defaultDays, runs: counts.runs, activeRuns: counts.active,
            succeededRuns: counts.succeeded, failedRuns: counts.failed, canceledRuns: counts.canceled,
            successRate: decided == 0 ? nil : Double(counts.succeeded) / Double(decided),
            isComplete: jobs.isComplete && clusters.isComplete)
    }

    static func trends(_ counted: [RunCount], days: Int?, now: Timestamp) -> DashboardTrends {
        let byDay = Dictionary(grouping: counted, by: \.date)
        return DashboardTrends(
            days: (0..<(days ?? defaultDays)).reversed().map { back in
                let date = day(Timestamp(milliseconds: now.milliseconds - Int64(back) * 86_400_000))
                return DashboardDay(byDay[date] ?? [], on: date)
            }, isComplete: true)
    }

    private static func day(_ time: Timestamp) -> String { String(ISO8601.format(time).prefix(10)) }

    // MARK: Reading

    /// When the first of the last days began, so that it is a whole one.
    private static func begin(_ days: Int?) -> Timestamp {
        let back = Int64((days ?? defaultDays) - 1) * 86_400_000
        return Timestamp(milliseconds: (Timestamp.now.milliseconds - back) / 86_400_000 * 86_400_000)
    }

    /// The runs of the last days that the caller may see, all of them: the scheduler counts them for each job and maker,
    /// on which it turns who may see them.
    private func counts(_ days: Int?, _ context: RequestContext) async throws -> [RunCount] {
        let principal = try await gate.principal(context.caller)
        let counts = try await scheduler.call(
            SchedulerAPI.countRuns, .init(since: DashboardHandlers.begin(days)), context: context.call()
        ).counts
        let kinds = Array(Set(counts.map { RunKind($0) }))
        let seen = Set(
            try await gate.visible(kinds, .init(of: SchedulerAPI.listRuns.route), to: principal) { $0.fields })
        return counts.filter { seen.contains(RunKind($0)) }
    }

    /// The newest runs of the last days that the caller may see.
    private func recentRuns(_ days: Int?, _ context: RequestContext) async throws -> [Run] {
        let principal = try await gate.principal(context.caller)
        let begin = DashboardHandlers.begin(days)
        let runs: (found: [Run], isComplete: Bool) = try await all(context, most: DashboardHandlers.recent) { token in
            let page = try await scheduler.call(
                SchedulerAPI.listRuns, .init(pageSize: 100, pageToken: token), context: context.call())
            let inTime = page.runs.filter { $0.createdTime >= begin }
            return (inTime, inTime.count < page.runs.count ? nil : page.nextPageToken)
        } visible: { runs in
            try await gate.visible(runs, .init(of: SchedulerAPI.listRuns.route), to: principal) { run in
                RunKind(jobID: run.jobID, creator: run.creatorUserName).fields
            }
        }
        return Array(runs.found.prefix(DashboardHandlers.recent))
    }

    private func all<Element>(
        _ context: RequestContext, most: Int = .max, page: (String?) async throws -> ([Element], String?),
        visible: ([Element]) async throws -> [Element]
    ) async throws -> (found: [Element], isComplete: Bool) {
        var found: [Element] = []
        var token: String?
        for _ in 0..<DashboardHandlers.pages {
            let (elements, next) = try await page(token)
            found += try await visible(elements)
            guard let next, found.count < most else { return (found, true) }
            token = next
        }
        return (found, false)
    }
}

extension AccessGate {
    /// The elements of a list that a user may see; all of them for administrators and for services.
    func visible<Element>(
        _ elements: [Element], _ filter: ListFilter?, to principal: Principal?,
        fields: (Element) -> JSONObject
    ) async throws(HarbourError) -> [Element] {
        guard let filter, let principal, !principal.isAdministrator else { return elements }
        var numbered: [JSONValue] = []
        for (index, element) in elements.enumerated() {
            var fields = fields(element)
            fields["index"] = .integer(Int64(index))
            numbered.append(.object(fields))
        }
        let seen = try await filter.visible(numbered, to: principal, self)
        return seen.compactMap { $0["index"]?.int64.map { elements[Int($0)] } }
    }
}

/// Runs of which one may see all or none.
private struct RunKind: Hashable {
    var jobID: Int64?
    var creator: String

    init(jobID: Int64?, creator: String) { (self.jobID, self.creator) = (jobID, creator) }

    init(_ count: RunCount) { self.init(jobID: count.jobID, creator: count.creatorUserName) }

    /// What a run says of itself to the filter of lists.
    var fields: JSONObject {
        var fields: JSONObject = ["creator_user_name": .string(creator)]
        fields["job_id"] = jobID.map { .integer($0) }
        return fields
    }
}

extension DashboardDay {
    /// Adds up what was counted.
    fileprivate init(_ counts: [RunCount], on date: String) {
        self.init(date: date, succeeded: 0, failed: 0, canceled: 0, active: 0)
        for count in counts {
            succeeded += count.succeeded
            failed += count.failed
            canceled += count.canceled
            active += count.active
        }
    }

    fileprivate var runs: Int { succeeded + failed + canceled + active }
}

extension JobUpdate {
    init(_ run: Run) {
        self.init(
            jobID: run.jobID, runID: run.runID, name: run.runName, status: run.state.word,
            message: run.state.stateMessage, tasks: run.tasks.count,
            endedTasks: run.tasks.count { $0.endTime != nil }, createdTime: run.createdTime, startTime: run.startTime,
            endTime: run.endTime)
    }

    init(_ change: RunChange) {
        self.init(
            jobID: change.jobID, runID: change.runID, name: change.runName, status: change.state.word,
            message: change.state.stateMessage, tasks: change.tasks, endedTasks: change.endedTasks,
            createdTime: change.createdTime, startTime: change.startTime, endTime: change.endTime)
    }
}
