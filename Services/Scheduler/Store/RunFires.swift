internal import Core
internal import HarbourProtocol
internal import Postgres

extension RunStore {
    /// What the schedules of some jobs make at one moment.
    struct Fires: Sendable {
        /// Runs of these jobs by themselves, with the definitions that the jobs have now.
        var runs: [NewRun] = []
        /// When each job fires next.
        var next: [(jobID: Int64, time: Timestamp?)] = []
    }

    /// Makes the runs and moves the jobs on, in one statement however many there are. A run that is there already, of
    /// the same job and time, is left as it is. Their jobs are locked by whoever calls.
    func fire(_ fires: Fires, now: Timestamp, in transaction: PostgresTransaction) async throws {
        try await transaction.query(
            """
            WITH moved AS (
                UPDATE jobs SET next_fire_at = to_timestamp(nullif(t.next, 0) / 1000.0)
                FROM unnest(\(fires.next.map(\.jobID))::bigint[], \(fires.next.map { $0.time?.milliseconds ?? 0 })::bigint[])
                    AS t (job_id, next)
                WHERE jobs.job_id = t.job_id
            ), made AS (
                INSERT INTO runs (job_id, run_name, trigger, creator, fire_at, created_at, settings, parameters, phase,
                                  record)
                SELECT job_id, name, t.trigger, creator, to_timestamp(nullif(t.fire, 0) / 1000.0), \(now), settings,
                       t.parameters::jsonb, 'QUEUED', \(RunRecord().json.jsonText())::jsonb
                FROM unnest(\(fires.runs.map { $0.jobID ?? 0 })::bigint[], \(fires.runs.map(\.trigger.rawValue))::text[],
                            \(fires.runs.map { $0.fireAt?.milliseconds ?? 0 })::bigint[],
                            \(fires.runs.map { $0.parameters.jsonText() })::text[])
                     WITH ORDINALITY AS t (job_id, trigger, fire, parameters, place) JOIN jobs USING (job_id)
                ORDER BY place
                ON CONFLICT DO NOTHING RETURNING run_id, settings
            ), parts AS (
                INSERT INTO tasks (run_id, task_key, ordinal, record)
                SELECT run_id, task ->> 'task_key', ordinal::integer - 1, \(TaskRecord().json.jsonText())::jsonb
                FROM made, jsonb_array_elements(settings -> 'tasks') WITH ORDINALITY AS t (task, ordinal)
            )
            SELECT pg_notify('scheduler_runs', ''), pg_notify('scheduler_events', string_agg(run_id::text, ' '))
            FROM made HAVING count(*) > 0
            """)
    }
}
