import Core
import Cryptography
import EventLoop
import Glibc
import HTTPMessage
import StorageTestKit
import TestSupport
import Testing
import WebClient

@testable import ObjectStorage

/// What every storage must do, asked of a folder and of a real S3 server.
/// One at a time, for each starts an S3 server of its own.
@Suite("Object storage", .serialized, .timeLimit(.minutes(15)))
struct ObjectStorageTests {
    static let pieceSize = 8 << 20

    /// A storage and a way to get at an object behind its back.
    struct Place: Sendable {
        let storage: any ObjectStorage
        let damage: @Sendable (ObjectKey) async throws -> Void
        let lose: @Sendable (ObjectKey) async throws -> Void
        /// How many unfinished objects take up room.
        let unfinished: @Sendable () async throws -> Int
    }

    private func onFolder(_ body: @escaping @Sendable (Place) async throws -> Void) async throws {
        let folder = try TemporaryDirectory()
        let storage = try LocalObjects(folder: folder.file("store"))
        try await withEventLoop { _ in
            try await body(
                Place(
                    storage: storage,
                    damage: { key in
                        let path = folder.file("store/objects/\(key.text.prefix(2))/\(key)")
                        let file = open(path, O_WRONLY)
                        try #require(file >= 0)
                        defer { close(file) }
                        #expect(pwrite(file, "x", 1, off_t(ObjectManifest.blockSize + 5)) == 1)
                    },
                    lose: { key in
                        #expect(unlink(folder.file("store/objects/\(key.text.prefix(2))/\(key)")) == 0)
                    },
                    unfinished: {
                        try runCommand(["ls", folder.file("store/incoming")]).split(separator: "\n").count
                    }))
        }
    }

    private func onSeaweed(
        _ addressing: S3Location.Addressing = .path, _ body: @escaping @Sendable (Place) async throws -> Void
    ) async throws {
        try await withEventLoop { loop in
            let weed = try await SeaweedFS.start(loop: loop)
            let storage = try S3Samples.storage(weed.endpoint, loop, addressing)
            try await body(
                Place(
                    storage: storage,
                    damage: { key in
                        // Of the right size and of another content.
                        let text = String(repeating: "x", count: 3 << 20)
                        let status = try await weed.send(.put, "/lake/\(key.path)", text)
                        #expect(status == 200)
                    },
                    lose: { key in
                        let status = try await weed.send(.delete, "/lake/\(key.path)")
                        #expect(status == 204)
                    }, unfinished: { try await storage.unfinished(below: "objects/").count }))
            try await weed.stop()
        }
    }

    static let isSeaweedHere = SeaweedFS.path != nil

    // MARK: The exam

    @Test func aFolderKeepsObjects() async throws { try await onFolder(wholeLife) }
    @Test(.enabled(if: isSeaweedHere)) func s3KeepsObjects() async throws { try await onSeaweed(.path, wholeLife) }

    /// From the first piece to the removal, in pieces that other processes could have written.
    private func wholeLife(_ place: Place) async throws {
        let storage = place.storage
        let key = try #require(ObjectKey("whole-life-1"))
        let bytes = Samples.bytes(2 * ObjectStorageTests.pieceSize + 12_345)
        let manifest = try Samples.manifest(bytes)
        #expect(try await storage.size(of: key) == nil)
        let handle = try await storage.begin(key)
        let tags = try await Samples.write(bytes, storage, key, handle)
        #expect(try await storage.size(of: key) == nil, "nothing is there before it is whole")
        for _ in 0..<2 { try await storage.finish(key, handle, tags: tags, size: bytes.count) }
        #expect(try await storage.size(of: key) == bytes.count)
        // Nothing of it is unfinished now.
        try await storage.abandon(key)
        for range in [
            0..<bytes.count, 0..<1, 5..<ObjectManifest.blockSize + 1, bytes.count - 1..<bytes.count,
            7_000_000..<9_500_000, 100..<100,
        ] {
            #expect(try await Samples.read(storage, key, manifest, range) == Array(bytes[range]), "\(range)")
        }
        for _ in 0..<2 {
            try await storage.remove(key)
            #expect(try await storage.size(of: key) == nil)
        }
    }

    @Test func aFolderKeepsEmptyObjects() async throws { try await onFolder(emptyObject) }
    @Test(.enabled(if: isSeaweedHere)) func s3KeepsEmptyObjects() async throws {
        try await onSeaweed(.path, emptyObject)
    }

    private func emptyObject(_ place: Place) async throws {
        let key = try #require(ObjectKey("empty-object"))
        let handle = try await place.storage.begin(key)
        try await place.storage.finish(key, handle, tags: [], size: 0)
        let manifest = try Samples.manifest([])
        #expect(try await Samples.read(place.storage, key, manifest, 0..<0) == [])
        try await place.lose(key)
        await Samples.expect("STORED_OBJECT_MISSING") {
            _ = try await Samples.read(place.storage, key, manifest, 0..<0)
        }
    }

    @Test func aFolderAbortsUploads() async throws { try await onFolder(aborted) }
    @Test(.enabled(if: isSeaweedHere)) func s3AbortsUploads() async throws { try await onSeaweed(.path, aborted) }

