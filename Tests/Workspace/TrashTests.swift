import Core
import HTTPMessage
import HarbourProtocol
import Postgres
import ServiceClients
import ServiceKit
import ServiceTestKit
import TestSupport
import Testing

@testable import WorkspaceService

@Suite("The trash", .timeLimit(.minutes(15)))
struct TrashTests {
    /// Very large folders may take longer than a statement otherwise may.
    @Test func largeFoldersHaveTime() async throws {
        try await Workspace.run { workspace in
            try await workspace.save("/Shared/f/n.py", "1\n")
            try await workspace.withPool { (owner) async throws in
                // As if there were many entries: changing them takes as long as the test holds a lock.
                try await owner.query(
                    """
                    CREATE FUNCTION wait_for_test() RETURNS trigger LANGUAGE plpgsql AS $$
                    BEGIN
                        PERFORM pg_advisory_xact_lock(4242);
                        RETURN NULL;
                    END $$
                    """)
                try await owner.query(
                    "CREATE TRIGGER large BEFORE UPDATE ON objects FOR EACH STATEMENT EXECUTE FUNCTION wait_for_test()")
                var configuration = owner.configuration
                configuration.queryTimeout = .seconds(6)
                let pool = PostgresPool(configuration: configuration, loop: workspace.service.loop)
                let tree = WorkspaceTree(pool: pool)
                let (source, target) = (try WorkspacePath("/Shared/f"), try WorkspacePath("/Shared/g"))
                let deletion = try await TrashTests.outlastingAStatement(of: pool, owner) {
                    try await tree.delete(source, recursively: true, by: "ada")
                }
                _ = try await TrashTests.outlastingAStatement(of: pool, owner) {
                    try await WorkspaceTrash(tree: tree, retention: nil).restore(deletion, to: nil, by: "ada")
                }
                _ = try await TrashTests.outlastingAStatement(of: pool, owner) {
                    try await tree.move(source, to: target, by: "ada")
                }
                await pool.drain(budget: .seconds(5))
            }
            #expect(try await workspace.export("/Shared/g/n.py").text == "1\n")
        }
    }

    /// Does the work, which waits for a lock until a statement that began later has run into its limit.
    private static func outlastingAStatement<Value: Sendable>(
        of pool: PostgresPool, _ owner: PostgresPool, _ work: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let task = try await owner.transaction { transaction in
            try await transaction.query("SELECT pg_advisory_xact_lock(4242)")
            let task = Task { try await work() }
            try await eventually("the work waits") {
                try await transaction.query(
                    "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 4242 AND NOT granted"
                ).count == 1
            }
            await #expect(throws: HarbourError.self) { try await pool.query("SELECT pg_advisory_xact_lock(4242)") }
            return task
        }
        return try await task.value
    }

    @Test func listsTheNewestFirstAndByPages() async throws {
        try await Workspace.run { workspace in
            #expect(try await workspace.trash().isEmpty)
            for name in ["a", "b", "c"] {
                try await workspace.save("/Shared/\(name).py", "1\n")
                try await workspace.delete("/Shared/\(name).py")
            }
            try await workspace.save("/Shared/f/deep/d.csv", "1,2\n")
            try await workspace.delete("/Shared/f", recursive: true)
            let first = try await workspace.user.call(WorkspaceAPI.listTrash, .init(pageSize: 3))
            #expect(first.deletions.map(\.path) == ["/Shared/f", "/Shared/c.py", "/Shared/b.py"])
            #expect(first.retentionDays == 30)
            let last = try await workspace.user.call(
                WorkspaceAPI.listTrash, .init(pageSize: 3, pageToken: first.nextPageToken))
            #expect(last.deletions.map(\.path) == ["/Shared/a.py"])
            #expect(last.nextPageToken == nil)
            let folder = try #require(first.deletions.first)
            #expect(folder.objectType == .directory)
            #expect(folder.entryCount == 3)
            #expect(folder.size == 4)
            #expect(folder.deletedBy == "admin")
            let days = try #require(folder.purgeTime).milliseconds - folder.deletedTime.milliseconds
            #expect(days == 30 * 86_400_000)
            #expect(first.deletions[1].language == "python")
        }
    }

