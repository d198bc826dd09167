internal import Core
internal import HarbourProtocol
internal import Postgres

/// What was deleted together, as it is stored.
struct TrashRow: Sendable {
    let deletionID: Int64
    let objectID: Int64
    let path: String
    let kind: ObjectType
    let language: String?
    let size: Int64
    let entryCount: Int64
    let deletedAt: Timestamp
    let deletedBy: String?

    static let columns: SQL = """
        t.deletion_id, t.object_id, o.path, o.kind, o.language, t.size, t.entry_count, t.deleted_at, t.deleted_by
        """

    init(_ row: PostgresRow) throws(HarbourError) {
        let kind: String
        (deletionID, objectID, path, kind, language, size, entryCount, deletedAt, deletedBy) = try row.decode(
            (
                Int64.self, Int64.self, String.self, String.self, String?.self, Int64.self, Int64.self, Timestamp.self,
                String?.self
            ))
        self.kind = ObjectType(rawValue: kind) ?? .file
    }
}

/// The trash in the database.
struct TrashStore: Sendable {
    /// Up to `count` deletions before one, the newest first. A viewer sees those that they may restore.
    func list(
        before deletionID: Int64?, count: Int, visibleTo viewer: Principal?, on runner: some StatementRunner
    ) async throws(HarbourError) -> [TrashRow] {
        var condition: SQL = "t.purged_at IS NULL AND t.deletion_id < \(deletionID ?? .max)"
        if let viewer { condition = "\(condition) AND \(PermissionStore.mayRestore(viewer))" }
        let rows = try await runner.query(
            """
            SELECT \(TrashRow.columns) FROM trash t JOIN objects o ON o.object_id = t.object_id
            WHERE \(condition) ORDER BY t.deletion_id DESC LIMIT \(Int64(count))
            """)
        var found: [TrashRow] = []
        for row in rows { found.append(try TrashRow(row)) }
        return found
    }

    /// A deletion that can be restored; locked, so that nobody else restores or empties it meanwhile.
    func lock(_ deletionID: Int64, in transaction: PostgresTransaction) async throws(HarbourError) -> TrashRow? {
        let rows = try await transaction.query(
            """
            SELECT \(TrashRow.columns) FROM trash t JOIN objects o ON o.object_id = t.object_id
            WHERE t.deletion_id = \(deletionID) AND t.purged_at IS NULL FOR UPDATE OF t
            """)
        return try rows.first.map { row throws(HarbourError) in try TrashRow(row) }
    }

    /// How long and how deep the paths of a deletion are.
    func extent(
        of deletionID: Int64, in transaction: PostgresTransaction
    ) async throws(HarbourError) -> TreeExtent {
        try await TreeExtent.measure("o.deletion_id = \(deletionID)", in: transaction)
    }

    /// Gives all entries of a deletion paths under the destination and takes them out of the trash.
    func restore(
        _ row: TrashRow, from source: WorkspacePath, to destination: WorkspacePath,
        in transaction: PostgresTransaction
    ) async throws(HarbourError) {
        let kept = Int64(source.text.unicodeScalars.count + 1)
        try await transaction.query(
            """
            UPDATE objects SET path = \(destination.text) || substr(path, \(kept)::integer),
                folder = CASE WHEN object_id = \(row.objectID) THEN \(destination.folder?.text ?? "")
                    ELSE \(destination.text) || substr(folder, \(kept)::integer) END,
                name = CASE WHEN object_id = \(row.objectID) THEN \(destination.name) ELSE name END,
                deleted_at = NULL, deleted_by = NULL, deletion_id = NULL
            WHERE deletion_id = \(row.deletionID)
            """, timeout: CopyStore.patience)
        try await transaction.query("DELETE FROM trash WHERE deletion_id = \(row.deletionID)")
    }

