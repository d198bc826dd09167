internal import Core
internal import HarbourProtocol
internal import Postgres

/// A run, as its row has it, with the definition that was frozen when it was made.
struct RunRow: Sendable {
    enum Phase: String, Sendable {
        /// Nobody has begun it.
        case queued = "QUEUED"
        /// A scheduler owns it, or has to take it over.
        case running = "RUNNING"
        case terminated = "TERMINATED"
    }

    var runID: Int64
    var jobID: Int64?
    var runName: String
    var trigger: TriggerType
    var creator: String
    var fireAt: Timestamp?
    var createdAt: Timestamp
    var settings: JobSpec
    var parameters: [String: String]
    var phase: Phase
    var cancelRequested: Bool
    var record: RunRecord
    var fence: Int64
    var lastSequence: Int64
    /// The run whose run-job task made this one.
    var parentRunID: Int64?
    /// How many runs are above it.
    var depth: Int
    var backfillID: Int64?
    var backfillAt: Timestamp?

    static let columns = """
        run_id, job_id, run_name, trigger, creator, fire_at, created_at, settings, parameters, phase,
        cancel_requested, record, fence, last_sequence, parent_run_id, depth,
        backfill_id, backfill_at
        """

    init(_ row: PostgresRow) throws {
        runID = try row["run_id", as: Int64.self]
        jobID = try row["job_id", as: Int64?.self]
        runName = try row["run_name", as: String.self]
        trigger = TriggerType(rawValue: try row["trigger", as: String.self]) ?? .oneTime
        creator = try row["creator", as: String.self]
        fireAt = try row["fire_at", as: Timestamp?.self]
        createdAt = try row["created_at", as: Timestamp.self]
        settings = try JobSpec(json: try row["settings", as: PostgresJSON.self].bytes)
        parameters = try [String: String](json: try row["parameters", as: PostgresJSON.self].bytes)
        phase = Phase(rawValue: try row["phase", as: String.self]) ?? .queued
        cancelRequested = try row["cancel_requested", as: Bool.self]
        record = RunRecord(try JSONValue(json: try row["record", as: PostgresJSON.self].bytes))
        fence = try row["fence", as: Int64.self]
        lastSequence = try row["last_sequence", as: Int64.self]
        parentRunID = try row["parent_run_id", as: Int64?.self]
        depth = try row["depth", as: Int.self]
        backfillID = try row["backfill_id", as: Int64?.self]
        backfillAt = try row["backfill_at", as: Timestamp?.self]
    }
}

/// A task of a run with its attempts, as their rows have them.
struct TaskRow: Sendable {
    var ordinal: Int
    var key: String
    var record: TaskRecord
    var notebookID: Int64?
    var revisionID: Int64?
    var attempts: [AttemptRow] = []
}

/// What an attempt left behind besides the machine's record.
struct AttemptRow: Sendable {
    var number: Int
    var record: AttemptRecord
    var clusterID: String?
    var executedAt: Timestamp?
    var error: CommandError?
    var truncated: Bool
    var revisionID: Int64?
    /// The run that a run-job task made.
    var childRunID: Int64?
}

/// The attempt of a run-job task that a run is made for.
struct ParentAttempt: Sendable {
    var runID: Int64
    var attemptID: String
    /// How deep the new run is.
    var depth: Int
}

/// A new run.
struct NewRun: Sendable {
    var jobID: Int64?
    var runName: String
    var trigger: TriggerType
    var creator: String
    var fireAt: Timestamp?
    var idempotencyToken: String?
    var settings: JobSpec
    var parameters: [String: String]
    var parent: ParentAttempt?
    var backfillID: Int64?
    var backfillAt: Timestamp?
}

extension RunRow {
    /// Whether nobody has ever written this run down, but whoever made it and this claim.
    var isUntouched: Bool { fence == 1 && record.startTime == nil && record.past.isEmpty && lastSequence == 0 }

    /// The tasks as they were made with the run.
    var newTasks: [TaskRow] {
        settings.tasks.enumerated().map { TaskRow(ordinal: $0, key: $1.taskKey, record: TaskRecord()) }
    }

    /// What references may name.
    var facts: RunFacts {
        RunFacts(
            runID: runID, jobID: jobID, jobName: runName, trigger: trigger.rawValue, fireTime: fireAt ?? backfillAt,
            fileLocation: settings.trigger?.fileArrival?.url, parameters: parameters)
    }

    /// The machine of the run, as its rows have it.
    func machine(_ tasks: [TaskRow]) throws(HarbourError) -> RunMachine {
        RunMachine(
            plan: try RunPlan(settings, seed: runID, isFrozen: true), facts: facts, run: record,
            tasks: tasks.map(\.record))
    }
}
