public import Core

/// The file formats of notebooks. Each is read into a `Notebook` and written from one.
///
/// A file that is read and written again in its own format comes out byte for byte: `.ipynb` files as Jupyter and other
/// programs lay them out, source files with their line ends and spacing. From one format to another, cells keep their
/// order, text, kind and language; `losses(of:)` says what a format cannot carry.
public enum NotebookFormat: String, Sendable, Hashable, CaseIterable {
    /// Jupyter's `.ipynb`, nbformat 4.
    case ipynb
    /// `.py` with `# Databricks notebook source` as its first line.
    case pythonSource
    /// `.sql` with `-- Databricks notebook source` as its first line.
    case sqlSource
    /// Any other `.py`: one cell, or cells between lines `# %%`.
    case python
    /// Any other `.sql`: one cell, or cells between lines `-- %%`.
    case sql

    /// The usual ending of a file's name, without the dot.
    public var fileExtension: String {
        switch self {
        case .ipynb: "ipynb"
        case .pythonSource, .python: "py"
        case .sqlSource, .sql: "sql"
        }
    }

    /// The format of a file by its name and its first bytes.
    ///
    /// - Throws: `INVALID_NOTEBOOK` when neither tells.
    public static func detect(name: String, content: [UInt8]) throws(HarbourError) -> NotebookFormat {
        let start = content.starts(with: byteOrderMark) ? content.dropFirst(3) : content[...]
        func begins(with text: String) -> Bool { start.starts(with: text.utf8) }
        let isPythonSource = begins(with: DatabricksSyntax(language: .python).header)
        let isSQLSource = begins(with: DatabricksSyntax(language: .sql).header)
        switch name.lowercased().split(separator: ".").last ?? "" {
        case "ipynb": return .ipynb
        case "py": return isPythonSource ? .pythonSource : .python
        case "sql": return isSQLSource ? .sqlSource : .sql
        default: break
        }
        if isPythonSource { return .pythonSource }
        if isSQLSource { return .sqlSource }
        if start.first(where: { $0 > 0x20 }) == UInt8(ascii: "{") { return .ipynb }
        throw HarbourError(
            .invalidNotebook,
            "The format of the notebook cannot be told from its name or its first line. Name it .ipynb, .py or .sql, "
                + "or say its format.")
    }

    /// Reads a notebook.
    ///
    /// - Throws: `INVALID_NOTEBOOK`, naming the place that is wrong or the limit that is passed.
    public func parse(_ bytes: [UInt8], limits: NotebookLimits = NotebookLimits()) throws(HarbourError) -> Notebook {
        if self == .ipynb { return try IpynbReader.read(bytes, limits: limits) }
        let (text, hasMark) = try SourceReader.text(bytes, limits: limits)
        switch self {
        case .ipynb, .pythonSource, .sqlSource:
            let syntax = DatabricksSyntax(language: language)
            let first = text.utf8.prefix { $0 != 0x0a && $0 != 0x0d }
            guard sameText(String(Substring(first).trimmedEnd), syntax.header) else {
                throw HarbourError(
                    .invalidNotebook, "The first line of the notebook must be `\(syntax.header)`.")
            }
            return try SourceReader.read(text, hasMark: hasMark, syntax: syntax, limits: limits)
        case .python, .sql:
            let syntax = PercentSyntax(language: language)
            guard SourceText(text).lines.contains(where: { syntax.marker($0) != nil }) else {
                return SourceReader.readPlain(text, hasMark: hasMark, language: language)
            }
            var notebook = try SourceReader.read(text, hasMark: hasMark, syntax: syntax, limits: limits)
            notebook.metadata[note: SourceNote.form] = "percent"
            return notebook
        }
    }

    /// Writes a notebook.
    public func serialize(_ notebook: Notebook) -> [UInt8] {
        switch self {
        case .ipynb: return IpynbWriter.write(notebook)
        case .pythonSource, .sqlSource:
            return SourceWriter.write(notebook, syntax: DatabricksSyntax(language: language))
        case .python, .sql:
            let syntax = PercentSyntax(language: language)
            return isPlain(notebook, syntax)
                ? SourceWriter.writePlain(notebook) : SourceWriter.write(notebook, syntax: syntax)
        }
    }

    /// Whether the notebook is at most one cell of the file's own language, so that it needs no marks.
    private func isPlain(_ notebook: Notebook, _ syntax: PercentSyntax) -> Bool {
        let form = notebook.metadata[note: SourceNote.form]?.string
        if form == "percent" { return false }
        guard let cell = notebook.cells.first else { return true }
        return notebook.cells.count == 1 && cell.kind == .code && (cell.magic == nil || form == "plain")
            && notebook.language == language && cell.title == nil
            && !SourceText(cell.source).lines.contains { syntax.marker($0) != nil }
    }

    /// The language of a source file without magic commands.
    var language: CellLanguage { self == .sqlSource || self == .sql ? .sql : .python }
}

extension Notebook {
    /// The notebook as nbformat 4 has it, for programs that take JSON.
    public var json: JSONValue { .object(IpynbWriter.json(self)) }

    /// Reads a notebook from JSON of nbformat 4.
    ///
    /// - Throws: `INVALID_NOTEBOOK`, naming the place that is wrong.
    public init(json: JSONValue, limits: NotebookLimits = NotebookLimits()) throws(HarbourError) {
        self = try IpynbReader.read(json, limits: limits)
    }
}
