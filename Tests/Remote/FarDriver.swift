import ClusterBackend
import Core
import EventLoop
import HTTPServer
import HarbourProtocol
import ServiceKit
import SimulatedBackend

/// What a simulated cluster of the far platform has as its driver: the real server and contract, no Spark.
///
/// The source of a command says what it does: `hang` runs until `release`, everything else prints itself and finishes.
actor FarTestDriver {
    private struct Key: Hashable {
        var context: String
        var command: String
    }
    private struct Command {
        var state = CommandState.running
        var events: [CommandEvent] = []
    }

    nonisolated let cluster: String
    nonisolated let loop: EventLoop
    /// Unlike that of every other driver.
    nonisolated let application = "app-\(Identifier.make())"
    private let token: String
    private var server: HTTPServer?
    private var contexts: [String: ContextInfo] = [:]
    private var commands: [Key: Command] = [:]
    private var waiters: [CheckedContinuation<Void, Never>] = []
    /// How often each command was really run.
    private(set) var runs: [String: Int] = [:]

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(_ driver: SimulatedDriver, loop: EventLoop) {
        cluster = driver.request.id.text
        token = driver.request.launch.token.reveal()
        self.loop = loop
    }

    func start() async throws -> DriverAddress {
        let router = ServiceRouter(loop: loop, authenticator: ServiceTokenAuthenticator(token: token))
        register(router)
        let server = HTTPServer(
            configuration: HTTPServerConfiguration(address: .tcp(host: "127.0.0.1", port: 0)), handler: router,
            loop: loop)
        self.server = server
        return .http(host: "127.0.0.1", port: try await server.start())
    }

    func stop() async {
        await server?.drain(budget: .zero)
        changed()
    }

    /// Lets hanging commands finish.
    func release() {
        for key in commands.keys where commands[key]?.state == .running { finish(key, .finished) }
    }

    private func changed() {
        let waiting = waiters
        waiters = []
        for waiter in waiting { waiter.resume() }
    }

    private func change() async { await withCheckedContinuation { waiters.append($0) } }

    private var status: DriverStatus {
        DriverStatus(
            clusterID: cluster, phase: .running, sequence: 1, startedTime: .now,
            spark: SparkInfo(version: "4.3.0", applicationID: application))
    }

    private func register(_ router: ServiceRouter) {
        router.on(DriverAPI.getStatus) { [self] _, _ in await status }
        router.on(DriverAPI.streamStatus) { [self] _, _, send in
            try await send(await status)
            try await loop.sleep(for: .seconds(3600))
        }
        router.on(DriverAPI.createContext) { [self] input, _ in await createContext(input.body) }
        router.on(DriverAPI.listContexts) { [self] _, _ in ContextList(contexts: await Array(contexts.values)) }
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
        router.on(DriverAPI.getCommand) { [self] input, _ in try await info(input.contextID, input.commandID) }
        router.on(DriverAPI.cancelCommand) { [self] input, _ in
            await finish(Key(context: input.contextID, command: input.commandID), .cancelled)
            return try await info(input.contextID, input.commandID)
        }
        router.on(DriverAPI.streamCommandEvents) { [self] input, _, send in
            try await stream(input.contextID, input.commandID, input.after ?? 0) { try await send($0) }
        }
        router.on(DriverAPI.runCommand) { [self] input, _, send in
            _ = try await execute(input.contextID, input.commandID, input.body.source)
            try await stream(input.contextID, input.commandID, input.body.after ?? 0) { try await send($0) }
        }
        router.on(DriverAPI.listLibraries) { _, _ in DriverLibraries(libraries: []) }
    }

    private nonisolated var missing: HarbourError { HarbourError(.notFound, "It does not exist here.") }

    private func createContext(_ spec: ContextSpec) -> ContextInfo {
        let id = spec.contextID ?? "c"
        let info =
            contexts[id]
            ?? ContextInfo(
                contextID: id, clusterID: cluster, language: spec.language ?? "python", kernel: "python3",
                state: .running, createdTime: .now)
        contexts[id] = info
        return info
    }

    private func removeContext(_ id: String) { contexts[id] = nil }

    private func info(_ context: String, _ id: String) throws -> CommandInfo {
        guard let command = commands[Key(context: context, command: id)] else { throw missing }
        return CommandInfo(
            commandID: id, contextID: context, clusterID: cluster, language: "python", state: command.state,
            submittedTime: .now, lastSequence: Int64(command.events.count))
    }

    private func execute(_ context: String, _ id: String, _ source: String) throws -> CommandInfo {
        guard contexts[context] != nil else { throw missing }
        let key = Key(context: context, command: id)
        if commands[key] == nil {
            runs[id, default: 0] += 1
            commands[key] = Command()
            add(key, CommandEvent(sequence: 0, timestamp: .now, type: .state, state: .running))
            for line in source.split(separator: "\n") {
                add(key, CommandEvent(sequence: 0, timestamp: .now, type: .stream, name: "stdout", text: "\(line)\n"))
            }
            if !source.hasPrefix("hang") { finish(key, .finished) }
        }
        return try info(context, id)
    }

    private func add(_ key: Key, _ event: CommandEvent) {
        var event = event
        event.sequence = Int64((commands[key]?.events.count ?? 0) + 1)
        commands[key]?.events.append(event)
        changed()
    }

    private func finish(_ key: Key, _ state: CommandState) {
        guard commands[key]?.state == .running else { return }
        add(key, CommandEvent(sequence: 0, timestamp: .now, type: .stream, name: "stdout", text: "done\n"))
        commands[key]?.state = state
        add(key, CommandEvent(sequence: 0, timestamp: .now, type: .state, state: state))
    }

    private func stream(
        _ context: String, _ id: String, _ after: Int64, _ send: (CommandEvent) async throws -> Void
    ) async throws {
        let key = Key(context: context, command: id)
        guard commands[key] != nil else { throw missing }
        var last = after
        while let command = commands[key] {
            for event in command.events where event.sequence > last {
                try await send(event)
                last = event.sequence
            }
            if commands[key]?.state != .running { return }
            await change()
            try Task.checkCancellation()
        }
    }
}
