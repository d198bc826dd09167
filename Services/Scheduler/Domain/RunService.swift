internal import Core
internal import EventLoop
internal import HarbourProtocol

/// Decides about runs: making them, cancelling them, showing them.
struct RunService: Sendable {
    let jobs: JobStore
    let runs: RunStore
    let events: RunEventStore
    let signals: RunSignals

    func runNow(_ jobID: Int64, _ request: RunNow, user: String) async throws -> RunCreated {
        let job = try await jobs.get(jobID)
        let run = NewRun(
            jobID: jobID, runName: job.settings.name, trigger: .oneTime, creator: user,
            idempotencyToken: request.idempotencyToken, settings: job.settings,
            parameters: try job.settings.parameters(with: request.parameters ?? [:]))
        return RunCreated(runID: try await runs.insert(run, now: .now).runID)
    }

    /// Runs tasks of a run that has ended again, as part of the same run.
    func repair(_ runID: Int64, _ request: RepairRun, user: String) async throws -> RepairCreated {
        let row = try await runs.get(runID)
        let tasks = try await runs.tasks(of: [runID])[runID] ?? []
        var machine = try row.machine(tasks)
        if machine.repairNumber > 0, request.latestRepairID != Int64(machine.repairNumber) {
            throw HarbourError(
                .conflict,
                "Run \(runID) has been repaired before. Look at its history, and send the newest repair's id as "
                    + "latest_repair_id.")
        }
        let parameters = row.parameters.merging(
            try row.settings.parameters(with: request.jobParameters ?? [:], isPartial: true)
        ) { $1 }
        try machine.repair(
            RepairWish(
                taskKeys: request.rerunTasks ?? [], allFailed: request.rerunAllFailedTasks ?? false,
                dependents: request.rerunDependentTasks ?? false, userName: user, parameters: parameters,
                lastMessage: row.record.state(phase: row.phase, tasks: tasks).stateMessage))
        try await runs.reopen(row, as: machine, parameters: parameters, now: .now)
        return RepairCreated(repairID: Int64(machine.repairNumber))
    }

    func submit(_ request: SubmitRun, user: String) async throws -> RunCreated {
        let settings = JobSpec(
            name: request.runName, tasks: request.tasks, jobClusters: request.jobClusters,
            parameters: (request.parameters ?? [:]).map { JobParameter(name: $0, default: $1) }.sorted {
                $0.name < $1.name
            },
            timeoutSeconds: request.timeoutSeconds)
        _ = try RunPlan(settings)
        let run = NewRun(
            jobID: nil, runName: request.runName, trigger: .runSubmit, creator: user,
            idempotencyToken: request.idempotencyToken, settings: settings, parameters: request.parameters ?? [:])
        return RunCreated(runID: try await runs.insert(run, now: .now).runID)
    }

    func get(_ runID: Int64) async throws -> Run {
        let row = try await runs.get(runID)
        return row.run(tasks: try await runs.tasks(of: [runID])[runID] ?? [])
    }

    func list(
        pageSize: Int?, pageToken: String?, jobID: Int64?, backfillID: Int64?, activeOnly: Bool
    ) async throws -> RunList {
        let limit = pageSize ?? 50
        let before = try pageToken.map { token throws(HarbourError) in try PageToken(token, count: 1).int64(0) }
        let rows = try await runs.list(
            before: before, jobID: jobID, backfillID: backfillID, activeOnly: activeOnly, limit: limit + 1)
        let page = Array(rows.prefix(limit))
        let tasks = try await runs.tasks(of: page.map(\.runID), iterations: false)
        return RunList(
            runs: page.map { $0.run(tasks: tasks[$0.runID] ?? []) },
            nextPageToken: rows.count > limit ? page.last.map { PageToken(.integer($0.runID)).text } : nil)
    }

    func cancel(_ runID: Int64) async throws -> Run {
        try await runs.requestCancel(runID)
        return try await get(runID)
    }

    func output(_ runID: Int64, taskKey: String, attempt: Int?) async throws -> TaskOutput {
        _ = try await runs.get(runID)
        let tasks = try await runs.tasks(of: [runID])[runID] ?? []
        guard let task = tasks.first(where: { $0.key == taskKey }) else {
            throw HarbourError(
                .notFound,
                "Run \(runID) has no task \(taskKey). It has \(tasks.map(\.key).joined(separator: ", ")).")
        }
        let attempts = task.attempts
        guard let shown = attempt.map({ number in attempts.first { $0.number == number } }) ?? attempts.last else {
            throw HarbourError(
                .notFound, "The task \(taskKey) of run \(runID) has no such attempt: it has had \(attempts.count).")
        }
        return TaskOutput(
            runID: runID, taskKey: taskKey, attemptNumber: shown.number,
            state: shown.record.state(executed: shown.executedAt != nil, isStopping: task.record.phase.isStopping),
            exitValue: shown.record.outcome?.exitValue, error: shown.error,
            notebook: try await events.notebook(of: runID, ordinal: task.ordinal, attempt: shown.number),
            truncated: shown.truncated)
    }

    /// Sends the events after a number, and those that come, until the run has ended and everything is sent.
    func follow(_ runID: Int64, after sequence: Int64, _ send: (RunEvent) async throws -> Void) async throws {
        _ = try await runs.get(runID)
        var last = sequence
        try await signals.follow(runID) {
            // Read the state first: what is written before the end is then certain to be read below.
            let isOver = try await runs.get(runID).phase == .terminated
            while true {
                let batch = try await events.events(of: runID, after: last, limit: 500)
                for event in batch {
                    try await send(event)
                    last = event.sequence
                }
                if batch.count < 500 { break }
            }
            return isOver
        }
    }
}

extension RunService {
    /// How long changes are gathered before the next ones are told: a run of many tasks changes often.
    private static let gathering = Duration.milliseconds(250)

    /// Tells where runs stand whenever that has changed, all runs together.
    func followChanges(
        on loop: EventLoop, begun: () async throws -> Void, _ send: (RunChange) async throws -> Void
    ) async throws {
        try await signals.followAll(begun: begun) { changes in
            let changed = try changes.all()
            for part in stride(from: 0, to: changed.count, by: 100) {
                let ids = Array(changed[part..<min(changed.count, part + 100)])
                let rows = try await runs.rows(of: ids)
                let tasks = try await runs.tasks(of: ids, iterations: false)
                for row in rows { try await send(row.change(tasks: tasks[row.runID] ?? [])) }
            }
            try await loop.sleep(for: Self.gathering)
        }
    }
}

extension JobSpec {
    /// The parameters of a run: the defaults, and what the caller says instead.
    ///
    /// - Parameter isPartial: only what the caller says.
    /// - Throws: `INVALID_PARAMETER_VALUE` for names that the job does not have.
    func parameters(with given: [String: String], isPartial: Bool = false) throws(HarbourError) -> [String: String] {
        let defaults = defaultParameters
        let unknown = given.keys.filter { defaults[$0] == nil }.sorted()
        guard unknown.isEmpty else {
            throw HarbourError(
                .invalidParameter,
                "The job has no parameter \(unknown.joined(separator: ", ")). It has "
                    + (defaults.isEmpty ? "none." : "\(defaults.keys.sorted().joined(separator: ", "))."))
        }
        return isPartial ? given : defaults.merging(given) { $1 }
    }
}
