internal import Compression
internal import Core
internal import HarbourProtocol
internal import Postgres

extension ErrorCode {
    /// Another scheduler has taken the run; whoever sees this stops working on it.
    static let leaseLost = ErrorCode("LEASE_LOST", status: 409)
}

/// What the owner of one run writes. Every write carries the fence of the claim and is refused when it is an old one.
struct RunProgress: Sendable {
    let pool: PostgresPool
    let runID: Int64
    let fence: Int64
    /// The job that the run is of.
    let jobID: Int64?

    /// The part of a machine that has changed.
    struct Change: Sendable {
        var run: RunRecord
        var tasks: [(ordinal: Int, key: String, record: TaskRecord)] = []
        var attempts: [(ordinal: Int, number: Int, record: AttemptRecord)] = []
    }

    /// Writes the change and the events that tell of it, all or nothing, in one statement.
    ///
    /// - Parameter step: 1, 2, 3, ... under one claim. The same step may be written twice, as happens when the
    ///   connection breaks before the answer comes: the second time changes nothing.
    /// - Throws: `LEASE_LOST` when the fence is an old one.
    func save(_ change: Change, events: [RunEvent], step: Int64) async throws {
        let result = change.run.result
        let isGood = result == .success || result == .successWithFailures
        let rows = try await pool.query(
            """
            WITH done AS (
                SELECT 1 FROM runs WHERE run_id = \(runID) AND fence = \(fence) AND step >= \(step)
            ), held AS (
                UPDATE runs SET record = \(change.run.json.jsonText())::jsonb, result = \(result?.rawValue), step = \(step),
                    phase = \(result == nil ? "RUNNING" : "TERMINATED"), started_at = \(change.run.startTime),
                    announced = \(result == nil || jobID == nil), ended_at = \(change.run.endTime), last_sequence = last_sequence + \(events.count)
                WHERE run_id = \(runID) AND fence = \(fence) AND step < \(step)
                RETURNING run_id, last_sequence - \(events.count) AS base
            ), changed AS (
                INSERT INTO tasks (run_id, task_key, ordinal, record)
                SELECT run_id, t.key, t.ordinal, t.record::jsonb
                FROM held, unnest(\(change.tasks.map(\.key)), \(change.tasks.map { Int32(clamping: $0.ordinal) }),
                                  \(change.tasks.map { $0.record.json.jsonText() })) AS t (key, ordinal, record)
                ON CONFLICT (run_id, ordinal) DO UPDATE SET record = excluded.record
            ), tried AS (
                INSERT INTO attempts (attempt_id, run_id, task_ordinal, attempt_number, record)
                SELECT t.id, run_id, t.ordinal, t.number, t.record::jsonb
                FROM held, unnest(\(change.attempts.map { attemptID($0.ordinal, $0.number) }),
                                  \(change.attempts.map { Int32(clamping: $0.ordinal) }),
                                  \(change.attempts.map { Int32(clamping: $0.number) }),
                                  \(change.attempts.map { $0.record.json.jsonText() })) AS t (id, ordinal, number, record)
                ON CONFLICT (attempt_id) DO UPDATE SET record = excluded.record
            ), told AS (
                INSERT INTO run_events (run_id, sequence, payload)
                SELECT run_id, base + place, payload
                FROM held, unnest(\(events.map { $0.jsonText() })) WITH ORDINALITY AS t (payload, place)
            ), again AS (
                -- A continuous job has its next run a while after the end of this one, unless another is open.
                UPDATE jobs SET failures = CASE WHEN \(isGood) THEN 0 ELSE least(failures + 1, 20) END,
                    next_fire_at = clock_timestamp() + least(600, CASE WHEN \(isGood) THEN 1 ELSE 2 ^ failures END)
                                   * interval '1 s'
                FROM held WHERE \(result != nil) AND jobs.job_id = \(jobID)::bigint AND deleted_at IS NULL
                  AND settings ? 'continuous' AND settings #>> '{continuous,pause_status}' IS DISTINCT FROM 'PAUSED'
                  AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.job_id = jobs.job_id AND runs.run_id <> held.run_id
                                    AND phase <> 'TERMINATED')
                RETURNING jobs.job_id
            )
            SELECT (SELECT count(*) FROM held) + (SELECT count(*) FROM done) AS taken,
                   (SELECT count(pg_notify('scheduler_jobs', '')) FROM again),
                   (SELECT count(pg_notify('scheduler_ends', '')) FROM held WHERE \(result != nil && jobID != nil)),
                   (SELECT count(pg_notify('scheduler_events', run_id::text)) FROM held),
                   -- A run that has ended may let the next one of its job begin.
                   (SELECT count(pg_notify('scheduler_runs', '')) FROM held WHERE \(result != nil))
            """)
        if try rows.first?["taken", as: Int64.self] != 1 { throw lost }
    }

    private var lost: HarbourError {
        HarbourError(.leaseLost, "Another scheduler has taken over run \(runID).")
    }

    /// The name of an attempt, of its context, and the beginning of the names of its commands.
    func attemptID(_ ordinal: Int, _ number: Int) -> String { "run-\(runID)-\(ordinal)-\(number)" }

    /// Freezes the notebook of a task at a revision, unless that has been done.
    func freeze(ordinal: Int, notebookID: Int64, revisionID: Int64) async throws {
        try await pool.transaction { transaction in
            try await hold(transaction)
            try await transaction.query(
                """
                UPDATE tasks SET notebook_id = \(notebookID), revision_id = \(revisionID)
                WHERE run_id = \(runID) AND ordinal = \(Int32(clamping: ordinal)) AND revision_id IS NULL
                """)
        }
    }

