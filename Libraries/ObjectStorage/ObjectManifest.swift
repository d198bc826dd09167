public import Core
internal import Cryptography
internal import EventLoop
internal import HTTPMessage

/// What an object must contain, as it was when it came: its size, the SHA-256 of all of it, and that of each block, so
/// that any part can be checked without reading the rest.
public struct ObjectManifest: Sendable, Hashable {
    /// How much one checksum is for, but for the last.
    public static let blockSize = 1 << 20

    /// In bytes.
    public let size: Int
    /// Of everything.
    public let sha256: [UInt8]
    /// 32 bytes for each block.
    public let blockHashes: [UInt8]

    /// Takes what was kept.
    /// - Throws: `STORED_OBJECT_CORRUPTED` when it does not fit together.
    public init(size: Int, sha256: [UInt8], blockHashes: [UInt8]) throws(HarbourError) {
        let blocks = (size + ObjectManifest.blockSize - 1) / ObjectManifest.blockSize
        guard size >= 0, sha256.count == 32, blockHashes.count == blocks * 32 else {
            throw HarbourError(
                .objectCorrupted,
                "The checksums of a file do not fit its size. Restore the database, or upload it again.")
        }
        self.size = size
        self.sha256 = sha256
        self.blockHashes = blockHashes
    }

    /// The checksums of the blocks of a piece, which begins at a whole block.
    public static func blockHashes(of piece: [UInt8]) -> [UInt8] {
        piece.withUnsafeBytes { bytes in
            stride(from: 0, to: bytes.count, by: blockSize).flatMap { start in
                Digest.sha256(UnsafeRawBufferPointer(rebasing: bytes[start..<min(bytes.count, start + blockSize)]))
            }
        }
    }

    func hash(ofBlock index: Int) -> ArraySlice<UInt8> { blockHashes[(index * 32)..<(index * 32 + 32)] }
}

/// Reads a range of an object and lets nothing through that is not what was stored: each block is checked before any
/// of its bytes is handed out.
public struct VerifiedReader: ~Copyable {
    private let key: ObjectKey
    private let manifest: ObjectManifest
    private let range: Range<Int>
    private var iterator: HTTPBody.AsyncIterator
    private let body: HTTPBody
    private var block: Int
    private var rest: [UInt8] = []
    private var restStart = 0
    private var isAtEnd = false

    /// Begins to read.
    /// - Throws: `STORED_OBJECT_MISSING`, and what stands in the way of the storage.
    public init(
        _ storage: any ObjectStorage, _ key: ObjectKey, _ manifest: ObjectManifest, _ range: Range<Int>
    ) async throws {
        self.key = key
        self.manifest = manifest
        self.range = range.clamped(to: 0..<manifest.size)
        block = self.range.lowerBound / ObjectManifest.blockSize
        if self.range.isEmpty {
            // An empty object must be there too.
            guard try await storage.size(of: key) == manifest.size else { throw VerifiedReader.missing(key) }
            body = .empty
            isAtEnd = true
        } else {
            let last = (self.range.upperBound - 1) / ObjectManifest.blockSize
            let end = min(manifest.size, (last + 1) * ObjectManifest.blockSize)
            body = try await storage.read(key, block * ObjectManifest.blockSize..<end)
        }
        iterator = body.makeAsyncIterator()
    }

    deinit { if !isAtEnd { body.discard() } }

    /// The next checked bytes of the range; nil at its end.
    /// - Throws: `STORED_OBJECT_CORRUPTED`, and what reading throws.
    public mutating func next() async throws -> [UInt8]? {
        let start = block * ObjectManifest.blockSize
        guard !isAtEnd, start < range.upperBound else {
            isAtEnd = true
            return nil
        }
        let wanted = min(ObjectManifest.blockSize, manifest.size - start)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(wanted)
        while bytes.count < wanted {
            if restStart == rest.count {
                guard let chunk = try await iterator.next() else { throw VerifiedReader.corrupted(key, block) }
                rest = chunk
                restStart = 0
            }
            let count = min(wanted - bytes.count, rest.count - restStart)
            bytes.append(contentsOf: rest[restStart..<(restStart + count)])
            restStart += count
        }
        let whole = bytes
        let digest = try await BlockingPool.shared.run { Digest.sha256(whole) }
        guard digest[...] == manifest.hash(ofBlock: block) else { throw VerifiedReader.corrupted(key, block) }
        block += 1
        let lower = max(range.lowerBound, start) - start
        let upper = min(range.upperBound, start + wanted) - start
        return lower == 0 && upper == wanted ? whole : Array(whole[lower..<upper])
    }

    static func missing(_ key: ObjectKey) -> HarbourError {
        HarbourError(
            .objectMissing,
            "The content of this file is gone from the object storage. Restore object \(key), or upload the file again."
        )
    }

    static func corrupted(_ key: ObjectKey, _ block: Int) -> HarbourError {
        HarbourError(
            .objectCorrupted,
            "The content of this file was changed in its storage. Restore object \(key), or upload the file again.",
            detail: "block \(block) of \(key)")
    }
}
