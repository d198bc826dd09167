internal import Core
internal import Cryptography
internal import HTTPMessage
internal import HarbourProtocol
internal import ObjectStorage
internal import Postgres

extension ErrorCode {
    /// What was uploaded does not have the checksum that it must have.
    static let checksumMismatch = ErrorCode("CHECKSUM_MISMATCH", status: 422)
}

/// Files that come in chunks, each of which is safe once it was acknowledged.
///
/// The bytes go into the object storage in pieces of one size, and how far they are into the database: any process
/// goes on after the death of another. A file is in the tree only when it is whole and has the right checksum.
struct UploadService: Sendable {
    /// The size of pieces. S3 wants at least 5 MiB, and no more than 10,000 of them; one is in memory for each upload.
    static let pieceSize = 8 << 20

    let store: UploadStore
    let tree: WorkspaceTree
    /// Nil when none was set up.
    let storage: (any ObjectStorage)?
    /// The most bytes that a file may have.
    let limit: Int
    /// For how long an upload is kept that nothing comes for.
    let lifetime: Duration

    // MARK: Beginning

    func create(_ body: CreateUpload, by user: String) async throws -> FileUpload {
        let storage = try available()
        let path = try WorkspacePath(body.path)
        try check(path, size: Int(body.size))
        let wanted = try body.sha256.map { text throws(HarbourError) in try UploadService.digest(text) }
        let overwrites = body.overwrite ?? false
        try await checkTarget(path, overwrites: overwrites)
        if let wanted,
            let found = try await store.find(
                by: user, to: path, size: Int(body.size), wanted: wanted, overwrites: overwrites,
                storage: storage.name)
        {
            return found.upload(chunkSize: UploadService.pieceSize)
        }
        let row = try await store.insert(
            SystemRandom.token(bytes: 16), by: user, to: path, overwrites: overwrites, size: Int(body.size),
            wanted: wanted, storage: storage.name, lifetime: lifetime)
        return row.upload(chunkSize: UploadService.pieceSize)
    }

    func available() throws(HarbourError) -> any ObjectStorage {
        guard let storage else {
            throw HarbourError(
                .unsupported,
                "There is no object storage for files here. Set HARBOUR_WORKSPACE_STORAGE_FOLDER, or HARBOUR_DATA.")
        }
        return storage
    }

    private func check(_ path: WorkspacePath, size: Int) throws(HarbourError) {
        guard !path.isRoot else {
            throw HarbourError(.invalidParameter, "The path must name a file, not the root.")
        }
        guard size <= limit else {
            throw HarbourError(.tooLarge, "The file has \(size) bytes; at most \(limit) are allowed.")
        }
    }

    /// Whoever would be refused at the end had better know it at the beginning.
    func checkTarget(_ path: WorkspacePath, overwrites: Bool) async throws(HarbourError) {
        guard let existing = try await tree.objects.find(path, on: tree.pool) else { return }
        try WorkspaceTree.check(
            existing.info, path, .file, WorkspaceTree.ImportWish(overwrites: overwrites, expectedRevisionID: nil))
    }

    /// - Throws: `INVALID_PARAMETER_VALUE` for what is no SHA-256 in hexadecimal.
    private static func digest(_ text: String) throws(HarbourError) -> [UInt8] {
        let bytes = stride(from: 0, to: 64, by: 2).compactMap { index in
            UInt8(text.dropFirst(index).prefix(2), radix: 16)
        }
        guard bytes.count == 32, text.utf8.allSatisfy({ $0 != UInt8(ascii: "+") }) else {
            throw HarbourError(.invalidParameter, "The field `sha256` must have 64 hexadecimal digits.")
        }
        return bytes
    }

    // MARK: Sending

    func get(_ id: String) async throws -> FileUpload {
        try await store.get(id, on: store.pool).upload(chunkSize: UploadService.pieceSize)
    }

    /// Takes bytes from an offset on. Whole pieces, and the end of the file, are kept as they come.
    /// - Parameter sha256: what they must have, where they are no more than a piece.
    /// - Throws: `CHECKSUM_MISMATCH` when they are others: nothing of them is kept then.
    func write(_ id: String, at offset: Int, _ body: HTTPBody, sha256: String?) async throws -> FileUpload {
        let wanted = try sha256.map { text throws(HarbourError) in try UploadService.digest(text) }
        let row = try await store.get(id, on: store.pool)
        guard row.state == "OPEN", let size = row.size else { throw UploadService.ended(id) }
        guard offset == row.stored else { throw UploadService.elsewhere(row.stored) }
        var body = body
        // A proxy may leave out how many they are; a piece is in memory anyway.
        if wanted != nil, body.length == nil { body = HTTPBody(try await body.collect(limit: UploadService.pieceSize)) }
        if let length = body.length {
            let isWhole = offset + length == size || length % UploadService.pieceSize == 0
            guard isWhole, offset + length <= size else {
                body.discard()
                throw HarbourError(
                    .invalidParameter,
                    "Send a multiple of \(UploadService.pieceSize) bytes, or the \(size - offset) that are missing."
                )
            }
        }
        if wanted != nil, let length = body.length, length > UploadService.pieceSize {
            body.discard()
            throw HarbourError(
                .invalidParameter, "With a checksum, send at most \(UploadService.pieceSize) bytes at a time.")
        }
        var writer = PieceWriter(service: self, row: row, wanted: wanted)
        for try await chunk in body { try await writer.add(chunk[...]) }
        return writer.row.upload(chunkSize: UploadService.pieceSize)
    }

