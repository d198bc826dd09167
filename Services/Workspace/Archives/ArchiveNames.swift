internal import Core
internal import HarbourProtocol
internal import NotebookFormats

/// How entries of the tree are called in archives, so that what is unpacked is what was packed.
///
/// A notebook gets the ending of its format and loses it again: `report` is `report.ipynb` in between, and `report.py` is
/// `report.py.py`. All else keeps its name.
enum ArchiveNames {
    /// How much of a source tells whether it is a notebook.
    static let startBytes = 4096

    /// Whether a Python file is a notebook: by Databricks' first line, or by the marks that part cells in other editors.
    /// Any other is a module, which notebooks import by its name.
    static func isPythonNotebook(_ start: [UInt8]) -> Bool {
        let text = start.prefix(startBytes)
        if (try? NotebookFormats.NotebookFormat.detect(name: "x.py", content: Array(text))) == .pythonSource {
            return true
        }
        return text.split(whereSeparator: { $0 == 0x0a || $0 == 0x0d }).contains { $0.starts(with: "# %%".utf8) }
    }

    /// What an entry becomes in the tree, by its name and how it begins: the name without the ending for a notebook; nil
    /// for a file.
    static func notebookName(_ name: String, start: [UInt8]) -> String? {
        guard let dot = name.lastIndex(of: "."), dot > name.startIndex else { return nil }
        switch name[name.index(after: dot)...].lowercased() {
        case "ipynb", "sql": return String(name[..<dot])
        case "py": return isPythonNotebook(start) ? String(name[..<dot]) : nil
        default: return nil
        }
    }

    /// Whether the start of a file is needed for `notebookName`.
    static func needsStart(_ name: String) -> Bool { name.lowercased().hasSuffix(".py") }

    /// The ending that a notebook gets.
    static func ending(
        _ own: NotebookFormats.NotebookFormat, language: String?, as wished: HarbourProtocol.NotebookFormat
    ) -> String {
        switch wished {
        case .auto: own.fileExtension
        case .jupyter: "ipynb"
        case .source: own != .ipynb ? own.fileExtension : language == "sql" ? "sql" : "py"
        }
    }

    /// Files of macOS that say nothing to anybody else.
    static func isLitter(_ path: String) -> Bool {
        path.hasPrefix("__MACOSX/") || path == ".DS_Store" || path.hasSuffix("/.DS_Store")
    }
}
