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
}

/// How much there is of a part of the tree.
struct TreeExtent: Sendable {
    let entries: Int
    /// The bytes of the newest revisions that are in the database.
    let contentBytes: Int
    /// Of the longest path, in bytes, and the parts of the deepest.
    let longestPath: Int
    let depth: Int

    static func measure(
        _ condition: SQL, in transaction: PostgresTransaction
    ) async throws(HarbourError) -> TreeExtent {
        let rows = try await transaction.query(
            """
            SELECT count(*) AS entries, coalesce(sum(octet_length(r.content)), 0)::bigint AS bytes,
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
