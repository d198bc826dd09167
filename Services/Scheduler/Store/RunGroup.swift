internal import Core
internal import HarbourProtocol
internal import Postgres

/// What several runs have to write at one moment, as one statement: one transaction, one commit, one notification.
struct RunGroup: Sendable {
    /// One run's part.
    struct Member: Sendable {
        let progress: RunProgress
        /// 1, 2, 3, ... under one claim. The same step may be written twice, as happens when the connection breaks before
        /// the answer comes: the second time changes nothing.
        let step: Int64
        let write: RunWrite
        let waiters: [CheckedContinuation<Void, any Error>]
    }

    let members: [Member]

    /// Writes the group.
    ///
    /// - Returns: the runs that are written; the others belong to somebody else.
    func write(_ pool: PostgresPool, timeout: Duration) async throws -> Set<Int64> {
        let rows = try await pool.query(statement, timeout: timeout)
        var written = Set(try rows.first?["written", as: [Int64]?.self] ?? [])
        let missing = members.filter { !written.contains($0.progress.runID) }
        guard !missing.isEmpty else { return written }
        // A step that an earlier try has written is not written again; what is behind an old fence is not at all.
        let standing = try await pool.query(
            """
            SELECT run_id, fence, step FROM runs
            WHERE run_id = ANY(\(missing.map(\.progress.runID))::bigint[])
            """)
        for row in standing {
            let runID = try row["run_id", as: Int64.self]
            guard let member = missing.first(where: { $0.progress.runID == runID }) else { continue }
            let (fence, step) = (try row["fence", as: Int64.self], try row["step", as: Int64.self])
            if fence == member.progress.fence && step >= member.step { written.insert(runID) }
        }
        return written
    }

    // MARK: The statement

    private var statement: SQL {
        """
        WITH given AS (\(given)), new AS (\(events)),
        counted AS (SELECT run_id, count(*) AS count FROM new GROUP BY run_id),
        held AS (
            UPDATE runs SET step = g.step, last_sequence = last_sequence + coalesce(c.count, 0),
                record = CASE WHEN g.record <> '' THEN g.record::jsonb ELSE runs.record END,
                result = CASE WHEN g.record <> '' THEN nullif(g.result, '') ELSE runs.result END,
                phase = CASE WHEN g.result <> '' THEN 'TERMINATED' ELSE runs.phase END,
                announced = CASE WHEN g.result <> '' THEN g.job_id = 0 ELSE runs.announced END,
                started_at = CASE WHEN g.started <> 0 THEN to_timestamp(g.started / 1000.0) ELSE runs.started_at END,
                ended_at = CASE WHEN g.ended <> 0 THEN to_timestamp(g.ended / 1000.0) ELSE runs.ended_at END
            FROM given g LEFT JOIN counted c USING (run_id)
            WHERE runs.run_id = g.run_id AND runs.fence = g.fence AND runs.step < g.step
            RETURNING runs.run_id, runs.last_sequence - coalesce(c.count, 0) AS base, nullif(g.result, '') AS result,
                      nullif(g.job_id, 0) AS job_id
        ),
        \(tasks), \(attempts), \(cells),
        told AS (
            INSERT INTO run_events (run_id, sequence, payload, command_id, command_sequence)
            SELECT run_id, base + number, payload, command_id, command_sequence FROM held JOIN new USING (run_id)
        ), again AS (\(again))
        \(notifications)
        """
    }

    private var given: SQL {
        let runs = members.map(\.write.run)
        return """
            SELECT * FROM unnest(
                \(members.map(\.progress.runID))::bigint[], \(members.map(\.progress.fence))::bigint[],
                \(members.map(\.step))::bigint[], \(members.map { $0.progress.jobID ?? 0 })::bigint[],
                \(runs.map { $0?.json.jsonText() ?? "" })::text[], \(runs.map { $0?.result?.rawValue ?? "" })::text[],
                \(runs.map { $0?.startTime?.milliseconds ?? 0 })::bigint[],
                \(runs.map { $0?.endTime?.milliseconds ?? 0 })::bigint[]
            ) AS t (run_id, fence, step, job_id, record, result, started, ended)
            """
    }

