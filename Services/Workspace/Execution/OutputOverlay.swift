internal import Core
internal import HarbourProtocol
internal import NotebookFormats

/// Puts what cells have put out since into a notebook, and names what is large instead of giving it.
struct OutputOverlay: Sendable {
    let outputs: [String: CellOutputStore.Outputs]
    /// Outputs of more bytes than this are named only.
    var limit: Int?

    /// The media type of what stands for a large output.
    static let omittedType = "application/vnd.dataharbour.omitted+json"
    /// What is shown of the start and of the end of a long text, in characters.
    static let shown = 4096

    /// The document of nbformat with the outputs in its cells.
    /// - Parameter ids: the cells' ids, in the order of the document.
    func document(_ document: JSONValue, ids: [String]) -> JSONValue {
        guard limit != nil || !outputs.isEmpty, var notebook = document.object, let cells = notebook["cells"]?.array
        else { return document }
        notebook["cells"] = .array(
            zip(cells, ids).map { cell, id in
                guard var object = cell.object, object["cell_type"]?.string == "code" else { return cell }
                if let own = outputs[id] {
                    object["outputs"] = .array(own.outputs)
                    object["execution_count"] = own.executionCount.map { .integer($0) } ?? .null
                }
                if let limit, let all = object["outputs"]?.array {
                    object["outputs"] = .array(all.map { OutputOverlay.named($0, over: limit) })
                }
                return .object(object)
            })
        return .object(notebook)
    }

    /// The notebook with the outputs in its cells, for a file of it.
    func notebook(_ notebook: Notebook) throws(HarbourError) -> Notebook {
        var notebook = notebook
        for index in notebook.cells.indices {
            guard notebook.cells[index].kind == .code, let own = outputs[notebook.cells[index].id] else { continue }
            var all: [CellOutput] = []
            for output in own.outputs { all.append(try CellOutput(output)) }
            notebook.cells[index].outputs = all
            notebook.cells[index].executionCount = own.executionCount
        }
        return notebook
    }

    /// The output, or what stands for it when it is larger than the limit.
    static func named(_ output: JSONValue, over limit: Int) -> JSONValue {
        let bytes = size(output)
        guard bytes > limit, let object = output.object else { return output }
        var about: JSONObject = ["bytes": .integer(bytes), "output_type": object["output_type"] ?? .null]
        if let text = text(object["text"]) {
            about["name"] = object["name"]
            about["head"] = .string(String(text.prefix(shown)))
            about["tail"] = .string(String(text.suffix(shown)))
        }
        return .object([
            "output_type": "display_data", "metadata": .object([:]),
            "data": .object([omittedType: .object(about)]),
        ])
    }

    /// nbformat writes a text as one string or as a list of its lines.
    private static func text(_ value: JSONValue?) -> String? {
        value?.string ?? value?.array.map { $0.compactMap(\.string).joined() }
    }

    /// About what a value takes, without writing it.
    private static func size(_ value: JSONValue) -> Int {
        switch value {
        case .string(let text): text.utf8.count + 2
        case .array(let elements): elements.reduce(2) { $0 + size($1) + 1 }
        case .object(let object): object.fields.reduce(2) { $0 + $1.key.utf8.count + 4 + size($1.value) }
        case .number(let number): number.text.utf8.count
        case .bool, .null: 4
        }
    }
}
