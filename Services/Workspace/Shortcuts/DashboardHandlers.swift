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
            let (runs, isComplete) = try await runs(of: input.days, context)
            return try await stats(runs, isComplete, input.days, context)
        }
        router.on(WorkspaceAPI.getDashboardTrends) { [self] input, context in
            let (runs, isComplete) = try await runs(of: input.days, context)
            return DashboardHandlers.trends(runs, isComplete, days: input.days, now: .now)
        }
        router.on(WorkspaceAPI.getDashboard) { [self] input, context in
            let (runs, isComplete) = try await runs(of: input.days, context)
            return Dashboard(
                stats: try await stats(runs, isComplete, input.days, context),
                trends: DashboardHandlers.trends(runs, isComplete, days: input.days, now: .now),
                recentRuns: runs.prefix(DashboardHandlers.recent).map { JobUpdate($0) })
        }
    }

    // MARK: Counting

    private func stats(
        _ runs: [Run], _ isComplete: Bool, _ days: Int?, _ context: RequestContext
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
        let counts = RunCounts(runs)
        let decided = counts.succeeded + counts.failed
        return DashboardStats(
            jobs: jobs.found.count, clusters: clusters.found.count,
            runningClusters: clusters.found.count { $0.state == .running },
            notebooks: try await tree.objects.countNotebooks(
                visibleTo: principal?.isAdministrator == true ? nil : principal, on: tree.pool),
            days: days ?? DashboardHandlers.defaultDays, runs: runs.count, activeRuns: counts.active,
            succeededRuns: counts.succeeded, failedRuns: counts.failed, canceledRuns: counts.canceled,
            successRate: decided == 0 ? nil : Double(counts.succeeded) / Double(decided),
            isComplete: isComplete && jobs.isComplete && clusters.isComplete)
    }

    static func trends(_ runs: [Run], _ isComplete: Bool, days: Int?, now: Timestamp) -> DashboardTrends {
        let byDay = Dictionary(grouping: runs) { day($0.createdTime) }
        let count = days ?? defaultDays
        return DashboardTrends(
            days: (0..<count).reversed().map { back in
                let date = day(Timestamp(milliseconds: now.milliseconds - Int64(back) * 86_400_000))
                let counts = RunCounts(byDay[date] ?? [])
                return DashboardDay(
                    date: date, succeeded: counts.succeeded, failed: counts.failed, canceled: counts.canceled,
                    active: counts.active)
            }, isComplete: isComplete)
    }

    private static func day(_ time: Timestamp) -> String { String(ISO8601.format(time).prefix(10)) }

    // MARK: Reading

    /// The runs of the last days that the caller may see, newest first.
    private func runs(of days: Int?, _ context: RequestContext) async throws -> (found: [Run], isComplete: Bool) {
        let principal = try await gate.principal(context.caller)
        let back = Int64((days ?? DashboardHandlers.defaultDays) - 1) * 86_400_000
        // From midnight on, so that the first day is a whole one.
        let begin = (Timestamp.now.milliseconds - back) / 86_400_000 * 86_400_000
        return try await all(context) { token in
            let page = try await scheduler.call(
                SchedulerAPI.listRuns, .init(pageSize: 100, pageToken: token), context: context.call())
            let inTime = page.runs.filter { $0.createdTime.milliseconds >= begin }
            return (inTime, inTime.count < page.runs.count ? nil : page.nextPageToken)
        } visible: { runs in
            try await gate.visible(runs, .init(of: SchedulerAPI.listRuns.route), to: principal) { run in
                var fields: JSONObject = ["creator_user_name": .string(run.creatorUserName)]
                fields["job_id"] = run.jobID.map { .integer($0) }
                return fields
            }
        }
    }

    private func all<Element>(
        _ context: RequestContext, page: (String?) async throws -> ([Element], String?),
        visible: ([Element]) async throws -> [Element]
    ) async throws -> (found: [Element], isComplete: Bool) {
        var found: [Element] = []
        var token: String?
        for _ in 0..<DashboardHandlers.pages {
            let (elements, next) = try await page(token)
            found += try await visible(elements)
            guard let next else { return (found, true) }
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

/// How many runs ended how.
struct RunCounts {
    var active = 0
    var succeeded = 0
    var failed = 0
    var canceled = 0

    init(_ runs: [Run]) {
        for run in runs {
            switch run.state.resultState {
            case nil where run.state.lifeCycleState != .terminated && run.endTime == nil: active += 1
            case .success, .successWithFailures: succeeded += 1
            case .failed, .timedout: failed += 1
            default: canceled += 1
            }
        }
    }
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
