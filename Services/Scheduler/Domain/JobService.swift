internal import Core
internal import CronSchedule
internal import EventLoop
internal import HarbourProtocol
internal import YAML

/// Decides about jobs: what may be made, when it fires.
struct JobService: Sendable {
    let store: JobStore
    let statistics: JobStatsStore
    let deleted: DeletedJobStore
    let news: ChangeNews<Int64>

    func create(_ spec: JobSpec, isUnique: Bool = false, token: String? = nil, user: String) async throws -> Job {
        let next = try validate(spec)
        return try await store.create(
            spec, creator: user, isUnique: isUnique, token: token, nextFireAt: next, now: .now
        ).job
    }

    func get(_ jobID: Int64) async throws -> Job { try await store.get(jobID).job }

    /// How the runs of a job have gone.
    func stats(_ jobID: Int64, days: Int?) async throws -> JobStats {
        _ = try await store.get(jobID)
        return try await statistics.stats(jobID, days: days ?? 30)
    }

    /// How the runs of all jobs, and those of none, have gone each day since then.
    func counts(since begin: Timestamp) async throws -> RunCountList {
        RunCountList(counts: try await statistics.counts(since: begin))
    }

    /// How long changes are gathered before the next ones are told.
    private static let gathering = Duration.milliseconds(250)

    /// Tells which jobs have changed, all together.
    func followChanges(
        on loop: EventLoop, begun: () async throws -> Void, _ send: (OwnedJob) async throws -> Void
    ) async throws {
        try await news.follow(begun: begun) { changes in
            for change in try await store.owners(try changes.all()) { try await send(change) }
            try await loop.sleep(for: Self.gathering)
        }
    }

    func list(pageSize: Int?, pageToken: String?, name: String?) async throws -> JobList {
        let limit = pageSize ?? 50
        let before = try pageToken.map { token throws(HarbourError) in try PageToken(token, count: 1).int64(0) }
        let rows = try await store.list(before: before, name: name, limit: limit + 1)
        let page = rows.prefix(limit)
        return JobList(
            jobs: page.map(\.job),
            nextPageToken: rows.count > limit ? page.last.map { PageToken(.integer($0.jobID)).text } : nil)
    }

    /// - Parameter known: when the job was changed last, as far as the caller knows; nil replaces whatever is there.
    /// - Throws: `RESOURCE_CONFLICT` when somebody has changed it since.
    func update(_ jobID: Int64, _ spec: JobSpec, ifUpdatedAt known: Timestamp? = nil) async throws -> Job {
        let next = try validate(spec)
        if let other = spec.trigger?.jobCompletion?.jobID, let path = try await store.circle(from: jobID, after: other)
        {
            throw HarbourError(
                .invalidParameter,
                "The jobs would start each other for ever: \(path.map { String($0) }.joined(separator: " after ")).")
        }
        return try await store.update(jobID, spec, ifUpdatedAt: known, nextFireAt: next, now: .now).job
    }

    func delete(_ jobID: Int64, user: String) async throws { try await store.delete(jobID, by: user, now: .now) }

    func listDeleted(pageSize: Int?, pageToken: String?) async throws -> DeletedJobList {
        let limit = pageSize ?? 50
        let before = try pageToken.map { text throws(HarbourError) in
            let token = try PageToken(text, count: 2)
            return (time: Timestamp(milliseconds: try token.int64(0)), jobID: try token.int64(1))
        }
        let jobs = try await deleted.list(before: before, limit: limit + 1)
        let page = Array(jobs.prefix(limit))
        let last = jobs.count > limit ? page.last : nil
        return DeletedJobList(
            jobs: page, retentionDays: deleted.days,
            nextPageToken: last.map {
                PageToken(.integer($0.deletedTime.milliseconds), .integer($0.jobID)).text
            })
    }

    /// Brings a deleted job back with the rhythm that it had; what it would have run meanwhile is not made up for. One
    /// that is not deleted stays as it is.
    func restore(_ jobID: Int64) async throws -> Job {
        guard let (job, wasDueAt) = try await store.deleted(jobID) else { return try await get(jobID) }
        let now = Timestamp.now
        var next = try job.settings.nextFireTime(after: now)
        if next != nil, job.settings.continuous == nil, let wasDueAt, let rule = try job.settings.fireRule()?.rule {
            next = rule.next(after: now, anchor: wasDueAt)
        }
        return try await store.restore(jobID, nextFireAt: next, now: now).job
    }

    func owner(_ jobID: Int64) async throws -> JobOwner { JobOwner(creatorUserName: try await store.owner(jobID)) }

    /// Who made jobs, also deleted ones; of those that are gone nothing is said.
    func owners(of jobIDs: [Int64]) async throws -> JobOwnerList {
        JobOwnerList(owners: try await store.owners(jobIDs))
    }

    /// Everything that would keep the job from being made, when it would run, and the job as a file.
    func check(_ spec: JobSpec, withYAML: Bool = false) throws(HarbourError) -> JobCheck {
        var problems = JobGraph(spec).problems
        let part = spec.schedule != nil ? "/schedule" : spec.trigger != nil ? "/trigger" : ""
        if let problem = spec.triggerProblem { problems.append(JobProblem(path: part, message: problem)) }
        do throws(HarbourError) {
            _ = try nextFireTime(spec)
        } catch {
            problems.append(JobProblem(path: part, message: error.message))
        }
        return JobCheck(
            problems: problems, nextFireTimes: upcoming(spec, 5),
            yaml: withYAML ? String(decoding: try JSONValue(json: spec.encodedJSON()).yaml(), as: UTF8.self) : nil)
    }

    /// The next times at which the job would run by itself if it were not paused; nil when none are known beforehand.
    private func upcoming(_ spec: JobSpec, _ count: Int) -> [Timestamp]? {
        // What is wrong with the rule is among the problems already.
        guard let rule = try? spec.fireRule()?.rule else { return nil }
        let now = Timestamp.now
        var times: [Timestamp] = []
        // An interval is counted from the moment in which it is set.
        while times.count < count, let next = rule.next(after: times.last ?? now, anchor: now) { times.append(next) }
        return times
    }

    /// - Returns: when the schedule fires next.
    private func validate(_ spec: JobSpec) throws(HarbourError) -> Timestamp? {
        _ = try RunPlan(spec)
        if let problem = spec.triggerProblem { throw HarbourError(.invalidParameter, problem) }
        return try nextFireTime(spec)
    }

    private func nextFireTime(_ spec: JobSpec) throws(HarbourError) -> Timestamp? {
        let next = try spec.nextFireTime(after: .now)
        if next == nil, let schedule = spec.schedule, schedule.pauseStatus != .paused {
            throw HarbourError(
                .invalidCronExpression,
                "The schedule never fires: no day to come is named by its cron expression. Correct it, or pause it.",
                detail: schedule.quartzCronExpression)
        }
        return next
    }
}
