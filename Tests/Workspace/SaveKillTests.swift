import Core
import EventLoop
import HTTPClient
import HarbourProtocol
import Postgres
import ServiceClients
import ServiceKit
import TestSupport
import Testing

/// A workspace is killed with SIGKILL while notebooks are saved; whoever has had no answer saves the same once more.
@Suite("Saves whose server is killed", .timeLimit(.minutes(15)))
struct SaveKillTests {
    private static let rounds = 10

    @Test func loseNoWordAndNoOutput() async throws {
        try await WorkspaceProcess.Surroundings.with(ScriptedCluster()) { place in
            let pool = PostgresPool(
                configuration: PostgresConfiguration(url: place.database.url, schema: "workspace"), loop: place.loop)
            try await run(place, pool)
            await pool.drain(budget: .seconds(5))
        }
    }

    /// Each round one cell becomes a text or code again, and something is written into another one.
    private func cells(_ round: Int) -> [SampleDocument.Cell] {
        [
            round % 2 == 0 ? .code("a", "1") : .text("a", "1"), .code("b", "round \(round)"),
        ] + (round % 3 == 1 ? [] : [.code("c", "3")])
    }

    private func run(_ place: WorkspaceProcess.Surroundings, _ pool: PostgresPool) async throws {
        var process = try await WorkspaceProcess.start("w", in: place)
        let file = SampleDocument.document([
            .code("a", "1", "one\n", 1), .code("b", "2", "two\n", 2), .code("c", "3", "three\n", 3),
        ])
        let made = try await process.client.call(
            WorkspaceAPI.importObject,
            .init(
                body: ImportObject(
                    path: "/Shared/n", content: Base64.encode(file.encodedJSON()), format: .jupyter)))
        var base = try #require(made.revisionID)
        for round in 0..<SaveKillTests.rounds {
            let body = SaveNotebook(baseRevisionID: base, document: SampleDocument.document(cells(round)))
            let client = process.client
            let save = Task {
                try await client.call(WorkspaceAPI.saveNotebook, .init(notebookID: made.objectID, body: body))
                    .revisionID
            }
            // Every other time it is killed once the save is written down, whether or not the answer has gone out.
            if round % 2 == 0 {
                try await eventually("it is written down") { try await SaveKillTests.newest(made, pool) > base }
            }
            try await process.kill()
            let answer = try? await save.value
            process = try await WorkspaceProcess.start("w", in: place)
            let written = try await SaveKillTests.newest(made, pool)
            if let answer { #expect(answer == written) }
            let again = try await process.client.call(
                WorkspaceAPI.saveNotebook, .init(notebookID: made.objectID, body: body))
            // What is written down already is not written twice.
            if written > base { #expect(again.revisionID == written) }
            base = again.revisionID
            let content = try await process.client.call(WorkspaceAPI.getNotebook, .init(notebookID: made.objectID))
            #expect(content.cells.map(\.source) == cells(round).map(\.source))
            let wanted = [round % 2 == 0 ? "a:one\n[1]" : "a", "b:two\n[2]"] + (round % 3 == 1 ? [] : ["c:three\n[3]"])
            #expect(SampleDocument.shown(content.document) == wanted)
        }
        try await process.kill()
    }

    private static func newest(_ notebook: ObjectInfo, _ pool: PostgresPool) async throws -> Int64 {
        let rows = try await pool.query("SELECT revision_id FROM objects WHERE object_id = \(notebook.objectID)")
        return try #require(rows.first).decode(Int64.self)
    }
}
