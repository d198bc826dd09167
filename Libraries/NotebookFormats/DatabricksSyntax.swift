import Core

/// The source format of Databricks: a first line that says so, `COMMAND` lines between cells, `MAGIC` before each line
/// of a cell in another language.
struct DatabricksSyntax: SourceSyntax {
    let language: CellLanguage
    private let style: CommentStyle
    /// The first line of every file.
    let header: String
    private let separator: String
    private let magicLead: String
    private let titleLead: String

    init(language: CellLanguage) {
        self.language = language
        let sign = language == .sql ? "--" : "#"
        style = CommentStyle(sign: sign)
        header = "\(sign) Databricks notebook source"
        separator = "\(sign) COMMAND ----------"
        magicLead = "\(sign) MAGIC"
        titleLead = "\(sign) DBTITLE "
    }

    func headerLength(_ lines: [Substring]) -> Int { 0 }

    func starts(_ lines: ArraySlice<Substring>) -> [Int] {
        var starts = [lines.startIndex]
        var marker = lines.startIndex
        for index in lines.indices where sameText(String(lines[index].trimmedEnd), separator) {
            // One empty line before the separator belongs to it.
            let hasSpace = index - 1 >= lines.startIndex && index - 1 >= marker && lines[index - 1].isEmpty
            let start = hasSpace ? index - 1 : index
            if start != starts.last { starts.append(start) }
            marker = index + 1
        }
        return starts
    }

    func parse(_ lines: ArraySlice<Substring>, isFirst: Bool) -> SourceCell? {
        var lines = lines
        if isFirst {
            guard let first = lines.popFirst(), sameText(String(first.trimmedEnd), header) else { return nil }
        } else {
            if lines.first?.isEmpty ?? false { lines.removeFirst() }
            guard let first = lines.popFirst(), sameText(String(first.trimmedEnd), separator) else { return nil }
        }
        if lines.first?.isEmpty ?? false { lines.removeFirst() }
        let title = popTitle(&lines)
        var inner = lines
        while inner.first?.trimmed.isEmpty ?? false { inner.removeFirst() }
        while inner.last?.trimmed.isEmpty ?? false { inner.removeLast() }
        var cell: SourceCell
        if !inner.isEmpty, let text = style.uncomment(inner, lead: magicLead) {
            cell = MagicText.cell(text)
        } else {
            cell = MagicText.cell(lines.joined(separator: "\n"))
        }
        cell.title = title
        return cell
    }

    /// Takes a line `# DBTITLE 1,The title` off the front.
    private func popTitle(_ lines: inout ArraySlice<Substring>) -> String? {
        guard let line = lines.first, line.utf8.starts(with: titleLead.utf8) else { return nil }
        let rest = line[line.utf8.index(line.startIndex, offsetBy: titleLead.utf8.count)...]
        guard let comma = rest.utf8.firstIndex(of: UInt8(ascii: ",")), comma != rest.startIndex,
            rest.utf8[..<comma].allSatisfy({ $0 >= 0x30 && $0 <= 0x39 })
        else { return nil }
        let title = rest[rest.utf8.index(after: comma)...]
        guard !title.isEmpty, !title.utf8.contains(0x0d) else { return nil }
        lines.removeFirst()
        return String(title)
    }

    func candidates(_ cell: SourceCell, isFirst: Bool) -> [String] {
        var bodies: [String]
        switch cell.kind {
        case .markdown, .raw: bodies = MagicText.texts(cell).map { style.comment($0, lead: magicLead) }
        case .code:
            let hidden = style.comment(cell.source, lead: magicLead)
            // What the format would read as its own marks hides behind a magic command.
            let wrapped = style.comment(MagicText.usual(language, cell.source), lead: magicLead)
            bodies = cell.source.utf8.first == UInt8(ascii: "%") ? [hidden, wrapped] : [cell.source, wrapped]
        }
        let title = cell.title.map { titleLead + "1,\($0)\n" } ?? ""
        let texts = bodies.map { title + ($0.isEmpty ? "" : "\($0)\n") }
        guard isFirst else { return texts.map { "\n\(separator)\n\n\($0)" } }
        return texts.flatMap { ["\(header)\n\($0)", "\(header)\n\n\($0)"] }
    }
}
