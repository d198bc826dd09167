internal import Core
internal import HarbourProtocol
internal import Postgres

/// The table of backfills. What became of one is counted from its runs.
struct BackfillStore: Sendable {
    let pool: PostgresPool
    let runs: RunStore

    /// Makes a backfill with all its runs, or finds the one that the token has made already.
    func insert(
        jobID: Int64, creator: String, from start: Timestamp, to end: Timestamp, token: String?, runs new: [NewRun],
        now: Timestamp
    ) async throws -> Int64 {
        try await pool.transaction { transaction in
            let inserted = try await transaction.query(
                """
                INSERT INTO backfills (job_id, creator, created_at, start_at, end_at, idempotency_token)
                VALUES (\(jobID), \(creator), \(now), \(start), \(end), \(token)) ON CONFLICT DO NOTHING
                RETURNING backfill_id
                """)
            guard let backfillID = try inserted.first?["backfill_id", as: Int64.self] else {
                let rows = try await transaction.query(
                    """
                    SELECT backfill_id FROM backfills
                    WHERE creator = \(creator) AND idempotency_token = \(token)::text AND job_id = \(jobID)
                    """)
                guard let known = rows.first else {
                    throw HarbourError(
                        .alreadyExists, "The idempotency_token has made a backfill of another job already.")
                }
                return try known["backfill_id", as: Int64.self]
            }
            for var run in new {
                run.backfillID = backfillID
                _ = try await runs.insert(run, now: now, in: transaction)
            }
            return backfillID
        }
    }

    func get(_ backfillID: Int64) async throws -> Backfill {
        guard let backfill = try await read(backfillID: backfillID).first else { throw Self.missing(backfillID) }
        return backfill
    }

    func list(jobID: Int64) async throws -> [Backfill] { try await read(jobID: jobID) }

    private func read(backfillID: Int64? = nil, jobID: Int64? = nil) async throws -> [Backfill] {
        let rows = try await pool.query(
            """
            SELECT b.*, total, queued, active, succeeded
            FROM (SELECT * FROM backfills WHERE backfill_id = \(backfillID)::bigint OR job_id = \(jobID)::bigint
                  ORDER BY backfill_id DESC LIMIT 100) b,
                 LATERAL (SELECT count(*) AS total, count(*) FILTER (WHERE phase = 'QUEUED') AS queued,
                                 count(*) FILTER (WHERE phase = 'RUNNING') AS active,
                                 count(*) FILTER (WHERE phase = 'TERMINATED' AND result LIKE 'success%') AS succeeded
                          FROM runs WHERE runs.backfill_id = b.backfill_id) counts
            ORDER BY backfill_id DESC
            """)
        return try rows.map { row in
            let (total, queued) = (try row["total", as: Int.self], try row["queued", as: Int.self])
            let (active, succeeded) = (try row["active", as: Int.self], try row["succeeded", as: Int.self])
            return Backfill(
                backfillID: try row["backfill_id", as: Int64.self], jobID: try row["job_id", as: Int64.self],
                creatorUserName: try row["creator", as: String.self],
                createdTime: try row["created_at", as: Timestamp.self],
                startTime: try row["start_at", as: Timestamp.self], endTime: try row["end_at", as: Timestamp.self],
                state: queued + active > 0 ? .running : .terminated, total: total, queued: queued, active: active,
                succeeded: succeeded, failed: total - queued - active - succeeded)
        }
    }

    /// Asks the owners of the backfill's open runs to cancel them.
    func requestCancel(_ backfillID: Int64) async throws {
        try await pool.query(
            """
            UPDATE runs SET cancel_requested = true WHERE backfill_id = \(backfillID) AND phase <> 'TERMINATED'
            RETURNING pg_notify('scheduler_cancel', run_id::text)
            """)
    }

    private static func missing(_ backfillID: Int64) -> HarbourError {
        HarbourError(.notFound, "Backfill \(backfillID) does not exist. List the job's backfills to find it.")
    }
}
