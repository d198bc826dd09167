internal import Core
internal import EventLoop
internal import HarbourProtocol
internal import NotebookFormats
internal import ServiceClients

/// How a cell ended, and so whether the next one runs.
enum CellEnding: Sendable {
    case finished
    /// The notebook has ended itself with a value; the rest is left out.
    case exited(String)
    case failed(CommandError)
    case interrupted

    var error: CommandError? {
        if case .failed(let error) = self { error } else { nil }
    }

    /// What this ending means for the attempt when no other cell follows.
    var outcome: AttemptOutcome {
        switch self {
        case .finished: .success()
        case .exited(let value): .success(exitValue: value)
        case .failed(let error): .failure(error.code, "\(error.name): \(error.message)")
        case .interrupted:
            .interrupted()
        }
    }
}

/// What a cell left behind.
struct CellResult: Sendable {
    var ending: CellEnding
    var outputs: [JSONValue]
    var executionCount: Int64?
    var isTruncated: Bool
    /// What it left for later tasks.
    var values: [String: JSONValue] = [:]
}

/// Runs one cell as a command, listening until it ends however often the connection breaks.
struct CellRun: Sendable {
    let context: EngineContext
    let order: AttemptOrder
    let clusterID: String
    let cell: NotebookCell
    let index: Int
    let progress: RunProgress

    /// The same whoever asks, so that the command runs once.
    var commandID: String { "\(order.attemptID)-\(index)" }

    func perform() async throws -> CellResult {
        var reader = CellReader()
        var pause = Duration.milliseconds(50)
        while true {
            do {
                let events = try await context.clusters.stream(
                    ClusterAPI.runCommand,
                    .init(
                        clusterID: clusterID, contextID: order.attemptID, commandID: commandID,
                        body: CommandRun(language: cell.language, source: cell.source, after: reader.last)),
                    context: CallContext(user: order.user))
                for try await event in events where event.sequence > reader.last {
                    pause = .milliseconds(50)
                    try await progress.tell(
                        RunEvent(
                            sequence: 0, timestamp: event.timestamp, type: .cell, taskKey: order.task.taskKey,
                            attemptNumber: order.key.number, cellID: cell.cellID, event: event),
                        command: .init(commandID: commandID, sequence: event.sequence))
                    if let result = reader.read(event) { return result }
                }
            } catch {
                let failure = HarbourError.wrap(error)
                guard EngineContext.isPassing(failure), !Task.isCancelled else { throw failure }
                Logger("scheduler").debug(
                    "the events of a command broke off", ["command": commandID, "error": failure.describeChain()])
            }
            // The stream ended before the command did: the service on the way was restarted.
            try await context.loop.sleep(for: pause)
            pause = min(pause * 2, .seconds(2))
        }
    }
}
