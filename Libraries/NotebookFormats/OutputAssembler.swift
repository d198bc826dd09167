public import Core

/// Makes a cell's outputs out of a kernel's messages, one message at a time, as Jupyter's own clients do.
///
/// Text of one stream that follows itself is one output. It is a value without clock or I/O: the same events give the
/// same outputs, and a copy of `snapshot` lets another process go on where this one stopped.
public struct OutputAssembler: Sendable {
    private enum Entry: Sendable {
        /// Text grows in place; it is split into lines only when it is asked for.
        case stream(name: String, text: String)
        case other(CellOutput, displayID: String?)

        var output: CellOutput {
            switch self {
            case .stream(let name, let text): .stream(name, text)
            case .other(let output, _): output
            }
        }
    }

    /// What bounds the outputs.
    public let limits: OutputLimits
    /// The number of the last event that was taken in; 0 before the first.
    public private(set) var lastSequence: Int64 = 0
    /// The kernel's count of this run, once it is known.
    public private(set) var executionCount: Int64?
    /// Whether something was left out because of the limits.
    public private(set) var isTruncated = false
    private var entries: [Entry] = []
    private var clearsOnNext = false
    private var bytes = 0

    /// Makes an assembler for a run that has put out nothing yet.
    public init(limits: OutputLimits = OutputLimits()) { self.limits = limits }

    /// The outputs so far, in the shape of nbformat.
    public var outputs: [CellOutput] { entries.map(\.output) }

    /// How many outputs there are.
    public var count: Int { entries.count }

    /// One output; nil when there are not so many.
    public func output(at index: Int) -> CellOutput? {
        entries.indices.contains(index) ? entries[index].output : nil
    }

    /// Takes in an event. One whose number is not above the last one is a repetition and changes nothing.
    @discardableResult
    public mutating func handle(_ event: OutputEvent, sequence: Int64? = nil) -> OutputChange {
        if let sequence {
            guard sequence > lastSequence else { return .none }
            lastSequence = sequence
        }
        switch event {
        case .stream(let name, let text): return stream(name, text)
        case .display(let data, let metadata, let displayID):
            return append(.displayData(data, metadata: metadata), displayID)
        case .updateDisplay(let data, let metadata, let displayID):
            return update(displayID, data, metadata) ?? .elsewhere(displayID: displayID)
        case .result(let count, let data, let metadata, let displayID):
            executionCount = count ?? executionCount
            return append(.executeResult(count: count, data, metadata: metadata), displayID)
        case .error(let name, let value, let traceback):
            // How a run ended is told whatever went before.
            return append(.error(name: name, value: value, traceback: traceback), nil, evenOverLimit: true)
        case .clear(let wait):
            if wait {
                clearsOnNext = true
                return .none
            }
            clear()
            return .cleared
        case .executionCount(let count):
            executionCount = count
            return .none
        }
    }

    /// Replaces the displays of an id, as an event from another cell asks; nil when there is none here.
    public mutating func update(_ displayID: String, _ data: JSONObject, _ metadata: JSONObject = [:]) -> OutputChange?
    {
        var last: Int?
        for (index, entry) in entries.enumerated() {
            guard case .other(let output, let id?) = entry, id == displayID else { continue }
            let replacement =
                output.kind == .executeResult
                ? CellOutput.executeResult(count: output.json["execution_count"]?.int64, data, metadata: metadata)
                : CellOutput.displayData(data, metadata: metadata)
            bytes += OutputAssembler.size(replacement.json) - OutputAssembler.size(output.json)
            entries[index] = .other(replacement, displayID: id)
            last = index
        }
        return last.map { .replaced($0) }
    }

    private mutating func stream(_ name: String, _ text: String) -> OutputChange {
        guard !text.isEmpty else { return .none }
        let restarts = clearIfWaiting()
        guard let text = fitting(text) else { return restarts ? .cleared : .none }
        bytes += text.utf8.count
        if case .stream(name, var whole)? = entries.last {
            // Taken out first, so that the text is not copied for every piece of it.
            entries[entries.count - 1] = .stream(name: name, text: "")
            whole += text
            entries[entries.count - 1] = .stream(name: name, text: whole)
            return .replaced(entries.count - 1)
        }
        guard hasRoom() else { return restarts ? .cleared : .none }
        entries.append(.stream(name: name, text: text))
        return restarts ? .restarted : .appended(entries.count - 1)
    }