    @Test func restoresToWhereItWas() async throws {
        try await Workspace.run { workspace in
            let saved = try await workspace.save("/Shared/team/f/deep/é/n.py", "1\n")
            try await workspace.save("/Shared/team/f/deep/é/n.py", "2\n", overwrite: true)
            let deletion = try await workspace.remove("/Shared/team/f")
            // The folder it was in goes, too, and on its own.
            try await workspace.delete("/Shared/team")
            let restored = try await workspace.restore(deletion)
            #expect(restored.path == "/Shared/team/f")
            #expect(try await workspace.list("/Shared/team/f/deep/é") == ["/Shared/team/f/deep/é/n.py"])
            #expect(try await workspace.export("/Shared/team/f/deep/é/n.py").text == "2\n")
            let revisions = try await workspace.user.call(
                WorkspaceAPI.listRevisions, .init(notebookID: saved.objectID)
            ).revisions
            #expect(revisions.count == 2, "it is the same notebook with its history")
            // The empty folder is in the trash still, and its place is taken.
            #expect(try await workspace.trash() == ["/Shared/team"])
            #expect(await errorCode { try await workspace.restore(deletion) } == "RESOURCE_DOES_NOT_EXIST")
        }
    }

    /// Goal: nothing that is there is overwritten, and there is a way out.
    @Test func aTakenPathIsAnsweredWithAWayOut() async throws {
        try await Workspace.run { workspace in
            try await workspace.save("/Shared/a/n.py", "old\n")
            let deletion = try await workspace.remove("/Shared/a")
            try await workspace.save("/Shared/a/other.py", "new\n")
            #expect(await errorCode { try await workspace.restore(deletion) } == "RESOURCE_ALREADY_EXISTS")
            #expect(
                await errorCode { try await workspace.restore(deletion, to: "/Shared/a/other.py/b") }
                    == "RESOURCE_ALREADY_EXISTS")
            #expect(await errorCode { try await workspace.restore(deletion, to: "/") } == "INVALID_PARAMETER_VALUE")
            #expect(
                await errorCode { try await workspace.restore(deletion, to: "/Shared/../b") }
                    == "INVALID_PARAMETER_VALUE")
            let deep = "/Shared" + String(repeating: "/x", count: 31)
            #expect(await errorCode { try await workspace.restore(deletion, to: deep) } == "INVALID_PARAMETER_VALUE")
            #expect(try await workspace.trash() == ["/Shared/a"], "nothing has happened to it")
            #expect(try await workspace.restore(deletion, to: "/Shared/a/back/again").path == "/Shared/a/back/again")
            #expect(try await workspace.export("/Shared/a/back/again/n.py").text == "old\n")
            #expect(try await workspace.export("/Shared/a/other.py").text == "new\n")
            #expect(try await workspace.list("/Shared/a") == ["/Shared/a/back", "/Shared/a/other.py"])
        }
    }

    @Test func onlyWhoMayRestoreItSeesIt() async throws {
        try await Workspace.run { workspace in
            let ada = try await workspace.makeUser("ada")
            let bob = try await workspace.makeUser("bob")
            let eve = try await workspace.makeUser("eve", role: .viewer)
            _ = try await ada.save("/Users/ada/lab/n")
            _ = try await ada.save("/Users/ada/other")
            let lab = try await workspace.objectID("/Users/ada/lab")
            for name in ["bob", "eve"] { try await workspace.give(.canManage, on: "directories", lab, to: name) }
            let inLab = try await ada.remove("/Users/ada/lab/n")
            let other = try await ada.remove("/Users/ada/other")
            #expect(try await ada.trash() == ["/Users/ada/other", "/Users/ada/lab/n"])
            #expect(try await bob.trash() == ["/Users/ada/lab/n"], "it was in a folder that bob manages")
            #expect(try await eve.trash().isEmpty, "a viewer restores nothing")
            #expect(try await workspace.trash() == ["/Users/ada/other", "/Users/ada/lab/n"])
            for person in [bob, eve] {
                #expect(await errorCode { try await person.restore(other) } == "PERMISSION_DENIED")
                #expect(await errorCode { try await person.purge(other) } == "PERMISSION_DENIED")
            }
            #expect(await errorCode { try await eve.restore(inLab) } == "PERMISSION_DENIED")
            // Where one must not write, one cannot restore to.
            #expect(
                await errorCode { try await bob.restore(inLab, to: "/Users/ada/mine") } == "PERMISSION_DENIED")
            // The folder may be elsewhere by now; what counts is who manages it.
            _ = try await workspace.move("/Users/ada/lab", "/Shared/lab")
            #expect(try await bob.trash() == ["/Users/ada/lab/n"])
            #expect(await errorCode { try await bob.restore(inLab) } == "PERMISSION_DENIED", "/Users/ada is ada's")
            #expect(try await bob.restore(inLab, to: "/Shared/lab/n").path == "/Shared/lab/n")
            #expect(await errorCode { try await bob.restore(inLab) } == "RESOURCE_DOES_NOT_EXIST")
        }
    }

    /// Goal: whoever is at a path today has no right to what was deleted there before.
    @Test func anotherFolderAtThePathGivesNoRight() async throws {
        try await Workspace.run { workspace in
            let ada = try await workspace.makeUser("ada")
            let bob = try await workspace.makeUser("bob")
            _ = try await ada.save("/Shared/x/secret")
            let secret = try await ada.remove("/Shared/x/secret")
            _ = try await workspace.user.call(
                WorkspaceAPI.setPermissions,
                .init(
                    objectType: "directories", objectID: try await workspace.objectID("/Shared"),
                    body: ChangePermissions(accessControlList: [
                        AccessControl(groupName: "users", permissionLevel: .canEdit)
                    ])))
            _ = try await ada.remove("/Shared/x")
            _ = try await bob.save("/Shared/x/mine")
            #expect(try await bob.trash().isEmpty)
            #expect(await errorCode { try await bob.restore(secret, to: "/Shared/x/s") } == "PERMISSION_DENIED")
            #expect(try await ada.trash() == ["/Shared/x", "/Shared/x/secret"])
            #expect(try await ada.restore(secret, to: "/Shared/mine").path == "/Shared/mine")
        }
    }

    @Test func whatWasGivenComesBackWithIt() async throws {
        try await Workspace.run { workspace in
            let ada = try await workspace.makeUser("ada")
            let bob = try await workspace.makeUser("bob")
            _ = try await ada.save("/Users/ada/n")
            try await workspace.give(
                .canRead, on: "notebooks", try await workspace.objectID("/Users/ada/n"), to: "bob")
            let deletion = try await ada.remove("/Users/ada/n")
            #expect(await errorCode { _ = try await bob.read("/Users/ada/n") } == "PERMISSION_DENIED")
            #expect(try await bob.trash().isEmpty, "reading is not restoring")
            _ = try await ada.restore(deletion)
            _ = try await bob.read("/Users/ada/n")
        }
    }

    /// Goal: of several who restore or delete for good at the same time, one does.
    @Test func oneOfManyRestores() async throws {
        try await Workspace.run { workspace in
            for round in 0..<5 {
                try await workspace.save("/Shared/n\(round).py", "1\n")
                let deletion = try await workspace.remove("/Shared/n\(round).py")
                let done = await withTaskGroup(of: Bool.self) { group in
                    for number in 0..<6 {
                        group.addTask {
                            do {
                                if number == 3 {
                                    try await workspace.purge(deletion)
                                } else {
                                    try await workspace.restore(deletion, to: "/Shared/r\(round)-\(number).py")
                                }
                                return true
                            } catch { return false }
                        }
                    }
                    return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
                }
                #expect(done == 1)
                #expect(try await workspace.trash().isEmpty)
            }
        }
    }
}

