import Core

/// Reads `.ipynb` files of nbformat 4.
struct IpynbReader {
    let limits: NotebookLimits
    private var identity = CellIdentity()
    private var hasIdentities = false

    init(limits: NotebookLimits) { self.limits = limits }

    static func read(_ bytes: [UInt8], limits: NotebookLimits) throws(HarbourError) -> Notebook {
        try limits.check(bytes: bytes.count)
        // Some editors of Windows begin every file with a byte order mark, which JSON does not know.
        let hasMark = bytes.starts(with: byteOrderMark)
        let text = hasMark ? bytes[3...] : bytes[...]
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue(checkedJSON: hasMark ? Array(text) : bytes, maximumDepth: limits.depth)
        } catch {
            throw error.harbourError(code: .invalidNotebook, subject: "notebook")
        }
        var layout = JSONLayout.detect(text, value)
        layout.hasByteOrderMark = hasMark
        var reader = IpynbReader(limits: limits)
        return try reader.notebook(value, layout)
    }

    /// Reads a notebook that has been parsed as JSON already.
    static func read(_ value: JSONValue, limits: NotebookLimits) throws(HarbourError) -> Notebook {
        var reader = IpynbReader(limits: limits)
        return try reader.notebook(value, .jupyter)
    }

    private mutating func notebook(_ value: JSONValue, _ layout: JSONLayout) throws(HarbourError) -> Notebook {
        guard let object = value.object else {
            throw HarbourError(
                .invalidNotebook, "The notebook cannot be read: the file must hold a JSON object with `cells`.")
        }
        let minor = try version(object)
        guard let cellValues = object["cells"]?.array else { throw .notebook("cells", "must be a list") }
        try limits.check(cells: cellValues.count)
        let metadata = try optionalObject(object["metadata"], "metadata") ?? JSONObject()
        hasIdentities = minor >= 5
        var cells: [Cell] = []
        cells.reserveCapacity(cellValues.count)
        for (index, value) in cellValues.enumerated() { cells.append(try cell(value, "cells[\(index)]")) }
        giveIdentities(&cells)
        var unknown = object
        for key in ["cells", "metadata", "nbformat", "nbformat_minor"] { unknown[key] = nil }
        var notebook = Notebook(
            cells: cells, metadata: metadata, minorVersion: minor, unknownFields: unknown, layout: layout)
        notebook.keys = object.keys
        return notebook
    }

    private func version(_ object: JSONObject) throws(HarbourError) -> Int {
        guard let major = object["nbformat"]?.int else { throw .notebook("nbformat", "must be a whole number") }
        guard major == 4 else {
            throw HarbourError(
                .invalidNotebook,
                major < 4
                    ? "The notebook is in nbformat \(major), from before 2015. Open and save it in Jupyter, or run "
                        + "`jupyter nbconvert --to notebook` on it, and import the result."
                    : "The notebook is in nbformat \(major); 4 is the newest that is known here.")
        }
        guard let minor = object["nbformat_minor"] else { return 0 }
        guard let minor = minor.int, minor >= 0 else {
            throw .notebook("nbformat_minor", "must be a whole number from 0")
        }
        return minor
    }

    private mutating func cell(_ value: JSONValue, _ place: String) throws(HarbourError) -> Cell {
        guard let object = value.object else { throw .notebook(place, "must be an object") }
        guard let kind = object["cell_type"]?.string.flatMap(Cell.Kind.init) else {
            throw .notebook("\(place).cell_type", "must be code, markdown or raw")
        }
        guard let written = object["source"], let source = written.joinedLines else {
            throw .notebook("\(place).source", "must be a string or a list of strings")
        }
        var known = ["cell_type", "source", "metadata"]
        var cell = Cell(
            id: "", kind: kind, source: source,
            metadata: try optionalObject(object["metadata"], "\(place).metadata") ?? JSONObject())
        if hasIdentities, let id = object["id"] {
            guard let id = id.string else { throw .notebook("\(place).id", "must be a string") }
            cell.id = id
            known.append("id")
        }
        if kind == .code {
            known += ["outputs", "execution_count"]
            if let count = object["execution_count"], !count.isNull {
                guard let count = count.int64 else {
                    throw .notebook("\(place).execution_count", "must be a whole number or null")
                }
                cell.executionCount = count
            }
            if let outputs = object["outputs"] {
                guard let outputs = outputs.array else { throw .notebook("\(place).outputs", "must be a list") }
                for (index, output) in outputs.enumerated() {
                    cell.outputs.append(try CellOutput(output, at: "\(place).outputs[\(index)]"))
                }
            }
        } else {
            known.append("attachments")
            cell.attachments = try optionalObject(object["attachments"], "\(place).attachments")
        }
        var unknown = object
        for key in known { unknown[key] = nil }
        cell.unknownFields = unknown
        cell.origin = CellOrigin(keys: object.keys, source: written == .lines(source) ? nil : written)
        return cell
    }

    /// Keeps good ids and replaces those that are missing, malformed or taken.
    private mutating func giveIdentities(_ cells: inout [Cell]) {
        var nameless: [Int] = []
        for index in cells.indices where !identity.claim(cells[index].id) { nameless.append(index) }
        for index in nameless {
            cells[index].id = identity.make(kind: cells[index].kind, source: cells[index].source)
        }
    }

    private func optionalObject(_ value: JSONValue?, _ place: String) throws(HarbourError) -> JSONObject? {
        guard let value else { return nil }
        guard let object = value.object else { throw .notebook(place, "must be an object") }
        return object
    }
}

/// The three bytes with which some programs begin a file of UTF-8.
let byteOrderMark: [UInt8] = [0xef, 0xbb, 0xbf]
