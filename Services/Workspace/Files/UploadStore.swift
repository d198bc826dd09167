internal import Core
internal import Cryptography
internal import HarbourProtocol
internal import ObjectStorage
internal import Postgres

/// An upload as it is stored.
struct UploadRow: Sendable {
    let id: String
    let user: String
    let path: String
    let overwrites: Bool
    /// Nil while a form comes.
    let size: Int?
    let wanted: [UInt8]?
    /// The kind of storage that it was begun in.
    let storage: String
    let handle: String?
    let stored: Int
    let hash: ResumableSHA256
    let digest: [UInt8]?
    let state: String
    let objectID: Int64?
    let createdAt: Timestamp
    let expiresAt: Timestamp

    static let columns: SQL = """
        upload_id, user_name, path, overwrites, size, wanted, storage, handle, stored, hash_state, digest, state, object_id,
        created_at, expires_at
        """

    init(_ row: PostgresRow) throws(HarbourError) {
        id = try row["upload_id", as: String.self]
        user = try row["user_name", as: String.self]
        path = try row["path", as: String.self]
        overwrites = try row["overwrites", as: Bool.self]
        size = try row["size", as: Int?.self]
        wanted = try row["wanted", as: [UInt8]?.self]
        storage = try row["storage", as: String.self]
        handle = try row["handle", as: String?.self]
        stored = try row["stored", as: Int.self]
        digest = try row["digest", as: [UInt8]?.self]
        state = try row["state", as: String.self]
        objectID = try row["object_id", as: Int64?.self]
        createdAt = try row["created_at", as: Timestamp.self]
        expiresAt = try row["expires_at", as: Timestamp.self]
        // The last piece may end anywhere; nothing is hashed after it.
        let state = try row["hash_state", as: [UInt8].self]
        guard
            let hash = ResumableSHA256(
                state: state, count: stored / ResumableSHA256.blockSize * ResumableSHA256.blockSize)
        else { throw .missingRow("hash of an upload") }
        self.hash = hash
    }

    /// The name of its object.
    var key: ObjectKey {
        get throws(HarbourError) {
            guard let key = ObjectKey(id) else { throw .missingRow("key of an upload") }
            return key
        }
    }

    /// As the contract tells it.
    func upload(chunkSize: Int) -> FileUpload {
        FileUpload(
            uploadID: id, path: path, size: Int64(size ?? stored), offset: Int64(stored), chunkSize: Int64(chunkSize),
            state: state == "COMPLETE" ? .complete : .open, sha256: wanted.map { hexadecimal($0) },
            createdTime: createdAt, expiresTime: expiresAt)
    }
}

/// The tables of uploads, and of what has become of them. The only place with their SQL.
struct UploadStore: Sendable {
    /// The most uploads that one user may have open.
    static let limit = 100
    let pool: PostgresPool

    /// Notes a new upload.
    /// - Parameter limit: how many the user may have open; any number when nil.
    /// - Throws: `RESOURCE_EXHAUSTED` when the user has too many.
    func insert(
        _ id: String, by user: String, to path: WorkspacePath, overwrites: Bool, size: Int?, wanted: [UInt8]?,
        storage: String, lifetime: Duration, limit: Int? = UploadStore.limit
    ) async throws(HarbourError) -> UploadRow {
        let now = Timestamp.now
        let rows = try await pool.query(
            """
            INSERT INTO uploads (upload_id, user_name, path, overwrites, size, wanted, storage, hash_state, created_at,
                expires_at)
            SELECT \(id), \(user), \(path.text), \(overwrites), \(size), \(wanted), \(storage),
                \(ResumableSHA256().state), \(now), \(now + lifetime)
            WHERE (SELECT count(*) FROM uploads WHERE user_name = \(user) AND state = 'OPEN')
                < \(Int64(limit ?? .max))
            RETURNING \(UploadRow.columns)
            """)
        guard let row = rows.first else {
            throw HarbourError(
                .resourceExhausted,
                "You have \(UploadStore.limit) uploads that have not ended, which is the limit. Go on with them."
            )
        }
        return try UploadRow(row)
    }

    /// The open upload of the same content to the same place; what it may replace is as is said now.
    func find(
        by user: String, to path: WorkspacePath, size: Int, wanted: [UInt8], overwrites: Bool, storage: String
    ) async throws(HarbourError) -> UploadRow? {
        let rows = try await pool.query(
            """
            UPDATE uploads SET overwrites = \(overwrites) WHERE upload_id = (
                SELECT upload_id FROM uploads
                WHERE user_name = \(user) AND state = 'OPEN' AND path = \(path.text) AND size = \(size)
                    AND wanted = \(wanted) AND storage = \(storage) AND expires_at > now()
                ORDER BY created_at DESC LIMIT 1)
            RETURNING \(UploadRow.columns)
            """)
        return try rows.first.map { row throws(HarbourError) in try UploadRow(row) }
    }

    /// - Throws: `RESOURCE_DOES_NOT_EXIST` when it has ended.
    func get(
        _ id: String, forUpdate: Bool = false, on runner: some StatementRunner
    ) async throws(HarbourError) -> UploadRow {
        let lock: SQL = forUpdate ? "FOR UPDATE" : ""
        let rows = try await runner.query(
            "SELECT \(UploadRow.columns) FROM uploads WHERE upload_id = \(id) AND state <> 'ENDED' \(lock)")
        guard let row = rows.first else { throw UploadStore.missing(id) }
        return try UploadRow(row)
    }

    func list(by user: String) async throws(HarbourError) -> [UploadRow] {
        let rows = try await pool.query(
            """
            SELECT \(UploadRow.columns) FROM uploads
            WHERE user_name = \(user) AND state = 'OPEN' AND size IS NOT NULL
            ORDER BY created_at DESC LIMIT \(Int64(UploadStore.limit))
            """)
        var uploads: [UploadRow] = []
        for row in rows { uploads.append(try UploadRow(row)) }
        return uploads
    }

