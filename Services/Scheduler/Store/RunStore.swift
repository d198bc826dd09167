internal import Core
internal import HarbourProtocol
internal import Postgres

/// The tables of runs, as the API and the engine read them. What an owner writes is in `RunProgress`.
struct RunStore: Sendable {
    let pool: PostgresPool

    /// Makes a run with its tasks, or finds the one that the token or the fire time has made already.
    ///
    /// - Returns: the run's id, and whether it is new.
    func insert(_ run: NewRun, now: Timestamp) async throws -> (runID: Int64, isNew: Bool) {
        // Whether it is skipped has to be looked at under a lock, and a run that is there already has to be found.
        if run.settings.queue?.enabled != false, let runID = try await pool.query(insertion(run, now, false)).runID {
            return (runID, true)
        }
        return try await pool.transaction { transaction in try await insert(run, now: now, in: transaction) }
    }

    /// The same as part of a larger transaction.
    func insert(
        _ run: NewRun, now: Timestamp, in transaction: PostgresTransaction
    ) async throws -> (runID: Int64, isNew: Bool) {
        let isSkipped = try await isSkipped(run, in: transaction)
        if let runID = try await transaction.query(insertion(run, now, isSkipped)).runID { return (runID, true) }
        return (try await existing(run, in: transaction), false)
    }

    /// Makes the run, its tasks and a notification, unless the run is there already: then it answers nothing.
    private func insertion(_ run: NewRun, _ now: Timestamp, _ isSkipped: Bool) -> SQL {
        let record = isSkipped ? RunRecord(startTime: now, endTime: now, result: .skipped) : RunRecord()
        let task = isSkipped ? TaskRecord(phase: .ended(.skipped), endTime: now) : TaskRecord()
        return """
            WITH made AS (
                INSERT INTO runs (job_id, run_name, trigger, creator, fire_at, idempotency_token, created_at, settings,
                                  parameters, phase, record, result, ended_at, parent_attempt, parent_run_id, depth,
                                  backfill_id, backfill_at)
                VALUES (\(run.jobID), \(run.runName), \(run.trigger.rawValue), \(run.creator), \(run.fireAt),
                        \(run.idempotencyToken), \(now), \(run.settings.jsonText())::jsonb,
                        \(run.parameters.jsonText())::jsonb, \(isSkipped ? "TERMINATED" : "QUEUED"),
                        \(record.json.jsonText())::jsonb, \(record.result?.rawValue), \(record.endTime),
                        \(run.parent?.attemptID), \(run.parent?.runID), \(Int32(clamping: run.parent?.depth ?? 0)),
                        \(run.backfillID), \(run.backfillAt))
                ON CONFLICT DO NOTHING RETURNING run_id
            ), parts AS (
                INSERT INTO tasks (run_id, task_key, ordinal, record)
                SELECT run_id, key, ordinal::integer - 1, \(task.json.jsonText())::jsonb
                FROM made, unnest(\(run.settings.tasks.map(\.taskKey))::text[]) WITH ORDINALITY AS t (key, ordinal)
            )
            SELECT run_id, pg_notify('scheduler_runs', ''), pg_notify('scheduler_events', run_id::text) FROM made
            """
    }

    /// Whether the run finds all places of its job taken, and the job has no queue.
    private func isSkipped(_ run: NewRun, in transaction: PostgresTransaction) async throws -> Bool {
        guard let jobID = run.jobID, run.settings.queue?.enabled == false else { return false }
        // The job's row makes those who ask at the same moment go one after the other.
        try await transaction.query("SELECT 1 FROM jobs WHERE job_id = \(jobID) FOR UPDATE")
        let rows = try await transaction.query(
            "SELECT count(*) AS count FROM runs WHERE job_id = \(jobID) AND phase <> 'TERMINATED'")
        return try rows.first?["count", as: Int.self] ?? 0 >= run.settings.maxConcurrentRuns ?? 1
    }

    private func existing(_ run: NewRun, in transaction: PostgresTransaction) async throws -> Int64 {
        let rows = try await transaction.query(
            """
            SELECT run_id, job_id FROM runs
            WHERE (creator = \(run.creator) AND idempotency_token = \(run.idempotencyToken)::text)
               OR (job_id = \(run.jobID)::bigint AND fire_at = \(run.fireAt)::timestamptz)
               OR parent_attempt = \(run.parent?.attemptID)::text
            """)
        guard let row = rows.first else {
            throw HarbourError(.conflict, "The run was made by somebody else at the same moment. Ask again.")
        }
        guard try row["job_id", as: Int64?.self] == run.jobID else {
            throw HarbourError(
                .alreadyExists,
                "The idempotency_token has made a run of another job already. Use a new token for each run.")
        }
        return try row["run_id", as: Int64.self]
    }

    func get(_ runID: Int64) async throws -> RunRow {
        let rows = try await pool.query("SELECT \(unescaped: RunRow.columns) FROM runs WHERE run_id = \(runID)")
        guard let row = rows.first else { throw Self.missing(runID) }
        return try RunRow(row)
    }

    /// Several runs at once, in the order of their ids.
    func rows(of runIDs: [Int64]) async throws -> [RunRow] {
        let rows = try await pool.query(
            """
            SELECT \(unescaped: RunRow.columns) FROM runs WHERE run_id = ANY(\(runIDs)::bigint[]) ORDER BY run_id
            """)
        return try rows.map { try RunRow($0) }
    }

