public import Core
public import HarbourProtocol
internal import NotebookFormats

/// Makes a cell's outputs and its ending out of the events of its command.
public struct CellReader: Sendable {
    private var assembler = OutputAssembler()
    private var failure: CommandError?
    private var exitValue: String?
    private var isTruncated = false
    private var values: [String: JSONValue] = [:]
    /// The media type that `dbutils.jobs.taskValues.set` speaks by.
    private static let valueType = "application/vnd.dataharbour.task-value+json"
    /// The number of the last event that was taken in.
    public private(set) var last: Int64 = 0

    /// Has seen nothing yet.
    public init() {}

    /// Takes an event in.
    /// - Returns: what the cell left behind, once the command has ended.
    @discardableResult
    public mutating func read(_ event: CommandEvent) -> CellResult? {
        last = max(last, event.sequence)
        let (data, metadata) = (event.data ?? [:], event.metadata ?? [:])
        switch event.type {
        case .stream: assembler.handle(.stream(name: event.name ?? "stdout", text: event.text ?? ""))
        case .display:
            if let value = data[Self.valueType], let key = value["key"]?.string, values.count < Self.maxValues {
                values[key] = value["value"] ?? .null
            }
            assembler.handle(.display(data: data, metadata: metadata, displayID: event.displayID))
        case .updateDisplay:
            assembler.handle(.updateDisplay(data: data, metadata: metadata, displayID: event.displayID ?? ""))
        case .result:
            assembler.handle(
                .result(count: event.executionCount, data: data, metadata: metadata, displayID: event.displayID))
        case .error:
            failure = event.error
            if let error = event.error {
                assembler.handle(
                    .error(name: error.name, value: error.message, traceback: error.traceback ?? []))
            }
        case .clearOutput: assembler.handle(.clear(wait: event.wait ?? false))
        case .exit: exitValue = event.text ?? ""
        case .truncated:
            isTruncated = true
            assembler.handle(.stream(name: "stderr", text: (event.text ?? "Output was cut.") + "\n"))
        case .state:
            // What ended it and was no error of the code, such as the end of the cluster.
            if event.state == .error, failure == nil, let error = event.error {
                assembler.handle(.error(name: error.name, value: error.message, traceback: error.traceback ?? []))
            }
            if let count = event.executionCount { assembler.handle(.executionCount(count)) }
            return ending(event).map(result)
        default: break
        }
        return nil
    }

    /// What the cell has put out so far, in the shape of nbformat.
    public var outputs: [JSONValue] { assembler.outputs.map { .object($0.json) } }
    /// The kernel's count of this run, once it is known.
    public var executionCount: Int64? { assembler.executionCount }

    /// The most values that one cell may leave; each is at most 48 KiB.
    private static let maxValues = 250

    private func ending(_ event: CommandEvent) -> CellEnding? {
        switch event.state {
        case .finished: return exitValue.map { .exited($0) } ?? .finished
        case .cancelled: return .interrupted
        case .error:
            let unknown = CommandError(code: "COMMAND_FAILED", name: "Error", message: "The command failed.")
            return .failed(event.error ?? failure ?? unknown)
        case .queued, .running, .cancelling, nil: return nil
        }
    }

    private func result(_ ending: CellEnding) -> CellResult {
        CellResult(
            ending: ending, outputs: outputs, executionCount: executionCount,
            isTruncated: isTruncated || assembler.isTruncated, values: values)
    }
}
