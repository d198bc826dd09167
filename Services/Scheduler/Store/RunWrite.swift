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

    /// How many rows of tables it is.
    var rows: Int { 1 + tasks.count + attempts.count + cells.count + events.count }

    /// Takes what may be written before the rest, as far as it fits: events of cells in their order, and once there are
    /// none left, outputs of cells. Whoever takes the run over in between listens to these cells from their beginning and
    /// finds the events there. How the machine has moved stays together: tasks, attempts, the run and what is told of it.
    ///
    /// - Returns: nil when there is nothing of that kind.
    mutating func takeFront(rows most: Int, bytes: Int) -> RunWrite? {
        var front = RunWrite()
        var rest: [(payload: String, command: CommandPosition?)] = []
        for event in events {
            if event.command != nil, front.events.count < most, front.weight < bytes {
                front.events.append(event)
                front.weight += event.payload.utf8.count
            } else {
                rest.append(event)
            }
        }
        if front.events.isEmpty {
            while let cell = cells.first, front.cells.count < most, front.weight < bytes {
                front.cells.append(cell)
                front.weight += cell.outputs.count
                cells.removeFirst()
            }
        }
        events = rest
        weight = max(0, weight - front.weight)
        return front.isEmpty ? nil : front
    }

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

extension AttemptOutcome {
    /// About how many bytes it is.
    fileprivate var weight: Int {
        let left = values.reduce(0) { $0 + $1.key.utf8.count + $1.value.jsonText().utf8.count }
        return message.utf8.count + (exitValue?.utf8.count ?? 0) + left
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
            // The input of an iteration is in its row.
            if part.isNew, let input = new.tasks[index].place?.input { weight += input.jsonText().utf8.count }
            for (number, attempt) in new.tasks[index].attempts.enumerated() {
                let known = before.flatMap { number < $0.attempts.count ? $0.attempts[number] : nil }
                if known == attempt { continue }
                let key = AttemptKey(ordinal: index, number: number)
                var part = attempts[key] ?? AttemptPart()
                part.isNew = part.isNew || known == nil
                part.record = attempt
                attempts[key] = part
                weight += attempt.outcome?.weight ?? 0
            }
        }
        weight += 300 * (tasks.count + attempts.count)
    }
}
