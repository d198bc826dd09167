internal import Core
internal import HarbourProtocol
internal import NotebookFormats

/// Puts what cells have put out since into a notebook, and names what is large instead of giving it.
struct OutputOverlay: Sendable {
    let outputs: [String: CellOutputStore.Outputs]
    /// Outputs of more bytes than this are named only.
    var limit: Int?

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
        let bytes = OutputPreview.size(output)
        guard bytes > limit, !OutputPreview.isPreview(output) else { return output }
        return OutputPreview.of(output, bytes: bytes)
    }
}