    private func aborted(_ place: Place) async throws {
        let key = try #require(ObjectKey("aborted-object"))
        // Begun twice, as by a process that died before it could note the handle: both are gone.
        _ = try await place.storage.begin(key)
        let handle = try await place.storage.begin(key)
        let tags = try await Samples.write(Samples.bytes(100), place.storage, key, handle)
        for _ in 0..<2 { try await place.storage.abandon(key) }
        #expect(try await place.unfinished() == 0)
        await Samples.expect("STORED_OBJECT_MISSING") {
            try await place.storage.finish(key, handle, tags: tags, size: 100)
        }
    }

    @Test func aFolderReportsWhatIsDamaged() async throws { try await onFolder(damaged) }
    @Test(.enabled(if: isSeaweedHere)) func s3ReportsWhatIsDamaged() async throws {
        try await onSeaweed(.path, damaged)
    }

    /// A block that was changed is never handed out, and what is before it is.
    private func damaged(_ place: Place) async throws {
        let key = try #require(ObjectKey("damaged-object"))
        let bytes = Samples.bytes(3 << 20)
        let manifest = try Samples.manifest(bytes)
        let handle = try await place.storage.begin(key)
        let tags = try await Samples.write(bytes, place.storage, key, handle)
        try await place.storage.finish(key, handle, tags: tags, size: bytes.count)
        try await place.damage(key)
        let second = ObjectManifest.blockSize..<ObjectManifest.blockSize + 1
        await Samples.expect("STORED_OBJECT_CORRUPTED") {
            _ = try await Samples.read(place.storage, key, manifest, second)
        }
        await Samples.expect("STORED_OBJECT_CORRUPTED") {
            _ = try await Samples.read(place.storage, key, manifest, 0..<bytes.count)
        }
        try await place.lose(key)
        await Samples.expect("STORED_OBJECT_MISSING") {
            _ = try await Samples.read(place.storage, key, manifest, 0..<1)
        }
    }

    @Test func aShorterFileIsReported() async throws {
        let folder = try TemporaryDirectory()
        let storage = try LocalObjects(folder: folder.path)
        let key = try #require(ObjectKey("shortened"))
        let handle = try await storage.begin(key)
        let bytes = Samples.bytes(1000)
        _ = try await Samples.write(bytes, storage, key, handle)
        try await storage.finish(key, handle, tags: [""], size: 1000)
        #expect(truncate(folder.file("objects/sh/shortened"), 999) == 0)
        await Samples.expect("STORED_OBJECT_CORRUPTED") {
            _ = try await Samples.read(storage, key, try Samples.manifest(bytes), 0..<10)
        }
    }

    @Test(.enabled(if: isSeaweedHere)) func wrongCredentialsAreToldApart() async throws {
        try await withEventLoop { loop in
            let weed = try await SeaweedFS.start(loop: loop)
            let key = try #require(ObjectKey("whatever"))
            let stranger = try S3Samples.storage(weed.endpoint, loop, secret: "WRONG")
            await Samples.expect("OBJECT_STORAGE_REFUSED") { _ = try await stranger.begin(key) }
            try await weed.stop()
            let gone = try S3Samples.storage(weed.endpoint, loop)
            await Samples.expect("TEMPORARILY_UNAVAILABLE") { _ = try await gone.begin(key) }
        }
    }
}

/// Content, and what is done with it.
enum Samples {
    /// The same bytes each time, no two blocks alike.
    static func bytes(_ count: Int) -> [UInt8] {
        var state: UInt64 = 88_172_645_463_325_252
        return (0..<count).map { _ in
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return UInt8(truncatingIfNeeded: state)
        }
    }

    static func manifest(_ bytes: [UInt8]) throws -> ObjectManifest {
        try ObjectManifest(
            size: bytes.count, sha256: Digest.sha256(bytes), blockHashes: ObjectManifest.blockHashes(of: bytes))
    }

    static func write(
        _ bytes: [UInt8], _ storage: any ObjectStorage, _ key: ObjectKey, _ handle: String
    ) async throws -> [String] {
        var tags: [String] = []
        for start in stride(from: 0, to: bytes.count, by: ObjectStorageTests.pieceSize) {
            let end = min(bytes.count, start + ObjectStorageTests.pieceSize)
            let piece = ObjectPiece(number: tags.count, offset: start, bytes: Array(bytes[start..<end]))
            tags.append(try await storage.write(piece, of: key, handle))
        }
        return tags
    }

    static func read(
        _ storage: any ObjectStorage, _ key: ObjectKey, _ manifest: ObjectManifest, _ range: Range<Int>
    ) async throws -> [UInt8] {
        var reader = try await VerifiedReader(storage, key, manifest, range)
        var bytes: [UInt8] = []
        while let next = try await reader.next() { bytes += next }
        return bytes
    }

    /// The body must fail with that code.
    static func expect(
        _ code: String, sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> Void
    ) async {
        do {
            try await body()
            Issue.record("no error", sourceLocation: sourceLocation)
        } catch {
            #expect((error as? HarbourError)?.code.name == code, sourceLocation: sourceLocation)
        }
    }
}

enum S3Samples {
    static func storage(
        _ endpoint: String, _ loop: EventLoop, _ addressing: S3Location.Addressing = .path, bucket: String = "lake",
        secret: String = SeaweedFS.secretKey
    ) throws -> S3Objects {
        var configuration = WebClientConfiguration()
        configuration.proxy = .none
        return S3Objects(
            web: try WebClient(loop: loop, configuration: configuration),
            location: try S3Location(endpoint: endpoint, region: "us-east-1", bucket: bucket, addressing: addressing),
            signer: AWSSigner(accessKeyID: SeaweedFS.accessKey, secretAccessKey: secret))
    }
}