extension ServiceClient {
    fileprivate func trash() async throws -> [String] {
        try await call(WorkspaceAPI.listTrash, .init(pageSize: 500)).deletions.map(\.path)
    }

    fileprivate func remove(_ path: String) async throws -> Int64 {
        try await call(WorkspaceAPI.deleteObject, .init(body: DeleteObject(path: path, recursive: true))).deletionID
    }

    fileprivate func restore(_ deletion: Int64, to path: String?) async throws -> ObjectInfo {
        try await call(
            WorkspaceAPI.restoreDeletion, .init(deletionID: deletion, body: RestoreDeletion(path: path)))
    }

    fileprivate func purge(_ deletion: Int64) async throws {
        _ = try await call(WorkspaceAPI.purgeDeletion, .init(deletionID: deletion))
    }
}

extension Workspace {
    /// The paths in the trash.
    func trash() async throws -> [String] { try await user.trash() }

    /// Deletes and says by which number it can be restored.
    func remove(_ path: String) async throws -> Int64 { try await user.remove(path) }

    @discardableResult
    func restore(_ deletion: Int64, to path: String? = nil) async throws -> ObjectInfo {
        try await user.restore(deletion, to: path)
    }

    func purge(_ deletion: Int64) async throws { try await user.purge(deletion) }

    @discardableResult
    func copy(_ source: String, _ destination: String) async throws -> ObjectInfo {
        try await user.call(
            WorkspaceAPI.copyObject, .init(body: CopyObject(sourcePath: source, destinationPath: destination)))
    }

    /// Runs the body with connections of its own to the workspace's database.
    func withPool<Value: Sendable>(_ body: (PostgresPool) async throws -> Value) async throws -> Value {
        let pool = try service.service.environment.makeDatabase().pool
        do {
            let value = try await body(pool)
            await pool.drain(budget: .seconds(5))
            return value
        } catch {
            await pool.drain(budget: .seconds(5))
            throw error
        }
    }
}

extension Person {
    func trash() async throws -> [String] { try await client.trash() }
    func remove(_ path: String) async throws -> Int64 { try await client.remove(path) }
    @discardableResult
    func restore(_ deletion: Int64, to path: String? = nil) async throws -> ObjectInfo {
        try await client.restore(deletion, to: path)
    }
    func purge(_ deletion: Int64) async throws { try await client.purge(deletion) }
}
