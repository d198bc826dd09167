internal import Core
internal import Postgres

/// How long runs that have ended are kept.
///
/// Old runs are deleted row by row, a few hundred at a time, and not by dropping partitions: one run of each schedule
/// and time, one of each idempotency token and one child of each attempt are unique over the whole history, which no
/// partitioned table can promise; a repair opens an old run again; and an open run would hold its partition. Deleting a
/// run writes a third of what running it wrote, 3900 of them go in a second (Tests/Benchmarks/README.md).
struct RunHistory: Sendable {
    let pool: PostgresPool
    let days: Int

    /// How many runs go at a time.
    static let batch = 500

    /// Deletes some of the oldest runs that ended long enough ago.
    ///
    /// - Returns: how many; fewer than `batch` when no more are that old, or another scheduler is at it.
    func deleteSome() async throws -> Int {
        try await pool.transaction { transaction in
            let lock = try await transaction.query(
                "SELECT pg_try_advisory_xact_lock(hashtextextended('scheduler.retention', 0)) AS is_mine")
            guard try lock.first?["is_mine", as: Bool.self] ?? false else { return 0 }
            let rows = try await transaction.query(
                """
                WITH gone AS (
                    DELETE FROM runs WHERE run_id IN (
                        SELECT run_id FROM runs
                        WHERE phase = 'TERMINATED' AND announced
                          AND ended_at < (SELECT clock_timestamp() - \(Int64(days)) * interval '1 day')
                          -- What holds a cluster is given back first, at the next start.
                          AND NOT EXISTS (SELECT 1 FROM run_clusters c WHERE c.run_id = runs.run_id AND NOT released)
                        ORDER BY ended_at LIMIT \(Int64(Self.batch)) FOR UPDATE SKIP LOCKED)
                    RETURNING run_id
                ), events AS (
                    DELETE FROM run_events USING gone WHERE run_events.run_id = gone.run_id
                ), parts AS (
                    DELETE FROM tasks USING gone WHERE tasks.run_id = gone.run_id
                ), tries AS (
                    DELETE FROM attempts USING gone WHERE attempts.run_id = gone.run_id RETURNING attempt_id
                ), outputs AS (
                    DELETE FROM cells USING tries WHERE cells.attempt_id = tries.attempt_id
                )
                SELECT count(*) AS count FROM gone
                """)
            return try rows.first?["count", as: Int.self] ?? 0
        }
    }

    /// Deletes for good jobs that were deleted long enough ago and of which no run is left.
    func forgetJobs() async throws {
        try await pool.query(
            """
            DELETE FROM jobs j WHERE deleted_at < clock_timestamp() - \(Int64(days)) * interval '1 day'
              AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.job_id = j.job_id)
              AND NOT EXISTS (SELECT 1 FROM backfills b WHERE b.job_id = j.job_id)
            """)
    }

    /// Forgets schedulers that have not been there for a day and have left nothing behind.
    func forgetSchedulers() async throws {
        try await pool.query(
            """
            DELETE FROM schedulers s WHERE lease_until < clock_timestamp() - interval '1 day'
              AND NOT EXISTS (SELECT 1 FROM runs WHERE phase = 'RUNNING' AND runs.owner = s.owner)
            """)
    }

    /// Deletes old backfills that have no runs any more.
    func deleteEmptyBackfills() async throws {
        try await pool.query(
            """
            DELETE FROM backfills b WHERE created_at < clock_timestamp() - \(Int64(days)) * interval '1 day'
              AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.backfill_id = b.backfill_id)
            """)
    }
}
