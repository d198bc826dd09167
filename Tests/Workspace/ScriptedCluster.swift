import Core
import EventLoop
import HarbourProtocol
import ServiceKit
import Synchronization

/// The cluster service as the workspace sees it, with cells that do what their lines say, one after the other:
/// `print x`, `show key bytes`, `widgets JSON`, `value name`, `fail x`, `exit x`, `wait`. Commands run once a name and keep their events, as the
/// driver does; after `wait` a command goes on with what the test lets it do.
final class ScriptedCluster: Sendable {
    private struct Command {
        var events: [CommandEvent] = []
        var readers: [CheckedContinuation<Void, Never>] = []
        var isOver = false
        var widgets: [NotebookWidget]?
    }
    private struct State {
        var commands: [String: Command] = [:]
        var started: [String] = []
        var contexts: Set<String> = []
        var made: [String] = []
        var cluster = ClusterState.running
        var asked: [String] = []
        var looking: [String: @Sendable () async throws -> Void] = [:]
    }
    private let state = Mutex(State())

    /// The commands in the order in which they were begun; one that is there twice is a defect.
    var started: [String] { state.withLock { $0.started } }
    /// All contexts that were ever made.
    var made: [String] { state.withLock { $0.made } }

    /// The contexts that were asked about code.
    var asked: [String] { state.withLock { $0.asked } }

    /// Sets what the cluster is; when it does not run its kernels are gone.
    func set(_ cluster: ClusterState) {
        state.withLock { state in
            state.cluster = cluster
            if cluster != .running { state.contexts = [] }
        }
    }

    /// What is done whenever somebody asks for a cluster, before the answer.
    func beforeLooking(_ clusterID: String, _ body: @escaping @Sendable () async throws -> Void) {
        state.withLock { $0.looking[clusterID] = body }
    }

    /// Lets a command that waits put something out.
    func say(_ commandID: String, _ lines: [String]) { for line in lines { run(commandID, line) } }

    /// Lets a command that waits end.
    func finish(_ commandID: String) { end(commandID, .finished) }

    var definition: ServiceDefinition {
        ServiceDefinition(name: "cluster", summary: "A scripted one.", defaultPort: 0, hasDatabase: false) {
            [self] _, router in
            registerContexts(router)
            registerQuestions(router)
            registerCommands(router)
            return []
        }
    }

    private func registerContexts(_ router: ServiceRouter) {
        router.on(ClusterAPI.getCluster) { [self] input, _ in
            try await state.withLock { $0.looking[input.clusterID] }?()
            return info(input.clusterID)
        }
        router.on(ClusterAPI.watchCluster) { [self] input, _, send in try await send(info(input.clusterID)) }
        router.on(ClusterAPI.streamClusterLogs) { input, _, send in
            for number: Int64 in 1...3 where number > input.after ?? 0 {
                try await send(LogLine(sequence: number, timestamp: .now, source: "driver", text: "line \(number)"))
            }
        }
        router.on(ClusterAPI.createContext) { [self] input, _ in
            let id = input.body.contextID ?? Identifier.make()
            state.withLock { if $0.contexts.insert(id).inserted { $0.made.append(id) } }
            return ScriptedCluster.context(id, input.clusterID)
        }
        router.on(ClusterAPI.getContext) { [self] input, _ in
            guard state.withLock({ $0.contexts.contains(input.contextID) }) else {
                throw HarbourError(.notFound, "There is no context \(input.contextID).")
            }
            return ScriptedCluster.context(input.contextID, input.clusterID)
        }
        router.on(ClusterAPI.deleteContext) { [self] input, _ in
            let open = state.withLock { state in
                state.contexts.remove(input.contextID)
                return state.commands.filter { !$0.value.isOver }.map(\.key)
            }
            for id in open { end(id, .cancelled) }
            return Empty()
        }
    }

    /// The answers are made of the questions. The code `run` is that of a kernel that runs something.
    private func registerQuestions(_ router: ServiceRouter) {
        router.on(ClusterAPI.completeCode) { [self] input, _ in
            try ask(input.contextID)
            let (body, isBusy) = (input.body, input.body.code == "run")
            let match = CompletionMatch(text: body.code, type: body.language, signature: input.clusterID)
            return Completion(
                matches: isBusy ? [] : [match], cursorStart: 0, cursorEnd: body.cursorPos, busy: isBusy)
        }
        router.on(ClusterAPI.inspectCode) { [self] input, _ in
            try ask(input.contextID)
            return Inspection(found: true, text: "\(input.body.code) \(input.body.detailLevel ?? 0)", busy: false)
        }
    }

