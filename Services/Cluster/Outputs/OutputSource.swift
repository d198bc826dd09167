internal import CommandJournals
internal import Core
internal import EventLoop
internal import HarbourProtocol
internal import ServiceClients
internal import Synchronization

/// Where the events of commands can be had when their cluster ends.
enum OutputSource: Sendable {
    /// The driver answers, without being silent for so long.
    case driver(DriverLink, silence: Duration)
    /// Its scratch folder is still there. It is final when the driver is known not to write it any more.
    case folder(String, isFinal: Bool)
}

extension OutputKeeper {
    /// Gives all events of a command, from the first one on.
    /// - Returns: false when the source has no such command.
    /// - Throws: what `body` throws, and why the events cannot be had.
    func read(
        _ info: CommandInfo, from source: OutputSource, _ budget: KeepingBudget,
        _ body: (CommandEvent) async throws -> Void
    ) async throws -> Bool {
        switch source {
        case .driver(let link, let silence):
            do {
                let events = try await open(info, link, silence, budget)
                try await read(events, silence, body)
            } catch let error as HarbourError where error.code == .notFound {
                return false
            }
        case .folder(let folder, _):
            guard let file = try await BlockingPool.shared.run({ try JournalFile(of: info, in: folder) }) else {
                return false
            }
            while true {
                let batch = try await BlockingPool.shared.run { file.next() }
                if batch.isEmpty { break }
                for json in batch {
                    try await body(try CommandEvent(json: json, subject: "journal", code: .internalError))
                }
            }
        }
        return true
    }

    /// Opens the stream of a command's events. A driver that hangs is waited for as long as for an event, because its
    /// connection is found to be dead much later.
    private func open(
        _ info: CommandInfo, _ link: DriverLink, _ silence: Duration, _ budget: KeepingBudget
    ) async throws -> ElementStream<CommandEvent> {
        let opening: Task<ElementStream<CommandEvent>, any Error> = Task.immediate(executorPreference: loop) {
            try await link.client.stream(
                DriverAPI.streamCommandEvents,
                .init(contextID: info.contextID, commandID: info.commandID, after: 0),
                context: CallContext(deadline: budget.deadline), patience: .zero)
        }
        // Not by the call's deadline, which is for the whole stream.
        let timer = loop.schedule(after: silence) { opening.cancel() }
        defer { timer.cancel() }
        do {
            return try await withTaskCancellationHandler {
                try await opening.value
            } onCancel: {
                opening.cancel()
            }
        } catch {
            guard opening.isCancelled, !Task.isCancelled else { throw error }
            throw HarbourError(.deadlineExceeded, "The driver does not tell what a command has put out.")
        }
    }

    /// Most of what is read has ended, or its context has, so that a driver that tells nothing is one that hangs. A command
    /// may be open still where the driver did not end its context or nobody knows which there are: what it has not told
    /// then is not waited for either. The rest of the stream is given up.
    private func read(
        _ events: ElementStream<CommandEvent>, _ silence: Duration, _ body: (CommandEvent) async throws -> Void
    ) async throws {
        var iterator = events.makeAsyncIterator()
        while true {
            let timer = loop.schedule(after: silence) { events.discard() }
            defer { timer.cancel() }
            guard let event = try await iterator.next(isolation: self) else { return }
            timer.cancel()
            try await body(event)
        }
    }
}

/// A journal's file that is read on a pool, a batch at a time.
private final class JournalFile: Sendable {
    private static let batchSize = 1 << 20
    private let reader: Mutex<JournalReader>

    /// Nil when there is none.
    init?(of info: CommandInfo, in folder: String) throws(HarbourError) {
        let path = JournalRecord.file(in: folder, contextID: info.contextID, commandID: info.commandID)
        guard KeptFiles.exists(path) else { return nil }
        reader = Mutex(try JournalReader(in: folder, contextID: info.contextID, commandID: info.commandID))
    }

    /// The next events as JSON; empty at the end.
    func next() -> [[UInt8]] {
        reader.withLock { reader in
            var events: [[UInt8]] = []
            var bytes = 0
            while bytes < JournalFile.batchSize, let event = reader.event() {
                bytes += event.count
                events.append(event)
            }
            return events
        }
    }
}
