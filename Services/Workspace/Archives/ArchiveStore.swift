internal import Core
internal import HarbourProtocol
internal import NotebookFormats
internal import ObjectStorage
internal import Postgres

/// The statements that only archives need.
struct ArchiveStore: Sendable {
    let pool: PostgresPool

    /// An entry that is to be packed, as it is at one moment.
    struct Packed: Sendable {
        let objectID: Int64
        let path: String
        let kind: ObjectType
        /// Nil for folders.
        let format: ContentFormat?
        let language: String?
        let revisionID: Int64?
        let size: Int
        let modified: Timestamp
    }

    /// Up to `count` entries below a folder in the order of their paths. Somebody gets those that they may see, and no
    /// folder that only leads there.
    func entries(
        below folder: WorkspacePath, seenBy sight: PermissionStore.Sight?, count: Int
    ) async throws(HarbourError) -> [Packed] {
        var condition: SQL = "path >= \(folder.prefix) AND path < \(folder.prefixEnd) AND deleted_at IS NULL"
        if let sight { condition = "\(condition) AND object_id IN (\(sight.ids))" }
        let rows = try await pool.query(
            """
            SELECT object_id, path, kind, format, language, revision_id, size, modified_at FROM objects
            WHERE \(condition) AND path <> '/' ORDER BY path LIMIT \(Int64(count))
            """)
        var entries: [Packed] = []
        entries.reserveCapacity(rows.count)
        for row in rows {
            let (id, path, kind, format, language, revision, size, modified) = try row.decode(
                (
                    Int64.self, String.self, String.self, String?.self, String?.self, Int64?.self, Int64?.self,
                    Timestamp.self
                ))
            entries.append(
                Packed(
                    objectID: id, path: path, kind: ObjectType(rawValue: kind) ?? .file,
                    format: try format.map { name throws(HarbourError) in try ContentFormat(name: name) },
                    language: language, revisionID: revision, size: Int(size ?? 0), modified: modified))
        }
        return entries
    }

    /// What an upload has become, also after its end: nil when there is none, or nothing yet.
    func result(ofUpload id: String) async throws(HarbourError) -> Int64? {
        let rows = try await pool.query("SELECT object_id FROM uploads WHERE upload_id = \(id)")
        return try rows.first?.decode(Int64?.self) ?? nil
    }

    /// Marks the archive itself, so that its bytes are removed in time, and keeps what has become of it until then.
    func endArchive(_ id: String, as objectID: Int64, in transaction: PostgresTransaction) async throws(HarbourError) {
        try await transaction.query(
            "UPDATE uploads SET state = 'ENDED', object_id = \(objectID) WHERE upload_id = \(id)")
    }

    /// Marks objects that no revision is made of; they are removed in time.
    func endUnused(_ ids: [String], on runner: some StatementRunner) async throws(HarbourError) {
        guard !ids.isEmpty else { return }
        try await runner.query(
            "UPDATE uploads SET state = 'ENDED' WHERE upload_id = ANY(\(ids)) AND state <> 'COMPLETE'")
    }
}
