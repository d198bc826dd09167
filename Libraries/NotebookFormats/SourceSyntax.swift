import Core

/// What a piece of a source file says about its cell.
struct SourceCell: Sendable {
    var kind: Cell.Kind
    var source: String
    var title: String?
    /// The magic command as written with what follows it up to the source, where that is not the usual form.
    var prefix: String?
    /// What follows the marker of the cell on its line, where that is not the usual form.
    var marker: String?

    init(_ kind: Cell.Kind, _ source: String) {
        self.kind = kind
        self.source = source
    }

    /// Whether both stand for the same cell, however they spell it.
    func means(_ other: SourceCell) -> Bool {
        kind == other.kind && sameText(source, other.source) && sameText(title ?? "", other.title ?? "")
    }
}

/// How a source format marks its cells. A file is cut into pieces, one a cell, each with the marker before it.
protocol SourceSyntax: Sendable {
    /// The language of text without a magic command.
    var language: CellLanguage { get }
    /// How many lines at the start belong to no cell.
    func headerLength(_ lines: [Substring]) -> Int
    /// The lines at which pieces begin; the first is always 0.
    func starts(_ lines: ArraySlice<Substring>) -> [Int]
    /// Reads one piece; nil when it is none, for example because its marker is missing.
    func parse(_ lines: ArraySlice<Substring>, isFirst: Bool) -> SourceCell?
    /// The ways to write a cell, the best first. The last one is taken when none reads back as the same cell.
    func candidates(_ cell: SourceCell, isFirst: Bool) -> [String]
}

/// Text behind comment signs, line by line.
struct CommentStyle: Sendable {
    /// `#` or `--`.
    let sign: String

    /// Puts `lead` and a space before each line; an empty line gets the lead alone.
    func comment(_ text: String, lead: String) -> String {
        text.split(separator: "\n" as Unicode.Scalar, in: text)
            .map { $0.isEmpty ? lead : "\(lead) \($0)" }.joined(separator: "\n")
    }

    /// Takes `lead` and one space off each line; nil when a line has no lead.
    func uncomment(_ lines: some Sequence<Substring>, lead: String) -> String? {
        var stripped: [Substring] = []
        for line in lines {
            guard line.utf8.starts(with: lead.utf8) else { return nil }
            let rest = line[line.utf8.index(line.startIndex, offsetBy: lead.utf8.count)...]
            if rest.isEmpty {
                stripped.append(rest)
            } else if rest.utf8.first == 0x20 {
                stripped.append(rest.dropFirstByte())
            } else {
                return nil
            }
        }
        return stripped.joined(separator: "\n")
    }
}

extension String {
    /// The lines between line feeds. Splitting by characters would not see the line feed of `\r\n`.
    fileprivate func split(separator: Unicode.Scalar, in text: String) -> [Substring] {
        text.unicodeScalars.split(separator: separator, omittingEmptySubsequences: false).map { Substring($0) }
    }
}

extension Substring {
    /// Without spaces and tabs at the end.
    var trimmedEnd: Substring {
        guard let last = utf8.lastIndex(where: { $0 != 0x20 && $0 != 0x09 }) else {
            return self[startIndex..<startIndex]
        }
        return self[..<utf8.index(after: last)]
    }

    /// Without spaces and tabs around.
    var trimmed: Substring {
        let rest = trimmedEnd
        guard let first = rest.utf8.firstIndex(where: { $0 != 0x20 && $0 != 0x09 }) else { return rest }
        return rest[first...]
    }
}

/// How a magic command and the text under it become one text, and back.
enum MagicText {
    /// The usual form: the command on a line of its own.
    static func usual(_ language: CellLanguage, _ source: String) -> String {
        source.isEmpty ? language.magic : "\(language.magic)\n\(source)"
    }

    /// The texts that may stand for a markdown or raw cell, the best first.
    static func texts(_ cell: SourceCell) -> [String] {
        let usual = usual(cell.kind == .markdown ? .markdown : .raw, cell.source)
        return (cell.prefix.map { [$0 + cell.source] } ?? []) + [usual]
    }

    /// The cell that a text under a magic sign stands for.
    static func cell(_ text: String) -> SourceCell {
        guard let magic = CellMagic(source: text), magic.language == .markdown || magic.language == .raw else {
            return SourceCell(.code, text)
        }
        var cell = SourceCell(magic.language == .markdown ? .markdown : .raw, magic.body)
        if !sameText(usual(magic.language, magic.body), text) {
            cell.prefix = String(decoding: text.utf8.prefix(text.utf8.count - magic.body.utf8.count), as: UTF8.self)
        }
        return cell
    }
}
