internal import Core
internal import Postgres

/// Who decides for which run: leases in the table of runs.
///
/// An owner renews its leases well before they end. When it does not, another takes the run with a higher fence, and
/// nothing the old owner writes is taken any more. Leases go by the database's clock alone: the clocks of schedulers
/// may differ, and may be set.
struct RunClaims: Sendable {
    let pool: PostgresPool
    let owner: String
    let lease: Duration

    /// Gives up what an earlier process of this name has owned: it is gone, or we could not have its address.
    func releaseLeftovers() async throws {
        try await pool.query("UPDATE runs SET owner = NULL, lease_until = NULL WHERE owner = \(owner)")
    }

    /// Takes runs that nobody owns: those under way first, then queued ones as far as their jobs allow.
    ///
    /// The claims of all schedulers go one after the other, so that two cannot both take the last place of a job.
    func claim(limit: Int) async throws -> [RunRow] {
        guard limit > 0 else { return [] }
        return try await pool.transaction { transaction in
            try await transaction.query("SELECT pg_advisory_xact_lock(hashtextextended('scheduler.claims', 0))")
            let rows = try await transaction.query(
                """
                WITH open AS (
                    SELECT run_id, job_id, phase, cancel_requested, backfill_id IS NOT NULL AS can_wait,
                           owner IS NULL OR lease_until < clock_timestamp() AS free,
                           row_number() OVER (PARTITION BY job_id, phase ORDER BY backfill_id IS NOT NULL, run_id) AS place,
                           count(*) FILTER (WHERE phase = 'RUNNING') OVER (PARTITION BY job_id) AS active
                    FROM runs WHERE phase <> 'TERMINATED'
                ), chosen AS (
                    SELECT run_id FROM open LEFT JOIN jobs USING (job_id)
                    WHERE free AND (phase = 'RUNNING' OR cancel_requested OR job_id IS NULL
                                    OR active + place <= max_active)
                    ORDER BY phase = 'QUEUED', can_wait, run_id LIMIT \(Int64(limit))
                )
                UPDATE runs SET owner = \(owner), lease_until = clock_timestamp() + \(lease.milliseconds) * interval '1 ms', fence = fence + 1, step = 0,
                                phase = 'RUNNING',
                                started_at = coalesce(started_at, clock_timestamp())
                WHERE run_id IN (SELECT run_id FROM chosen)
                RETURNING \(unescaped: RunRow.columns)
                """)
            return try rows.map { try RunRow($0) }
        }
    }

    /// Renews the leases of the runs that are being decided for here. A run of ours that nobody decides for, because
    /// its coordinator gave up, is not among them: its lease lapses and it is taken up again.
    ///
    /// - Returns: the fences of the runs that are still ours; what is missing has been taken from us.
    func renew(_ runIDs: [Int64]) async throws -> [Int64: Int64] {
        let rows = try await pool.query(
            """
            UPDATE runs SET lease_until = clock_timestamp() + \(lease.milliseconds) * interval '1 ms'
            WHERE run_id = ANY(\(runIDs)::bigint[]) AND owner = \(owner) AND phase <> 'TERMINATED'
            RETURNING run_id, fence
            """)
        var fences: [Int64: Int64] = [:]
        for row in rows { fences[try row["run_id", as: Int64.self]] = try row["fence", as: Int64.self] }
        return fences
    }

    /// How long until the first lease ends of a run that is not being decided for here, if nobody renews it.
    func nextExpiry(besides runIDs: [Int64]) async throws -> Duration? {
        let rows = try await pool.query(
            """
            SELECT (extract(epoch FROM min(lease_until) - clock_timestamp()) * 1000)::bigint AS next FROM runs
            WHERE phase <> 'TERMINATED' AND owner IS NOT NULL AND run_id <> ALL(\(runIDs)::bigint[])
            """)
        return try rows.first?["next", as: Int64?.self].map { .milliseconds(max(0, $0)) }
    }
}
