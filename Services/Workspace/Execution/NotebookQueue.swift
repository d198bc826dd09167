internal import CellExecution
internal import Core
internal import HarbourProtocol

/// Decides what a notebook does next: a value without clock or I/O. What users ask for is in the database; its owner
/// gives what it finds there to this machine, and does what it says.
///
/// Of a notebook's commands one runs at a time, in the order in which they were asked for.
struct NotebookQueue: Sendable {
    /// A command that has not ended.
    struct Entry: Sendable, Hashable {
        var commandID: String
        var batchID: String
        var user: String
        var isRunning = false
        var isCancelling = false
    }

    /// What happened.
    enum Event: Sendable {
        /// This is in the database now.
        case found([Entry], restartWanted: Bool)
        case contextReady
        case contextFailed(CommandError)
        /// The notebook is attached to another cluster now.
        case contextMoved
        /// The context has ended, as was wanted.
        case contextEnded
        /// A command has ended.
        case heardEnd(String, CellEnding)
        /// The end of the command is written down.
        case finished(String)
    }

    /// What is to be done.
    enum Action: Sendable, Hashable {
        /// Finds the kernel, or starts one.
        case prepareContext
        /// Ends the kernel.
        case endContext
        /// Runs a command, or goes on listening to it.
        case run(String)
        case interrupt(String)
        /// Writes down how a command ended and that others will not run because of it.
        case finish(String, CellEnding, skip: [String])
        /// There is nothing to do: somebody else may have the notebook.
        case rest
    }

    private enum Kernel: Sendable { case unknown, preparing, ready, ending }

    private var entries: [Entry] = []
    private var kernel = Kernel.unknown
    private var restartWanted = false
    private var current: String?
    private var interrupted: Set<String> = []
    /// Commands whose end is being written down.
    private var finishing: Set<String> = []
    /// Those whose end has been.
    private var done: Set<String> = []

    mutating func handle(_ event: Event) -> [Action] {
        switch event {
        case .found(let entries, let restart):
            // What was read before an end was written down is old by now.
            self.entries = entries.filter { !done.contains($0.commandID) }
            restartWanted = restart
        case .contextReady: if kernel == .preparing { kernel = .ready }
        case .contextFailed(let error):
            kernel = .unknown
            return failAll(error) + next()
        case .contextMoved: if kernel != .ending { kernel = .unknown }
        case .contextEnded:
            kernel = .unknown
            restartWanted = false
            // The next kernel is wanted at once: it is ready when somebody comes to run a cell.
            kernel = .preparing
            return [.prepareContext] + next()
        case .heardEnd(let id, let ending): return heard(id, ending)
        case .finished(let id):
            finishing.remove(id)
            done.insert(id)
            entries.removeAll { $0.commandID == id }
        }
        return next()
    }

    /// A kernel that cannot be had fails what waits for it, once.
    private mutating func failAll(_ error: CommandError) -> [Action] {
        let waiting = entries.filter { !$0.isRunning && !finishing.contains($0.commandID) }
        guard let first = waiting.first else { return [] }
        finishing.insert(first.commandID)
        let rest = waiting.dropFirst().map(\.commandID)
        entries.removeAll { rest.contains($0.commandID) }
        return [.finish(first.commandID, .failed(error), skip: Array(rest))]
    }

    private mutating func heard(_ id: String, _ ending: CellEnding) -> [Action] {
        guard current == id else { return [] }
        current = nil
        interrupted.remove(id)
        finishing.insert(id)
        let ended = entries.first { $0.commandID == id }
        let skipped = entries.filter { entry in
            guard !entry.isRunning, entry.commandID != id else { return false }
            switch ending {
            case .finished: return false
            // As in Jupyter, what somebody has asked for after a cell that fails is not run; what others have is.
            case .failed: return entry.user == ended?.user
            case .interrupted, .exited: return entry.batchID == ended?.batchID
            }
        }.map(\.commandID)
        entries.removeAll { skipped.contains($0.commandID) }
        // What is no failure of the code may be the end of its kernel.
        if case .failed(let error) = ending, error.code != "COMMAND_FAILED", kernel == .ready { kernel = .unknown }
        return [.finish(id, ending, skip: skipped)]
    }

    private mutating func next() -> [Action] {
        if restartWanted {
            if kernel == .unknown || kernel == .ready {
                kernel = .ending
                return [.endContext]
            }
            return []
        }
        if let current {
            guard let entry = entries.first(where: { $0.commandID == current }), entry.isCancelling,
                interrupted.insert(current).inserted
            else { return [] }
            return [.interrupt(current)]
        }
        guard finishing.isEmpty, kernel != .ending else { return [] }
        if let running = entries.first(where: \.isRunning) {
            // It was begun by another owner: whatever became of its kernel, the cluster knows how it ended.
            current = running.commandID
            return [.run(running.commandID)] + next()
        }
        guard let first = entries.first else { return kernel == .preparing ? [] : [.rest] }
        switch kernel {
        case .ready:
            current = first.commandID
            return [.run(first.commandID)]
        case .unknown:
            kernel = .preparing
            return [.prepareContext]
        case .preparing, .ending: return []
        }
    }
}