    static func ended(_ id: String) -> HarbourError {
        HarbourError(.invalidState, "The upload \(id) is complete. Begin another to send more.")
    }

    static func elsewhere(_ offset: Int) -> HarbourError {
        HarbourError(.conflict, "The upload is at byte \(offset) now. Ask how far it is and go on from there.")
    }

    // MARK: The end

    /// Puts the file into the tree.
    func complete(_ id: String, by user: String) async throws -> ObjectInfo {
        let storage = try available()
        let row = try await store.get(id, on: store.pool)
        if row.state == "COMPLETE" { return try await result(of: row) }
        guard let size = row.size, row.stored == size else {
            throw HarbourError(
                .invalidState,
                "Only \(row.stored) of the file's \(row.size ?? 0) bytes have come. Send the rest before completing it."
            )
        }
        try await verify(row)
        let (_, manifest, _) = try await assemble(row)
        return try await place(row, manifest, storage, by: user)
    }

    /// Throws away what has come when it is not what was announced.
    /// - Throws: `CHECKSUM_MISMATCH` then.
    func verify(_ row: UploadRow) async throws {
        let digest = row.digest ?? row.hash.digest()
        if let wanted = row.wanted, wanted != digest {
            try await abort(row.id)
            throw HarbourError(
                .checksumMismatch,
                "The content that came has the SHA-256 \(hexadecimal(digest)) and not the one that was announced. "
                    + "Upload the file again.")
        }
    }

    /// Makes the object of an upload's pieces, of which all have come. Doing it again is harmless.
    func assemble(
        _ row: UploadRow
    ) async throws -> (key: ObjectKey, manifest: ObjectManifest, storage: any ObjectStorage) {
        let storage = try available()
        let (tags, hashes) = try await store.pieces(of: row.id)
        let key = try row.key
        let begun = try await begun(row, storage)
        try await storage.finish(key, begun.handle ?? "", tags: tags, size: row.stored)
        let manifest = try ObjectManifest(
            size: row.stored, sha256: row.digest ?? row.hash.digest(), blockHashes: hashes)
        return (key, manifest, storage)
    }

    /// Makes a revision of the finished object, in one transaction with the end of the upload.
    private func place(
        _ row: UploadRow, _ manifest: ObjectManifest, _ storage: any ObjectStorage, by user: String
    ) async throws -> ObjectInfo {
        let (path, key) = (try WorkspacePath(row.path), try row.key)
        let content = StoredContent(
            format: .file, language: nil, size: manifest.size, hash: manifest.sha256, place: .object(key.text))
        let (info, isNew) = try await store.pool.transaction { transaction in
            let now = try await store.get(row.id, forUpdate: true, on: transaction)
            if now.state == "COMPLETE" { return (nil as ObjectInfo?, true) }
            try await store.insertObject(key, manifest, storage: storage.name, in: transaction)
            let (info, isNew) = try await tree.store(
                content, at: path, .init(overwrites: now.overwrites, expectedRevisionID: nil), by: user, in: transaction
            )
            // The newest revision has the same content already.
            if !isNew { try await store.removeObject(key, in: transaction) }
            try await store.complete(row.id, as: info.objectID, in: transaction)
            return (info, isNew)
        }
        if !isNew { try await storage.remove(key) }
        guard let info else { return try await result(of: try await store.get(row.id, on: store.pool)) }
        return info
    }

    private func result(of row: UploadRow) async throws -> ObjectInfo {
        guard let id = row.objectID, let found = try await tree.objects.find(objectID: id, on: tree.pool) else {
            throw HarbourError(.notFound, "The file of this upload was deleted.")
        }
        return found.info
    }

    /// Throws away what has come.
    func abort(_ id: String) async throws {
        guard try await store.end(id) else {
            let row = try await store.get(id, on: store.pool)
            throw HarbourError(.invalidState, "The upload is complete already: it has become \(row.path).")
        }
        try await remove(id)
    }

    private func remove(_ id: String) async throws {
        guard let key = ObjectKey(id) else { return }
        let storage = try available()
        try await storage.abandon(key)
        try await storage.remove(key)
        try await store.forget(id)
    }

    /// Removes uploads that nothing has come for.
    func sweep(at time: Timestamp = .now) async throws {
        guard storage != nil else { return }
        for id in try await store.endExpired(at: time) { try await remove(id) }
    }

    // MARK: Pieces

    /// The upload with a handle of the storage.
    func begun(_ row: UploadRow, _ storage: any ObjectStorage) async throws -> UploadRow {
        guard row.storage == storage.name else {
            throw HarbourError(
                .invalidState, "This upload was begun in another object storage than is set up now. Begin another.")
        }
        if row.handle != nil { return row }
        return try await store.setHandle(try await storage.begin(try row.key), of: row.id)
    }
}
