import Core
import Cryptography
import EventLoop
import Glibc
import HTTPClient
import HTTPMessage
import HarbourProtocol
import ObjectStorage
import Postgres
import ServiceClients
import ServiceTestKit
import StorageTestKit
import Synchronization
import TestSupport
import Testing

@testable import WorkspaceService

@Suite("What is shown of the storage", .timeLimit(.minutes(15)))
struct StorageTests {
    // MARK: A folder

    /// Goal: every object is counted once, as what it is to whoever needs it most.
    @Test func allThatIsKeptIsCounted() async throws {
        try await Files.run { files in
            let workspace = files.workspace
            let (one, two, three) = (Files.bytes(100), Files.bytes(2000), Files.bytes(30_000))
            try await files.upload("/Shared/a/kept.bin", one)
            try await files.upload("/Shared/a/kept.bin", two, overwrite: true)
            // A copy shares the object of the newest revision, and outlives nothing of it.
            _ = try await workspace.user.call(
                WorkspaceAPI.copyObject,
                .init(body: CopyObject(sourcePath: "/Shared/a/kept.bin", destinationPath: "/Shared/a/copy.bin")))
            _ = try await workspace.remove("/Shared/a/copy.bin")
            try await files.upload("/Shared/a/gone.bin", three)
            _ = try await workspace.remove("/Shared/a/gone.bin")
            let upload = try await files.create("/Shared/a/coming.bin", 2 * Files.piece)
            _ = try await files.write(upload.uploadID, Files.bytes(Files.piece), at: 0)
            try await workspace.withPool { (pool) async throws in
                try await pool.query("INSERT INTO doomed_objects VALUES ('doomed-object', 'local')")
                try await StorageTests.insertObjects(1, size: 77, storage: "s3", pool)
            }
            let status = try await StorageTests.status(workspace)
            #expect(
                StorageTests.counts(status) == [
                    "FILES": [1, 2000], "REVISIONS": [1, 100], "TRASH": [1, 30_000],
                    "UPLOADS": [1, Int64(Files.piece)], "SWEPT": [1, 0], "ELSEWHERE": [1, 77],
                ])
            #expect(status.objectUsage.map(\.kind).first == .files)
            #expect(Set(status.databaseUsage.map(\.kind)) == [.content, .outputs, .search, .records])
            #expect(status.databaseUsage.allSatisfy { $0.bytes > 0 && $0.objects == nil })
        }
    }

    @Test func aFolderIsShownAndTriedOut() async throws {
        try await Files.run(more: ["--upload-limit-mb", "7", "--trash-days", "3"]) { files in
            let before = Timestamp.now
            let status = try await StorageTests.status(files.workspace)
            #expect(status.countedTime >= before && status.countedTime <= .now)
            #expect(status.backend == .local && status.isReachable && status.folder == files.folder.file("s"))
            #expect(status.bucket == nil && status.message == nil && status.objectUsage.isEmpty)
            let (free, total) = (try #require(status.freeBytes), try #require(status.totalBytes))
            #expect(free > 0 && free <= total)
            #expect(status.limits.maxFileBytes == 7 << 20 && status.limits.trashDays == 3)
            #expect(status.limits.chunkBytes == Int64(Files.piece) && status.limits.uploadExpirySeconds == 86_400)
            let folder = try #require(status.settings.first { $0.name == "HARBOUR_WORKSPACE_STORAGE_FOLDER" })
            #expect(folder.isSet && folder.value == files.folder.file("s"))
            let limit = try #require(status.settings.first { $0.name == "HARBOUR_WORKSPACE_UPLOAD_LIMIT_MB" })
            #expect(limit.aliases == ["MAX_UPLOAD_SIZE_MB"] && limit.value == "7")
            let region = try #require(status.settings.first { $0.name == "HARBOUR_WORKSPACE_S3_REGION" })
            #expect(region.value == nil && !region.isSet, "it is not in force")
            #expect(try runCommand(["find", files.folder.file("s"), "-type", "f"]) == "", "nothing is left behind")
        }
    }

    @Test func aFolderThatIsGoneIsSaidToBe() async throws {
        try await Files.run { files in
            let objects = files.folder.file("s/objects")
            try #require(rmdir(objects) == 0)
            let status = try await StorageTests.status(files.workspace)
            #expect(!status.isReachable && status.errorCode == "TEMPORARILY_UNAVAILABLE")
            #expect(status.message?.contains(objects) == true && status.freeBytes == nil)
            #expect(status.advice?.contains("HARBOUR_WORKSPACE_STORAGE_FOLDER") == true)
            try #require(mkdir(objects, 0o700) == 0)
            #expect(try await StorageTests.status(files.workspace).isReachable)
        }
    }

    @Test func withoutAnyStorageItSaysHowToHaveOne() async throws {
        try await Workspace.run { workspace in
            let status = try await StorageTests.status(workspace)
            #expect(status.backend == .absent && !status.isReachable && status.checkMilliseconds == nil)
            #expect(status.advice?.contains("HARBOUR_WORKSPACE_STORAGE_FOLDER") == true)
        }
    }

    /// Goal: a file system that hangs holds up neither the answer nor anybody else, and is asked once.
    @Test func whatHangsIsAnsweredInTime() async throws {
        let storage = HangingStorage()
        try await withEventLoop { loop in
            let check = StorageCheck(storage, loop: loop, patience: .milliseconds(50))
            async let first = check.outcome()
            async let second = check.outcome()
            let outcomes = await [first, second, check.outcome()]
            #expect(outcomes.allSatisfy { $0.error?.code == .deadlineExceeded })
            // On a busy machine the answers may come before the look has begun.
            try await eventually("it is asked") { storage.looks.load(ordering: .relaxed) > 0 }
            #expect(storage.looks.load(ordering: .relaxed) == 1)
            storage.release()
            try await eventually("it answers again") { await check.outcome().error == nil }
        }
    }

    // MARK: S3

    @Test(.enabled(if: SeaweedFS.path != nil)) func aBucketIsShownWithoutItsKeys() async throws {
        try await Files.runOnSeaweed { files, weed in
            try await files.upload("/Shared/a.bin", Files.bytes(500))
            let answer = try await files.workspace.send(.get, "/api/v1/storage")
            let bytes = try await answer.body.collect()
            let text = String(decoding: bytes, as: UTF8.self)
            #expect(answer.status == 200)
            for secret in [SeaweedFS.accessKey, SeaweedFS.secretKey] { #expect(!text.contains(secret)) }
            let status = try StorageStatus(json: bytes)
            #expect(status.backend == .s3 && status.isReachable && status.bucket == SeaweedFS.bucket)
            #expect(status.endpoint == weed.endpoint && status.region == "us-east-1" && status.prefix == "objects/")
            #expect(status.folder == nil && status.freeBytes == nil)
            #expect(StorageTests.counts(status) == ["FILES": [1, 500]])
            let key = try #require(status.settings.first { $0.name == "HARBOUR_WORKSPACE_S3_ACCESS_KEY" })
            #expect(key.isSet && key.value == nil && key.aliases.contains("MINIO_ACCESS_KEY"))
            // The server goes: the answer says so, and what to do, and still what is kept there.
            try await weed.stop()
            let gone = try await StorageTests.status(files.workspace)
            #expect(!gone.isReachable && gone.errorCode == "TEMPORARILY_UNAVAILABLE")
            #expect(gone.message?.contains("127.0.0.1") == true)
            #expect(gone.advice?.contains("HARBOUR_WORKSPACE_S3_ENDPOINT") == true)
            #expect(StorageTests.counts(gone) == ["FILES": [1, 500]])
        }
    }

    @Test(.enabled(if: SeaweedFS.path != nil)) func aBucketThatRefusesSaysWhy() async throws {
        try await withEventLoop { loop in
            let weed = try await SeaweedFS.start(loop: loop)
            for (bucket, secret, word) in [
                (SeaweedFS.bucket, "another-secret", "secret"),
                ("no-such-bucket", SeaweedFS.secretKey, "no-such-bucket"),
            ] {
                try await Workspace.run(
                    more: [
                        "--storage-backend", "s3", "--s3-endpoint", weed.endpoint, "--s3-bucket", bucket,
                        "--s3-access-key", SeaweedFS.accessKey, "--s3-secret-key", secret,
                    ]
                ) { workspace in
                    let status = try await StorageTests.status(workspace)
                    #expect(!status.isReachable && status.errorCode == "OBJECT_STORAGE_REFUSED", "\(bucket)")
                    #expect(status.message?.contains(word) == true, "\(status.message ?? "")")
                    #expect(status.advice?.contains("HARBOUR_WORKSPACE_S3_BUCKET") == true)
                }
            }
            try await weed.stop()
        }
    }

    /// Goal: a server that takes the connection and says nothing does not hold up the answer.
    @Test func aSilentServerIsAnsweredInTime() async throws {
        let listener = try SilentListener()
        try await Workspace.run(
            more: [
                "--storage-backend", "s3", "--s3-endpoint", "127.0.0.1:\(listener.port)", "--s3-bucket", "lake",
                "--s3-access-key", "k", "--s3-secret-key", "s",
            ]
        ) { workspace in
            let status = try await StorageTests.status(workspace)
            #expect(!status.isReachable && status.errorCode == "DEADLINE_EXCEEDED")
            #expect((4000...60_000).contains(try #require(status.checkMilliseconds)))
        }
    }

    // MARK: Many

    /// Goal: with a hundred thousand objects, each with its revision and its entry, the answer comes at once.
    @Test func aHundredThousandObjectsAreCountedAtOnce() async throws {
        try await Files.run { files in
            let count: Int64 = 100_000
            try await files.workspace.withPool { (pool) async throws in
                try await StorageTests.insertObjects(count, size: 3 << 20, storage: "local", pool)
                try await StorageTests.insertEntries(pool)
                try await pool.query("ANALYZE")
            }
            let start = MonotonicTime.now
            let status = try await StorageTests.status(files.workspace)
            let time = MonotonicTime.now - start
            #expect(StorageTests.counts(status) == ["FILES": [count, count * 3 << 20]])
            print("100,000 objects were counted within \(time.milliseconds) ms")
            #expect(time < .seconds(30))
        }
    }

    // MARK: Tools

    private static func status(_ workspace: Workspace) async throws -> StorageStatus {
        try await workspace.user.call(WorkspaceAPI.getStorage, .init())
    }

    private static func counts(_ status: StorageStatus) -> [String: [Int64]] {
        Dictionary(
            uniqueKeysWithValues: status.objectUsage.map { ($0.kind.rawValue, [$0.objects ?? -1, $0.bytes]) })
    }

    private static func insertObjects(
        _ count: Int64, size: Int64, storage: String, _ pool: PostgresPool
    ) async throws {
        let blocks = (size + 1_048_575) / 1_048_576 * 32
        try await pool.query(
            """
            INSERT INTO stored_objects (object_key, storage, size, sha256, block_hashes, created_at)
            SELECT 'sample-' || n, \(storage), \(size)::bigint, decode(repeat('00', 32), 'hex'),
                decode(repeat('00', \(Int32(blocks))::integer), 'hex'), now() FROM generate_series(1, \(count)) AS n
            """)
    }

    /// A file for each object.
    private static func insertEntries(_ pool: PostgresPool) async throws {
        try await pool.query(
            """
            INSERT INTO objects (path, folder, name, kind, created_at, modified_at)
            SELECT '/Shared/' || object_key, '/Shared', object_key, 'FILE', now(), now() FROM stored_objects
            """)
        try await pool.query(
            """
            INSERT INTO revisions (object_id, created_at, format, content_hash, size, object_key)
            SELECT o.object_id, now(), 'file', decode(repeat('00', 32), 'hex'), s.size, s.object_key
            FROM stored_objects s JOIN objects o ON o.path = '/Shared/' || s.object_key AND o.deleted_at IS NULL
            """)
        try await pool.query(
            """
            UPDATE objects SET revision_id = r.revision_id, searched_revision_id = r.revision_id
            FROM revisions r WHERE r.object_id = objects.object_id
            """)
    }
}

/// A listening socket that nobody answers at.
private final class SilentListener {
    let port: UInt16
    private let descriptor: Int32

    init() throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let socketDescriptor = descriptor
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(socketDescriptor, pointer, length) == 0 && listen(socketDescriptor, 8) == 0
                    && getsockname(socketDescriptor, pointer, &length) == 0
            }
        }
        try #require(isBound)
        port = UInt16(bigEndian: address.sin_port)
    }

    deinit { close(descriptor) }
}

