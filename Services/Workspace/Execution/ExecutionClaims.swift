internal import Core
internal import Postgres

/// Who acts for which notebook: leases in the table of sessions.
///
/// An owner renews its leases well before they end. When it does not, another takes the notebook with a higher fence,
/// and nothing the old owner writes is taken any more. Leases go by the database's clock alone.
struct ExecutionClaims: Sendable {
    let pool: PostgresPool
    let owner: String
    let lease: Duration

    /// A notebook that is ours, and the fence to write with.
    struct Claim: Sendable, Hashable {
        var notebookID: Int64
        var fence: Int64
    }

    /// Gives up what an earlier process of this name has owned: it is gone, or we could not have its address.
    func releaseLeftovers() async throws {
        try await pool.query(
            "UPDATE notebook_sessions SET owner = NULL, lease_until = NULL WHERE owner = \(owner)")
        try await pool.notify(ExecutionStore.channel)
    }

    /// Takes notebooks that have work and no owner.
    func claim(limit: Int) async throws -> [Claim] {
        guard limit > 0 else { return [] }
        let rows = try await pool.query(
            """
            UPDATE notebook_sessions SET owner = \(owner), fence = fence + 1,
                lease_until = clock_timestamp() + \(lease.milliseconds) * interval '1 ms'
            WHERE notebook_id IN (
                SELECT notebook_id FROM notebook_sessions
                WHERE has_work AND (owner IS NULL OR lease_until < clock_timestamp())
                ORDER BY notebook_id LIMIT \(Int64(limit)) FOR UPDATE SKIP LOCKED)
            RETURNING notebook_id, fence
            """)
        var claims: [Claim] = []
        for row in rows {
            let (id, fence) = try row.decode((Int64.self, Int64.self))
            claims.append(Claim(notebookID: id, fence: fence))
        }
        return claims
    }

    /// Renews leases.
    /// - Returns: those that are still ours.
    func renew(_ claims: [Claim]) async throws -> Set<Claim> {
        let rows = try await pool.query(
            """
            UPDATE notebook_sessions SET lease_until = clock_timestamp() + \(lease.milliseconds) * interval '1 ms'
            WHERE notebook_id = ANY(\(claims.map(\.notebookID))) AND owner = \(owner)
            RETURNING notebook_id, fence
            """)
        var ours: Set<Claim> = []
        for row in rows {
            let (id, fence) = try row.decode((Int64.self, Int64.self))
            ours.insert(Claim(notebookID: id, fence: fence))
        }
        return ours.intersection(claims)
    }

    /// How long until the first lease ends of a notebook that is somebody else's, if nobody renews it; at once when a
    /// notebook with work has no owner.
    func nextExpiry(besides notebookIDs: [Int64]) async throws -> Duration? {
        let rows = try await pool.query(
            """
            SELECT (extract(epoch FROM min(coalesce(lease_until, clock_timestamp())) - clock_timestamp()) * 1000)::bigint
                AS next
            FROM notebook_sessions WHERE has_work AND notebook_id <> ALL(\(notebookIDs))
            """)
        return try rows.first?["next", as: Int64?.self].map { .milliseconds(max(0, $0)) }
    }
}
