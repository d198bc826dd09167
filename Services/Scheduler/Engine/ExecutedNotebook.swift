internal import CellExecution
internal import Core
internal import HarbourProtocol

/// The notebook of an attempt with the outputs of the cells that have run, as nbformat has it.
struct ExecutedNotebook: Sendable {
    private let content: NotebookContent
    private var results: [Int: CellResult] = [:]

    init(_ content: NotebookContent) { self.content = content }

    mutating func set(_ result: CellResult, cell: Int) { results[cell] = result }

    /// What a cell left behind, to be written down.
    func outputs(cell: Int) -> JSONValue? {
        guard let result = results[cell] else { return nil }
        var object: JSONObject = ["outputs": .array(result.outputs), "is_truncated": .bool(result.isTruncated)]
        object["execution_count"] = result.executionCount.map { .integer($0) }
        if !result.values.isEmpty { object["values"] = .object(JSONObject(result.values.map { ($0.key, $0.value) })) }
        switch result.ending {
        case .finished: object["ending"] = "finished"
        case .interrupted: object["ending"] = "interrupted"
        case .exited(let value):
            object["ending"] = "exited"
            object["value"] = .string(value)
        case .failed(let error):
            object["ending"] = "failed"
            object["error"] = try? JSONValue(json: error.encodedJSON())
        }
        return .object(object)
    }

    /// Takes back what was written down of a cell before another scheduler took the attempt over.
    mutating func restore(_ json: JSONValue, cell: Int) {
        let ending: CellEnding =
            switch json["ending"]?.string {
            case "exited": .exited(json["value"]?.string ?? "")
            case "interrupted": .interrupted
            case "failed":
                .failed(
                    json["error"].flatMap { try? CommandError(json: $0.encodedJSON()) }
                        ?? CommandError(code: "COMMAND_FAILED", name: "Error", message: "The command failed."))
            default: .finished
            }
        results[cell] = CellResult(
            ending: ending, outputs: json["outputs"]?.array ?? [], executionCount: json["execution_count"]?.int64,
            isTruncated: json["is_truncated"]?.bool ?? false,
            values: (json["values"]?.object?.fields ?? []).reduce(into: [:]) { $0[$1.key] = $1.value })
    }

    func ending(cell: Int) -> CellEnding { results[cell]?.ending ?? .finished }

    /// What the cells left for later tasks, the last word of each.
    var values: [String: JSONValue] {
        results.sorted { $0.key < $1.key }.reduce(into: [:]) { $0.merge($1.value.values) { $1 } }
    }

    var isTruncated: Bool { results.values.contains { $0.isTruncated } }

    /// The document with the outputs in their cells. Cells that did not run keep no outputs of an earlier run.
    var document: JSONValue {
        guard var notebook = content.document.object, let cells = notebook["cells"]?.array else {
            return content.document
        }
        notebook["cells"] = .array(
            cells.enumerated().map { index, cell in
                guard var object = cell.object, object["cell_type"]?.string == "code" else { return cell }
                object["outputs"] = .array(results[index]?.outputs ?? [])
                object["execution_count"] = results[index]?.executionCount.map { .integer($0) } ?? .null
                return .object(object)
            })
        return .object(notebook)
    }
}
