internal import Core
internal import HarbourProtocol
internal import Postgres

/// The tables of groups. The only place with their SQL.
struct GroupStore: Sendable {
    let pool: PostgresPool

    private static let columns: SQL = """
        g.group_name, g.created_at,
        ARRAY(SELECT m.user_name FROM group_members m WHERE m.group_name = g.group_name ORDER BY m.user_name) AS members
        """

    private static func group(_ row: PostgresRow) throws(HarbourError) -> Group {
        let (name, created, members) = try row.decode((String.self, Timestamp.self, [String].self))
        return Group(groupName: name, members: members, createdTime: created)
    }

    /// The groups that were made, and the platform's own before them.
    func groups() async throws(HarbourError) -> [Group] {
        let rows = try await pool.query("SELECT \(GroupStore.columns) FROM groups g ORDER BY g.group_name")
        var groups: [Group] = []
        for name in [Principal.administrators, Principal.everybody] {
            if let group = try await builtIn(name) { groups.append(group) }
        }
        for row in rows { groups.append(try GroupStore.group(row)) }
        return groups
    }

    func group(_ name: String) async throws(HarbourError) -> Group? {
        if let group = try await builtIn(name) { return group }
        let rows = try await pool.query("SELECT \(GroupStore.columns) FROM groups g WHERE g.group_name = \(name)")
        return try rows.first.map { row throws(HarbourError) in try GroupStore.group(row) }
    }

    private func builtIn(_ name: String) async throws(HarbourError) -> Group? {
        let condition: SQL
        switch name {
        case Principal.administrators: condition = "role = 'ADMIN'"
        case Principal.everybody: condition = "true"
        default: return nil
        }
        let rows = try await pool.query(
            "SELECT user_name FROM users WHERE is_active AND \(condition) ORDER BY user_name LIMIT 10000")
        var members: [String] = []
        for row in rows { members.append(try row.decode(String.self)) }
        return Group(groupName: name, members: members, builtIn: true)
    }

    func insert(_ name: String, members: [String], by creator: String) async throws -> Bool {
        try await pool.transaction { transaction in
            let made = try await transaction.query(
                """
                INSERT INTO groups (group_name, created_at, created_by) VALUES (\(name), \(Timestamp.now), \(creator))
                ON CONFLICT DO NOTHING
                """)
            guard made.affected == 1 else { return false }
            let added = try await transaction.query(
                """
                INSERT INTO group_members (group_name, user_name)
                SELECT \(name), user_name FROM users WHERE user_name = ANY(\(members))
                """)
            guard added.affected == Set(members).count else {
                throw HarbourError(.notFound, "Not all of these members are users. List the users and try again.")
            }
            return true
        }
    }

    func delete(_ name: String) async throws -> Bool {
        try await pool.transaction { transaction in
            try await transaction.query("DELETE FROM grants WHERE is_group AND principal = \(name)")
            return try await transaction.query("DELETE FROM groups WHERE group_name = \(name)").affected == 1
        }
    }

    func add(_ user: String, to group: String) async throws(HarbourError) {
        try await pool.query(
            """
            INSERT INTO group_members (group_name, user_name)
            SELECT g.group_name, u.user_name FROM groups g, users u
            WHERE g.group_name = \(group) AND u.user_name = \(user) ON CONFLICT DO NOTHING
            """)
    }

    func remove(_ user: String, from group: String) async throws(HarbourError) {
        try await pool.query("DELETE FROM group_members WHERE group_name = \(group) AND user_name = \(user)")
    }
}
