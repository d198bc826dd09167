internal import Core
internal import Postgres

/// Who decides for which run. A scheduler has one lease, which it renews well before it ends; the runs that it has
/// claimed name it. When it does not renew, another takes its runs, each with a higher fence, and nothing the old owner
/// writes is taken any more. Leases go by the database's clock alone: the clocks of schedulers may differ, and may be
/// set.
struct RunClaims: Sendable {
    let pool: PostgresPool
    let owner: String
    let lease: Duration

    /// Gives up what an earlier process of this name has owned, or what this one leaves behind, and tells the others.
    func releaseLeftovers() async throws {
        try await pool.query(
            """
            WITH released AS (
                UPDATE runs SET owner = NULL WHERE owner = \(owner) AND phase = 'RUNNING' RETURNING run_id
            )
            SELECT pg_notify('scheduler_runs', '') FROM released LIMIT 1
            """)
    }

    /// Gives one run back.
    func release(_ runID: Int64, _ fence: Int64) async throws {
        try await pool.query(
            """
            UPDATE runs SET owner = NULL
            WHERE run_id = \(runID) AND fence = \(fence) AND owner = \(owner) AND phase = 'RUNNING'
            RETURNING pg_notify('scheduler_runs', '')
            """)
    }

    // MARK: Claims

    /// The runs that may be claimed: those under way that nobody decides for, and queued ones as far as their jobs
    /// allow, which are found job by job from the head of each queue.
    private func claimable(_ limit: Int) -> SQL {
        """
        WITH RECURSIVE queues (job_id) AS (
            (SELECT job_id FROM runs WHERE phase = 'QUEUED' AND job_id IS NOT NULL ORDER BY job_id LIMIT 1)
            UNION ALL
            SELECT (SELECT r.job_id FROM runs r WHERE r.phase = 'QUEUED' AND r.job_id > queues.job_id
                    ORDER BY r.job_id LIMIT 1)
            FROM queues WHERE queues.job_id IS NOT NULL
        ), lapsed AS (
            SELECT owner FROM schedulers WHERE lease_until < clock_timestamp()
        ), claimable (run_id, is_queued, can_wait) AS (
            SELECT run_id, false, false FROM runs WHERE phase = 'RUNNING' AND owner IS NULL
            UNION ALL
            SELECT run_id, false, false FROM runs JOIN lapsed USING (owner) WHERE phase = 'RUNNING'
            UNION ALL
            SELECT run_id, true, false FROM runs WHERE phase = 'QUEUED' AND cancel_requested
            UNION ALL
            (SELECT run_id, true, false FROM runs WHERE phase = 'QUEUED' AND job_id IS NULL
             ORDER BY run_id LIMIT \(Int64(limit)))
            UNION ALL
            SELECT head.run_id, true, head.can_wait
            FROM queues JOIN jobs USING (job_id), LATERAL (
                SELECT r.run_id, r.backfill_id IS NOT NULL AS can_wait FROM runs r
                WHERE r.phase = 'QUEUED' AND r.job_id = jobs.job_id ORDER BY (r.backfill_id IS NOT NULL), r.run_id
                LIMIT least(\(Int64(limit)), greatest(0, jobs.max_active - (
                    SELECT count(*) FROM runs a WHERE a.phase = 'RUNNING' AND a.job_id = jobs.job_id)))
            ) head
        )
        """
    }

    /// Whether there is anything to claim, and how long until the lease of another scheduler that has runs ends, if it
    /// does not renew it.
    func look() async throws -> (isClaimable: Bool, nextExpiry: Duration?) {
        let rows = try await pool.read(
            """
            \(claimable(1))
            SELECT EXISTS (SELECT FROM claimable) AS is_claimable,
                   (SELECT (extract(epoch FROM min(lease_until) - clock_timestamp()) * 1000)::bigint FROM schedulers s
                    WHERE owner <> \(owner)
                      AND EXISTS (SELECT FROM runs WHERE phase = 'RUNNING' AND runs.owner = s.owner)) AS expiry
            """)
        guard let row = rows.first else { return (false, nil) }
        return (
            try row["is_claimable", as: Bool.self],
            try row["expiry", as: Int64?.self].map { .milliseconds(max(0, $0)) }
        )
    }

    /// Takes runs that nobody owns. The claims of all schedulers go one after the other, so that two cannot both take
    /// the last place of a job.
    ///
    /// - Parameter renewing: whether our lease is to be renewed too, because it may be about to end.
    ///
    /// A row that cannot be read holds up no other: it comes back as its error.
    func claim(limit: Int, renewing: Bool) async throws -> [Claimed] {
        let rows = try await pool.transaction(retries: 5) { transaction in
            try await transaction.query("SELECT pg_advisory_xact_lock(hashtextextended('scheduler.claims', 0))")
            if renewing { try await transaction.query(renewal) }
            return try await transaction.query(
                """
                \(claimable(limit)), chosen AS (
                    SELECT run_id FROM claimable GROUP BY run_id, is_queued, can_wait
                    ORDER BY is_queued, can_wait, run_id LIMIT \(Int64(limit))
                )
                UPDATE runs SET owner = \(owner), fence = fence + 1, step = 0, phase = 'RUNNING',
                                started_at = coalesce(started_at, clock_timestamp())
                -- Its old owner may have ended it while we waited for its row: that is looked at again.
                WHERE run_id IN (SELECT run_id FROM chosen) AND phase <> 'TERMINATED'
                RETURNING \(unescaped: RunRow.columns)
                """)
        }
        return try rows.map { row in
            Claimed(
                runID: try row["run_id", as: Int64.self], fence: try row["fence", as: Int64.self],
                row: Result { try RunRow(row) })
        }
    }

    /// A run that is ours now.
    struct Claimed: Sendable {
        var runID: Int64
        var fence: Int64
        var row: Result<RunRow, any Error>
    }

    // MARK: The lease

    private var renewal: SQL {
        """
        INSERT INTO schedulers (owner, lease_until)
        VALUES (\(owner)::text, clock_timestamp() + \(lease.milliseconds) * interval '1 ms')
        ON CONFLICT (owner) DO UPDATE SET lease_until = excluded.lease_until
        """
    }

    func renew() async throws { try await pool.query(renewal) }

    /// The newest fences of runs: one that differs from ours is another scheduler's.
    func fences(of runIDs: [Int64]) async throws -> [Int64: Int64] {
        try await fences(pool.query("SELECT run_id, fence FROM runs WHERE run_id = ANY(\(runIDs)::bigint[])"))
    }

    /// The fences of all runs that are ours, as the database has them.
    func held() async throws -> [Int64: Int64] {
        try await fences(pool.query("SELECT run_id, fence FROM runs WHERE phase = 'RUNNING' AND owner = \(owner)"))
    }

    private func fences(_ rows: PostgresRows) throws -> [Int64: Int64] {
        var fences: [Int64: Int64] = [:]
        for row in rows { fences[try row["run_id", as: Int64.self]] = try row["fence", as: Int64.self] }
        return fences
    }
}
