internal import Core
internal import NotebookFormats

/// What the search looks into of one revision: the sources of a notebook's cells, or the text of a small file. Outputs are
/// not part of it.
struct SearchText: Sendable, Hashable {
    /// A piece of text that is matched as one.
    struct Passage: Sendable, Hashable {
        /// Empty for a file.
        var cellID: String
        /// Of cells, from 1.
        var number: Int
        var text: String
    }

    /// What is beyond these is not searched. They keep what one object adds to the index, and the time of its save, small.
    static let maximumFile = 1 << 20
    static let maximumTextOfFile = 256 << 10
    static let maximumCell = 64 << 10
    static let maximumNotebook = 512 << 10

    private(set) var passages: [Passage] = []

    /// Nothing to look into.
    static let none = SearchText()

    private init() {}

    init(notebook: Notebook) {
        var left = SearchText.maximumNotebook
        var known: Set<String> = []
        for (index, cell) in notebook.cells.enumerated() where known.insert(cell.id).inserted {
            guard left > 0 else { return }
            let text = SearchText.prefix(of: cell.source, min(SearchText.maximumCell, left))
            left -= text.utf8.count
            if !text.isEmpty { passages.append(Passage(cellID: cell.id, number: index + 1, text: text)) }
        }
    }

    /// A file has text when it is UTF-8 without zero bytes.
    init(file bytes: [UInt8]) {
        guard !bytes.isEmpty, bytes.count <= SearchText.maximumFile, !bytes.contains(0),
            let text = String(validating: bytes, as: UTF8.self)
        else { return }
        passages = [
            Passage(cellID: "", number: 1, text: SearchText.prefix(of: text, SearchText.maximumTextOfFile))
        ]
    }

    /// At most so many bytes, cut between two characters; without zero bytes, which PostgreSQL's text cannot hold.
    private static func prefix(of text: String, _ count: Int) -> String {
        var cut = text
        if text.utf8.count > count {
            var end = text.utf8.index(text.startIndex, offsetBy: count)
            while end > text.startIndex, end.samePosition(in: text.unicodeScalars) == nil {
                end = text.utf8.index(before: end)
            }
            cut = String(text.unicodeScalars[..<end])
        }
        return cut.utf8.contains(0)
            ? String(String.UnicodeScalarView(cut.unicodeScalars.map { $0 == "\0" ? " " : $0 })) : cut
    }
}
