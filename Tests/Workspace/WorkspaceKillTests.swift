import Core
import EventLoop
import Glibc
import HTTPClient
import HarbourProtocol
import ServiceClients
import ServiceKit
import TestSupport
import Testing

/// Two workspaces on one database are killed with SIGKILL again and again while a notebook runs.
@Suite("Workspaces that are killed")
struct WorkspaceKillTests {
    private static let cells = 40

    @Test(.timeLimit(.minutes(15))) func loseAndDoubleNothing() async throws {
        let scripted = ScriptedCluster()
        try await WorkspaceProcess.Surroundings.with(scripted) { try await run(scripted, $0) }
    }

    /// Cells wait for the test every third time, so that some are under way whenever a process dies.
    private func source(_ index: Int) -> String { index % 3 == 0 ? "print a\(index)\nwait" : "print a\(index)" }

    private func run(_ scripted: ScriptedCluster, _ place: WorkspaceProcess.Surroundings) async throws {
        var processes = [
            try await WorkspaceProcess.start("w0", in: place), try await WorkspaceProcess.start("w1", in: place),
        ]
        let document = RunningWorkspace.document((0..<WorkspaceKillTests.cells).map(source))
        let notebook = try await processes[0].client.call(
            WorkspaceAPI.importObject,
            .init(
                body: ImportObject(
                    path: "/Shared/n", content: Base64.encode(document.encodedJSON()), format: .jupyter))
        ).objectID
        let begun = try await processes[0].client.call(
            WorkspaceAPI.runCells,
            .init(notebookID: notebook, body: RunCells(clusterID: "lab", scope: .all)))
        let ids = begun.commands.map(\.commandID)
        for index in stride(from: 0, to: WorkspaceKillTests.cells, by: 3) {
            try await eventually("a cell has begun") { scripted.started.contains(ids[index]) }
            // Killed while the cell is under way; what it says meanwhile has to be heard by the next owner.
            let victim = index % 2
            try await processes[victim].kill()
            scripted.say(ids[index], ["print b\(index)"])
            processes[victim] = try await WorkspaceProcess.start("w\(victim)", in: place)
            scripted.finish(ids[index])
        }
        try await eventually("all cells have begun") { scripted.started.count == ids.count }
        let client = processes[0].client
        try await settle(notebook, client, place.loop)
        #expect(scripted.started == ids)
        let content = try await client.call(WorkspaceAPI.getNotebook, .init(notebookID: notebook))
        for (index, cell) in (content.document["cells"]?.array ?? []).enumerated() {
            let text = (cell["outputs"]?.array ?? []).map { output in
                output["text"]?.array?.compactMap(\.string).joined() ?? output["text"]?.string ?? "?"
            }.joined()
            #expect(text == (index % 3 == 0 ? "a\(index)\nb\(index)\n" : "a\(index)\n"))
        }
        for process in processes { try await process.kill() }
    }

    private func settle(_ notebook: Int64, _ client: ServiceClient, _ loop: EventLoop) async throws {
        let end = MonotonicTime.now + .seconds(240)
        while true {
            let now = try await client.call(WorkspaceAPI.getNotebookExecution, .init(notebookID: notebook))
            if now.commands.allSatisfy({ $0.state == .finished }) { return }
            try #require(MonotonicTime.now < end, "not settled within 240 s: \(now)")
            try await loop.sleep(for: .milliseconds(20))
        }
    }
}
