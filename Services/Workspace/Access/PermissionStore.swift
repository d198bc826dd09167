internal import Core
internal import Postgres

/// The table of what was given, and the owners of entries of the tree. The only place with their SQL.
struct PermissionStore: Sendable {
    /// A permission that was given on one object.
    struct Grant: Sendable, Hashable {
        var isGroup: Bool
        var principal: String
        var level: AccessLevel
    }

    /// What was given on one entry of the tree, or on one above it.
    struct Given: Sendable {
        var path: String
        var objectID: Int64
        var owner: String?
        var grants: [Grant]
    }

    let pool: PostgresPool

    /// The grants that speak for a user.
    static func applies(to principal: Principal) -> SQL {
        """
        (NOT g.is_group AND g.principal = \(principal.userName) OR g.is_group AND g.principal = ANY(\(principal.groups)))
        """
    }

    // MARK: The tree

    /// What a user may do with a path: the most that its owner, the owners above it, and all that was given there allow.
    /// Of a path that does not exist, what is nearest above it counts.
    func level(_ principal: Principal, at path: WorkspacePath) async throws(HarbourError) -> AccessLevel {
        let paths = (path.ancestors + [path]).map(\.text)
        let rows = try await pool.query(
            """
            SELECT max(CASE WHEN o.owner = \(principal.userName) THEN 4 ELSE coalesce((
                SELECT max(g.level) FROM grants g
                WHERE g.kind = 'TREE' AND g.object_id = o.object_id::text AND \(PermissionStore.applies(to: principal))
            ), 0) END)::smallint AS level
            FROM objects o WHERE o.path = ANY(\(paths)) AND o.deleted_at IS NULL
            """)
        let level = try rows.first?.decode(Int16?.self) ?? nil
        return AccessLevel(rawValue: level ?? 0) ?? .none
    }

    /// Where an entry is. What was deleted is nowhere: its path may be another's by now.
    func path(of objectID: Int64) async throws(HarbourError) -> WorkspacePath? {
        let rows = try await pool.query("SELECT path FROM objects WHERE object_id = \(objectID) AND deleted_at IS NULL")
        return try rows.first.map { row throws(HarbourError) in try WorkspacePath(try row.decode(String.self)) }
    }

    /// Whose an upload is, and where it shall come.
    func upload(_ id: String) async throws(HarbourError) -> (user: String, path: WorkspacePath)? {
        let rows = try await pool.query("SELECT user_name, path FROM uploads WHERE upload_id = \(id)")
        return try rows.first.map { row throws(HarbourError) in
            let (user, path) = try row.decode((String.self, String.self))
            return (user, try WorkspacePath(path))
        }
    }

    /// What is the user's own, or was given to them, below a folder.
    static func visible(to principal: Principal, below folder: WorkspacePath) -> SQL {
        """
        SELECT path FROM objects WHERE owner = \(principal.userName) AND path >= \(folder.prefix)
            AND path < \(folder.prefixEnd) AND deleted_at IS NULL
        UNION ALL
        SELECT o.path FROM grants g
        JOIN objects o ON o.object_id = CASE WHEN g.kind = 'TREE' THEN g.object_id::bigint END
        WHERE g.kind = 'TREE' AND \(applies(to: principal)) AND o.deleted_at IS NULL
            AND o.path >= \(folder.prefix) AND o.path < \(folder.prefixEnd)
        """
    }

    /// Whether anything below a folder may be seen, so that one may pass through it.
    func hasVisible(_ principal: Principal, below folder: WorkspacePath) async throws(HarbourError) -> Bool {
        let rows = try await pool.query(
            "SELECT EXISTS (\(PermissionStore.visible(to: principal, below: folder))) AS found")
        return try rows.first?.decode(Bool.self) ?? false
    }

    /// All that a user may see of the tree: found out once, and not for every entry again.
    struct Sight: Sendable {
        let userName: String
        /// The folders that are theirs and all that was given to them, each ending in a slash; none is below another.
        let prefixes: [String]

        /// The numbers of all entries that may be seen: each is found by an index, whatever else there is.
        var ids: SQL {
            // What is below a folder lies between its slash and the character after it.
            """
            SELECT x.object_id FROM objects x WHERE x.owner = \(userName) AND x.deleted_at IS NULL
            UNION ALL
            SELECT x.object_id FROM unnest(\(prefixes.map { $0 == "/" ? $0 : String($0.dropLast()) })) AS seen (path)
            JOIN objects x ON x.path = seen.path AND x.deleted_at IS NULL
            UNION ALL
            SELECT x.object_id FROM unnest(\(prefixes), \(prefixes.map { $0.dropLast() + "0" })) AS seen (first, after)
            JOIN objects x ON x.path > seen.first AND x.path < seen.after AND x.deleted_at IS NULL
            """
        }

        /// Whether the row `o` of objects may be seen.
        var condition: SQL {
            """
            (o.owner = \(userName) OR EXISTS (
                SELECT FROM unnest(\(prefixes)) AS seen (prefix) WHERE starts_with(o.path || '/', seen.prefix)))
            """
        }
    }

