import Core
import HarbourProtocol
import ServiceClients
import ServiceTestKit
import Testing

@Suite("Revisions and formats")
struct RevisionTests {
    @Test func everySaveIsKept() async throws {
        try await Workspace.run { workspace in
            let first = try await workspace.save("/Shared/n.py", "x = 1\n")
            #expect(
                await errorCode { try await workspace.save("/Shared/n.py", "x = 2\n") } == "RESOURCE_ALREADY_EXISTS")
            let second = try await workspace.save("/Shared/n.py", "x = 2\n", overwrite: true)
            #expect(second.objectID == first.objectID)
            // The same content again is the same revision.
            let same = try await workspace.save("/Shared/n.py", "x = 2\n", overwrite: true)
            #expect(same.revisionID == second.revisionID)
            let third = try await workspace.save("/Shared/n.py", "x = 3\n", expected: second.revisionID)
            #expect(
                await errorCode { try await workspace.save("/Shared/n.py", "x = 4\n", expected: second.revisionID) }
                    == "RESOURCE_CONFLICT")
            #expect(
                await errorCode { try await workspace.save("/Shared/other.py", "x", expected: 1) }
                    == "RESOURCE_CONFLICT")
            var revisions: [RevisionInfo] = []
            var token: String?
            repeat {
                let page = try await workspace.user.call(
                    WorkspaceAPI.listRevisions,
                    .init(notebookID: first.objectID, pageSize: 2, pageToken: token))
                revisions += page.revisions
                token = page.nextPageToken
            } while token != nil
            #expect(revisions.map(\.revisionID) == [third, second, first].compactMap(\.revisionID))
            #expect(revisions.allSatisfy { $0.createdBy == "admin" && $0.contentHash.utf8.count == 64 && $0.size == 6 })
            #expect(try await workspace.export("/Shared/n.py", revision: first.revisionID).text == "x = 1\n")
            #expect(try await workspace.export("/Shared/n.py").text == "x = 3\n")
            let old = try await workspace.user.call(
                WorkspaceAPI.getNotebook, .init(notebookID: first.objectID, revisionID: first.revisionID))
            #expect(old.cells.map(\.source) == ["x = 1"])
            let unknown = WorkspaceAPI.GetNotebookInput(notebookID: first.objectID, revisionID: 1_000_000)
            #expect(
                await errorCode { _ = try await workspace.user.call(WorkspaceAPI.getNotebook, unknown) }
                    == "RESOURCE_DOES_NOT_EXIST")
        }
    }

    /// Goal: of many who save over the same revision at once, one does, and the others are told.
    @Test func oneOfManySavesWins() async throws {
        try await Workspace.run { workspace in
            let first = try await workspace.save("/Shared/n.py", "0\n")
            let codes = await withTaskGroup(of: String.self) { group in
                for index in 1...12 {
                    group.addTask {
                        do {
                            try await workspace.save("/Shared/n.py", "\(index)\n", expected: first.revisionID)
                            return "saved"
                        } catch {
                            return (error as? HarbourError)?.code.name ?? "\(error)"
                        }
                    }
                }
                return await group.reduce(into: [String]()) { $0.append($1) }
            }
            #expect(codes.filter { $0 == "saved" }.count == 1)
            #expect(codes.filter { $0 == "RESOURCE_CONFLICT" }.count == 11)
        }
    }

    @Test func importsAndExportsEveryFormat() async throws {
        try await Workspace.run { workspace in
            let source =
                "# Databricks notebook source\r\nx  = 1\r\n\r\n# COMMAND ----------\r\n\r\n# MAGIC %sql\r\n# MAGIC SELECT 1"
            try await workspace.save("/Shared/source", source)
            #expect(try await workspace.export("/Shared/source").text.utf8.elementsEqual(source.utf8))
            let jupyter = try await workspace.export("/Shared/source", .jupyter)
            #expect(jupyter.type == "ipynb")
            try await workspace.save("/Shared/copy", jupyter.text, format: .jupyter)
            let again = try await workspace.export("/Shared/copy", .source)
            #expect(again.type == "py")
            #expect(again.text.utf8.elementsEqual(source.utf8))
            #expect(try await workspace.export("/Shared/copy", .auto).text == jupyter.text)
            try await workspace.save("/Shared/q.sql", "SELECT 1;\n")
            try await workspace.save("/Shared/q", "SELECT 1;\n", format: .source, language: "SQL")
            let content = try await workspace.service.client.call(WorkspaceAPI.readContent, .init(path: "/Shared/q"))
            #expect(content.language == "sql")
            #expect(content.cells.map(\.language) == ["sql"])
            let frozen = try await workspace.service.client.call(
                WorkspaceAPI.readContent, .init(path: "/Shared/source"))
            #expect(frozen.cells.map(\.language) == ["python", "sql"])
            #expect(frozen.cells.map(\.source) == ["x  = 1", "SELECT 1"])
            #expect(frozen.document["cells"]?[1]?["source"] == ["%sql\n", "SELECT 1"])
            // A file is kept as it is, and a large one too, which is worked on beside the loop.
            let large = String(repeating: "flights,2013\n", count: 100_000)
            try await workspace.save("/Shared/data.csv", large)
            let file = try await workspace.export("/Shared/data.csv", .jupyter)
            #expect(file.text == large)
            #expect(file.type == "csv")
        }
    }

    @Test func refusesWhatIsNoNotebook() async throws {
        try await Workspace.run { workspace in
            let attempts: [(String, @Sendable () async throws -> Void)] = [
                ("INVALID_NOTEBOOK", { try await workspace.save("/Shared/n.ipynb", "{") }),
                ("INVALID_NOTEBOOK", { try await workspace.save("/Shared/n", "x = 1", format: .jupyter) }),
                ("INVALID_PARAMETER_VALUE", { try await workspace.save("/Shared/n", "x = 1", format: .source) }),
                ("NOT_SUPPORTED", { try await workspace.save("/Shared/n", "x", format: .source, language: "cobol") }),
                (
                    "INVALID_PARAMETER_VALUE",
                    {
                        _ = try await workspace.user.call(
                            WorkspaceAPI.importObject, .init(body: ImportObject(path: "/Shared/n", content: "!")))
                    }
                ),
                (
                    "INVALID_STATE",
                    {
                        try await workspace.save("/Shared/f.csv", "a\n")
                        _ = try await workspace.service.client.call(
                            WorkspaceAPI.readContent, .init(path: "/Shared/f.csv"))
                    }
                ),
                (
                    "RESOURCE_DOES_NOT_EXIST",
                    {
                        _ = try await workspace.service.client.call(
                            WorkspaceAPI.readContent, .init(path: "/Shared/none"))
                    }
                ),
            ]
            for (index, attempt) in attempts.enumerated() {
                let code = await errorCode(attempt.1)
                #expect(code == attempt.0, "attempt \(index)")
            }
            let left = try await workspace.list("/Shared")
            #expect(left == ["/Shared/f.csv"])
        }
    }
}
