import Core

/// Plain source with cells marked by lines `# %%`, as editors and jupytext read it.
struct PercentSyntax: SourceSyntax {
    let language: CellLanguage
    private let style: CommentStyle
    private let lead: String

    init(language: CellLanguage) {
        self.language = language
        style = CommentStyle(sign: language == .sql ? "--" : "#")
        lead = "\(style.sign) %%"
    }

    /// What follows the marker on a line; nil when the line is none.
    func marker(_ line: Substring) -> Substring? {
        guard line.utf8.starts(with: lead.utf8) else { return nil }
        let rest = line[line.utf8.index(line.startIndex, offsetBy: lead.utf8.count)...]
        return rest.isEmpty || rest.utf8.first == 0x20 || rest.utf8.first == 0x09 ? rest : nil
    }

    /// jupytext's header, from `# ---` to `# ---`, and empty lines before the first marker.
    func headerLength(_ lines: [Substring]) -> Int {
        var length = 0
        let fence = "\(style.sign) ---"
        if let first = lines.first, sameText(String(first.trimmedEnd), fence),
            let end = lines.dropFirst().firstIndex(where: { sameText(String($0.trimmedEnd), fence) }),
            lines[..<end].allSatisfy({ $0.utf8.starts(with: style.sign.utf8) })
        {
            length = end + 1
        }
        let firstText = lines[length...].firstIndex { !$0.trimmed.isEmpty } ?? lines.count
        return firstText < lines.count && marker(lines[firstText]) == nil ? length : firstText
    }

    func starts(_ lines: ArraySlice<Substring>) -> [Int] {
        var starts = [lines.startIndex]
        var last = lines.startIndex
        for index in lines.indices where marker(lines[index]) != nil {
            let hasSpace = index - 1 >= last && index - 1 >= lines.startIndex && lines[index - 1].isEmpty
            let start = hasSpace ? index - 1 : index
            if start != starts.last { starts.append(start) }
            last = index + 1
        }
        return starts
    }

    func parse(_ lines: ArraySlice<Substring>, isFirst: Bool) -> SourceCell? {
        var lines = lines
        if !isFirst, lines.first?.isEmpty ?? false { lines.removeFirst() }
        guard let first = lines.first, let marker = marker(first) else {
            // Text before the first marker is a cell too.
            return isFirst ? code(lines) : nil
        }
        lines.removeFirst()
        let (kind, title, isUsual) = read(marker)
        var cell: SourceCell
        switch kind {
        case .code: cell = code(lines)
        case .markdown, .raw:
            cell = SourceCell(
                kind, style.uncomment(lines, lead: style.sign) ?? lines.joined(separator: "\n"))
        }
        cell.title = title
        if !isUsual { cell.marker = String(marker) }
        return cell
    }

    /// Code, or a magic command with its text, which may stand behind comment signs.
    private func code(_ lines: ArraySlice<Substring>) -> SourceCell {
        if let first = lines.first, first.utf8.starts(with: "\(style.sign) %".utf8),
            let text = style.uncomment(lines, lead: style.sign), CellMagic(source: text) != nil
        {
            return MagicText.cell(text)
        }
        return MagicText.cell(lines.joined(separator: "\n"))
    }

    /// Kind and title of a marker such as ` The title [markdown]`; options with `=` or `{` are kept as they are.
    private func read(_ marker: Substring) -> (Cell.Kind, String?, isUsual: Bool) {
        var text = marker.trimmed
        var kind = Cell.Kind.code
        for (word, meaning) in [("[markdown]", Cell.Kind.markdown), ("[md]", .markdown), ("[raw]", .raw)] {
            guard let range = text.firstRange(of: word) else { continue }
            kind = meaning
            if range.upperBound == text.endIndex {
                text = text[..<range.lowerBound].trimmedEnd
            } else if range.lowerBound == text.startIndex {
                text = text[range.upperBound...]
            }
            break
        }
        let hasOptions = text.utf8.contains { $0 == UInt8(ascii: "=") || $0 == UInt8(ascii: "{") || $0 == 0x0d }
        let title = hasOptions || text.isEmpty ? nil : String(text)
        return (kind, title, sameText(usualMarker(kind, title), String(marker)))
    }

    private func usualMarker(_ kind: Cell.Kind, _ title: String?) -> String {
        let name = title.map { " \($0)" } ?? ""
        return kind == .code ? name : "\(name) [\(kind.rawValue)]"
    }

    func candidates(_ cell: SourceCell, isFirst: Bool) -> [String] {
        var body = cell.source
        if cell.kind != .code || CellMagic(source: cell.source) != nil {
            body = body.isEmpty ? "" : style.comment(body, lead: style.sign)
        }
        var markers = [usualMarker(cell.kind, cell.title)]
        if let marker = cell.marker { markers.insert(marker, at: 0) }
        if cell.title != nil { markers.append(usualMarker(cell.kind, nil)) }
        return markers.map { "\(isFirst ? "" : "\n")\(lead)\($0)\n\(body.isEmpty ? "" : "\(body)\n")" }
    }
}