    private mutating func append(
        _ output: CellOutput, _ displayID: String?, evenOverLimit: Bool = false
    ) -> OutputChange {
        let restarts = clearIfWaiting()
        let size = OutputAssembler.size(output.json)
        if !evenOverLimit {
            guard !isTruncated, bytes + size <= limits.bytes else {
                truncate()
                return restarts ? .cleared : .none
            }
            guard hasRoom() else { return restarts ? .cleared : .none }
        }
        bytes += size
        entries.append(.other(output, displayID: displayID))
        return restarts ? .restarted : .appended(entries.count - 1)
    }

    /// The text, or as much of it as the limit allows.
    private mutating func fitting(_ text: String) -> String? {
        if isTruncated { return nil }
        let room = limits.bytes - bytes
        if text.utf8.count <= room { return text }
        truncate()
        return nil
    }

    private mutating func hasRoom() -> Bool {
        if entries.count < limits.outputs { return true }
        truncate()
        return false
    }

    /// Says once, where the reader will see it, that something is missing.
    private mutating func truncate() {
        guard !isTruncated else { return }
        isTruncated = true
        entries.append(
            .stream(
                name: "stderr",
                text: "[The output is longer than \(limits.bytes) bytes or \(limits.outputs) outputs; the rest is left "
                    + "out.]\n"))
    }

    private mutating func clearIfWaiting() -> Bool {
        guard clearsOnNext else { return false }
        clear()
        return true
    }

    private mutating func clear() {
        entries = []
        bytes = 0
        isTruncated = false
        clearsOnNext = false
    }

    /// About what an object takes, without writing it.
    private static func size(_ object: JSONObject) -> Int {
        object.fields.reduce(2) { $0 + $1.key.utf8.count + 4 + size($1.value) }
    }

    private static func size(_ value: JSONValue) -> Int {
        switch value {
        case .string(let text): text.utf8.count + 2
        case .array(let elements): elements.reduce(2) { $0 + size($1) + 1 }
        case .object(let object): size(object)
        case .number(let number): number.text.utf8.count
        case .bool, .null: 4
        }
    }
}

extension OutputAssembler {
    /// All that is needed to go on elsewhere.
    public var snapshot: JSONValue {
        var state: JSONObject = [
            "bytes": .integer(bytes), "clears_on_next": .bool(clearsOnNext), "is_truncated": .bool(isTruncated),
            "last_sequence": .integer(lastSequence),
        ]
        state["execution_count"] = executionCount.map { .integer($0) }
        state["outputs"] = .array(
            entries.map { entry in
                var fields: JSONObject = ["output": .object(entry.output.json)]
                if case .other(_, let displayID?) = entry { fields["display_id"] = .string(displayID) }
                return .object(fields)
            })
        return .object(state)
    }

    /// Goes on from a snapshot.
    ///
    /// - Throws: `INVALID_NOTEBOOK` when it is not one of ours.
    public init(snapshot: JSONValue, limits: OutputLimits = OutputLimits()) throws(HarbourError) {
        self.limits = limits
        guard let state = snapshot.object, let bytes = state["bytes"]?.int, let last = state["last_sequence"]?.int64,
            let clears = state["clears_on_next"]?.bool, let truncated = state["is_truncated"]?.bool,
            let outputs = state["outputs"]?.array
        else { throw .notebook("snapshot", "is not one of an output assembler") }
        self.bytes = bytes
        lastSequence = last
        clearsOnNext = clears
        isTruncated = truncated
        executionCount = state["execution_count"]?.int64
        for (index, fields) in outputs.enumerated() {
            let output = try CellOutput(fields["output"] ?? .null, at: "snapshot.outputs[\(index)].output")
            if let name = output.streamName, let text = output.text {
                entries.append(.stream(name: name, text: text))
            } else {
                entries.append(.other(output, displayID: fields["display_id"]?.string))
            }
        }
    }
}
