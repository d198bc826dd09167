internal import ClusterBackend
internal import Core
internal import EventLoop
internal import HarbourProtocol

/// Contexts and commands of a cluster on Databricks, as a driver of ours would have them.
///
/// Databricks names what it makes, so a command is written down before it is handed over and again with its name there.
/// One whose handing over was not answered is never handed over again. It tells outputs only at the end, so a command's
/// events come then, all at once.
///
/// An actor on the loop.
actor DatabricksDriver: FarDriver {
    struct Key: Hashable {
        var context: String
        var command: String
    }

    private nonisolated let loop: EventLoop
    private nonisolated let client: DatabricksClient
    private nonisolated let cluster: ClusterIdentifier
    private nonisolated let farID: String
    private nonisolated let files: DatabricksFiles
    private var contexts: [String: DatabricksContext]?
    /// Commands that have been asked for in this life.
    private var commands: [Key: DatabricksCommand] = [:]
    private var pollers: [Key: Task<Void, Never>] = [:]
    private var readers: [Int: AsyncStream<Void>.Continuation] = [:]
    private var nextReader = 0
    private let log = Logger("backend.remote")

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(client: DatabricksClient, cluster: ClusterIdentifier, farID: String, folder: String) {
        self.client = client
        self.cluster = cluster
        self.farID = farID
        loop = client.loop
        files = DatabricksFiles(folder: folder)
    }

    /// Listens no more; commands go on.
    func close() {
        for poller in pollers.values { poller.cancel() }
        pollers = [:]
        for reader in readers.values { reader.finish() }
        readers = [:]
    }

    // MARK: Contexts

    private func known() async throws -> [String: DatabricksContext] {
        if let contexts { return contexts }
        let read = try await files.contexts()
        let table = contexts ?? Dictionary(read.map { ($0.id, $0) }) { first, _ in first }
        contexts = table
        return table
    }

    private func context(_ id: String) async throws -> DatabricksContext {
        guard let context = try await known()[id] else {
            throw HarbourError(.notFound, "The cluster has no context \(id). It may have been ended; make a new one.")
        }
        return context
    }

    func createContext(_ spec: ContextSpec, until deadline: MonotonicTime?) async throws -> ContextInfo {
        let id = spec.contextID ?? Identifier.make()
        guard DatabricksFiles.isName(id) else { throw DatabricksDriver.invalidName("context_id") }
        let language = try DatabricksDriver.language(spec.language ?? "python")
        if let context = try await known()[id] {
            guard context.language == language else {
                throw HarbourError(.conflict, "The context \(id) exists with another language. Choose another id.")
            }
            return info(context, .running)
        }
        // A second one would be left alone until the cluster ends, which is better than one that is not known.
        let answer = try await client.post(
            "/api/1.2/contexts/create", ["clusterId": .string(farID), "language": .string(language)],
            isRepeatable: false, until: deadline)
        guard let name = answer["id"]?.string else {
            throw HarbourError(.badGateway, "Databricks made a context without saying its name.")
        }
        let context = DatabricksContext(id: id, farID: name, language: language, created: .now)
        try await files.store(context)
        contexts?[id] = context
        return info(context, .running)
    }

    private func info(_ context: DatabricksContext, _ state: ContextState) -> ContextInfo {
        ContextInfo(
            contextID: context.id, clusterID: cluster.text, language: context.language, kernel: "databricks",
            state: state, createdTime: context.created)
    }

    func listContexts(until deadline: MonotonicTime?) async throws -> ContextList {
        let all = try await known().values.sorted { ($0.created, $0.id) < ($1.created, $1.id) }
        return ContextList(contexts: all.map { info($0, .running) })
    }

    func getContext(_ id: String, until deadline: MonotonicTime?) async throws -> ContextInfo {
        let context = try await context(id)
        let answer = try await client.get(
            "/api/1.2/contexts/status", ["clusterId": farID, "contextId": context.farID], until: deadline)
        let state: ContextState =
            switch answer["status"]?.string {
            case "Pending": .pending
            case "Running": .running
            default: .error
            }
        return info(context, state)
    }

    func deleteContext(_ id: String, until deadline: MonotonicTime?) async throws {
        let context = try await context(id)
        do throws(HarbourError) {
            _ = try await client.post(
                "/api/1.2/contexts/destroy", ["clusterId": .string(farID), "contextId": .string(context.farID)],
                isRepeatable: true, until: deadline)
        } catch {
            if error.code.status != 404 { throw error }
        }
        try await files.remove(context: id)
        contexts?[id] = nil
    }

    // MARK: Commands

    func execute(_ spec: CommandSpec, in context: String, until deadline: MonotonicTime?) async throws -> CommandInfo {
        try await submit(spec, in: context).info(cluster: cluster.text)
    }

    /// Hands a command over, or finds it.
    private func submit(
        _ spec: CommandSpec, in contextID: String
    ) async throws -> DatabricksCommand {
        let context = try await context(contextID)
        let id = spec.commandID ?? Identifier.make()
        guard DatabricksFiles.isName(id) else { throw DatabricksDriver.invalidName("command_id") }
        var command = DatabricksCommand(
            context: contextID, id: id, language: try DatabricksDriver.language(spec.language ?? context.language),
            source: spec.source, submitted: .now, timeoutSeconds: spec.timeoutSeconds ?? 0)
        let key = Key(context: contextID, command: id)
        if let known = try await find(key) {
            guard known.digest == command.digest else {
                throw HarbourError(.conflict, "The command id \(id) is in use with another source. Choose another id.")
            }
            return known
        }
        command.begin()
        commands[key] = command
        // A caller that hangs up must not break off the handing over: nobody would know whether it has arrived.
        let work = Task.immediate(executorPreference: loop) { [command] in
            try await handOver(command, spec.source, to: context, key)
        }
        return try await work.value
    }

    private func handOver(
        _ new: DatabricksCommand, _ source: String, to context: DatabricksContext, _ key: Key
    ) async throws -> DatabricksCommand {
        var command = new
        do {
            try await files.store(command)
            let answer = try await client.post(
                "/api/1.2/commands/execute",
                [
                    "clusterId": .string(farID), "contextId": .string(context.farID),
                    "language": .string(command.language), "command": .string(source),
                ], isRepeatable: false)
            guard let name = answer["id"]?.string else {
                throw HarbourError(.remoteAnswerLost, "Databricks took a command without saying its name.")
            }
            command.farID = name
            command.stage = .sent
            commands[key] = command
            try await files.store(command)
            poll(key)
        } catch let error as HarbourError where error.code == .remoteAnswerLost {
            command.fail(DatabricksCommand.lost, at: .now)
            commands[key] = command
            try await files.store(command)
            changed()
        } catch {
            // It was refused, so it does not run.
            guard command.stage == .sending else { throw error }
            commands[key] = nil
            try await files.remove(command: command)
            throw error
        }
        return command
    }

    private func keep(_ command: DatabricksCommand, _ key: Key) async throws {
        commands[key] = command
        let files = files
        // A caller that has hung up must not leave a command half written.
        try await Task.immediate(executorPreference: loop) { try await files.store(command) }.value
        changed()
    }

    /// A command of this life or an earlier one; one that an earlier life was just handing over is lost.
    private func find(_ key: Key) async throws -> DatabricksCommand? {
        if let command = commands[key] { return command }
        guard DatabricksFiles.isName(key.context), DatabricksFiles.isName(key.command),
            var command = try await files.command(key.command, in: key.context)
        else { return nil }
        if let command = commands[key] { return command }
        if command.stage == .sending {
            command.fail(DatabricksCommand.lost, at: .now)
            try await keep(command, key)
        }
        commands[key] = command
        if command.stage == .sent { poll(key) }
        return command
    }

    private func existing(_ id: String, _ context: String) async throws -> DatabricksCommand {
        guard let command = try await find(Key(context: context, command: id)) else {
            throw HarbourError(.notFound, "The context \(context) has no command \(id).")
        }
        return command
    }

    func command(_ id: String, in context: String, until deadline: MonotonicTime?) async throws -> CommandInfo {
        try await existing(id, context).info(cluster: cluster.text)
    }

    func cancel(_ id: String, in context: String, until deadline: MonotonicTime?) async throws -> CommandInfo {
        let command = try await existing(id, context)
        if command.stage == .sent { try await cancelThere(command, until: deadline) }
        return try await existing(id, context).info(cluster: cluster.text)
    }

    private func cancelThere(_ command: DatabricksCommand, until deadline: MonotonicTime?) async throws {
        let context = try await context(command.context)
        _ = try await client.post(
            "/api/1.2/commands/cancel",
            [
                "clusterId": .string(farID), "contextId": .string(context.farID),
                "commandId": .string(command.farID ?? ""),
            ], isRepeatable: true, until: deadline)
    }

    func run(
        _ id: String, in context: String, _ run: CommandRun, to receive: @escaping Receiver<CommandEvent>
    ) async throws {
        _ = try await submit(
            CommandSpec(
                commandID: id, language: run.language, source: run.source, timeoutSeconds: run.timeoutSeconds),
            in: context)
        try await follow(id, in: context, after: run.after ?? 0, to: receive)
    }

    func follow(
        _ id: String, in context: String, after sequence: Int64, to receive: @escaping Receiver<CommandEvent>
    ) async throws {
        var last = sequence
        for await _ in changes() {
            let command = try await existing(id, context)
            for event in command.events where event.sequence > last {
                try await receive(event)
                last = event.sequence
            }
            if command.stage == .done { return }
        }
        try Task.checkCancellation()
        throw HarbourError(.unavailable, "The cluster is not followed any more. Ask again in a moment.")
    }

    private func changes() -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let reader = nextReader
        nextReader += 1
        readers[reader] = continuation
        continuation.onTermination = { [weak self, loop] _ in
            loop.submit { [weak self] in self?.assumeIsolated { $0.readers[reader] = nil } }
        }
        continuation.yield()
        return stream
    }

    private func changed() { for reader in readers.values { reader.yield() } }

    // MARK: To the end

    /// Asks for a command until it has ended: the API tells nothing by itself.
    private func poll(_ key: Key) {
        guard pollers[key] == nil else { return }
        pollers[key] = loop.spawn { [self] in
            var pause = Duration.milliseconds(100)
            var failures = 0
            while !Task.isCancelled {
                do {
                    if try await look(key) { break }
                    failures = 0
                } catch {
                    if Task.isCancelled { return }
                    let error = HarbourError.wrap(error)
                    log.debug("a command on Databricks is not heard of", ["error": error.describeChain()])
                    // What says that it cannot be asked now says nothing about the command; what says so for long does.
                    let isFinal = error.code.status == 404 || error.code == .invalidParameter
                    failures += error.code == .badGateway ? 1 : 0
                    if isFinal || failures > 20 {
                        await lose(key)
                        break
                    }
                }
                do { try await loop.sleep(for: pause) } catch { return }
                pause = min(pause * 3 / 2, .seconds(2))
            }
            await forget(key)
        }
    }

    private func forget(_ key: Key) { pollers[key] = nil }

    private func lose(_ key: Key) async {
        guard var command = commands[key], command.stage == .sent else { return }
        command.fail(DatabricksCommand.forgotten, at: .now)
        await keepOrLog(command, key)
    }

    private func keepOrLog(_ command: DatabricksCommand, _ key: Key) async {
        do { try await keep(command, key) } catch {
            log.warning("the end of a command is not written down", ["error": HarbourError.describe(error)])
            changed()
        }
    }

    /// Asks once; true when it has ended.
    private func look(_ key: Key) async throws -> Bool {
        guard var command = commands[key], command.stage == .sent, let name = command.farID else { return true }
        let context = try await context(key.context)
        let answer = try await client.get(
            "/api/1.2/commands/status",
            ["clusterId": farID, "contextId": context.farID, "commandId": name])
        let isLate = command.timeoutSeconds > 0 && .now - command.submitted > .seconds(command.timeoutSeconds)
        let now = Timestamp.now
        let (outputs, failure) = DatabricksResult.events(
            answer["results"] ?? .null, after: Int64(command.events.count), at: now)
        switch answer["status"]?.string {
        case "Finished": command.end(failure == nil ? .finished : .error, outputs, failure, at: now)
        case "Error":
            let error =
                failure
                ?? CommandError(
                    code: "COMMAND_FAILED", name: "Error", message: "Databricks could not run the command.")
            command.end(.error, outputs, error, at: now)
        case "Cancelled":
            let late = CommandError(code: "TIMED_OUT", name: "TimedOut", message: "The command took too long.")
            command.end(isLate ? .error : .cancelled, outputs, isLate ? late : nil, at: now)
        default:
            if isLate { try await cancelThere(command, until: nil) }
            return false
        }
        await keepOrLog(command, key)
        return true
    }

    // MARK: The rest

    func logs(after sequence: Int64, follow: Bool, to receive: @escaping Receiver<LogLine>) async throws {
        throw HarbourError(.unsupported, "Databricks offers no logs of a cluster by its API. Look at them there.")
    }

    func overflow(
        _ id: String, in context: String, offset: Int64?, until deadline: MonotonicTime?
    ) async throws -> CommandOverflow {
        throw HarbourError(.unsupported, "Databricks does not keep what it has cut from an output.")
    }

    func libraries(until deadline: MonotonicTime?) async throws -> DriverLibraries { DriverLibraries(libraries: []) }

    func install(_ libraries: [Library], until deadline: MonotonicTime?) async throws -> DriverLibraries {
        throw HarbourError(.unsupported, "Libraries of a cluster on Databricks are installed there.")
    }

    func shutDown() async throws {
        _ = try await client.post(
            "/api/2.1/clusters/delete", ["cluster_id": .string(farID)], isRepeatable: true)
    }

    private static func language(_ name: String) throws(HarbourError) -> String {
        guard ["python", "sql", "scala", "r"].contains(name) else {
            throw HarbourError(
                .unsupported, "Databricks runs python, sql, scala and r, not \(name.prefix(32)). Choose one of them.")
        }
        return name
    }

    private static func invalidName(_ field: String) -> HarbourError {
        HarbourError(
            .invalidParameter,
            "\(field) must have 1 to 128 letters, digits, dots, dashes, underscores or colons, and no dot in front.")
    }
}
