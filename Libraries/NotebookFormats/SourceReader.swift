import Core

/// A text as lines, with what is needed to write it again.
struct SourceText {
    /// The lines without their ends.
    var lines: [Substring] = []
    /// The lines with their ends.
    var raw: [Substring] = []
    /// Whether most lines end with `\r\n`.
    var hasCarriageReturns = false
    /// Whether the last line has an end.
    var endsWithLineFeed = true
    /// Whether the last line ends with half of a `\r\n`.
    var endsWithCarriageReturn = false

    /// Splits after line feeds; a carriage return before one belongs to the line's end.
    init(_ text: String) {
        var returns = 0
        let bytes = text.utf8
        var start = bytes.startIndex
        while start < bytes.endIndex {
            let feed = bytes[start...].firstIndex(of: 0x0a)
            let next = feed.map { bytes.index(after: $0) } ?? bytes.endIndex
            var end = feed ?? bytes.endIndex
            if end > start, bytes[bytes.index(before: end)] == 0x0d {
                end = bytes.index(before: end)
                returns += feed == nil ? 0 : 1
                endsWithCarriageReturn = feed == nil
            }
            lines.append(text[start..<end])
            raw.append(text[start..<next])
            endsWithLineFeed = feed != nil
            start = next
        }
        hasCarriageReturns = returns * 2 > lines.count
    }

    /// The lines of a range as they were, the last one with an end.
    func verbatim(_ range: Range<Int>) -> String {
        let text = raw[range].joined()
        guard range.upperBound == raw.count, !endsWithLineFeed else { return text }
        return text + (hasCarriageReturns && !endsWithCarriageReturn ? "\r\n" : "\n")
    }
}

/// Gives canonical text the line ends of its file.
func withLineEnds(_ text: String, carriageReturns: Bool) -> String {
    carriageReturns
        ? text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            .joined(separator: "\r\n") : text
}

/// What is noted under `dataharbour` in metadata, so that a source file comes out as it went in.
enum SourceNote {
    /// Notebook: `true` when lines end with `\r\n`.
    static let carriageReturns = "carriage_returns"
    /// Notebook: `false` when the last line has no end, `half` when it ends with `\r` alone.
    static let finalLineFeed = "final_line_feed"
    /// Notebook: `true` when the file begins with a byte order mark.
    static let byteOrderMark = "byte_order_mark"
    /// Notebook: `percent` for a file with `# %%` marks; `plain` for one without that begins with a magic command.
    static let form = "form"
    /// Notebook: the lines before the first cell.
    static let header = "header"
    /// Cell: its piece of the file, where that is not what we would write.
    static let verbatim = "verbatim"
    /// Cell: the magic command with the space after it.
    static let prefix = "magic"
    /// Cell: the rest of the marker's line.
    static let marker = "marker"
}

extension JSONObject {
    /// What we noted in these metadata.
    subscript(note name: String) -> JSONValue? {
        get { self[NotebookKey.own]?[name] }
        set {
            var notes = self[NotebookKey.own]?.object ?? JSONObject()
            notes[name] = newValue
            self[NotebookKey.own] = notes.isEmpty ? nil : .object(notes)
        }
    }
}

/// Reads source files.
enum SourceReader {
    static func text(_ bytes: [UInt8], limits: NotebookLimits) throws(HarbourError) -> (String, hasMark: Bool) {
        try limits.check(bytes: bytes.count)
        let hasMark = bytes.starts(with: byteOrderMark)
        return (try checkedText(hasMark ? bytes[3...] : bytes[...]), hasMark)
    }

    /// Reads a file of cells.
    static func read(
        _ text: String, hasMark: Bool, syntax: some SourceSyntax, limits: NotebookLimits
    ) throws(HarbourError) -> Notebook {
        let source = SourceText(text)
        var notebook = Notebook(language: syntax.language)
        note(source, hasMark, in: &notebook)
        let header = syntax.headerLength(source.lines)
        if header > 0 { notebook.metadata[note: SourceNote.header] = .string(source.verbatim(0..<header)) }
        guard header < source.lines.count else { return notebook }
        let starts = syntax.starts(source.lines[header...])
        try limits.check(cells: starts.count)
        var identity = CellIdentity()
        for (index, start) in starts.enumerated() {
            let range = start..<(index + 1 < starts.count ? starts[index + 1] : source.lines.count)
            guard let parsed = syntax.parse(source.lines[range], isFirst: index == 0) else {
                throw .notebook("line \(start + 1)", "is not the start of a cell")
            }
            var cell = Cell(
                id: identity.make(kind: parsed.kind, source: parsed.source), kind: parsed.kind, source: parsed.source)
            cell.title = parsed.title
            if let prefix = parsed.prefix { cell.metadata[note: SourceNote.prefix] = .string(prefix) }
            if let marker = parsed.marker { cell.metadata[note: SourceNote.marker] = .string(marker) }
            let verbatim = source.verbatim(range)
            let usual = withLineEnds(
                syntax.candidates(parsed, isFirst: index == 0)[0], carriageReturns: source.hasCarriageReturns)
            if !sameText(verbatim, usual) { cell.metadata[note: SourceNote.verbatim] = .string(verbatim) }
            notebook.cells.append(cell)
        }
        return notebook
    }

    /// Reads a file that is one cell.
    static func readPlain(_ text: String, hasMark: Bool, language: CellLanguage) -> Notebook {
        let source = SourceText(text)
        var notebook = Notebook(language: language)
        note(source, hasMark, in: &notebook)
        guard !source.lines.isEmpty else { return notebook }
        var body = source.lines.joined(separator: "\n")
        // Where line ends are mixed, making them alike would lose something; such a text is kept as it is.
        let again = withLineEnds(body + "\n", carriageReturns: source.hasCarriageReturns)
        if !sameText(again, source.verbatim(0..<source.lines.count)) {
            notebook.metadata[note: SourceNote.carriageReturns] = nil
            let isEnded = source.endsWithLineFeed
            body = isEnded ? String(decoding: text.utf8.dropLast(), as: UTF8.self) : text
        }
        var identity = CellIdentity()
        notebook.cells = [Cell(id: identity.make(kind: .code, source: body), source: body)]
        if notebook.cells[0].magic != nil { notebook.metadata[note: SourceNote.form] = "plain" }
        return notebook
    }

    private static func note(_ source: SourceText, _ hasMark: Bool, in notebook: inout Notebook) {
        if source.hasCarriageReturns { notebook.metadata[note: SourceNote.carriageReturns] = true }
        if !source.endsWithLineFeed {
            notebook.metadata[note: SourceNote.finalLineFeed] = source.endsWithCarriageReturn ? "half" : false
        }
        if hasMark { notebook.metadata[note: SourceNote.byteOrderMark] = true }
    }
}
