internal import Core
internal import Cryptography
internal import HarbourProtocol
internal import Postgres

/// Every state that notebooks and files ever had.
struct RevisionStore: Sendable {
    func insert(
        _ content: StoredContent, of objectID: Int64, by user: String, at time: Timestamp,
        in transaction: PostgresTransaction
    ) async throws(HarbourError) -> Int64 {
        let frame: [UInt8]?
        let key: String?
        switch content.place {
        case .frame(let bytes): (frame, key) = (bytes, nil)
        case .object(let object): (frame, key) = (nil, object)
        case .bytes: throw .missingRow("content that was not compressed")
        }
        let rows = try await transaction.query(
            """
            INSERT INTO revisions (object_id, created_at, created_by, format, content_hash, size, content, object_key)
            VALUES (\(objectID), \(time), \(user), \(content.format.name), \(content.hash), \(Int64(content.size)),
                \(frame), \(key))
            RETURNING revision_id
            """)
        guard let row = rows.first else { throw .missingRow("new revision") }
        let id = try row.decode(Int64.self)
        if let split = content.split { try await ShownStore().write(split, of: id, on: transaction) }
        return id
    }

    /// Whether a revision holds exactly this content in this format.
    func holds(
        _ content: StoredContent, revisionID: Int64, on runner: some StatementRunner
    ) async throws(HarbourError) -> Bool {
        let rows = try await runner.query(
            """
            SELECT 1 AS one FROM revisions WHERE revision_id = \(revisionID) AND content_hash = \(content.hash)
                AND format = \(content.format.name)
            """)
        return !rows.isEmpty
    }

    /// The content of a revision, by its number or as the newest of a path or of a notebook.
    /// - Parameter bare: without large outputs, where they are kept apart.
    func content(
        _ which: Which, bare: Bool = false, on runner: some StatementRunner
    ) async throws(HarbourError) -> RevisionContent? {
        let condition: SQL =
            switch which {
            case .revision(let id): "r.revision_id = \(id)"
            case .newest(let path):
                "r.revision_id = o.revision_id AND o.path = \(path.text) AND o.deleted_at IS NULL"
            case .newestOf(let objectID):
                "r.revision_id = o.revision_id AND o.object_id = \(objectID) AND o.deleted_at IS NULL"
            case .revisionAt(let path, let id):
                "r.revision_id = \(id) AND o.path = \(path.text) AND o.deleted_at IS NULL"
            case .revisionOf(let objectID, let id): "r.revision_id = \(id) AND o.object_id = \(objectID)"
            }
        let frame: SQL = bare ? "coalesce(d.document, r.content), d.document IS NOT NULL" : "r.content, false"
        let apart: SQL = bare ? "LEFT JOIN revision_documents d ON d.revision_id = r.revision_id" : ""
        let rows = try await runner.query(
            """
            SELECT r.revision_id, r.object_id, o.path, r.format, r.size, \(frame) AS bare, r.object_key,
                r.content_hash, r.created_at
            FROM revisions r JOIN objects o ON o.object_id = r.object_id \(apart) WHERE \(condition)
            """)
        guard let row = rows.first else { return nil }
        let (id, objectID, path, format, size, bytes, isBare, key, hash, created) = try row.decode(
            (
                Int64.self, Int64.self, String.self, String.self, Int64.self, [UInt8]?.self, Bool.self,
                String?.self, [UInt8].self, Timestamp.self
            ))
        return RevisionContent(
            revisionID: id, objectID: objectID, path: path, format: try ContentFormat(name: format),
            size: Int(size), hash: hash, createdAt: created, place: key.map { .object($0) } ?? .frame(bytes ?? []),
            isBare: isBare)
    }

    /// Which revision is wanted.
    enum Which: Sendable {
        /// Also of what is in the trash: a frozen revision stays readable.
        case revision(Int64)
        case newest(WorkspacePath)
        case newestOf(objectID: Int64)
        case revisionAt(WorkspacePath, Int64)
        case revisionOf(objectID: Int64, Int64)

        var isNewest: Bool {
            switch self {
            case .newest, .newestOf: true
            case .revision, .revisionAt, .revisionOf: false
            }
        }
    }

    /// Up to `count` revisions of an entry, the newest first, before a revision.
    func list(
        of objectID: Int64, before revisionID: Int64?, count: Int, on runner: some StatementRunner
    ) async throws(HarbourError) -> [RevisionInfo] {
        let rows = try await runner.query(
            """
            SELECT revision_id, object_id, created_at, created_by, content_hash, size, message FROM revisions
            WHERE object_id = \(objectID) AND revision_id < \(revisionID ?? .max)
            ORDER BY revision_id DESC LIMIT \(Int64(count))
            """)
        var revisions: [RevisionInfo] = []
        for row in rows {
            let (id, object, created, creator, hash, size, message) = try row.decode(
                (Int64.self, Int64.self, Timestamp.self, String?.self, [UInt8].self, Int64.self, String?.self))
            revisions.append(
                RevisionInfo(
                    revisionID: id, notebookID: object, createdTime: created, createdBy: creator,
                    contentHash: hexadecimal(hash), size: size, message: message))
        }
        return revisions
    }

    /// Whether there is or was an entry of that number.
    func objectExists(_ objectID: Int64, on runner: some StatementRunner) async throws(HarbourError) -> Bool {
        let rows = try await runner.query("SELECT 1 AS one FROM objects WHERE object_id = \(objectID)")
        return !rows.isEmpty
    }
}
