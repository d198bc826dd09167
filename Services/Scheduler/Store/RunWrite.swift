internal import Compression
internal import Core
internal import HarbourProtocol

/// What the owner of one run has to write, gathered until the next group of writes takes it. What comes later wins.
struct RunWrite: Sendable {
    /// The part of a task that has changed.
    struct TaskPart: Sendable {
        var key = ""
        /// Whether the task has no row yet, as iterations that have just begun.
        var isNew = false
        var record: TaskRecord?
        /// The notebook and its revision that were frozen for it.
        var frozen: (notebookID: Int64, revisionID: Int64)?
    }

    /// The part of an attempt that has changed.
    struct AttemptPart: Sendable {
        var isNew = false
        var record: AttemptRecord?
        var clusterID: String?
        var revisionID: Int64?
        var childRunID: Int64?
        var executedAt: Timestamp?
        var ending: Ending?
    }

    /// What an attempt leaves behind. Its notebook has what its cells have, so that these go with it.
    struct Ending: Sendable {
        /// An LZ4 frame of nbformat JSON.
        var notebook: [UInt8]
        var error: CommandError?
        var truncated: Bool

        init(_ executed: ExecutedNotebook, error: CommandError?) {
            notebook = LZ4Frame.compress(executed.document.encodedJSON())
            self.error = error?.storable
            truncated = executed.isTruncated
        }
    }

    struct AttemptKey: Hashable, Sendable {
        var ordinal: Int
        var number: Int
    }

    struct Cell: Sendable {
        var attempt: AttemptKey
        var ordinal: Int
        /// An LZ4 frame of JSON.
        var outputs: [UInt8]
    }

    /// The number of an event within its command.
    struct CommandPosition: Sendable, Hashable {
        var commandID: String
        var sequence: Int64
    }

    /// Nil when the machine has not moved.
    var run: RunRecord?
    var tasks: [Int: TaskPart] = [:]
    var attempts: [AttemptKey: AttemptPart] = [:]
    var cells: [Cell] = []
    /// JSON of each, without its number in the run.
    var events: [(payload: String, command: CommandPosition?)] = []
    /// About how many bytes it is.
    var weight = 0
    /// Whether it is to be written even if there is nothing in it.
    var isConfirming = false

    var isEmpty: Bool {
        !isConfirming && run == nil && tasks.isEmpty && attempts.isEmpty && cells.isEmpty && events.isEmpty
    }

    mutating func add(_ event: RunEvent, _ command: CommandPosition?) {
        let payload = event.jsonText()
        events.append((payload, command))
        weight += payload.utf8.count
    }

    mutating func end(_ attempt: AttemptKey, _ ending: Ending) {
        attempts[attempt, default: AttemptPart()].ending = ending
        cells.removeAll { $0.attempt == attempt }
        weight += ending.notebook.count
    }

    mutating func add(_ cell: Cell) {
        cells.append(cell)
        weight += cell.outputs.count
    }
}

extension RunWrite {
    /// What has to be written to get from one state of a machine to the other.
    mutating func add(from old: RunMachine, to new: RunMachine) {
        run = new.run
        for index in new.tasks.indices {
            let before = index < old.tasks.count ? old.tasks[index] : nil
            guard before != new.tasks[index] else { continue }
            var part = tasks[index] ?? TaskPart()
            part.key = new.key(of: index)
            part.isNew = part.isNew || before == nil
            part.record = new.tasks[index]
            tasks[index] = part
            for (number, attempt) in new.tasks[index].attempts.enumerated() {
                let known = before.flatMap { number < $0.attempts.count ? $0.attempts[number] : nil }
                if known == attempt { continue }
                let key = AttemptKey(ordinal: index, number: number)
                var part = attempts[key] ?? AttemptPart()
                part.isNew = part.isNew || known == nil
                part.record = attempt
                attempts[key] = part
            }
        }
        weight += 300 * (tasks.count + attempts.count)
    }
}