    /// What is new of the events, numbered within each run. Those of a command that are there already are left out.
    private var events: SQL {
        let all = members.flatMap { member in member.write.events.map { (member.progress.runID, $0) } }
        return """
            SELECT run_id, payload, nullif(command_id, '') AS command_id, nullif(command_sequence, 0) AS command_sequence,
                   row_number() OVER (PARTITION BY run_id ORDER BY place) AS number
            FROM unnest(\(all.map(\.0))::bigint[], \(all.map(\.1.payload))::text[],
                        \(all.map { $0.1.command?.commandID ?? "" })::text[],
                        \(all.map { $0.1.command?.sequence ?? 0 })::bigint[])
                 WITH ORDINALITY AS t (run_id, payload, command_id, command_sequence, place)
            WHERE command_id = '' OR NOT EXISTS (
                SELECT 1 FROM run_events e
                WHERE e.command_id = t.command_id AND e.command_sequence = t.command_sequence)
            """
    }

    private var tasks: SQL {
        let all = members.flatMap { member in
            member.write.tasks.sorted { $0.key < $1.key }.map { (member.progress.runID, $0.key, $0.value) }
        }
        return """
            task_part AS MATERIALIZED (
                SELECT t.* FROM held JOIN unnest(
                    \(all.map(\.0))::bigint[], \(all.map { Int32(clamping: $0.1) })::integer[], \(all.map(\.2.isNew))::boolean[],
                    \(all.map(\.2.key))::text[], \(all.map { $0.2.record?.json.jsonText() ?? "" })::text[],
                    \(all.map { $0.2.frozen?.notebookID ?? 0 })::bigint[],
                    \(all.map { $0.2.frozen?.revisionID ?? 0 })::bigint[]
                ) AS t (run_id, ordinal, is_new, key, record, notebook_id, revision_id) USING (run_id)
            ), task_made AS (
                INSERT INTO tasks (run_id, task_key, ordinal, record)
                SELECT run_id, key, ordinal, record::jsonb FROM task_part WHERE is_new
            ), task_moved AS (
                UPDATE tasks SET record = CASE WHEN t.record <> '' THEN t.record::jsonb ELSE tasks.record END,
                    notebook_id = coalesce(tasks.notebook_id, nullif(t.notebook_id, 0)),
                    revision_id = coalesce(tasks.revision_id, nullif(t.revision_id, 0))
                FROM task_part t WHERE tasks.run_id = t.run_id AND tasks.ordinal = t.ordinal AND NOT is_new
            )
            """
    }

