internal import Core
internal import HarbourProtocol
internal import Postgres

/// Who may do what with things in the trash. They are at no path, for it may be another's by now: what counts is who
/// owns the entry, what was given on it, and what may be done with the folder it was in, wherever that folder is today.
extension PermissionStore {
    /// Whether a user has CAN_MANAGE on the deletion `t`, whose entry is `o`.
    static func mayRestore(_ principal: Principal) -> SQL {
        // A viewer has no more than CAN_READ on anything.
        guard principal.role != .viewer else { return "false" }
        return """
            (o.owner = \(principal.userName) OR \(isManaged("o", by: principal)) OR EXISTS (
                SELECT 1 FROM objects f
                CROSS JOIN LATERAL generate_series(1, cardinality(string_to_array(f.path, '/'))) AS depth
                JOIN objects a ON a.deleted_at IS NULL AND a.path =
                    coalesce(nullif(array_to_string((string_to_array(f.path, '/'))[1:depth], '/'), ''), '/')
                WHERE f.object_id = t.folder_id AND f.deleted_at IS NULL
                    AND (a.owner = \(principal.userName) OR \(isManaged("a", by: principal)))))
            """
    }

    private static func isManaged(_ object: SQL, by principal: Principal) -> SQL {
        """
        EXISTS (SELECT 1 FROM grants g WHERE g.kind = 'TREE' AND g.object_id = \(object).object_id::text
            AND g.level >= \(AccessLevel.manage.rawValue) AND \(applies(to: principal)))
        """
    }

    /// Where a deletion was, and what a user may do with it; nil when there is none.
    func deletion(
        _ id: Int64, for principal: Principal
    ) async throws(HarbourError) -> (path: WorkspacePath, level: AccessLevel)? {
        let rows = try await pool.query(
            """
            SELECT o.path, f.path AS folder, (CASE WHEN o.owner = \(principal.userName) THEN 4 ELSE coalesce((
                SELECT max(g.level) FROM grants g WHERE g.kind = 'TREE' AND g.object_id = o.object_id::text
                    AND \(PermissionStore.applies(to: principal))), 0) END)::smallint AS level
            FROM trash t JOIN objects o ON o.object_id = t.object_id
            LEFT JOIN objects f ON f.object_id = t.folder_id AND f.deleted_at IS NULL
            WHERE t.deletion_id = \(id) AND t.purged_at IS NULL
            """)
        guard let row = rows.first else { return nil }
        let (path, folder, own) = try row.decode((String.self, String?.self, Int16.self))
        var level = AccessLevel(rawValue: own) ?? .none
        if let folder { level = max(level, try await self.level(principal, at: try WorkspacePath(folder))) }
        return (try WorkspacePath(path), level)
    }
}