    /// Where several runs stand, by run, in one query.
    func standings(of runIDs: [Int64]) async throws -> [Int64: (phase: RunRow.Phase, cancelRequested: Bool)] {
        let rows = try await pool.query(
            "SELECT run_id, phase, cancel_requested FROM runs WHERE run_id = ANY(\(runIDs)::bigint[])")
        var standings: [Int64: (phase: RunRow.Phase, cancelRequested: Bool)] = [:]
        for row in rows {
            standings[try row["run_id", as: Int64.self]] = (
                RunRow.Phase(rawValue: try row["phase", as: String.self]) ?? .queued,
                try row["cancel_requested", as: Bool.self]
            )
        }
        return standings
    }

    /// Runs below an id, newest first. Only what is asked for is in the statement, so that an index serves each.
    func list(
        before runID: Int64?, jobID: Int64?, backfillID: Int64?, activeOnly: Bool, limit: Int
    ) async throws -> [RunRow] {
        var conditions: [SQL] = ["run_id < \(runID ?? .max)"]
        if let jobID { conditions.append("job_id = \(jobID)") }
        if let backfillID { conditions.append("backfill_id = \(backfillID)") }
        if activeOnly { conditions.append("phase <> 'TERMINATED'") }
        let rows = try await pool.read(
            """
            SELECT \(unescaped: RunRow.columns) FROM runs WHERE \(SQL.joined(conditions, separator: " AND "))
            ORDER BY run_id DESC LIMIT \(Int64(limit))
            """)
        return try rows.map { try RunRow($0) }
    }

    /// The tasks of several runs at once, by run, in the order of the graph.
    ///
    /// - Parameter iterations: whether the iterations of for-each tasks are wanted too.
    func tasks(of runIDs: [Int64], iterations: Bool = true) async throws -> [Int64: [TaskRow]] {
        let attempts = try await self.attempts(of: runIDs)
        let rows = try await pool.query(
            """
            SELECT run_id, ordinal, task_key, record, notebook_id, revision_id
            FROM tasks WHERE run_id = ANY(\(runIDs)::bigint[]) AND (\(iterations) OR NOT record ? 'place')
            ORDER BY run_id, ordinal
            """)
        var tasks: [Int64: [TaskRow]] = [:]
        for row in rows {
            let runID = try row["run_id", as: Int64.self]
            let ordinal = try row["ordinal", as: Int.self]
            let mine = attempts[runID]?[ordinal] ?? []
            let json = try JSONValue(json: try row["record", as: PostgresJSON.self].bytes)
            guard let record = TaskRecord(json, attempts: mine.map(\.record)) else {
                throw HarbourError(.internalError, "The record of a task cannot be read.", detail: "run \(runID)")
            }
            tasks[runID, default: []].append(
                TaskRow(
                    ordinal: ordinal, key: try row["task_key", as: String.self], record: record,
                    notebookID: try row["notebook_id", as: Int64?.self],
                    revisionID: try row["revision_id", as: Int64?.self], attempts: mine))
        }
        return tasks
    }

    private func attempts(of runIDs: [Int64]) async throws -> [Int64: [Int: [AttemptRow]]] {
        let rows = try await pool.query(
            """
            SELECT run_id, task_ordinal, attempt_number, record, cluster_id, executed_at, error, truncated,
                   revision_id, child_run_id
            FROM attempts WHERE run_id = ANY(\(runIDs)::bigint[]) ORDER BY run_id, task_ordinal, attempt_number
            """)
        var attempts: [Int64: [Int: [AttemptRow]]] = [:]
        for row in rows {
            let runID = try row["run_id", as: Int64.self]
            let json = try JSONValue(json: try row["record", as: PostgresJSON.self].bytes)
            guard let record = AttemptRecord(json) else {
                throw HarbourError(.internalError, "The record of an attempt cannot be read.", detail: "run \(runID)")
            }
            let error = try row["error", as: PostgresJSON?.self]
            let attempt = AttemptRow(
                number: try row["attempt_number", as: Int.self], record: record,
                clusterID: try row["cluster_id", as: String?.self],
                executedAt: try row["executed_at", as: Timestamp?.self],
                error: try error.map { try CommandError(json: $0.bytes) },
                truncated: try row["truncated", as: Bool.self],
                revisionID: try row["revision_id", as: Int64?.self],
                childRunID: try row["child_run_id", as: Int64?.self])
            attempts[runID, default: [:]][try row["task_ordinal", as: Int.self], default: []].append(attempt)
        }
        return attempts
    }

    /// Asks the owner of the run to cancel it; a run that has ended stays as it is.
    func requestCancel(_ runID: Int64) async throws {
        let rows = try await pool.query(
            """
            UPDATE runs SET cancel_requested = cancel_requested OR phase <> 'TERMINATED' WHERE run_id = \(runID)
            RETURNING pg_notify('scheduler_cancel', \(String(runID)))
            """)
        if rows.isEmpty { throw Self.missing(runID) }
    }

    static func missing(_ runID: Int64) -> HarbourError {
        HarbourError(.notFound, "Run \(runID) does not exist. List the runs to find the one you mean.")
    }
}

extension PostgresRows {
    /// The run that was made; nil when none was.
    fileprivate var runID: Int64? { get throws { try first?["run_id", as: Int64.self] } }
}