    private var attempts: SQL {
        let all = members.flatMap { member in member.write.attempts.map { (member.progress, $0.key, $0.value) } }
        return """
            attempt_part AS MATERIALIZED (
                SELECT t.* FROM held JOIN unnest(
                    \(all.map(\.0.runID))::bigint[], \(all.map { $0.0.attemptID($0.1) })::text[],
                    \(all.map { Int32(clamping: $0.1.ordinal) })::integer[],
                    \(all.map { Int32(clamping: $0.1.number) })::integer[], \(all.map(\.2.isNew))::boolean[],
                    \(all.map { $0.2.record?.json.jsonText() ?? "" })::text[], \(all.map { $0.2.clusterID ?? "" })::text[],
                    \(all.map { $0.2.revisionID ?? 0 })::bigint[], \(all.map { $0.2.childRunID ?? 0 })::bigint[],
                    \(all.map { $0.2.executedAt?.milliseconds ?? 0 })::bigint[],
                    \(all.map { $0.2.ending.map { Base64.encode($0.notebook) } ?? "" })::text[],
                    \(all.map { $0.2.ending?.error?.jsonText() ?? "" })::text[],
                    \(all.map { $0.2.ending?.truncated ?? false })::boolean[]
                ) AS t (run_id, attempt_id, ordinal, number, is_new, record, cluster_id, revision_id, child_run_id,
                        executed, notebook, error, truncated) USING (run_id)
            ), attempt_made AS (
                INSERT INTO attempts (attempt_id, run_id, task_ordinal, attempt_number, record)
                SELECT attempt_id, run_id, ordinal, number, record::jsonb FROM attempt_part WHERE is_new
            ), attempt_moved AS (
                UPDATE attempts SET record = CASE WHEN t.record <> '' THEN t.record::jsonb ELSE attempts.record END,
                    cluster_id = coalesce(nullif(t.cluster_id, ''), attempts.cluster_id),
                    revision_id = coalesce(nullif(t.revision_id, 0), attempts.revision_id),
                    child_run_id = coalesce(nullif(t.child_run_id, 0), attempts.child_run_id),
                    executed_at = coalesce(attempts.executed_at, to_timestamp(nullif(t.executed, 0) / 1000.0)),
                    notebook = coalesce(decode(nullif(t.notebook, ''), 'base64'), attempts.notebook),
                    error = coalesce(nullif(t.error, '')::jsonb, attempts.error),
                    truncated = attempts.truncated OR t.truncated
                FROM attempt_part t WHERE attempts.attempt_id = t.attempt_id AND NOT is_new
            )
            """
    }

    private var cells: SQL {
        let all = members.flatMap { member in member.write.cells.map { (member.progress, $0) } }
        return """
            cell_part AS (
                INSERT INTO cells (attempt_id, ordinal, outputs)
                SELECT attempt_id, ordinal, decode(outputs, 'base64') FROM held JOIN unnest(
                    \(all.map(\.0.runID))::bigint[], \(all.map { $0.0.attemptID($0.1.attempt) })::text[],
                    \(all.map { Int32(clamping: $0.1.ordinal) })::integer[],
                    \(all.map { Base64.encode($0.1.outputs) })::text[]
                ) AS t (run_id, attempt_id, ordinal, outputs) USING (run_id)
                ON CONFLICT DO NOTHING
            ), cells_gone AS (
                DELETE FROM cells USING attempt_part t WHERE cells.attempt_id = t.attempt_id AND t.notebook <> ''
            )
            """
    }

    /// A continuous job has its next run a while after the end of this one. Whether another is open by then is looked at
    /// when that time has come, with the job's row locked: of two that end at the same moment each would take the other
    /// for open here, and the job would rest for ever.
    private var again: SQL {
        """
        UPDATE jobs SET failures = CASE WHEN is_good THEN 0 ELSE least(failures + 1, 20) END,
            next_fire_at = clock_timestamp() + least(600, CASE WHEN is_good THEN 1 ELSE 2 ^ failures END)
                           * interval '1 s'
        FROM (SELECT job_id, bool_and(result LIKE 'success%') AS is_good FROM held WHERE result IS NOT NULL
              GROUP BY job_id) ended
        WHERE jobs.job_id = ended.job_id AND deleted_at IS NULL AND settings ? 'continuous'
          AND settings #>> '{continuous,pause_status}' IS DISTINCT FROM 'PAUSED'
        RETURNING jobs.job_id
        """
    }

    /// The runs that were written, and one notification of a kind, whatever their number.
    private var notifications: SQL {
        """
        SELECT array_agg(run_id) AS written,
               CASE WHEN count(*) > 0 THEN pg_notify('scheduler_events', string_agg(run_id::text, ' ')) END,
               CASE WHEN (SELECT count(*) FROM again) > 0 THEN pg_notify('scheduler_jobs', '') END,
               CASE WHEN count(job_id) FILTER (WHERE result IS NOT NULL) > 0 THEN pg_notify('scheduler_ends', '') END,
               -- A run that has ended may let the next one of its job begin.
               CASE WHEN count(result) > 0 THEN pg_notify('scheduler_runs', '') END
        FROM held
        """
    }
}
