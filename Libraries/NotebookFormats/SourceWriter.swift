import Core

/// Writes source files.
enum SourceWriter {
    /// Writes a file of cells.
    static func write(_ notebook: Notebook, syntax: some SourceSyntax) -> [UInt8] {
        let hasReturns = notebook.metadata[note: SourceNote.carriageReturns]?.bool ?? false
        var text = header(notebook, syntax)
        for (index, cell) in notebook.cells.enumerated() {
            let wanted = sourceCell(cell, in: notebook, for: syntax.language)
            if let kept = verbatim(cell, wanted, after: text, isFirst: index == 0, syntax) {
                text += kept
                continue
            }
            let candidates = syntax.candidates(wanted, isFirst: index == 0).map {
                withLineEnds($0, carriageReturns: hasReturns)
            }
            let best = candidates.first { means($0, wanted, isFirst: index == 0, syntax) }
            text += best ?? candidates[candidates.count - 1]
        }
        return finish(text, notebook)
    }

    /// Writes a notebook of one cell as that cell.
    static func writePlain(_ notebook: Notebook) -> [UInt8] {
        guard let cell = notebook.cells.first else { return finish("", notebook) }
        let hasReturns = notebook.metadata[note: SourceNote.carriageReturns]?.bool ?? false
        return finish(withLineEnds(cell.source + "\n", carriageReturns: hasReturns), notebook)
    }

    /// The piece as it stood in its file, as long as it still means the cell and fits where it goes.
    private static func verbatim(
        _ cell: Cell, _ wanted: SourceCell, after text: String, isFirst: Bool, _ syntax: some SourceSyntax
    ) -> String? {
        guard let kept = cell.metadata[note: SourceNote.verbatim]?.string else { return nil }
        // An empty line just before would be taken for a part of its marker.
        if !isFirst, endsWithEmptyLine(text), kept.utf8.first != 0x0a, kept.utf8.first != 0x0d { return nil }
        guard kept.utf8.last == 0x0a, means(kept, wanted, isFirst: isFirst, syntax) else { return nil }
        return kept
    }

    private static func endsWithEmptyLine(_ text: String) -> Bool {
        var rest = Array(text.utf8.suffix(3))
        guard rest.popLast() == 0x0a else { return false }
        if rest.last == 0x0d { rest.removeLast() }
        return rest.isEmpty || rest.last == 0x0a
    }

    private static func means(
        _ text: String, _ wanted: SourceCell, isFirst: Bool, _ syntax: some SourceSyntax
    ) -> Bool {
        let lines = SourceText(text).lines
        guard syntax.starts(lines[...]).count == 1 else { return false }
        if isFirst, syntax.headerLength(lines) > 0 { return false }
        return syntax.parse(lines[...], isFirst: isFirst)?.means(wanted) ?? false
    }

    /// The cell as a file of this language has it: without a magic command where the file's language is the cell's.
    static func sourceCell(_ cell: Cell, in notebook: Notebook, for language: CellLanguage) -> SourceCell {
        var result = SourceCell(cell.kind, cell.source)
        let magic = cell.magic
        if let magic, magic.language == .markdown || magic.language == .raw {
            result = MagicText.cell(cell.source)
        } else if cell.kind == .code, notebook.language != language {
            if magic == nil {
                result.source = MagicText.usual(notebook.language, cell.source)
            } else if let magic, magic.language == language {
                result.source = magic.body
            }
        }
        if let prefix = cell.metadata[note: SourceNote.prefix]?.string { result.prefix = prefix }
        result.marker = cell.metadata[note: SourceNote.marker]?.string
        result.title = cell.title.map { title in
            title.unicodeScalars.split { $0 == "\n" || $0 == "\r" }.map(String.init).joined(separator: " ")
        }
        return result
    }

    private static func header(_ notebook: Notebook, _ syntax: some SourceSyntax) -> String {
        if let databricks = syntax as? DatabricksSyntax {
            return notebook.cells.isEmpty ? databricks.header + "\n" : ""
        }
        guard let header = notebook.metadata[note: SourceNote.header]?.string, header.utf8.last == 0x0a,
            syntax.headerLength(SourceText(header).lines) == SourceText(header).lines.count
        else { return "" }
        return header
    }

    private static func finish(_ text: String, _ notebook: Notebook) -> [UInt8] {
        var bytes = Array(text.utf8)
        if let end = notebook.metadata[note: SourceNote.finalLineFeed], bytes.last == 0x0a {
            bytes.removeLast()
            let hasReturns = notebook.metadata[note: SourceNote.carriageReturns]?.bool ?? false
            if hasReturns, end.bool == false, bytes.last == 0x0d { bytes.removeLast() }
        }
        return notebook.metadata[note: SourceNote.byteOrderMark]?.bool == true ? byteOrderMark + bytes : bytes
    }
}
