/// What language a cell or notebook is written in, by the names of Databricks' magic commands.
public struct CellLanguage: Sendable, Hashable, CustomStringConvertible {
    /// `python`, `sql`, `scala`, `r`, `sh`, `md`, `fs`, `run`, `pip`, `raw`, or another kernel's name for its own.
    public let name: String

    /// Makes a language; kernels' spellings of the common ones become ours.
    public init(_ name: String) {
        switch name.lowercased() {
        case "python", "python3", "ipython", "ipython3", "py": self.name = "python"
        case "bash", "shell", "sh": self.name = "sh"
        case "markdown", "md": self.name = "md"
        case let other: self.name = other
        }
    }

    /// Python, the default of a notebook that does not say.
    public static let python = CellLanguage("python")
    /// SQL, run by Spark.
    public static let sql = CellLanguage("sql")
    /// Scala.
    public static let scala = CellLanguage("scala")
    /// R.
    public static let r = CellLanguage("r")
    /// A shell script, run where the driver runs.
    public static let shell = CellLanguage("sh")
    /// Markdown, shown and not run.
    public static let markdown = CellLanguage("md")
    /// Commands on files.
    public static let files = CellLanguage("fs")
    /// Another notebook, run in place.
    public static let run = CellLanguage("run")
    /// Packages to install into the notebook's Python.
    public static let pip = CellLanguage("pip")
    /// Text of no language, which nbformat calls a raw cell.
    public static let raw = CellLanguage("raw")

    /// The name.
    public var description: String { name }

    /// The magic command that stands for this language in a cell, such as `%sql`.
    public var magic: String { "%\(name)" }
}

/// The magic command at the start of a cell, as Databricks reads it: it chooses the cell's language.
public struct CellMagic: Sendable, Hashable {
    /// The command as written, such as `%sql` or `%md-sandbox`.
    public let command: String
    /// The language it chooses.
    public let language: CellLanguage
    /// What the cell holds besides the command: the rest of its line, and the lines after it.
    public let body: String

    /// The magic of a source whose first line that is not blank begins with a known command; nil for any other source.
    ///
    /// Commands that only Python's kernel knows, such as `%time` or `%%bash`, are left to it.
    public init?(source: String) {
        let bytes = source.utf8
        guard let start = bytes.firstIndex(where: { !CellMagic.isBlank($0) }), bytes[start] == UInt8(ascii: "%")
        else { return nil }
        let end = bytes[start...].firstIndex(where: CellMagic.isBlank) ?? bytes.endIndex
        let command = String(source[start..<end])
        guard let language = CellMagic.languages[command] else { return nil }
        self.command = command
        self.language = language
        // `%pip` is a command for each line, and Python's kernel knows it, so such a cell is run as it is.
        if language == .pip {
            body = source
            return
        }
        var rest = source[end...]
        while let first = rest.utf8.first, first == 0x20 || first == 0x09 { rest = rest.dropFirstByte() }
        if rest.utf8.first == 0x0d, rest.dropFirstByte().utf8.first == 0x0a { rest = rest.dropFirstByte() }
        if rest.utf8.first == 0x0a { rest = rest.dropFirstByte() }
        body = String(rest)
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }

    private static let languages: [String: CellLanguage] = [
        "%python": .python, "%sql": .sql, "%scala": .scala, "%r": .r, "%sh": .shell, "%md": .markdown,
        "%md-sandbox": .markdown, "%fs": .files, "%run": .run, "%pip": .pip, "%conda": .pip, "%raw": .raw,
    ]
}

extension Substring {
    /// Without its first byte. A character may hold several, as `\r\n` does, and a byte of ASCII is never inside one.
    func dropFirstByte() -> Substring { self[utf8.index(after: startIndex)...] }
}
