internal import Core
internal import HarbourProtocol
internal import Postgres

extension RunStore {
    /// Writes down that a run that has ended is to go on, as `machine` has it, unless somebody else was faster.
    ///
    /// Its tasks lose their frozen notebooks, so that a notebook that was mended is read anew. The definition stays.
    /// - Throws: `RESOURCE_CONFLICT` when the run is not any more what `row` says.
    func reopen(_ row: RunRow, as machine: RunMachine, parameters: [String: String], now: Timestamp) async throws {
        let open = machine.tasks.indices.filter { !machine.tasks[$0].phase.isEnded }
        let event = RunEvent(
            sequence: 0, timestamp: now, type: .runState, state: machine.run.state(phase: .queued, tasks: []))
        let rows = try await pool.query(
            """
            WITH held AS (
                UPDATE runs SET phase = 'QUEUED', record = \(machine.run.json.jsonText())::jsonb, result = NULL,
                    started_at = NULL, ended_at = NULL, cancel_requested = false, owner = NULL,
                    parameters = \(parameters.jsonText())::jsonb, last_sequence = last_sequence + 1
                WHERE run_id = \(row.runID) AND phase = 'TERMINATED' AND fence = \(row.fence)
                RETURNING run_id, last_sequence
            ), warned AS (
                DELETE FROM duration_warnings w USING held WHERE w.run_id = held.run_id
            ), changed AS (
                UPDATE tasks SET record = t.record::jsonb, notebook_id = NULL, revision_id = NULL
                FROM held, unnest(\(open.map { Int32(clamping: $0) }),
                                  \(open.map { machine.tasks[$0].json.jsonText() })) AS t (ordinal, record)
                WHERE tasks.run_id = held.run_id AND tasks.ordinal = t.ordinal
            ), told AS (
                INSERT INTO run_events (run_id, sequence, payload)
                SELECT run_id, last_sequence, \(event.jsonText()) FROM held
            )
            SELECT count(*) AS held, count(pg_notify('scheduler_runs', run_id::text)),
                   count(pg_notify('scheduler_events', run_id::text)) FROM held
            """)
        guard try rows.first?["held", as: Int64.self] == 1 else {
            throw HarbourError(.conflict, "Somebody else has repaired run \(row.runID) at the same moment. Look again.")
        }
    }
}