    /// Says where an attempt runs, what, and when its first cell began.
    func place(attempt: String, clusterID: String, revisionID: Int64?, executedAt: Timestamp?) async throws {
        try await pool.transaction { transaction in
            try await hold(transaction)
            try await transaction.query(
                """
                UPDATE attempts SET cluster_id = \(clusterID), executed_at = coalesce(executed_at, \(executedAt)),
                    revision_id = \(revisionID)
                WHERE attempt_id = \(attempt)
                """)
        }
    }

    /// Says that an attempt that needs no cluster has begun.
    func begun(attempt: String) async throws {
        try await pool.transaction { transaction in
            try await hold(transaction)
            try await transaction.query(
                "UPDATE attempts SET executed_at = coalesce(executed_at, now()) WHERE attempt_id = \(attempt)")
        }
    }

    /// Says which run the attempt of a run-job task waits for.
    func place(attempt: String, childRunID: Int64) async throws {
        try await pool.transaction { transaction in
            try await hold(transaction)
            try await transaction.query(
                """
                UPDATE attempts SET child_run_id = \(childRunID), executed_at = coalesce(executed_at, now())
                WHERE attempt_id = \(attempt)
                """)
        }
    }

    /// Keeps the outputs of a cell that has ended, with the events not written yet.
    func finishCell(attempt: String, cell: Int, outputs: JSONValue) async throws {
        let frame = LZ4Frame.compress(outputs.encodedJSON())
        try await pool.transaction { transaction in
            try await hold(transaction)
            try await transaction.query(
                """
                INSERT INTO cells (attempt_id, ordinal, outputs)
                VALUES (\(attempt), \(Int32(clamping: cell)), \(frame)) ON CONFLICT DO NOTHING
                """)
        }
    }

    /// The outputs of the cells that have ended, by cell.
    func finishedCells(attempt: String) async throws -> [Int: JSONValue] {
        let rows = try await pool.query(
            "SELECT ordinal, outputs FROM cells WHERE attempt_id = \(attempt)")
        var cells: [Int: JSONValue] = [:]
        for row in rows {
            let bytes = try LZ4Frame.decompress(try row["outputs", as: [UInt8].self], limit: Self.notebookLimit)
            cells[try row["ordinal", as: Int.self]] = try JSONValue(json: bytes)
        }
        return cells
    }

    /// Keeps the executed notebook of an attempt and drops its cells, which the notebook contains.
    func finishAttempt(_ attempt: String, notebook: JSONValue, error: CommandError?, truncated: Bool) async throws {
        let frame = LZ4Frame.compress(notebook.encodedJSON())
        try await pool.transaction { transaction in
            try await hold(transaction)
            try await transaction.query(
                """
                UPDATE attempts SET notebook = \(frame), error = \(error?.jsonText())::jsonb,
                    truncated = \(truncated)
                WHERE attempt_id = \(attempt)
                """)
            try await transaction.query("DELETE FROM cells WHERE attempt_id = \(attempt)")
        }
    }

    /// The largest executed notebook that is read back, in bytes.
    static let notebookLimit = 256 << 20

    /// Numbers the events and writes them. Those of a command that are there already are left out, so that a command
    /// can be listened to again from its beginning.
    func append(_ events: [(event: RunEvent, command: CommandPosition?)]) async throws {
        try await pool.transaction { transaction in
            try await hold(transaction)
            try await append(events, in: transaction)
        }
    }

    /// The number of an event within its command.
    struct CommandPosition: Sendable, Hashable {
        var commandID: String
        var sequence: Int64
    }

    private func append(
        _ events: [(event: RunEvent, command: CommandPosition?)], in transaction: PostgresTransaction
    ) async throws {
        guard !events.isEmpty else { return }
        try await transaction.query(
            """
            WITH new AS (
                SELECT payload, nullif(command_id, '') AS command_id, command_sequence,
                       row_number() OVER (ORDER BY place) AS number
                FROM unnest(\(events.map { $0.event.jsonText() })::text[], \(events.map { $0.command?.commandID ?? "" })::text[],
                            \(events.map { $0.command?.sequence ?? 0 })::bigint[])
                     WITH ORDINALITY AS t (payload, command_id, command_sequence, place)
                WHERE command_id = '' OR NOT EXISTS (
                    SELECT 1 FROM run_events e
                    WHERE e.command_id = t.command_id AND e.command_sequence = t.command_sequence)
            ), numbered AS (
                UPDATE runs SET last_sequence = last_sequence + (SELECT count(*) FROM new) WHERE run_id = \(runID)
                RETURNING last_sequence - (SELECT count(*) FROM new) AS base
            )
            INSERT INTO run_events (run_id, sequence, payload, command_id, command_sequence)
            SELECT \(runID), base + number, payload, command_id, nullif(command_sequence, 0) FROM new, numbered
            """)
        try await transaction.query("SELECT pg_notify('scheduler_events', \(String(runID)))")
    }

    /// Locks the run's row for this transaction and makes sure that it is ours.
    private func hold(_ transaction: PostgresTransaction) async throws {
        let rows = try await transaction.query(
            "SELECT 1 FROM runs WHERE run_id = \(runID) AND fence = \(fence) FOR UPDATE")
        if rows.isEmpty { throw lost }
    }
}