    /// Gives what was deleted at one moment, and is in no trash, its place there: a service from before the trash, beside
    /// this one during an upgrade, deletes so, each entry under a number of its own.
    /// - Returns: how many entries that were; none when all is there, or another process is at it.
    func adopt(in transaction: PostgresTransaction) async throws(HarbourError) -> Int {
        let name = "harbour workspace adoption"
        let turn = try await transaction.query(
            "SELECT pg_try_advisory_xact_lock(hashtextextended(\(name), 0)) AS is_ours")
        guard try turn.first?.decode(Bool.self) == true else { return 0 }
        let lost: SQL = """
            o.deletion_id IS NOT NULL AND o.deleted_at IS NOT NULL
                AND NOT EXISTS (SELECT FROM trash t WHERE t.deletion_id = o.deletion_id)
            """
        let rows = try await transaction.query(
            """
            WITH moment AS MATERIALIZED (
                SELECT deleted_at, deleted_by FROM objects o WHERE \(lost) ORDER BY deletion_id LIMIT 1
            ), lost AS MATERIALIZED (
                SELECT o.* FROM objects o JOIN moment m
                    ON o.deleted_at = m.deleted_at AND o.deleted_by IS NOT DISTINCT FROM m.deleted_by
                WHERE \(lost)
            ), root AS MATERIALIZED (
                -- What is deleted takes along all that is below it.
                SELECT * FROM lost WHERE NOT EXISTS (SELECT FROM lost above WHERE above.path = lost.folder)
            ), whole AS MATERIALIZED (
                SELECT lost.object_id, lost.size, root.deletion_id FROM lost JOIN root
                    ON lost.path = root.path OR starts_with(lost.path, root.path || '/')
            ), made AS (
                INSERT INTO trash (deletion_id, object_id, folder_id, entry_count, size, deleted_at, deleted_by)
                SELECT root.deletion_id, root.object_id, (
                        -- Only a folder that was there already can be the one.
                        SELECT object_id FROM objects folder WHERE folder.path = root.folder
                            AND folder.deleted_at IS NULL AND folder.created_at <= root.deleted_at),
                    total.entries, total.size, root.deleted_at, root.deleted_by
                FROM root JOIN (
                    SELECT deletion_id, count(*) AS entries, coalesce(sum(size), 0)::bigint AS size
                    FROM whole GROUP BY deletion_id) AS total USING (deletion_id)
            )
            UPDATE objects o SET deletion_id = whole.deletion_id FROM whole WHERE o.object_id = whole.object_id
            RETURNING 1 AS one
            """, timeout: CopyStore.patience)
        return rows.count
    }
}

/// How much there is of a part of the tree.
struct TreeExtent: Sendable {
    let entries: Int
    /// The bytes of the newest revisions that are in the database, and of the outputs beside them.
    let contentBytes: Int
    /// Of the longest path, in bytes, and the parts of the deepest.
    let longestPath: Int
    let depth: Int

    static func measure(
        _ condition: SQL, in transaction: PostgresTransaction
    ) async throws(HarbourError) -> TreeExtent {
        let rows = try await transaction.query(
            """
            SELECT count(*) AS entries, (coalesce(sum(octet_length(r.content)), 0) + coalesce(sum((
                    SELECT sum(octet_length(c.outputs)) FROM cell_outputs c WHERE c.notebook_id = o.object_id
                )), 0))::bigint AS bytes,
                coalesce(max(octet_length(o.path)), 0)::bigint AS longest,
                coalesce(max(cardinality(string_to_array(o.path, '/'))) - 1, 0)::bigint AS depth
            FROM objects o LEFT JOIN revisions r ON r.revision_id = o.revision_id WHERE \(condition)
            """, timeout: CopyStore.patience)
        guard let row = rows.first else { throw .missingRow("extent of the tree") }
        let (entries, bytes, longest, depth) = try row.decode((Int64.self, Int64.self, Int64.self, Int64.self))
        return TreeExtent(
            entries: Int(entries), contentBytes: Int(bytes), longestPath: Int(longest), depth: Int(depth))
    }

    /// Makes sure that every path is still one when what is at the source comes to the destination.
    /// - Throws: `INVALID_PARAMETER_VALUE`.
    func check(from source: WorkspacePath, to destination: WorkspacePath) throws(HarbourError) {
        let length = longestPath + destination.text.utf8.count - source.text.utf8.count
        let parts = depth + destination.ancestors.count - source.ancestors.count
        guard length <= WorkspacePath.maximumBytes, parts <= WorkspacePath.maximumDepth else {
            throw HarbourError(
                .invalidParameter,
                "Below \(destination.text) the longest path would have \(length) bytes and \(parts) parts; at most "
                    + "\(WorkspacePath.maximumBytes) and \(WorkspacePath.maximumDepth) are allowed. Choose a place "
                    + "higher up.")
        }
    }
}
