import Core
import EventLoop
import HarbourProtocol
import ServiceClients
import ServiceTestKit
import TestSupport
import Testing

/// A workspace with a scripted cluster behind it and a notebook in it.
struct RunningWorkspace: Sendable {
    let workspace: Workspace
    let cluster: ScriptedCluster
    let notebook: ObjectInfo

    var id: Int64 { notebook.objectID }
    var user: ServiceClient { workspace.user }

    /// Runs the body with a notebook of these cells, whose ids are `c0`, `c1`, ...
    static func run(
        _ cells: [String], more: [String] = [], _ body: @escaping @Sendable (RunningWorkspace) async throws -> Void
    ) async throws {
        let cluster = ScriptedCluster()
        try await withService(cluster.definition, hasDatabase: false) { service in
            try await Workspace.run(upstreams: ["cluster": service.baseURL], more: more) { workspace in
                let notebook = try await workspace.save("/Shared/n", document(cells).jsonText(), format: .jupyter)
                try await body(RunningWorkspace(workspace: workspace, cluster: cluster, notebook: notebook))
            }
        }
    }

    static func document(_ cells: [String]) -> JSONValue {
        [
            "nbformat": 4, "nbformat_minor": 5, "metadata": [:],
            "cells": .array(
                cells.enumerated().map { index, source in
                    [
                        "cell_type": "code", "id": .string("c\(index)"), "metadata": [:], "source": .string(source),
                        "outputs": [], "execution_count": nil,
                    ]
                }),
        ]
    }

    @discardableResult
    func start(_ body: RunCells = RunCells(scope: .all)) async throws -> NotebookExecution {
        var body = body
        body.clusterID = body.clusterID ?? "lab"
        return try await user.call(WorkspaceAPI.runCells, .init(notebookID: id, body: body))
    }

    func execution(_ notebookID: Int64? = nil) async throws -> NotebookExecution {
        try await user.call(WorkspaceAPI.getNotebookExecution, .init(notebookID: notebookID ?? id))
    }

    func save(_ cells: [String], base: Int64, cleared: [String]? = nil) async throws -> SavedNotebook {
        try await user.call(
            WorkspaceAPI.saveNotebook,
            .init(
                notebookID: id,
                body: SaveNotebook(
                    baseRevisionID: base, document: RunningWorkspace.document(cells), clearedCellIds: cleared)))
    }

    /// Waits until the notebook looks as wished.
    func wait(
        _ notebookID: Int64? = nil, sourceLocation: SourceLocation = #_sourceLocation,
        until condition: (NotebookExecution) -> Bool
    ) async throws -> NotebookExecution {
        let end = MonotonicTime.now + .seconds(240)
        while true {
            let now = try await execution(notebookID)
            if condition(now) { return now }
            try #require(MonotonicTime.now < end, "not within 240 s: \(now)", sourceLocation: sourceLocation)
            try await workspace.service.loop.sleep(for: .milliseconds(10))
        }
    }

    /// Waits until nothing runs, of its own notebook or another one.
    func settled(_ notebookID: Int64? = nil) async throws -> NotebookExecution {
        try await wait(notebookID) { $0.commands.allSatisfy { $0.state != .queued && $0.state != .running } }
    }

    /// The outputs of each cell as the notebook has them.
    func outputs() async throws -> [String: String] {
        let content = try await user.call(WorkspaceAPI.getNotebook, .init(notebookID: id))
        var outputs: [String: String] = [:]
        for cell in content.document["cells"]?.array ?? [] {
            let parts = (cell["outputs"]?.array ?? []).map { output in
                output["text"]?.array?.compactMap(\.string).joined() ?? output["text"]?.string
                    ?? output["evalue"]?.string ?? output["data"].map { $0.jsonText() } ?? "?"
            }
            outputs[cell["id"]?.string ?? ""] = parts.joined()
        }
        return outputs
    }
}
