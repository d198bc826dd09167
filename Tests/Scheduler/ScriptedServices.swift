import Core
import EventLoop
import HarbourProtocol
import Lifecycle
import ServiceKit
import Synchronization

/// The workspace and cluster services as the scheduler sees them, with cells that do what their source says:
/// `print x`, `fail x`, `exit x`, `value name text`, `pause milliseconds`,
/// `wait`, `lost`. Commands run once a name and keep their events, as the driver does.
final class ScriptedServices: Sendable {
    private struct Command {
        var events: [CommandEvent] = []
        var readers: [CheckedContinuation<Void, Never>] = []
    }
    private struct State {
        var commands: [String: Command] = [:]
        var started: [String: Int] = [:]
        var clusters: [String: ClusterState] = [:]
        var notebooks: [String: [String]] = [:]
        var contexts: Set<String> = []
        var contextSpecs: [String: ContextSpec] = [:]
        var refusals: [String: RunVerdict] = [:]
        var checks: [[RunIntent]] = []
        var isAway = false
        var failures: [String: String] = [:]
        var failed: [String: String] = [:]
    }
    private let state = Mutex(State())
    let outside = OutsideWorld()

    /// How often each command was begun; more than once is a defect.
    var started: [String: Int] { state.withLock { $0.started } }
    /// The clusters that were made, and their states.
    var clusters: [String: ClusterState] { state.withLock { $0.clusters } }
    /// The contexts that have not been ended.
    var contexts: Set<String> { state.withLock { $0.contexts } }

    /// What each context was asked to be, by its id.
    var contextSpecs: [String: ContextSpec] { state.withLock { $0.contextSpecs } }

    /// What the workspace was asked about runs, question by question.
    var checks: [[RunIntent]] { state.withLock { $0.checks } }

    /// Has the workspace refuse the runs of a user; nil lets them run.
    func refuse(_ user: String, _ verdict: RunVerdict?) { state.withLock { $0.refusals[user] = verdict } }

    /// Has the workspace say nothing about runs.
    func setAway(_ isAway: Bool) { state.withLock { $0.isAway = isAway } }

    /// Has clusters of that name end instead of coming up, saying why.
    func failClusters(named name: String, _ why: String) { state.withLock { $0.failures[name] = why } }

    /// Puts a notebook into the workspace: a cell a line.
    func put(_ path: String, _ cells: [String]) { state.withLock { $0.notebooks[path] = cells } }

    /// Lets the command that waits finish.
    func finish(_ commandID: String) { emit(commandID, [terminal(.finished)]) }

    var definition: ServiceDefinition {
        ServiceDefinition(name: "scripted", summary: "Stands for others.", defaultPort: 0, hasDatabase: false) {
            [self] _, router in
            registerWorkspace(router)
            registerClusters(router)
            registerCommands(router)
            outside.register(router)
            return []
        }
    }

    private func registerWorkspace(_ router: ServiceRouter) {
        router.on(WorkspaceAPI.checkRuns) { [self] input, _ in
            try state.withLock { state in
                state.checks.append(input.body.runs)
                if state.isAway { throw HarbourError(.unavailable, "It is away.") }
                return RunVerdictList(
                    verdicts: input.body.runs.map { state.refusals[$0.userName] ?? RunVerdict(allowed: true) })
            }
        }
        router.on(WorkspaceAPI.readContent) { [self] input, _ in try content(input.path) }
        router.on(WorkspaceAPI.readRevision) { [self] input, _ in
            let path = state.withLock { $0.notebooks.keys.sorted()[Int(input.revisionID) - 1] }
            return try content(path)
        }
    }

    private func content(_ path: String) throws -> NotebookContent {
        let (cells, number) = state.withLock {
            ($0.notebooks[path], ($0.notebooks.keys.sorted().firstIndex(of: path) ?? 0) + 1)
        }
        guard let cells else { throw HarbourError(.notFound, "Path (\(path)) doesn't exist.") }
        let document: JSONValue = [
            "nbformat": 4, "nbformat_minor": 5, "metadata": [:],
            "cells": .array(
                cells.enumerated().map { index, source in
                    ["cell_type": "code", "id": .string("c\(index)"), "source": .string(source), "outputs": []]
                }),
        ]
        return NotebookContent(
            notebookID: Int64(number), revisionID: Int64(number), path: path, language: "python",
            cells: cells.enumerated().map { index, source in
                NotebookCell(cellID: "c\(index)", kind: .code, language: "python", source: source)
            }, document: document)
    }

    private func registerClusters(_ router: ServiceRouter) {
        router.on(ClusterAPI.createCluster) { [self] input, _ in
            let id = input.body.clusterID ?? Identifier.make()
            state.withLock { state in
                let failure = state.failures[input.body.spec.clusterName]
                state.failed[id] = failure
                if state.clusters[id] == nil { state.clusters[id] = failure == nil ? .running : .terminated }
            }
            return info(id)
        }
        router.on(ClusterAPI.startCluster) { [self] input, _ in
            state.withLock { $0.clusters[input.clusterID] = .running }
            return info(input.clusterID)
        }
        router.on(ClusterAPI.watchCluster) { [self] input, _, send in try await send(info(input.clusterID)) }
        router.on(ClusterAPI.terminateCluster) { [self] input, _ in
            state.withLock { $0.clusters[input.clusterID] = .terminated }
            return info(input.clusterID)
        }
        router.on(ClusterAPI.createContext) { [self] input, _ in
            let id = input.body.contextID ?? Identifier.make()
            state.withLock {
                $0.contexts.insert(id)
                $0.contextSpecs[id] = input.body
            }
            return ContextInfo(
                contextID: id, clusterID: input.clusterID, language: "python", kernel: "python", state: .running,
                createdTime: .now)
        }
        router.on(ClusterAPI.deleteContext) { [self] input, _ in
            state.withLock { _ = $0.contexts.remove(input.contextID) }
            return Empty()
        }
    }

