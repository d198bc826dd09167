internal import Core
internal import Cryptography
internal import EventLoop
internal import ObjectStorage
internal import Postgres

/// Collects the bytes of one request into pieces and keeps each as soon as it is whole. While one is being kept
/// nothing more is read, so that the sender goes no faster than the storage.
struct PieceWriter {
    let service: UploadService
    private(set) var row: UploadRow
    /// The SHA-256 that each piece must have; nil where nobody has said.
    private let wanted: [UInt8]?
    private var bytes: [UInt8] = []

    init(service: UploadService, row: UploadRow, wanted: [UInt8]? = nil) {
        self.service = service
        self.row = row
        self.wanted = wanted
    }

    private var end: Int { row.size ?? service.limit }

    mutating func add(_ chunk: ArraySlice<UInt8>) async throws {
        var rest = chunk
        while !rest.isEmpty {
            guard row.stored + bytes.count < end else {
                throw HarbourError(.tooLarge, "More bytes came than the \(end) that the file may have.")
            }
            if bytes.isEmpty { bytes.reserveCapacity(min(UploadService.pieceSize, end - row.stored)) }
            let room = min(UploadService.pieceSize, end - row.stored) - bytes.count
            bytes.append(contentsOf: rest.prefix(room))
            let isFull = rest.count >= room
            rest = rest.dropFirst(room)
            // Without a size, whether it is the last shows only at the end.
            if isFull, bytes.count == UploadService.pieceSize || row.size != nil { try await keep() }
        }
    }

    /// Says that all has come, where the size was not known before.
    mutating func finish() async throws {
        if !bytes.isEmpty { try await keep(isLast: true) }
        try await service.store.setSize(row.stored, of: row.id)
    }

    private mutating func keep(isLast: Bool = false) async throws {
        let storage = try service.available()
        let piece = ObjectPiece(number: row.stored / UploadService.pieceSize, offset: row.stored, bytes: bytes)
        bytes = []
        if let wanted { try await PieceWriter.check(piece, wanted) }
        let before = try await service.begun(row, storage)
        let stored = before.stored + piece.bytes.count
        let isAtEnd = isLast || stored == before.size
        let (blocks, hash, digest) = try await PieceWriter.hash(piece, before.hash, isLast: isAtEnd)
        // An overtaken request must not write where the next one has written; where each writing has a tag of its own,
        // it may, for nobody keeps its tag.
        let early = storage.writesInPlace ? nil : try await storage.write(piece, of: before.key, before.handle ?? "")
        row = try await service.store.pool.transaction(timeout: .seconds(120)) { transaction in
            let now = try await service.store.get(before.id, forUpdate: true, on: transaction)
            guard now.state == "OPEN", now.stored == piece.offset else { throw UploadService.elsewhere(now.stored) }
            var tag = early
            if tag == nil { tag = try await storage.write(piece, of: before.key, before.handle ?? "") }
            return try await service.store.advance(
                before.id,
                .init(
                    number: piece.number, tag: tag ?? "", blockHashes: blocks, stored: stored, hash: hash,
                    digest: digest),
                lifetime: service.lifetime, in: transaction)
        }
    }

    private static func check(_ piece: ObjectPiece, _ wanted: [UInt8]) async throws {
        let digest = try await BlockingPool.shared.run { Digest.sha256(piece.bytes) }
        guard digest != wanted else { return }
        throw HarbourError(
            .checksumMismatch,
            "The bytes that came have the SHA-256 \(hexadecimal(digest)) and not the one that was announced. Send them again."
        )
    }

    private static func hash(
        _ piece: ObjectPiece, _ before: ResumableSHA256, isLast: Bool
    ) async throws -> ([UInt8], ResumableSHA256, [UInt8]?) {
        try await BlockingPool.shared.run {
            var hash = before
            let whole = piece.bytes.count / ResumableSHA256.blockSize * ResumableSHA256.blockSize
            hash.update(whole == piece.bytes.count ? piece.bytes : Array(piece.bytes[..<whole]))
            let digest = isLast ? hash.digest(adding: Array(piece.bytes[whole...])) : nil
            return (ObjectManifest.blockHashes(of: piece.bytes), hash, digest)
        }
    }
}
