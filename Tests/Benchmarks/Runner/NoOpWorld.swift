import Core
import EventLoop
import HTTPMessage
import HTTPServer
import HarbourProtocol
import ServiceKit

/// The world around a scheduler that is measured: a webhook that answers, and a workspace and a cluster service whose
/// cells do nothing. It writes down when each task reached it and when it let the task go.
///
/// `@unchecked Sendable`: touched on its loop only.
final class NoOpWorld: @unchecked Sendable {
    /// One task, as it was seen from outside the scheduler.
    struct Passage {
        var begin: MonotonicTime
        var end: MonotonicTime?
    }

    private let loop: EventLoop
    /// By run, then by task.
    private(set) var passages: [Int64: [Int: Passage]] = [:]
    /// How long each task takes.
    var work = Duration.zero

    init(loop: EventLoop) { self.loop = loop }

    /// Forgets what was seen.
    func reset(work: Duration) {
        passages = [:]
        self.work = work
    }

    /// How many tasks have begun.
    var count: Int { passages.values.reduce(0) { $0 + $1.count } }

    /// From the end of each task to the beginning of the next one of its run.
    var gaps: [Duration] {
        passages.values.flatMap { tasks in
            tasks.compactMap { number, passage in tasks[number - 1]?.end.map { passage.begin - $0 } }
        }.sorted()
    }

    /// From the first beginning to the last end.
    var span: Duration {
        let all = passages.values.flatMap(\.values)
        guard let first = all.map(\.begin).min(), let last = all.compactMap(\.end).max() else { return .zero }
        return last - first
    }

    private func pass(_ run: Int64, _ task: Int) async throws {
        passages[run, default: [:]][task] = Passage(begin: .now)
        if work > .zero { try await loop.sleep(for: work) }
        passages[run]?[task]?.end = .now
    }

    var definition: ServiceDefinition {
        ServiceDefinition(name: "noop", summary: "Does nothing.", defaultPort: 0, hasDatabase: false) {
            [self] _, router in
            router.http.post("/noop/{run}/{task}") { [self] _, parameters async throws in
                try await pass(Int64(parameters["run"]) ?? 0, Int(parameters["task"].dropFirst()) ?? 0)
                return .json(Array("{}".utf8))
            }
            registerWorkspace(router)
            registerClusters(router)
            return []
        }
    }

    private func registerWorkspace(_ router: ServiceRouter) {
        let content = NotebookContent(
            notebookID: 1, revisionID: 1, path: "/noop", language: "python",
            cells: [NotebookCell(cellID: "c0", kind: .code, language: "python", source: "pass")],
            document: [
                "nbformat": 4, "nbformat_minor": 5, "metadata": [:],
                "cells": [["cell_type": "code", "id": "c0", "source": "pass", "outputs": []]],
            ])
        router.on(WorkspaceAPI.checkRuns) { input, _ async in
            RunVerdictList(verdicts: input.body.runs.map { _ in RunVerdict(allowed: true) })
        }
        router.on(WorkspaceAPI.readContent) { _, _ async in content }
        router.on(WorkspaceAPI.readRevision) { _, _ async in content }
    }

    private func registerClusters(_ router: ServiceRouter) {
        router.on(ClusterAPI.createCluster) { input, _ async in Self.info(input.body.clusterID ?? "c") }
        router.on(ClusterAPI.watchCluster) { input, _, send in try await send(Self.info(input.clusterID)) }
        router.on(ClusterAPI.startCluster) { input, _ async in Self.info(input.clusterID) }
        router.on(ClusterAPI.terminateCluster) { input, _ async in Self.info(input.clusterID) }
        router.on(ClusterAPI.createContext) { input, _ async in
            ContextInfo(
                contextID: input.body.contextID ?? "x", clusterID: input.clusterID, language: "python",
                kernel: "python", state: .running, createdTime: .now)
        }
        router.on(ClusterAPI.deleteContext) { _, _ async in Empty() }
        router.on(ClusterAPI.runCommand) { [self] input, _, send in
            // run-RUN-TASK-ATTEMPT-CELL
            let parts = input.commandID.split(separator: "-")
            try await send(CommandEvent(sequence: 1, timestamp: .now, type: .state, state: .running))
            try await pass(Int64(parts[1]) ?? 0, Int(parts[2]) ?? 0)
            try await send(
                CommandEvent(sequence: 2, timestamp: .now, type: .state, state: .finished, executionCount: 1))
        }
    }

    private static func info(_ id: String) -> ClusterInfo {
        ClusterInfo(
            clusterID: id, spec: ClusterSpec(clusterName: id), backend: "noop", state: .running, stateMessage: "",
            creatorUserName: "ada", startTime: .now, lastActivityTime: .now)
    }
}