    private func info(_ id: String) -> ClusterInfo {
        let (now, failure) = state.withLock { ($0.clusters[id] ?? .terminated, $0.failed[id]) }
        let reason = failure.map { _ in TerminationReason(code: "DRIVER_START_FAILED", type: .serviceFault) }
        return ClusterInfo(
            clusterID: id, spec: ClusterSpec(clusterName: id), backend: "scripted", state: now,
            stateMessage: failure ?? "", terminationReason: reason, creatorUserName: "tester", startTime: .now,
            lastActivityTime: .now)
    }

    private func registerCommands(_ router: ServiceRouter) {
        router.on(ClusterAPI.runCommand) { [self] input, _, send in
            begin(input.commandID, input.body.source, on: input.clusterID)
            var last = input.body.after ?? 0
            while true {
                let news = state.withLock { $0.commands[input.commandID]?.events.filter { $0.sequence > last } ?? [] }
                for event in news {
                    try await send(event)
                    last = event.sequence
                    if event.type == .state, let end = event.state, end != .running { return }
                }
                await waitForNews(input.commandID, after: last)
                try Task.checkCancellation()
            }
        }
        router.on(ClusterAPI.cancelCommand) { [self] input, _ in
            emit(input.commandID, [terminal(.cancelled)])
            return CommandInfo(
                commandID: input.commandID, contextID: input.contextID, clusterID: input.clusterID, language: "python",
                state: .cancelled, submittedTime: .now, lastSequence: 0)
        }
    }

    private func begin(_ id: String, _ source: String, on clusterID: String) {
        let isNew = state.withLock { state in
            if state.commands[id] != nil { return false }
            state.commands[id] = Command()
            state.started[id, default: 0] += 1
            return true
        }
        guard isNew else { return }
        let source = source.hasPrefix("%sh\n") ? String(source.dropFirst(4)) : source
        let words = source.split(separator: " ", maxSplits: 1).map(String.init)
        let rest = words.count > 1 ? words[1] : ""
        emit(id, [CommandEvent(sequence: 0, timestamp: .now, type: .state, state: .running)])
        let failure = CommandError(code: "COMMAND_FAILED", name: "ValueError", message: rest, traceback: [rest])
        switch words.first {
        case "print":
            emit(
                id,
                [
                    CommandEvent(sequence: 0, timestamp: .now, type: .stream, name: "stdout", text: rest + "\n"),
                    terminal(.finished),
                ])
        case "value":
            let parts = rest.split(separator: " ", maxSplits: 1).map(String.init)
            let value: JSONValue = ["key": .string(parts[0]), "value": .string(parts.count > 1 ? parts[1] : "")]
            emit(
                id,
                [
                    CommandEvent(
                        sequence: 0, timestamp: .now, type: .display,
                        data: ["application/vnd.dataharbour.task-value+json": value]),
                    terminal(.finished),
                ])
        case "exit":
            emit(id, [CommandEvent(sequence: 0, timestamp: .now, type: .exit, text: rest), terminal(.finished)])
        case "import": emit(id, [terminal(.finished)])
        case "pause":
            Task { [self] in
                try await Task.sleep(for: .milliseconds(Int(rest) ?? 0))
                finish(id)
            }
        case "lost":
            state.withLock { $0.clusters[clusterID] = .terminated }
            emit(id, [terminal(.error, CommandError(code: "DRIVER_LOST", name: "DriverLost", message: "It has gone."))])
        case "interrupt": emit(id, [terminal(.cancelled)])
        case "end":
            let parts = rest.split(separator: " ", maxSplits: 2).map(String.init)
            emit(id, [terminal(.error, CommandError(code: parts[0], name: parts[1], message: parts[2]))])
        case "fail":
            emit(
                id,
                [
                    CommandEvent(sequence: 0, timestamp: .now, type: .error, error: failure),
                    terminal(.error, failure),
                ])
        default: break
        }
    }

    private func terminal(_ end: CommandState, _ error: CommandError? = nil) -> CommandEvent {
        CommandEvent(sequence: 0, timestamp: .now, type: .state, state: end, executionCount: 1, error: error)
    }

    private func emit(_ id: String, _ events: [CommandEvent]) {
        let readers = state.withLock { state in
            for var event in events {
                event.sequence = Int64((state.commands[id]?.events.count ?? 0) + 1)
                state.commands[id]?.events.append(event)
            }
            defer { state.commands[id]?.readers = [] }
            return state.commands[id]?.readers ?? []
        }
        for reader in readers { reader.resume() }
    }

    private func waitForNews(_ id: String, after last: Int64) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isNew = state.withLock { state in
                    if Task.isCancelled || (state.commands[id]?.events.last?.sequence ?? 0) > last { return true }
                    state.commands[id]?.readers.append(continuation)
                    return false
                }
                if isNew { continuation.resume() }
            }
        } onCancel: {
            emit(id, [])
        }
    }
}