    func sight(of principal: Principal) async throws(HarbourError) -> Sight {
        let rows = try await pool.query(
            """
            SELECT path FROM objects WHERE owner = \(principal.userName) AND kind = 'DIRECTORY' AND deleted_at IS NULL
            UNION SELECT o.path FROM grants g
            JOIN objects o ON o.object_id = CASE WHEN g.kind = 'TREE' THEN g.object_id::bigint END
            WHERE g.kind = 'TREE' AND \(PermissionStore.applies(to: principal)) AND o.deleted_at IS NULL
            """)
        var all: [String] = []
        for row in rows { all.append(try WorkspacePath(try row.decode(String.self)).prefix) }
        // As bytes, what is below a folder follows it.
        all.sort { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        var prefixes: [String] = []
        for prefix in all where prefixes.last.map({ prefix.utf8.starts(with: $0.utf8) }) != true {
            prefixes.append(prefix)
        }
        return Sight(userName: principal.userName, prefixes: prefixes)
    }

    /// What was given on a path and above it, the root first.
    func given(at path: WorkspacePath) async throws(HarbourError) -> [Given] {
        let paths = (path.ancestors + [path]).map(\.text)
        let rows = try await pool.query(
            """
            SELECT o.path, o.object_id, o.owner, g.is_group, g.principal, g.level
            FROM objects o LEFT JOIN grants g ON g.kind = 'TREE' AND g.object_id = o.object_id::text
            WHERE o.path = ANY(\(paths)) AND o.deleted_at IS NULL ORDER BY o.path, g.is_group, g.principal
            """)
        var given: [Given] = []
        for row in rows {
            let (path, id, owner, isGroup, principal, level) = try row.decode(
                (String.self, Int64.self, String?.self, Bool?.self, String?.self, Int16?.self))
            if given.last?.objectID != id { given.append(Given(path: path, objectID: id, owner: owner, grants: [])) }
            guard let isGroup, let principal, let level else { continue }
            given[given.count - 1].grants.append(
                Grant(isGroup: isGroup, principal: principal, level: AccessLevel(rawValue: level) ?? .none))
        }
        return given
    }

    // MARK: Everything else

    /// What was given to a user on these objects; one that is not in the answer was not given.
    func levels(
        _ principal: Principal, on ids: [String], _ kind: SecurableKind
    ) async throws(HarbourError) -> [String: AccessLevel] {
        guard !ids.isEmpty else { return [:] }
        let rows = try await pool.query(
            """
            SELECT g.object_id, max(g.level)::smallint AS level FROM grants g
            WHERE g.kind = \(kind.rawValue) AND g.object_id = ANY(\(ids)) AND \(PermissionStore.applies(to: principal))
            GROUP BY g.object_id
            """)
        var levels: [String: AccessLevel] = [:]
        for row in rows {
            let (id, level) = try row.decode((String.self, Int16.self))
            levels[id] = AccessLevel(rawValue: level)
        }
        return levels
    }

    func grants(on id: String, _ kind: SecurableKind) async throws(HarbourError) -> [Grant] {
        let rows = try await pool.query(
            """
            SELECT is_group, principal, level FROM grants WHERE kind = \(kind.rawValue) AND object_id = \(id)
            ORDER BY is_group, principal
            """)
        var grants: [Grant] = []
        for row in rows {
            let (isGroup, principal, level) = try row.decode((Bool.self, String.self, Int16.self))
            grants.append(
                Grant(isGroup: isGroup, principal: principal, level: AccessLevel(rawValue: level) ?? .none))
        }
        return grants
    }

    /// Who made a scope of secrets; nil when there is none.
    func owner(ofScope scope: String) async throws(HarbourError) -> String? {
        let rows = try await pool.query("SELECT created_by FROM secret_scopes WHERE scope = \(scope)")
        return try rows.first.map { row throws(HarbourError) in try row.decode(String.self) }
    }

    // MARK: Giving

    /// Gives permissions; `replacing` takes away all others on the object.
    /// - Throws: `RESOURCE_DOES_NOT_EXIST` when a user or group does not exist.
    func give(
        _ grants: [Grant], on id: String, _ kind: SecurableKind, replacing: Bool, by user: String
    ) async throws {
        try await pool.transaction { transaction in
            if replacing {
                try await transaction.query("DELETE FROM grants WHERE kind = \(kind.rawValue) AND object_id = \(id)")
            }
            for grant in grants {
                try await PermissionStore.requireExistence(of: grant, in: transaction)
                try await transaction.query(
                    """
                    INSERT INTO grants (kind, object_id, is_group, principal, level, granted_by, granted_at)
                    VALUES (\(kind.rawValue), \(id), \(grant.isGroup), \(grant.principal), \(grant.level.rawValue),
                        \(user), \(Timestamp.now))
                    ON CONFLICT (kind, object_id, is_group, principal) DO UPDATE
                        SET level = excluded.level, granted_by = excluded.granted_by, granted_at = excluded.granted_at
                    """)
            }
        }
    }

    private static func requireExistence(
        of grant: Grant, in transaction: PostgresTransaction
    ) async throws(HarbourError) {
        if grant.isGroup, [Principal.everybody, Principal.administrators].contains(grant.principal) { return }
        let rows =
            grant.isGroup
            ? try await transaction.query("SELECT 1 AS one FROM groups WHERE group_name = \(grant.principal)")
            : try await transaction.query("SELECT 1 AS one FROM users WHERE user_name = \(grant.principal)")
        guard rows.isEmpty else { return }
        throw HarbourError(
            .notFound, "There is no \(grant.isGroup ? "group" : "user") \(grant.principal). List them and try again.")
    }

    /// Forgets what was given on something that is gone, so that a new thing of that name does not inherit it.
    func forget(_ id: String, _ kind: SecurableKind) async throws(HarbourError) {
        try await pool.query("DELETE FROM grants WHERE kind = \(kind.rawValue) AND object_id = \(id)")
    }
}
