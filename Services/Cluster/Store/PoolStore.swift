internal import Core
internal import HarbourProtocol
internal import Postgres

/// A pool, as its row has it.
struct PoolRow: Sendable, Hashable {
    var id: String
    var name: String
    var spec: ClusterSpec
    var minimumIdle: Int
    var capacity: Int?
    var idleMinutes: Int
    var creator: String
    var createdAt: Timestamp
}

/// The table of pools. The only place with its SQL.
struct PoolStore: Sendable {
    let pool: PostgresPool

    /// All pools, the oldest first.
    func all() async throws -> [PoolRow] {
        let rows = try await pool.query(
            """
            SELECT pool_id, name, spec, min_idle, max_capacity, idle_minutes, creator, created_at FROM pools
            ORDER BY created_at, pool_id
            """)
        return try rows.map { row in
            let (id, name, spec, minimum, capacity, minutes, creator, created) = try row.decode(
                (
                    String.self, String.self, PostgresJSON.self, Int32.self, Int32?.self, Int32.self, String.self,
                    Timestamp.self
                ))
            return PoolRow(
                id: id, name: name,
                spec: try ClusterSpec(json: spec.bytes, subject: "stored specification", code: .internalError),
                minimumIdle: Int(minimum), capacity: capacity.map(Int.init), idleMinutes: Int(minutes),
                creator: creator, createdAt: created)
        }
    }

    /// Makes a pool, or changes how it is kept; what it is made of stays.
    func put(_ row: PoolRow) async throws {
        try await pool.query(
            """
            INSERT INTO pools (pool_id, name, spec, min_idle, max_capacity, idle_minutes, creator, created_at)
            VALUES (\(row.id), \(row.name), \(PostgresJSON(row.spec.encodedJSON())), \(Int64(row.minimumIdle)),
                \(row.capacity.map(Int64.init)), \(Int64(row.idleMinutes)), \(row.creator), \(row.createdAt))
            ON CONFLICT (pool_id) DO UPDATE SET name = excluded.name, min_idle = excluded.min_idle,
                max_capacity = excluded.max_capacity, idle_minutes = excluded.idle_minutes
            """)
    }

    func delete(_ id: String) async throws { try await pool.query("DELETE FROM pools WHERE pool_id = \(id)") }

    /// Forgets clusters of pools that have ended without anybody having used them.
    func forgetEndedMembers() async throws {
        try await pool.query("DELETE FROM clusters WHERE pool_id IS NOT NULL AND state = 'TERMINATED'")
    }
}
