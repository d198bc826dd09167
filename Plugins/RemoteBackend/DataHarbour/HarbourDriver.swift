internal import ClusterBackend
internal import Core
internal import EventLoop
internal import HarbourProtocol

/// Contexts and commands of a cluster on another DataHarbour: the same contract one floor up.
///
/// A command has the id it has here, and the other platform runs an id once. So after a break it is simply asked for
/// again, from the last event on that came through.
struct HarbourDriver: FarDriver {
    let client: FarClient
    let mark: FarMark

    // MARK: Contexts

    func createContext(_ spec: ContextSpec, until deadline: MonotonicTime?) async throws -> ContextInfo {
        var spec = spec
        spec.contextID = spec.contextID ?? Identifier.make()
        return ours(
            try await client.call(
                ClusterAPI.createContext, .init(clusterID: mark.name, body: spec), isRepeatable: true, until: deadline))
    }

    func listContexts(until deadline: MonotonicTime?) async throws -> ContextList {
        let list = try await client.call(ClusterAPI.listContexts, .init(clusterID: mark.name), until: deadline)
        return ContextList(contexts: list.contexts.map(ours))
    }

    func getContext(_ id: String, until deadline: MonotonicTime?) async throws -> ContextInfo {
        ours(
            try await client.call(
                ClusterAPI.getContext, .init(clusterID: mark.name, contextID: id), until: deadline))
    }

    func deleteContext(_ id: String, until deadline: MonotonicTime?) async throws {
        _ = try await client.call(
            ClusterAPI.deleteContext, .init(clusterID: mark.name, contextID: id), until: deadline)
    }

    func complete(_ spec: CompleteCode, in context: String, until deadline: MonotonicTime?) async throws -> Completion {
        try await client.call(
            ClusterAPI.completeCode, .init(clusterID: mark.name, contextID: context, body: spec), until: deadline)
    }

    func inspect(_ spec: InspectCode, in context: String, until deadline: MonotonicTime?) async throws -> Inspection {
        try await client.call(
            ClusterAPI.inspectCode, .init(clusterID: mark.name, contextID: context, body: spec), until: deadline)
    }

    // MARK: Commands

    func execute(_ spec: CommandSpec, in context: String, until deadline: MonotonicTime?) async throws -> CommandInfo {
        var spec = spec
        spec.commandID = spec.commandID ?? Identifier.make()
        return ours(
            try await client.call(
                ClusterAPI.executeCommand, .init(clusterID: mark.name, contextID: context, body: spec),
                isRepeatable: true, until: deadline))
    }

    func command(_ id: String, in context: String, until deadline: MonotonicTime?) async throws -> CommandInfo {
        ours(
            try await client.call(
                ClusterAPI.getCommand, .init(clusterID: mark.name, contextID: context, commandID: id), until: deadline))
    }

    func cancel(_ id: String, in context: String, until deadline: MonotonicTime?) async throws -> CommandInfo {
        ours(
            try await client.call(
                ClusterAPI.cancelCommand, .init(clusterID: mark.name, contextID: context, commandID: id),
                until: deadline))
    }

    func run(
        _ id: String, in context: String, _ run: CommandRun, to receive: @escaping Receiver<CommandEvent>
    ) async throws {
        var run = run
        try await listen(from: run.after ?? 0, above: run.after ?? 0, to: receive) {
            [client, mark] last throws(HarbourError) in
            run.after = last
            return try await client.open(
                ClusterAPI.runCommand,
                .init(clusterID: mark.name, contextID: context, commandID: id, body: run))
        }
    }

    func follow(
        _ id: String, in context: String, after sequence: Int64, to receive: @escaping Receiver<CommandEvent>
    ) async throws {
        // A reader that only waits for the end asks from beyond all numbers, from where a stream has nothing to tell.
        let info = try await command(id, in: context, until: nil)
        if info.state.isOver && sequence >= info.lastSequence { return }
        let start = min(sequence, info.lastSequence)
        try await listen(from: start, above: sequence, to: receive) { [client, mark] last throws(HarbourError) in
            try await client.open(
                ClusterAPI.streamCommandEvents,
                .init(clusterID: mark.name, contextID: context, commandID: id, after: last))
        }
    }

    /// Passes events with higher numbers on until the command's end, and opens the stream again where it breaks.
    private func listen(
        from start: Int64, above seen: Int64, to receive: Receiver<CommandEvent>,
        _ open: (Int64) async throws(HarbourError) -> FarStream<CommandEvent>
    ) async throws {
        var last = start
        var isDone = false
        var wasAccepted = false
        var pause = Duration.milliseconds(50)
        while true {
            // An error of the reader's is not one of the stream's.
            var refusal: (any Error)?
            do {
                let stream = try await open(last)
                wasAccepted = true
                pause = .milliseconds(50)
                try await stream.forEach { event in
                    guard event.sequence > last else { return true }
                    do {
                        if event.sequence > seen { try await receive(event) }
                    } catch {
                        refusal = error
                        return false
                    }
                    last = event.sequence
                    isDone = event.type == .state && event.state?.isOver == true
                    return !isDone
                }
                if let refusal { throw refusal }
                if isDone { return }
            } catch {
                if refusal != nil { throw error }
                try Task.checkCancellation()
                let error = HarbourError.wrap(error)
                let isBreak = error.code.status == 502 || error.code.status == 503 || error.code.status == 504
                guard isBreak, wasAccepted || error.code != .remoteTokenRejected else { throw error }
            }
            try await client.loop.sleep(for: pause)
            pause = min(pause * 2, .seconds(5))
        }
    }

    // MARK: The rest

    func logs(after sequence: Int64, follow: Bool, to receive: @escaping Receiver<LogLine>) async throws {
        let stream = try await client.open(
            ClusterAPI.streamClusterLogs, .init(clusterID: mark.name, after: sequence, follow: follow))
        try await stream.forEach { line in
            try await receive(line)
            return true
        }
    }

    func overflow(
        _ id: String, in context: String, offset: Int64?, until deadline: MonotonicTime?
    ) async throws -> CommandOverflow {
        try await client.call(
            ClusterAPI.readCommandOverflow,
            .init(clusterID: mark.name, contextID: context, commandID: id, offset: offset), until: deadline)
    }

    func libraries(until deadline: MonotonicTime?) async throws -> DriverLibraries {
        let found = try await client.call(
            ClusterAPI.listLibraryStatuses, .init(clusterID: mark.name), until: deadline)
        return DriverLibraries(libraries: found.libraryStatuses)
    }

    func install(_ libraries: [Library], until deadline: MonotonicTime?) async throws -> DriverLibraries {
        // One that is there already is not installed twice.
        _ = try await client.call(
            ClusterAPI.installLibraries, .init(body: ClusterLibraries(clusterID: mark.name, libraries: libraries)),
            isRepeatable: true, until: deadline)
        return try await self.libraries(until: deadline)
    }

    func shutDown() async throws {
        _ = try await client.call(ClusterAPI.terminateCluster, .init(clusterID: mark.name, body: TerminateCluster()))
    }

    func close() async {}

    private func ours(_ info: ContextInfo) -> ContextInfo {
        var info = info
        info.clusterID = mark.cluster.text
        return info
    }

    private func ours(_ info: CommandInfo) -> CommandInfo {
        var info = info
        info.clusterID = mark.cluster.text
        return info
    }
}

extension CommandState {
    /// Whether nothing follows.
    var isOver: Bool { self == .finished || self == .error || self == .cancelled }
}
