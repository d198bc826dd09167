internal import Core
internal import HarbourProtocol
internal import Postgres

/// The tables of users and groups. The only place with their SQL.
struct PeopleStore: Sendable {
    let pool: PostgresPool

    /// What signing in has to know.
    struct Credentials: Sendable {
        let password: String?
        let isActive: Bool
        let version: Int64
    }

    // MARK: Users

    private static let userColumns: SQL = """
        u.user_name, u.display_name, u.kind, u.role, u.is_active, u.password IS NOT NULL AS has_password, u.created_at,
        ARRAY(SELECT m.group_name FROM group_members m WHERE m.user_name = u.user_name ORDER BY m.group_name) AS groups
        """

    private static func user(_ row: PostgresRow) throws(HarbourError) -> User {
        let (name, display, kind, role, active, hasPassword, created, groups) = try row.decode(
            (
                String.self, String.self, String.self, String.self, Bool.self, Bool.self, Timestamp.self, [String].self
            ))
        return User(
            userName: name, displayName: display, kind: UserKind(rawValue: kind) ?? .user,
            role: UserRole(rawValue: role) ?? .viewer, active: active, hasPassword: hasPassword, groups: groups,
            createdTime: created)
    }

    func user(_ name: String) async throws(HarbourError) -> User? {
        let rows = try await pool.query(
            "SELECT \(PeopleStore.userColumns) FROM users u WHERE u.user_name = \(name)")
        return try rows.first.map { row throws(HarbourError) in try PeopleStore.user(row) }
    }

    func users(after name: String, count: Int) async throws(HarbourError) -> [User] {
        let rows = try await pool.query(
            """
            SELECT \(PeopleStore.userColumns) FROM users u WHERE u.user_name > \(name)
            ORDER BY u.user_name LIMIT \(Int64(count))
            """)
        var users: [User] = []
        for row in rows { users.append(try PeopleStore.user(row)) }
        return users
    }

    /// Adds a user; false when the name is taken.
    func insert(_ wish: CreateUser, password: String?, by creator: String) async throws(HarbourError) -> Bool {
        let made = try await pool.query(
            """
            INSERT INTO users (user_name, display_name, kind, role, password, created_at, created_by)
            VALUES (\(wish.userName), \(wish.displayName ?? ""), \((wish.kind ?? .user).rawValue),
                \((wish.role ?? .user).rawValue), \(password), \(Timestamp.now), \(creator))
            ON CONFLICT DO NOTHING
            """)
        return made.affected == 1
    }

    /// Changes a user in a transaction that leaves at least one administrator who may sign in.
    func edit(_ name: String, _ wish: EditUser) async throws -> Bool {
        try await pool.transaction { transaction in
            // Two administrators who shut each other out at once must not both succeed.
            try await transaction.query("SELECT pg_advisory_xact_lock(hashtextextended('harbour administrators', 0))")
            let changed = try await transaction.query(
                """
                UPDATE users SET display_name = coalesce(\(wish.displayName)::text, display_name),
                    role = coalesce(\(wish.role?.rawValue)::text, role),
                    is_active = coalesce(\(wish.active)::boolean, is_active),
                    credentials_version = credentials_version
                        + CASE WHEN \(wish.active == false) THEN 1 ELSE 0 END
                WHERE user_name = \(name)
                """)
            guard changed.affected == 1 else { return false }
            try await PeopleStore.requireAdministrator(in: transaction)
            if wish.active == false {
                // Whoever is let in again signs in again; personal tokens come back.
                try await transaction.query(
                    """
                    UPDATE tokens SET revoked_at = \(Timestamp.now)
                    WHERE user_name = \(name) AND is_session AND revoked_at IS NULL
                    """)
            }
            return true
        }
    }

    /// Shuts a user out for good; false when there is none of that name.
    func retire(_ name: String) async throws -> Bool {
        try await pool.transaction { transaction in
            try await transaction.query("SELECT pg_advisory_xact_lock(hashtextextended('harbour administrators', 0))")
            let changed = try await transaction.query(
                """
                UPDATE users SET is_active = false, password = NULL, credentials_version = credentials_version + 1
                WHERE user_name = \(name)
                """)
            guard changed.affected == 1 else { return false }
            try await PeopleStore.requireAdministrator(in: transaction)
            try await transaction.query("DELETE FROM group_members WHERE user_name = \(name)")
            try await transaction.query("DELETE FROM grants WHERE NOT is_group AND principal = \(name)")
            try await transaction.query(
                "UPDATE tokens SET revoked_at = \(Timestamp.now) WHERE user_name = \(name) AND revoked_at IS NULL")
            return true
        }
    }

    private static func requireAdministrator(in transaction: PostgresTransaction) async throws(HarbourError) {
        let rows = try await transaction.query("SELECT 1 AS one FROM users WHERE role = 'ADMIN' AND is_active LIMIT 1")
        guard rows.isEmpty else { return }
        throw HarbourError(
            .invalidState, "This is the last administrator. Make another user one first.")
    }

    // MARK: Signing in

    func credentials(of name: String) async throws(HarbourError) -> Credentials? {
        let rows = try await pool.query(
            "SELECT password, is_active, credentials_version FROM users WHERE user_name = \(name)")
        guard let row = rows.first else { return nil }
        let (password, isActive, version) = try row.decode((String?.self, Bool.self, Int64.self))
        return Credentials(password: password, isActive: isActive, version: version)
    }

    /// Keeps another hash of the same password, made with more cost.
    func strengthen(_ name: String, from old: String, to new: String) async throws(HarbourError) {
        try await pool.query("UPDATE users SET password = \(new) WHERE user_name = \(name) AND password = \(old)")
    }

    /// Sets a password and ends the sessions and access tokens of before; personal tokens stay.
    func setPassword(_ name: String, to password: String) async throws -> Bool {
        try await pool.transaction { transaction in
            let changed = try await transaction.query(
                """
                UPDATE users SET password = \(password), credentials_version = credentials_version + 1
                WHERE user_name = \(name)
                """)
            guard changed.affected == 1 else { return false }
            try await transaction.query(
                """
                UPDATE tokens SET revoked_at = \(Timestamp.now)
                WHERE user_name = \(name) AND is_session AND revoked_at IS NULL
                """)
            return true
        }
    }

    /// The user with role and groups; nil when there is none who may sign in.
    func principal(_ name: String) async throws(HarbourError) -> Principal? {
        guard let user = try await user(name), user.active else { return nil }
        return Principal(userName: user.userName, role: user.role, ownGroups: user.groups ?? [])
    }
}
