internal import Core
internal import HarbourProtocol
internal import Postgres

/// Who looks at which notebook, over all processes.
struct PresenceStore: Sendable {
    let pool: PostgresPool
    /// The name of this process.
    let process: String

    /// Who follows notebooks listens here.
    static let channel = "workspace_presence"
    /// How long somebody counts as there when the process that has the connection says nothing more.
    static let lease = Duration.seconds(30)
    /// How many are named; of more, the number is told.
    private static let named = 30

    /// Says where somebody is.
    func put(_ presence: LivePresence, _ notebookID: Int64) async throws(HarbourError) {
        try await pool.query(
            """
            WITH put AS (
                INSERT INTO live_presence (client_id, notebook_id, user_name, cell_id, is_editing, process, lease_until)
                VALUES (\(presence.clientID), \(notebookID), \(presence.userName), \(presence.cellID),
                    \(presence.isEditing), \(process),
                    clock_timestamp() + \(PresenceStore.lease.milliseconds) * interval '1 ms')
                ON CONFLICT (client_id) DO UPDATE SET notebook_id = excluded.notebook_id, cell_id = excluded.cell_id,
                    is_editing = excluded.is_editing, lease_until = excluded.lease_until
            )
            SELECT pg_notify(\(PresenceStore.channel), \(String(notebookID)))
            """)
    }

    /// Says that somebody has gone.
    func remove(_ clientID: String) async throws(HarbourError) {
        try await pool.query(
            """
            WITH gone AS (DELETE FROM live_presence WHERE client_id = \(clientID) RETURNING notebook_id)
            SELECT pg_notify(\(PresenceStore.channel), notebook_id::text) FROM gone
            """)
    }

    /// Forgets those of an earlier process of this name.
    func removeLeftovers() async throws(HarbourError) {
        try await pool.query(
            """
            WITH gone AS (DELETE FROM live_presence WHERE process = \(process) RETURNING notebook_id)
            SELECT pg_notify(\(PresenceStore.channel), notebook_id::text) FROM gone
            """)
    }

    /// Says that this process still has its connections.
    func renew() async throws(HarbourError) {
        try await pool.query(
            """
            UPDATE live_presence SET lease_until = clock_timestamp()
                + \(PresenceStore.lease.milliseconds) * interval '1 ms'
            WHERE process = \(process)
            """)
    }

    /// Who is there, how many more, and when the first of another process would have gone with it.
    func people(
        _ notebookID: Int64
    ) async throws(HarbourError) -> (people: [LivePresence], others: Int64, expiry: Duration?) {
        let rows = try await pool.query(
            """
            SELECT client_id, user_name, cell_id, is_editing, count(*) OVER () AS total,
                (extract(epoch FROM min(lease_until) FILTER (WHERE process <> \(process)) OVER ()
                    - clock_timestamp()) * 1000)::bigint AS expiry
            FROM live_presence WHERE notebook_id = \(notebookID) AND lease_until > clock_timestamp()
            ORDER BY user_name, client_id LIMIT \(Int64(PresenceStore.named))
            """)
        var people: [LivePresence] = []
        for row in rows {
            let (client, user, cell, editing) = try row.decode((String.self, String.self, String?.self, Bool.self))
            people.append(LivePresence(clientID: client, userName: user, cellID: cell, isEditing: editing))
        }
        guard let first = rows.first else { return ([], 0, nil) }
        let total = try first["total", as: Int64.self]
        let expiry = try first["expiry", as: Int64?.self].map { Duration.milliseconds(max(0, $0)) }
        return (people, total - Int64(people.count), expiry)
    }
}
