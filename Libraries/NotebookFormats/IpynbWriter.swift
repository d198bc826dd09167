import Core

/// Writes `.ipynb` files of nbformat 4.
enum IpynbWriter {
    static func write(_ notebook: Notebook) -> [UInt8] {
        var writer = JSONLayoutWriter(notebook.layout)
        writer.write(.object(json(notebook)))
        let start = notebook.layout.hasByteOrderMark ? byteOrderMark : []
        return start + writer.bytes + (notebook.layout.endsWithLineFeed ? [0x0a] : [])
    }

    /// The notebook as nbformat has it. Keys stand in their old order; new ones follow in alphabetical order.
    static func json(_ notebook: Notebook) -> JSONObject {
        var fields = notebook.unknownFields
        fields["cells"] = .array(notebook.cells.map { .object(json($0, minorVersion: notebook.minorVersion)) })
        fields["metadata"] = .object(notebook.metadata)
        fields["nbformat"] = 4
        fields["nbformat_minor"] = .integer(notebook.minorVersion)
        return ordered(fields, by: notebook.keys)
    }

    private static func json(_ cell: Cell, minorVersion: Int) -> JSONObject {
        var fields = cell.unknownFields
        fields["cell_type"] = .string(cell.kind.rawValue)
        if minorVersion >= 5 { fields["id"] = .string(cell.id) }
        fields["metadata"] = .object(cell.metadata)
        fields["source"] = .lines(cell.source)
        if let written = cell.origin?.source, let text = written.joinedLines, sameText(text, cell.source) {
            fields["source"] = written
        }
        if cell.kind == .code {
            fields["execution_count"] = cell.executionCount.map { .integer($0) } ?? .null
            fields["outputs"] = .array(cell.outputs.map { .object($0.json) })
        } else if let attachments = cell.attachments {
            fields["attachments"] = .object(attachments)
        }
        return ordered(fields, by: cell.origin?.keys ?? [])
    }

    private static func ordered(_ fields: JSONObject, by keys: [String]) -> JSONObject {
        var ordered = JSONObject()
        for key in keys { if let value = fields[key] { ordered[key] = value } }
        for field in fields.fields.sorted(by: { JSONLayout.precedes($0.key, $1.key) }) where ordered[field.key] == nil {
            ordered[field.key] = field.value
        }
        return ordered
    }
}

/// Whether two texts have the same bytes; Swift's own equality takes `é` and `e` with an accent for the same.
func sameText(_ left: String, _ right: String) -> Bool { left.utf8.elementsEqual(right.utf8) }