    /// Notes the storage's handle. When two began at a time, one of them is kept.
    func setHandle(_ handle: String, of id: String) async throws(HarbourError) -> UploadRow {
        let rows = try await pool.query(
            """
            UPDATE uploads SET handle = coalesce(handle, \(handle)) WHERE upload_id = \(id) AND state = 'OPEN'
            RETURNING \(UploadRow.columns)
            """)
        guard let row = rows.first else { throw UploadStore.missing(id) }
        return try UploadRow(row)
    }

    /// What one more piece makes of an upload.
    struct Step: Sendable {
        let number: Int
        let tag: String
        let blockHashes: [UInt8]
        let stored: Int
        let hash: ResumableSHA256
        /// Of everything, with the last piece.
        let digest: [UInt8]?
    }

    func advance(
        _ id: String, _ step: Step, lifetime: Duration, in transaction: PostgresTransaction
    ) async throws(HarbourError) -> UploadRow {
        try await transaction.query(
            """
            INSERT INTO upload_pieces (upload_id, number, tag, block_hashes)
            VALUES (\(id), \(Int32(step.number)), \(step.tag), \(step.blockHashes))
            """)
        let rows = try await transaction.query(
            """
            UPDATE uploads SET stored = \(step.stored), hash_state = \(step.hash.state), digest = \(step.digest),
                expires_at = \(Timestamp.now + lifetime)
            WHERE upload_id = \(id) RETURNING \(UploadRow.columns)
            """)
        guard let row = rows.first else { throw UploadStore.missing(id) }
        return try UploadRow(row)
    }

    /// Says how large it has turned out to be.
    func setSize(_ size: Int, of id: String) async throws(HarbourError) {
        try await pool.query("UPDATE uploads SET size = \(size) WHERE upload_id = \(id)")
    }

    /// The tags and checksums of all pieces, in their order.
    func pieces(of id: String) async throws(HarbourError) -> (tags: [String], blockHashes: [UInt8]) {
        let rows = try await pool.query(
            "SELECT tag, block_hashes FROM upload_pieces WHERE upload_id = \(id) ORDER BY number")
        var tags: [String] = []
        var hashes: [UInt8] = []
        for row in rows {
            let (tag, blocks) = try row.decode((String.self, [UInt8].self))
            tags.append(tag)
            hashes += blocks
        }
        return (tags, hashes)
    }

    func complete(
        _ id: String, as objectID: Int64, in transaction: PostgresTransaction
    ) async throws(HarbourError) {
        try await transaction.query(
            "UPDATE uploads SET state = 'COMPLETE', object_id = \(objectID) WHERE upload_id = \(id)")
        try await transaction.query("DELETE FROM upload_pieces WHERE upload_id = \(id)")
    }

    // MARK: The end

    /// Marks an upload, so that nobody goes on with it while what has come is removed. False when there is none, or it
    /// is complete.
    func end(_ id: String) async throws(HarbourError) -> Bool {
        try await pool.query(
            "UPDATE uploads SET state = 'ENDED' WHERE upload_id = \(id) AND state <> 'COMPLETE'"
        ).affected == 1
    }

    /// Marks what nobody goes on with, forgets what has been complete for long, and tells what is to be removed.
    func endExpired(at time: Timestamp) async throws(HarbourError) -> [String] {
        try await pool.query("DELETE FROM uploads WHERE state = 'COMPLETE' AND expires_at < \(time)")
        try await pool.query("UPDATE uploads SET state = 'ENDED' WHERE state = 'OPEN' AND expires_at < \(time)")
        let rows = try await pool.query("SELECT upload_id FROM uploads WHERE state = 'ENDED' LIMIT 1000")
        var ids: [String] = []
        for row in rows { ids.append(try row.decode(String.self)) }
        return ids
    }

    /// Forgets an upload whose bytes are gone.
    func forget(_ id: String) async throws(HarbourError) {
        try await pool.query("DELETE FROM uploads WHERE upload_id = \(id) AND state = 'ENDED'")
    }

    static func missing(_ id: String) -> HarbourError {
        HarbourError(.notFound, "There is no upload \(id.prefix(64)). It may have ended or expired; begin another.")
    }

    // MARK: Objects

    func insertObject(
        _ key: ObjectKey, _ manifest: ObjectManifest, storage: String, in transaction: PostgresTransaction
    ) async throws(HarbourError) {
        try await transaction.query(
            """
            INSERT INTO stored_objects (object_key, storage, size, sha256, block_hashes, created_at)
            VALUES (\(key.text), \(storage), \(manifest.size), \(manifest.sha256), \(manifest.blockHashes),
                \(Timestamp.now))
            """)
    }

    /// Forgets an object that no revision has been made of.
    func removeObject(_ key: ObjectKey, in transaction: PostgresTransaction) async throws(HarbourError) {
        try await transaction.query("DELETE FROM stored_objects WHERE object_key = \(key.text)")
    }

    /// What an object must contain, and in which storage it is.
    func manifest(of key: ObjectKey) async throws(HarbourError) -> (manifest: ObjectManifest, storage: String) {
        let rows = try await pool.query(
            "SELECT size, sha256, block_hashes, storage FROM stored_objects WHERE object_key = \(key.text)")
        guard let row = rows.first else { throw .missingRow("stored object \(key)") }
        let (size, sha256, hashes, storage) = try row.decode((Int.self, [UInt8].self, [UInt8].self, String.self))
        return (try ObjectManifest(size: size, sha256: sha256, blockHashes: hashes), storage)
    }
}
