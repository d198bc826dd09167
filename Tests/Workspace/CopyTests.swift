import Core
import HTTPMessage
import HarbourProtocol
import Postgres
import ServiceClients
import ServiceTestKit
import StorageTestKit
import TestSupport
import Testing

@testable import WorkspaceService

@Suite("Copies", .timeLimit(.minutes(15)))
struct CopyTests {
    @Test func aFolderIsCopiedAsItIsNow() async throws {
        try await Workspace.run { workspace in
            try await workspace.save("/Shared/é/a/n.py", "1\n")
            try await workspace.save("/Shared/é/a/n.py", "2\n", overwrite: true)
            try await workspace.save("/Shared/é/data.csv", "1,2\n")
            try await workspace.makeFolder("/Shared/é/empty")
            try await workspace.save("/Shared/é/gone.py", "1\n")
            try await workspace.delete("/Shared/é/gone.py")
            try await workspace.makeFolder("/Shared/éé")
            let copy = try await workspace.copy("/Shared/é", "/Users/ada/copies/of it")
            #expect(copy.path == "/Users/ada/copies/of it")
            #expect(copy.objectType == .directory)
            #expect(
                try await workspace.list("/Users/ada/copies/of it") == [
                    "/Users/ada/copies/of it/a", "/Users/ada/copies/of it/empty", "/Users/ada/copies/of it/data.csv",
                ])
            let notebook = try await workspace.user.call(
                WorkspaceAPI.getObject, .init(path: "/Users/ada/copies/of it/a/n.py"))
            #expect(notebook.language == "python")
            #expect(try await workspace.export(notebook.path).text == "2\n")
            let revisions = try await workspace.user.call(
                WorkspaceAPI.listRevisions, .init(notebookID: notebook.objectID)
            ).revisions
            #expect(revisions.map(\.message) == ["Copied from /Shared/é/a/n.py"])
            #expect(revisions.first?.revisionID == notebook.revisionID)
            // Each goes its own way from here.
            try await workspace.save(notebook.path, "3\n", overwrite: true)
            #expect(try await workspace.export("/Shared/é/a/n.py").text == "2\n")
            try await workspace.delete("/Shared/é", recursive: true)
            #expect(try await workspace.export("/Users/ada/copies/of it/data.csv").text == "1,2\n")
        }
    }

    /// Goal: a copy begins with what the other has, and goes its own way from there.
    @Test func aCopyHasTheWidgets() async throws {
        let widgets = [
            NotebookWidget(kind: .dropdown, name: "city", defaultValue: "Rome", choices: ["Oslo", "Rome"]),
            NotebookWidget(kind: .text, name: "day", defaultValue: "monday"),
            NotebookWidget(kind: .multiselect, name: "ports", defaultValue: "A", choices: ["A", "B", "C"]),
        ]
        let declaring = "widgets " + WidgetChanges(removed: [], declared: widgets).jsonText()
        try await RunningWorkspace.run([declaring]) { running in
            let workspace = running.workspace
            try await running.start()
            _ = try await running.settled()
            try await workspace.choose("/Shared/n", ["city": "Oslo", "ports": "A,C"])
            _ = try await running.user.call(
                WorkspaceAPI.changeWidgets, .init(notebookID: running.id, body: ChangeWidgets(removed: ["day"])))
            _ = try await workspace.move("/Shared/n", "/Shared/from/deep/é")
            try await workspace.save("/Shared/from/plain.py", "1\n")
            _ = try await workspace.copy("/Shared/from", "/Shared/from 2")
            _ = try await workspace.copy("/Shared/from/deep/é", "/Shared/alone")
            let wanted = try await running.execution().widgets
            #expect(shownWidgets(wanted) == ["city=Oslo", "ports=A,C"])
            for path in ["/Shared/from 2/deep/é", "/Shared/alone"] {
                #expect(try await workspace.widgets(path) == wanted)
            }
            #expect(try await workspace.widgets("/Shared/from 2/plain.py").isEmpty)
            try await workspace.choose("/Shared/alone", ["city": "Rome"])
            #expect(try await running.execution().widgets == wanted)
            // They go with their notebook.
            try await workspace.delete("/Shared/from 2", recursive: true)
            #expect(shownWidgets(try await workspace.widgets("/Shared/alone")) == ["city=Rome", "ports=A,C"])
        }
    }

    @Test func aStoredFileIsSharedByItsCopies() async throws { try await Files.run { try await shared($0) } }

    @Test(.enabled(if: SeaweedFS.path != nil)) func aStoredFileIsSharedByItsCopiesInS3() async throws {
        try await Files.runOnSeaweed { files, _ in try await shared(files) }
    }

    private func shared(_ files: Files) async throws {
        let bytes = Files.bytes(Files.piece + 77)
        try await files.upload("/Shared/big.bin", bytes)
        _ = try await files.workspace.copy("/Shared/big.bin", "/Shared/copy.bin")
        #expect(try await files.read("/Shared/copy.bin") == bytes)
        try await files.workspace.withPool { (pool) async throws in
            #expect(try await pool.query("SELECT 1 AS one FROM stored_objects").count == 1)
        }
        // A new revision of one is not the other's.
        try await files.upload("/Shared/big.bin", Files.bytes(5), overwrite: true)
        #expect(try await files.read("/Shared/copy.bin") == bytes)
    }

    @Test func refusesWhatCannotBe() async throws {
        try await Workspace.run { workspace in
            try await workspace.save("/Shared/n.py", "1\n")
            try await workspace.save("/Shared/f/deep/n.py", "1\n")
            let deep = "/Shared" + String(repeating: "/x", count: 30)
            let long = "/Shared/" + (0..<4).map { _ in String(repeating: "y", count: 253) }.joined(separator: "/")
            let attempts: [(String, String, String)] = [
                ("INVALID_PARAMETER_VALUE", "/Shared/f", "/Shared/f"),
                ("INVALID_PARAMETER_VALUE", "/Shared/f", "/Shared/f/deep/g"),
                ("INVALID_PARAMETER_VALUE", "/", "/Shared/all"),
                ("INVALID_PARAMETER_VALUE", "/Shared/f", "/Shared//g"),
                ("INVALID_PARAMETER_VALUE", "/Shared/f", deep),
                ("INVALID_PARAMETER_VALUE", "/Shared/f", long),
                ("RESOURCE_ALREADY_EXISTS", "/Shared/n.py", "/Shared/f"),
                ("RESOURCE_ALREADY_EXISTS", "/Shared/f", "/Shared/n.py/below"),
                ("RESOURCE_ALREADY_EXISTS", "/Shared/f/deep", "/Shared"),
                ("RESOURCE_DOES_NOT_EXIST", "/Shared/none", "/Shared/x"),
            ]
            for (code, source, destination) in attempts {
                #expect(
                    await errorCode { try await workspace.copy(source, destination) } == code,
                    "\(source) to \(destination)")
            }
            #expect(try await workspace.list("/Shared") == ["/Shared/f", "/Shared/n.py"], "nothing was made")
            // Nor is anything moved to where it would not have a path.
            #expect(await errorCode { try await workspace.move("/Shared/f", deep) } == "INVALID_PARAMETER_VALUE")
        }
    }

    @Test func asksForReadingThereAndWritingHere() async throws {
        try await Workspace.run { workspace in
            let ada = try await workspace.makeUser("ada")
            let bob = try await workspace.makeUser("bob")
            _ = try await ada.save("/Users/ada/lab/n")
            func copy(_ person: Person, _ destination: String) async throws {
                _ = try await person.client.call(
                    WorkspaceAPI.copyObject,
                    .init(body: CopyObject(sourcePath: "/Users/ada/lab", destinationPath: destination)))
            }
            #expect(await errorCode { try await copy(bob, "/Users/bob/lab") } == "PERMISSION_DENIED")
            try await workspace.give(
                .canRead, on: "directories", try await workspace.objectID("/Users/ada/lab"), to: "bob")
            #expect(await errorCode { try await copy(bob, "/Users/ada/lab 2") } == "PERMISSION_DENIED")
            try await copy(bob, "/Users/bob/lab")
            // It is bob's own now: he may do all with it, and ada nothing.
            _ = try await bob.save("/Users/bob/lab/n", "mine\n", overwrite: true)
            #expect(await errorCode { _ = try await ada.read("/Users/bob/lab/n") } == "PERMISSION_DENIED")
        }
    }

    /// Goal: ten thousand entries are copied at once, one more is refused, and of two that copy to one place one does.
    @Test func largeFoldersAndRivals() async throws {
        try await Workspace.run { workspace in
            try await workspace.makeFolder("/Shared/many")
            try await workspace.save("/Shared/many/n.py", "1\n")
            let add: SQL = """
                INSERT INTO objects (path, folder, name, kind, created_at, modified_at)
                SELECT '/Shared/many/' || n, '/Shared/many', n::text, 'DIRECTORY', now(), now()
                FROM generate_series(3, \(Int64(WorkspaceTree.maximumCopies))) AS n
                """
            try await workspace.withPool { _ = try await $0.query(add) }
            async let one = outcome(workspace)
            async let two = outcome(workspace)
            #expect(try await [one, two].sorted() == ["RESOURCE_ALREADY_EXISTS", "done"])
            let last = try await workspace.user.call(
                WorkspaceAPI.getObject, .init(path: "/Shared/copy/\(WorkspaceTree.maximumCopies)"))
            #expect(last.objectType == .directory)
            try await workspace.makeFolder("/Shared/many/one more")
            #expect(
                await errorCode { try await workspace.copy("/Shared/many", "/Shared/again") } == "REQUEST_TOO_LARGE")
        }
    }

    private func outcome(_ workspace: Workspace) async throws -> String {
        do throws(HarbourError) {
            _ = try await workspace.user.call(
                WorkspaceAPI.copyObject,
                .init(body: CopyObject(sourcePath: "/Shared/many", destinationPath: "/Shared/copy")))
            return "done"
        } catch {
            return error.code.name
        }
    }
}
