internal import CellExecution
internal import Core
internal import HarbourProtocol

extension CellEnding {
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

/// Runs one cell of an attempt as a command and writes its events down.
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
        let follower = CommandFollower(clusters: context.clusters, loop: context.loop, label: "scheduler")
        let command = CommandFollower.Order(
            clusterID: clusterID, contextID: order.attemptID, commandID: commandID, language: cell.language,
            source: cell.source, user: order.user)
        return try await follower.follow(command) { event in
            try await progress.tell(
                RunEvent(
                    sequence: 0, timestamp: event.timestamp, type: .cell, taskKey: order.task.taskKey,
                    attemptNumber: order.key.number, cellID: cell.cellID, event: event),
                command: .init(commandID: commandID, sequence: event.sequence))
        }
    }
}