    private func ask(_ context: String) throws(HarbourError) {
        let isThere = state.withLock { state in
            state.asked.append(context)
            return state.contexts.contains(context)
        }
        if !isThere { throw HarbourError(.notFound, "There is no context \(context).") }
    }

    private static func context(_ id: String, _ clusterID: String) -> ContextInfo {
        ContextInfo(
            contextID: id, clusterID: clusterID, language: "python", kernel: "python", state: .running,
            createdTime: .now)
    }

    private func info(_ id: String) -> ClusterInfo {
        ClusterInfo(
            clusterID: id, spec: ClusterSpec(clusterName: id), backend: "scripted",
            state: state.withLock { $0.cluster }, stateMessage: "", creatorUserName: "tester", startTime: .now,
            lastActivityTime: .now)
    }

    private func registerCommands(_ router: ServiceRouter) {
        router.on(ClusterAPI.runCommand) { [self] input, _, send in
            begin(input.commandID, input.body)
            var last = input.body.after ?? 0
            while true {
                let news = state.withLock { $0.commands[input.commandID]?.events.filter { $0.sequence > last } ?? [] }
                for event in news {
                    try await send(event)
                    last = event.sequence
                    if event.type == .state, event.state != .running { return }
                }
                await waitForNews(input.commandID, after: last)
                try Task.checkCancellation()
            }
        }
        router.on(ClusterAPI.cancelCommand) { [self] input, _ in
            end(input.commandID, .cancelled)
            return CommandInfo(
                commandID: input.commandID, contextID: input.contextID, clusterID: input.clusterID, language: "python",
                state: .cancelled, submittedTime: .now, lastSequence: 0)
        }
    }

    private func begin(_ id: String, _ run: CommandRun) {
        let isNew = state.withLock { state in
            if state.commands[id] != nil { return false }
            state.commands[id] = Command(widgets: run.widgets)
            state.started.append(id)
            return true
        }
        guard isNew else { return }
        emit(id, CommandEvent(sequence: 0, timestamp: .now, type: .state, state: .running))
        for line in run.source.split(separator: "\n") where self.run(id, String(line)) == false { return }
        end(id, .finished)
    }

    /// Does what a line says; false when nothing follows it by itself.
    @discardableResult
    private func run(_ id: String, _ line: String) -> Bool {
        let words = line.split(separator: " ", maxSplits: 1).map(String.init)
        let rest = words.count > 1 ? words[1] : ""
        switch words[0] {
        case "print":
            emit(id, CommandEvent(sequence: 0, timestamp: .now, type: .stream, name: "stdout", text: rest + "\n"))
        case "show":
            let parts = rest.split(separator: " ").map(String.init)
            let value = String(repeating: "x", count: Int(parts[1]) ?? 1)
            emit(id, CommandEvent(sequence: 0, timestamp: .now, type: .display, data: [parts[0]: .string(value)]))
        case "widgets":
            let data = try? JSONValue(json: Array(rest.utf8)).object
            emit(id, CommandEvent(sequence: 0, timestamp: .now, type: .widgets, data: data))
        case "value":
            let widget = state.withLock { $0.commands[id]?.widgets?.first { $0.name == rest } }
            let text = widget.map { $0.value ?? $0.defaultValue } ?? "(none)"
            emit(id, CommandEvent(sequence: 0, timestamp: .now, type: .stream, name: "stdout", text: text + "\n"))
        case "exit":
            emit(id, CommandEvent(sequence: 0, timestamp: .now, type: .exit, text: rest))
            end(id, .finished)
            return false
        case "fail":
            let failure = CommandError(code: "COMMAND_FAILED", name: "ValueError", message: rest, traceback: [rest])
            emit(id, CommandEvent(sequence: 0, timestamp: .now, type: .error, error: failure))
            end(id, .error, failure)
            return false
        case "wait": return false
        default: break
        }
        return true
    }

    private func end(_ id: String, _ end: CommandState, _ error: CommandError? = nil) {
        let isNew = state.withLock { state in
            defer { state.commands[id]?.isOver = true }
            return state.commands[id]?.isOver == false
        }
        guard isNew else { return }
        emit(
            id,
            CommandEvent(sequence: 0, timestamp: .now, type: .state, state: end, executionCount: 1, error: error))
    }

    private func emit(_ id: String, _ event: CommandEvent?) {
        let readers = state.withLock { state in
            if var event {
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
            emit(id, nil)
        }
    }
}