/// A storage that does not answer until it is let go.
private final class HangingStorage: ObjectStorage {
    let looks = Atomic<Int>(0)
    private let gate: AsyncStream<Void>
    private let open: AsyncStream<Void>.Continuation

    init() { (gate, open) = AsyncStream.makeStream() }

    func release() { open.finish() }

    func look(patience: Duration) async throws -> StorageRoom? {
        looks.add(1, ordering: .relaxed)
        for await _ in gate {}
        return nil
    }

    var name: String { "local" }
    var place: ObjectPlace { .folder("/hangs") }
    var writesInPlace: Bool { true }
    private static let refusal = HarbourError(.unsupported, "It only hangs.")
    func begin(_ key: ObjectKey) async throws -> String { throw HangingStorage.refusal }
    func write(_ piece: ObjectPiece, of key: ObjectKey, _ handle: String) async throws -> String {
        throw HangingStorage.refusal
    }
    func finish(_ key: ObjectKey, _ handle: String, tags: [String], size: Int) async throws {
        throw HangingStorage.refusal
    }
    func abandon(_ key: ObjectKey) async throws { throw HangingStorage.refusal }
    func remove(_ key: ObjectKey) async throws { throw HangingStorage.refusal }
    func read(_ key: ObjectKey, _ range: Range<Int>) async throws -> HTTPBody { throw HangingStorage.refusal }
    func size(of key: ObjectKey) async throws -> Int? { throw HangingStorage.refusal }
}
