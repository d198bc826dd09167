import ClusterBackend
import Core
import EventLoop
import HTTPServer
import HarbourProtocol
import ServiceKit
import SimulatedBackend

/// A driver without Spark and kernels, but with the real server and the real contract: what the simulated place starts.
///
/// The source of a command says what it does: `hang` runs until it is cancelled, `fail` ends with an error, everything
/// else prints itself and finishes. A hanging command goes on when the test calls `release`.
actor TestDriver {
    private struct Command {
        var info: CommandInfo
        var events: [CommandEvent] = []
    }
    private struct Key: Hashable {
        var context: String
        var command: String
    }

    nonisolated let driver: SimulatedDriver
    nonisolated let loop: EventLoop
    private var server: HTTPServer?
    var address = ""
    private var phase = DriverPhase.starting
    private var failure: (code: String, message: String)?
    private var sequence: Int64 = 0
    private var contexts: [String: ContextInfo] = [:]
    /// Contexts that have ended, the first in front. As the real driver, it forgets the commands of all but the last 64.
    private var endings: [String] = []
    private var commands: [Key: Command] = [:]
    private var listeners: [Int: AsyncStream<Void>.Continuation] = [:]
    private var nextListener = 0
    private var isFrozen = false
    /// How many questions it has left without an answer while it was frozen.
    private(set) var unanswered = 0
    private var libraries: [LibraryFullStatus] = []
    private var streams = 0
    private var wantedSecrets: [WantedSecret] = []
    private(set) var secretAnswers: [SecretAnswer] = []
    private var tasks = (active: 0, pending: 0)
    /// How often each command was really run, by its id.
    private(set) var runs: [String: Int] = [:]

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(_ driver: SimulatedDriver, loop: EventLoop) {
        self.driver = driver
        self.loop = loop
    }

    // MARK: What tests do

    func start() async throws -> DriverAddress {
        let token = driver.request.launch.token.reveal()
        let router = ServiceRouter(loop: loop, authenticator: ServiceTokenAuthenticator(token: token))
        register(router)
        let server = HTTPServer(
            configuration: HTTPServerConfiguration(address: .tcp(host: "127.0.0.1", port: 0)), handler: router,
            loop: loop)
        self.server = server
        let port = try await server.start()
        address = "http://127.0.0.1:\(port)"
        return .http(host: "127.0.0.1", port: port)
    }

    func stop() async {
        for listener in listeners.values { listener.finish() }
        await server?.drain(budget: .zero)
    }

    func set(_ phase: DriverPhase, failure: (code: String, message: String)? = nil) {
        self.phase = phase
        self.failure = failure
        changed()
    }

    /// Stops answering while all connections stay open, as a stopped process does.
    func freeze() { isFrozen = true }

    /// What Spark does beside commands. Nothing announces it, as with the real driver.
    func setStreams(_ count: Int) { streams = count }
    func setTasks(active: Int, pending: Int) { tasks = (active, pending) }

    /// Lets hanging commands finish.
    func release() {
        for key in commands.keys where commands[key]?.info.state == .running { finish(key, .finished) }
    }

    var status: DriverStatus {
        DriverStatus(
            clusterID: driver.request.id.text, phase: phase, sequence: sequence, errorCode: failure?.code,
            message: failure?.message, startedTime: .now,
            phases: phase == .running ? [PhaseTiming(name: "jvm", milliseconds: 7)] : [],
            spark: phase == .running ? SparkInfo(version: "4.1.0", applicationID: "local-1") : nil,
            contexts: contexts.count, busyCommands: commands.values.filter { !$0.info.state.isOver }.count,
            activeTasks: tasks.active, pendingTasks: tasks.pending, streams: streams)
    }

    // MARK: What it is

    private func changed() {
        sequence += 1
        for listener in listeners.values { listener.yield() }
    }

    private func changes() -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        nextListener += 1
        let key = nextListener
        listeners[key] = continuation
        continuation.onTermination = { [weak self, loop] _ in
            loop.submit { [weak self] in self?.assumeIsolated { $0.listeners[key] = nil } }
        }
        continuation.yield()
        return stream
    }

    private func thaw() async throws {
        if isFrozen { unanswered += 1 }
        while isFrozen { try await loop.sleep(for: .seconds(3600)) }
    }

    private func register(_ router: ServiceRouter) {
        registerQuestions(router)
        registerSecrets(router)
        router.on(DriverAPI.getStatus) { [self] _, _ in
            try await thaw()
            return await status
        }
        router.on(DriverAPI.streamStatus) { [self] _, _, send in
            for await _ in await changes() {
                try await thaw()
                try await send(await status)
            }
        }
        router.on(DriverAPI.createContext) { [self] input, _ in await createContext(input.body) }
        router.on(DriverAPI.listContexts) { [self] _, _ in
            try await thaw()
            return ContextList(contexts: await Array(contexts.values))
        }
        router.on(DriverAPI.getContext) { [self] input, _ in
            guard let info = await contexts[input.contextID] else { throw missing }
            return info
        }
        router.on(DriverAPI.deleteContext) { [self] input, _ in
            await removeContext(input.contextID)
            return Empty()
        }
        router.on(DriverAPI.executeCommand) { [self] input, _ in
            try await execute(input.contextID, input.body.commandID ?? "", input.body.source)
        }
        router.on(DriverAPI.getCommand) { [self] input, _ in
            try await thaw()
            guard let info = await info(input.contextID, input.commandID) else { throw missing }
            return info
        }
        router.on(DriverAPI.cancelCommand) { [self] input, _ in
            guard await info(input.contextID, input.commandID) != nil else { throw missing }
            await finish(Key(context: input.contextID, command: input.commandID), .cancelled)
            guard let info = await info(input.contextID, input.commandID) else { throw missing }
            return info
        }
        router.on(DriverAPI.streamCommandEvents) { [self] input, _, send in
            try await stream(input.contextID, input.commandID, input.after ?? 0) { try await send($0) }
        }
        router.on(DriverAPI.runCommand) { [self] input, _, send in
            _ = try await execute(input.contextID, input.commandID, input.body.source)
            try await stream(input.contextID, input.commandID, input.body.after ?? 0) { try await send($0) }
        }
        router.on(DriverAPI.installLibraries) { [self] input, _ in
            await install(input.body.libraries)
            return DriverLibraries(libraries: await libraries)
        }
        router.on(DriverAPI.listLibraries) { [self] _, _ in DriverLibraries(libraries: await libraries) }
        router.on(DriverAPI.streamSparkEvents) { input, _, send in
            let events = [
                #"{"Event":"SparkListenerLogStart","Spark Version":"4.3.0"}"#,
                #"{"Event":"SparkListenerApplicationStart","App Name":"kept","App ID":"local-1","#
                    + #""Timestamp":1795240000000,"User":"u"}"#,
                #"{"Event":"SparkListenerApplicationEnd","Timestamp":1795240009000}"#,
            ]
            for (index, text) in events.enumerated() where Int64(index) >= input.after ?? 0 {
                try await send(
                    LogLine(sequence: Int64(index + 1), timestamp: .now, source: "spark-events", text: text))
            }
        }
        router.on(DriverAPI.streamLogs) { _, _, send in
            try await send(LogLine(sequence: 1, timestamp: .now, source: "driver", text: "a line of the driver's"))
        }
    }

    /// Asks as a kernel does.
    func ask(_ wanted: WantedSecret) {
        wantedSecrets.append(wanted)
        changed()
    }

    private func registerSecrets(_ router: ServiceRouter) {
        router.on(DriverAPI.streamWantedSecrets) { [self] _, _, send in
            var asked: Set<Int64> = []
            for await _ in await changes() {
                for wanted in await wantedSecrets where asked.insert(wanted.questionID).inserted {
                    try await send(wanted)
                }
            }
        }
        router.on(DriverAPI.answerSecret) { [self] input, _ in
            await take(input.body)
            return Empty()
        }
    }

    private func take(_ answer: SecretAnswer) {
        secretAnswers.append(answer)
        wantedSecrets.removeAll { $0.questionID == answer.questionID }
    }

    private func registerQuestions(_ router: ServiceRouter) {
        router.on(DriverAPI.completeCode) { [self] input, _ in
            try await thaw()
            guard await contexts[input.contextID] != nil else { throw missing }
            let match = CompletionMatch(text: input.body.code + "!")
            return Completion(matches: [match], cursorStart: 0, cursorEnd: input.body.cursorPos, busy: false)
        }
        router.on(DriverAPI.inspectCode) { [self] input, _ in
            guard await contexts[input.contextID] != nil else { throw missing }
            return Inspection(found: true, text: input.body.code, busy: false)
        }
    }

    private func install(_ wanted: [Library]) {
        libraries += wanted.map { LibraryFullStatus(library: $0, status: .installed) }
    }

    private nonisolated var missing: HarbourError { HarbourError(.notFound, "It does not exist here.") }

    private func createContext(_ spec: ContextSpec) -> ContextInfo {
        let id = spec.contextID ?? "c"
        let info =
            contexts[id]
            ?? ContextInfo(
                contextID: id, clusterID: driver.request.id.text, language: spec.language ?? "python",
                kernel: "python3", state: .running, createdTime: .now)
        contexts[id] = info
        changed()
        return info
    }

    private func removeContext(_ id: String) {
        contexts[id] = nil
        let error = CommandError(
            code: "CONTEXT_TERMINATED", name: "ContextTerminated", message: "The context was ended.")
        for key in commands.keys where key.context == id { finish(key, .cancelled, error) }
        endings.append(id)
        if endings.count > 64 {
            let forgotten = endings.removeFirst()
            commands = commands.filter { $0.key.context != forgotten }
        }
        changed()
    }

    private func info(_ context: String, _ command: String) -> CommandInfo? {
        commands[Key(context: context, command: command)]?.info
    }

    private func execute(_ context: String, _ id: String, _ source: String) throws -> CommandInfo {
        guard contexts[context] != nil else { throw missing }
        let key = Key(context: context, command: id)
        if let known = commands[key] { return known.info }
        runs[id, default: 0] += 1
        commands[key] = Command(
            info: CommandInfo(
                commandID: id, contextID: context, clusterID: driver.request.id.text, language: "python",
                state: .running, submittedTime: .now, lastSequence: 0))
        add(key, CommandEvent(sequence: 0, timestamp: .now, type: .state, state: .running))
        add(key, CommandEvent(sequence: 0, timestamp: .now, type: .stream, name: "stdout", text: source))
        switch source {
        case "hang": break
        case "fail":
            commands[key]?.info.error = CommandError(code: "COMMAND_FAILED", name: "ValueError", message: "no")
            finish(key, .error)
        default: finish(key, .finished)
        }
        return commands[key]?.info
            ?? CommandInfo(
                commandID: id, contextID: context, clusterID: "", language: "", state: .error, submittedTime: .now,
                lastSequence: 0)
    }

    private func add(_ key: Key, _ event: CommandEvent) {
        var event = event
        event.sequence = Int64((commands[key]?.events.count ?? 0) + 1)
        commands[key]?.events.append(event)
        commands[key]?.info.lastSequence = event.sequence
        changed()
    }

    private func finish(_ key: Key, _ state: CommandState, _ error: CommandError? = nil) {
        guard commands[key]?.info.state.isOver == false else { return }
        commands[key]?.info.state = state
        commands[key]?.info.endTime = .now
        if let error { commands[key]?.info.error = error }
        add(key, CommandEvent(sequence: 0, timestamp: .now, type: .state, state: state, error: error))
    }

    private func stream(
        _ context: String, _ command: String, _ after: Int64, _ send: (CommandEvent) async throws -> Void
    ) async throws {
        let key = Key(context: context, command: command)
        guard commands[key] != nil else { throw missing }
        var last = after
        for await _ in changes() {
            try await thaw()
            for event in commands[key]?.events ?? [] where event.sequence > last {
                try await send(event)
                last = event.sequence
            }
            if commands[key]?.info.state.isOver != false { return }
        }
        throw HarbourError(.unavailable, "The driver ends.")
    }
}

extension CommandState {
    var isOver: Bool { self == .finished || self == .error || self == .cancelled }
}
