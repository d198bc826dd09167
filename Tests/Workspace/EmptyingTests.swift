import Core
import EventLoop
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

@Suite("Emptying the trash", .timeLimit(.minutes(15)))
struct EmptyingTests {
    @Test func whatIsDeletedForGoodIsGone() async throws {
        try await Files.run { files in
            let workspace = files.workspace
            try await files.upload("/Shared/f/big.bin", Files.bytes(Files.piece + 9))
            let kept = try await workspace.save("/Shared/f/kept.py", "1\n")
            let saved = try await workspace.save("/Shared/f/n.py", "1\n")
            // A run has frozen the first of two revisions of one of them.
            _ = try await workspace.service.client.call(
                WorkspaceAPI.readContent, .init(path: "/Shared/f/kept.py"))
            let second = try await workspace.save("/Shared/f/kept.py", "2\n", overwrite: true)
            let deletion = try await workspace.remove("/Shared/f")
            try await workspace.purge(deletion)
            #expect(try await workspace.trash().isEmpty)
            #expect(await errorCode { try await workspace.restore(deletion) } == "RESOURCE_DOES_NOT_EXIST")
            #expect(await errorCode { try await workspace.purge(deletion) } == "RESOURCE_DOES_NOT_EXIST")
            try await eventually("its bytes are gone") { try files.stored("objects").isEmpty }
            try await eventually("nothing more is to be thrown away") {
                try await workspace.withPool { (pool) async throws in
                    try await EmptyingTests.count("doomed_objects", pool) == 0
                }
            }
            let readRevision = { (info: ObjectInfo) in
                try await workspace.service.client.call(
                    WorkspaceAPI.readRevision, .init(revisionID: try #require(info.revisionID)))
            }
            #expect(try await readRevision(kept).cells.map(\.source) == ["1"], "the run can read it again")
            for info in [second, saved] {
                #expect(await errorCode { _ = try await readRevision(info) } == "RESOURCE_DOES_NOT_EXIST")
            }
            try await workspace.withPool { (pool) async throws in
                for (table, count) in [
                    ("trash", 0), ("stored_objects", 0), ("uploads", 0), ("revisions", 1),
                    ("objects WHERE deleted_at IS NOT NULL", 1),
                    // Nothing is searched of what is kept for runs, and nothing of it is still to be read.
                    ("search_passages", 0), ("objects WHERE revision_id IS DISTINCT FROM searched_revision_id", 0),
                ] { #expect(try await EmptyingTests.count(table, pool) == count, "\(table)") }
            }
            // The path is anybody's, and what is made there is new.
            let again = try await workspace.save("/Shared/f/kept.py", "3\n")
            #expect(again.objectID != kept.objectID)
        }
    }

    /// Goal: the bytes of an archive go also when its folder is gone before them.
    @Test func anArchiveOutlivesItsFolder() async throws {
        try await Files.run { files in
            let workspace = files.workspace
            let upload = try await files.bring(try files.python(#"z.writestr(e("a.txt"), b"1")"#))
            _ = try await files.unpack(upload, into: "/Shared/t")
            let deletion = try await workspace.remove("/Shared/t")
            try await workspace.withPool { (pool) async throws in
                let storage = try LocalObjects(folder: files.folder.file("s"))
                #expect(try await PurgeStore().mark(deletion, at: .now, on: pool))
                try await TrashEmptier(pool: pool, storage: storage, retention: nil).empty()
                #expect(try await EmptyingTests.count("trash", pool) == 0)
                #expect(
                    await errorCode { _ = try await files.unpack(upload, into: "/Shared/t") }
                        == "RESOURCE_DOES_NOT_EXIST")
                let uploads = UploadService(
                    store: UploadStore(pool: pool), tree: WorkspaceTree(pool: pool), storage: storage, limit: 1 << 30,
                    lifetime: .seconds(3600))
                try await uploads.sweep()
                #expect(try files.stored("objects").isEmpty)
                #expect(try await EmptyingTests.count("uploads", pool) == 0)
            }
        }
    }

    @Test func nothingOfARunNotebookStays() async throws {
        try await RunningWorkspace.run(["print one", "wait"]) { running in
            let workspace = running.workspace
            let ada = try await workspace.makeUser("ada")
            try await workspace.give(.canRead, on: "notebooks", "\(running.id)", to: "ada")
            _ = try await ada.read("/Shared/n")
            let begun = try await running.start()
            try await eventually("the second cell runs") {
                running.cluster.started == begun.commands.map(\.commandID)
            }
            let deletion = try await workspace.remove("/Shared/n")
            try await workspace.withPool { (pool) async throws in
                #expect(try await PurgeStore().mark(deletion, at: .now, on: pool))
                let emptier = TrashEmptier(pool: pool, storage: nil, retention: nil)
                // While something runs in it, it stays: what comes of it has to have a place.
                try await emptier.empty()
                #expect(try await EmptyingTests.count("cell_commands", pool) == 2)
                running.cluster.finish(try #require(begun.commands.last?.commandID))
                try await eventually("nothing runs any more") {
                    try await EmptyingTests.count("notebook_sessions WHERE has_work", pool) == 0
                }
                try await emptier.empty()
                for table in [
                    "notebook_sessions", "cell_commands", "cell_events", "cell_outputs", "live_presence", "revisions",
                    "trash", "grants WHERE principal = 'ada'", "objects WHERE deleted_at IS NOT NULL",
                ] { #expect(try await EmptyingTests.count(table, pool) == 0, "\(table)") }
            }
        }
    }

    @Test func theTrashEmptiesItselfWhenItsTimeIsOver() async throws {
        try await Workspace.run(more: ["--trash-days", "7"]) { workspace in
            try await workspace.save("/Shared/n.py", "1\n")
            _ = try await workspace.remove("/Shared/n.py")
            #expect(try await workspace.user.call(WorkspaceAPI.listTrash, .init()).retentionDays == 7)
            try await workspace.withPool { (pool) async throws in
                let week = Duration.seconds(7 * 86_400)
                let cases: [(retention: Duration?, later: Duration, left: [String])] = [
                    (nil, .seconds(900_000_000), ["/Shared/n.py"]), (week, .seconds(600_000), ["/Shared/n.py"]),
                    (week, .seconds(610_000), []),
                ]
                for one in cases {
                    let emptier = TrashEmptier(pool: pool, storage: nil, retention: one.retention)
                    try await emptier.sweep(at: .now + one.later)
                    try await emptier.empty()
                    #expect(try await workspace.trash() == one.left)
                }
                #expect(try await EmptyingTests.count("revisions", pool) == 0)
            }
        }
    }

    // MARK: Ended between the steps

    /// Where a process ends that empties the trash.
    enum End: CaseIterable {
        case afterMark, afterEntries, beforeBytes, afterBytes, never
    }

    /// Goal: wherever the process ends, no row promises bytes that are gone, no bytes are there that no row knows, and the
    /// next one goes on to the end.
    @Test(arguments: End.allCases) func survivesAnEndBetweenAnySteps(_ end: End) async throws {
        try await Files.run { files in
            let workspace = files.workspace
            let bytes = Files.bytes(4099)
            for name in ["a", "b", "c"] { try await files.upload("/Shared/f/\(name).bin", bytes) }
            _ = try await workspace.copy("/Shared/f/b.bin", "/Shared/copy.bin")
            try await EmptyingTests.fill(workspace)
            let deletion = try await workspace.remove("/Shared/f")
            let storage = StoppingStorage(base: try LocalObjects(folder: files.folder.file("s")))
            try await workspace.withPool { (pool) async throws in
                let ended = TrashEmptier(pool: pool, storage: storage, retention: nil)
                #expect(try await PurgeStore().mark(deletion, at: .now, on: pool))
                try await EmptyingTests.checkConsistency(files, pool)
                if end != .afterMark {
                    #expect(try await ended.removeEntries(of: deletion), "more than one step takes them all")
                    try await EmptyingTests.checkConsistency(files, pool)
                }
                if [.beforeBytes, .afterBytes].contains(end) {
                    storage.stop(end == .beforeBytes ? .before : .after)
                    await #expect(throws: HarbourError.self) { try await ended.empty() }
                    #expect(try await EmptyingTests.count("doomed_objects", pool) == 2)
                    #expect(try files.stored("objects").count == (end == .beforeBytes ? 3 : 2))
                    try await EmptyingTests.checkConsistency(files, pool)
                }
                // Another process.
                storage.stop(nil)
                try await TrashEmptier(pool: pool, storage: storage, retention: nil).empty()
                try await EmptyingTests.checkConsistency(files, pool)
                for table in ["trash", "doomed_objects", "objects WHERE deleted_at IS NOT NULL"] {
                    #expect(try await EmptyingTests.count(table, pool) == 0, "\(table)")
                }
                #expect(try files.stored("objects").count == 1, "the copy has the same object")
                #expect(try await files.read("/Shared/copy.bin") == bytes)
                // The last that refers to it takes it along.
                let last = try await workspace.remove("/Shared/copy.bin")
                #expect(try await PurgeStore().mark(last, at: .now, on: pool))
                try await TrashEmptier(pool: pool, storage: storage, retention: nil).empty()
                #expect(try files.stored("objects").isEmpty)
            }
        }
    }

    /// More entries than one step takes.
    private static func fill(_ workspace: Workspace) async throws {
        let add: SQL = """
            INSERT INTO objects (path, folder, name, kind, created_at, modified_at)
            SELECT '/Shared/f/' || n, '/Shared/f', n::text, 'DIRECTORY', now(), now() FROM generate_series(1, 60) AS n
            """
        try await workspace.withPool { _ = try await $0.query(add) }
    }

    private static func checkConsistency(_ files: Files, _ pool: PostgresPool) async throws {
        let found = Set(try files.stored("objects").compactMap { $0.split(separator: "/").last.map(String.init) })
        let promised = try await keys("stored_objects", pool)
        #expect(promised.isSubset(of: found))
        #expect(found.isSubset(of: promised.union(try await keys("doomed_objects", pool))))
    }

    private static func keys(_ table: String, _ pool: PostgresPool) async throws -> Set<String> {
        let rows = try await pool.query(
            table == "stored_objects"
                ? "SELECT object_key FROM stored_objects" : "SELECT object_key FROM doomed_objects")
        return Set(try rows.map { try $0.decode(String.self) })
    }

    static func count(_ table: String, _ pool: PostgresPool) async throws -> Int {
        // Which tables there are is in this file.
        let rows = try await pool.query(SQL(stringLiteral: "SELECT count(*) AS n FROM \(table)"))
        return Int(try #require(rows.first).decode(Int64.self))
    }

    /// The real program, killed with SIGKILL as soon as it has said that it will: what the next one finds is emptied.
    @Test func aKilledWorkspaceGoesOn() async throws {
        try await withDatabase { database in
            try await withEventLoop { loop in
                let folder = try TemporaryDirectory()
                var place = WorkspaceProcess.Surroundings(
                    loop: loop, http: HTTPClient(loop: loop), database: database, cluster: "http://127.0.0.1:1",
                    folder: folder)
                place.settings = ["HARBOUR_WORKSPACE_STORAGE_FOLDER": folder.file("s")]
                for round in 0..<3 {
                    let workspace = try await WorkspaceProcess.start("w", in: place)
                    let gone = try await EmptyingTests.uploadAndRemove(workspace, round)
                    _ = try await workspace.client.call(WorkspaceAPI.purgeDeletion, .init(deletionID: gone))
                    try await workspace.kill()
                }
                let last = try await WorkspaceProcess.start("w", in: place)
                try await eventually("everything is removed") {
                    try runCommand(["find", folder.file("s"), "-type", "f"]).isEmpty
                }
                #expect(try await last.client.call(WorkspaceAPI.listTrash, .init()).deletions.isEmpty)
                try await last.kill()
                await place.http.close()
            }
        }
    }

    private static func uploadAndRemove(_ workspace: WorkspaceProcess, _ round: Int) async throws -> Int64 {
        for number in 0..<40 {
            let upload = try await workspace.client.call(
                WorkspaceAPI.createUpload,
                .init(body: CreateUpload(path: "/Shared/r\(round)/\(number).bin", size: 0)))
            _ = try await workspace.client.call(
                WorkspaceAPI.completeUpload, .init(uploadID: upload.uploadID))
        }
        return try await workspace.client.call(
            WorkspaceAPI.deleteObject, .init(body: DeleteObject(path: "/Shared/r\(round)", recursive: true))
        ).deletionID
    }
}

/// A storage whose process ends at a removal: before the bytes are gone, or after.
private final class StoppingStorage: ObjectStorage {
    enum Moment { case before, after }

    let base: LocalObjects
    private let moment = Mutex<Moment?>(nil)

    init(base: LocalObjects) { self.base = base }

    func stop(_ moment: Moment?) { self.moment.withLock { $0 = moment } }

    func remove(_ key: ObjectKey) async throws {
        let moment = moment.withLock { $0 }
        if moment != .before { try await base.remove(key) }
        if moment != nil { throw HarbourError(.cancelled, "The process ends here.") }
    }

    var name: String { base.name }
    var place: ObjectPlace { base.place }
    var writesInPlace: Bool { base.writesInPlace }
    func begin(_ key: ObjectKey) async throws -> String { try await base.begin(key) }
    func write(_ piece: ObjectPiece, of key: ObjectKey, _ handle: String) async throws -> String {
        try await base.write(piece, of: key, handle)
    }
    func finish(_ key: ObjectKey, _ handle: String, tags: [String], size: Int) async throws {
        try await base.finish(key, handle, tags: tags, size: size)
    }
    func abandon(_ key: ObjectKey) async throws { try await base.abandon(key) }
    func read(_ key: ObjectKey, _ range: Range<Int>) async throws -> HTTPBody { try await base.read(key, range) }
    func size(of key: ObjectKey) async throws -> Int? { try await base.size(of: key) }
    func look(patience: Duration) async throws -> StorageRoom? { try await base.look(patience: patience) }
}
