import Core
import HarbourProtocol
import ServiceClients
import ServiceTestKit
import Testing

@Suite("The tree of folders, notebooks and files")
struct TreeTests {
    @Test func listsFoldersFirstAndByPages() async throws {
        try await Workspace.run { workspace in
            #expect(try await workspace.list("/") == ["/Shared", "/Users"])
            for name in ["b.py", "a.py", "é.py", "data.csv"] { try await workspace.save("/Shared/x/\(name)", "1\n") }
            try await workspace.makeFolder("/Shared/x/zoo/deep")
            try await workspace.makeFolder("/Shared/x/zoo/deep")
            #expect(
                try await workspace.list("/Shared/x") == [
                    "/Shared/x/zoo", "/Shared/x/a.py", "/Shared/x/b.py", "/Shared/x/data.csv", "/Shared/x/é.py",
                ])
            var seen: [String] = []
            var token: String?
            repeat {
                let page = try await workspace.user.call(
                    WorkspaceAPI.listObjects, .init(pageSize: 2, pageToken: token, path: "/Shared/x/"))
                #expect(page.objects.count <= 2)
                seen += page.objects.map(\.path)
                token = page.nextPageToken
            } while token != nil
            #expect(seen == (try await workspace.list("/Shared/x")))
            #expect(try await workspace.list("/Shared/x/a.py") == ["/Shared/x/a.py"])
            let file = try await workspace.user.call(WorkspaceAPI.getObject, .init(path: "/Shared/x/data.csv"))
            #expect(file.objectType == .file)
            #expect(file.size == 2)
            #expect(file.language == nil)
            let notebook = try await workspace.user.call(WorkspaceAPI.getObject, .init(path: "/Shared/x/a.py"))
            #expect(notebook.objectType == .notebook)
            #expect(notebook.language == "python")
            #expect(notebook.modifiedBy == "admin")
        }
    }

    @Test func movesAndDeletes() async throws {
        try await Workspace.run { workspace in
            let saved = try await workspace.save("/Users/ada/a/b/one.py", "1\n")
            try await workspace.save("/Users/ada/a_/two.py", "2\n")
            try await workspace.move("/Users/ada/a", "/Shared/moved/a")
            let moved = try await workspace.user.call(WorkspaceAPI.getObject, .init(path: "/Shared/moved/a/b/one.py"))
            #expect(moved.objectID == saved.objectID)
            #expect(try await workspace.list("/Users/ada") == ["/Users/ada/a_"])
            #expect(try await workspace.list("/Shared/moved/a") == ["/Shared/moved/a/b"])
            let renamed = try await workspace.move("/Shared/moved/a/b/one.py", "/Shared/moved/a/b/uno.py")
            #expect(renamed.path == "/Shared/moved/a/b/uno.py")
            #expect(try await workspace.export("/Shared/moved/a/b/uno.py").text == "1\n")

            #expect(await errorCode { try await workspace.delete("/Shared/moved") } == "DIRECTORY_NOT_EMPTY")
            try await workspace.delete("/Shared/moved", recursive: true)
            #expect(try await workspace.list("/Shared").isEmpty)
            #expect(
                await errorCode { _ = try await workspace.export("/Shared/moved/a/b/uno.py") }
                    == "RESOURCE_DOES_NOT_EXIST")
            // A frozen revision stays readable, and the place is free again.
            let frozen = try await workspace.service.client.call(
                WorkspaceAPI.readRevision, .init(revisionID: try #require(saved.revisionID)))
            #expect(frozen.cells.map(\.source) == ["1"])
            try await workspace.save("/Shared/moved/a/b/uno.py", "new\n")
            #expect(try await workspace.export("/Shared/moved/a/b/uno.py").text == "new\n")
        }
    }

    @Test func refusesWhatCannotBe() async throws {
        try await Workspace.run { workspace in
            try await workspace.save("/Shared/n.py", "1\n")
            try await workspace.makeFolder("/Shared/f")
            let attempts: [(String, @Sendable () async throws -> Void)] = [
                ("INVALID_PARAMETER_VALUE", { try await workspace.makeFolder("Shared/x") }),
                ("INVALID_PARAMETER_VALUE", { try await workspace.makeFolder("/Shared/../x") }),
                ("INVALID_PARAMETER_VALUE", { try await workspace.makeFolder("/Shared//x") }),
                ("INVALID_PARAMETER_VALUE", { try await workspace.makeFolder("/Shared/a\u{0}b") }),
                ("INVALID_PARAMETER_VALUE", { try await workspace.save("/", "1") }),
                ("RESOURCE_ALREADY_EXISTS", { try await workspace.makeFolder("/Shared/n.py") }),
                ("RESOURCE_ALREADY_EXISTS", { try await workspace.makeFolder("/Shared/n.py/below") }),
                ("RESOURCE_ALREADY_EXISTS", { try await workspace.save("/Shared/f", "x", overwrite: true) }),
                ("RESOURCE_DOES_NOT_EXIST", { _ = try await workspace.list("/Shared/none") }),
                ("RESOURCE_DOES_NOT_EXIST", { try await workspace.delete("/Shared/none") }),
                ("RESOURCE_DOES_NOT_EXIST", { try await workspace.move("/Shared/none", "/Shared/x") }),
                ("RESOURCE_ALREADY_EXISTS", { try await workspace.move("/Shared/n.py", "/Shared/f") }),
                ("INVALID_PARAMETER_VALUE", { try await workspace.move("/Shared/f", "/Shared/f/g") }),
                ("PERMISSION_DENIED", { try await workspace.delete("/", recursive: true) }),
                ("PERMISSION_DENIED", { try await workspace.move("/Users", "/Shared/u") }),
                ("INVALID_STATE", { _ = try await workspace.export("/Shared/f") }),
            ]
            for (index, attempt) in attempts.enumerated() {
                let code = await errorCode(attempt.1)
                #expect(code == attempt.0, "attempt \(index)")
            }
        }
    }

    /// Goal: a notebook is never left below a folder that is gone, whatever the order of saving and deleting.
    @Test func savingAndDeletingAtOnce() async throws {
        try await Workspace.run { workspace in
            for round in 0..<10 {
                try await workspace.makeFolder("/Shared/f")
                async let deletion: Void = workspace.delete("/Shared/f", recursive: true)
                async let saving = workspace.save("/Shared/f/g/\(round).py", "1\n")
                try await deletion
                _ = try await saving
                // Whichever came first: what is there can be reached through its folders.
                if try await workspace.list("/Shared").contains("/Shared/f") {
                    #expect(try await workspace.list("/Shared/f/g") == ["/Shared/f/g/\(round).py"])
                    try await workspace.delete("/Shared/f", recursive: true)
                }
            }
        }
    }
}
