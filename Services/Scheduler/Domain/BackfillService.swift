internal import Core
internal import HarbourProtocol

/// Decides about backfills: runs of a job for the times of a span that has passed, or is to come.
struct BackfillService: Sendable {
    let jobs: JobStore
    let backfills: BackfillStore

    /// The most runs of one backfill.
    static let most = 1000

    func create(_ jobID: Int64, _ request: CreateBackfill, user: String) async throws -> Backfill {
        let job = try await jobs.get(jobID)
        let times = try times(request, job.settings)
        let parameters = try job.settings.parameters(with: request.parameters ?? [:])
        let runs = times.map { time in
            NewRun(
                jobID: jobID, runName: job.settings.name, trigger: .backfill, creator: user, settings: job.settings,
                parameters: parameters, backfillAt: time)
        }
        let backfillID = try await backfills.insert(
            jobID: jobID, creator: user, from: request.startTime, to: request.endTime, token: request.idempotencyToken,
            runs: runs, now: .now)
        return try await backfills.get(backfillID)
    }

    func get(_ backfillID: Int64) async throws -> Backfill { try await backfills.get(backfillID) }

    func list(_ jobID: Int64) async throws -> BackfillList {
        _ = try await jobs.get(jobID)
        return BackfillList(backfills: try await backfills.list(jobID: jobID))
    }

    func cancel(_ backfillID: Int64) async throws -> Backfill {
        try await backfills.requestCancel(backfillID)
        return try await backfills.get(backfillID)
    }

    /// The times of the span at which the schedule fires.
    private func times(_ request: CreateBackfill, _ settings: JobSpec) throws(HarbourError) -> [Timestamp] {
        var rule = try settings.fireRule()?.rule
        if let schedule = request.schedule { rule = try schedule.rule() }
        guard let rule else {
            throw HarbourError(
                .invalidParameter, "The job has no schedule and no interval. Say in schedule which times are meant.")
        }
        var times: [Timestamp] = []
        var next = rule.next(
            after: Timestamp(milliseconds: request.startTime.milliseconds - 1), anchor: request.startTime)
        while let time = next, time <= request.endTime {
            times.append(time)
            guard times.count <= Self.most else {
                throw HarbourError(
                    .invalidParameter,
                    "The span has more than \(Self.most) times. Make several backfills of shorter spans.")
            }
            next = rule.next(after: time, anchor: request.startTime)
        }
        guard !times.isEmpty else {
            throw HarbourError(.invalidParameter, "The schedule fires at no time of the span. Choose a longer one.")
        }
        return times
    }
}
