internal import Compression
internal import Core
internal import NotebookFormats

/// What is shown at once of what a cell has put out: all of it where that is little; else what comes first, the errors,
/// and previews of what is large.
struct ShownOutputs: Sendable {
    /// The most that is shown at once of one cell, in bytes of JSON.
    static let limit = 64 << 10
    /// Kept free for what stands for the outputs that have no room.
    private static let reserve = 256

    /// How large all of them are as JSON, about.
    let bytes: Int
    /// What is shown instead of them; nil where all of them are.
    let outputs: [JSONValue]?

    init(_ all: [JSONValue]) {
        let sizes = all.map { OutputPreview.size($0) + 1 }
        bytes = sizes.reduce(2, +)
        guard bytes > ShownOutputs.limit else {
            outputs = nil
            return
        }
        // What ended the cell is shown whatever came before it.
        var room = ShownOutputs.limit - ShownOutputs.reserve
        var isKept = all.map { _ in false }
        for (index, output) in all.enumerated().reversed() where ShownOutputs.isEnd(output) {
            guard sizes[index] <= ShownOutputs.limit / 4, sizes[index] <= room else { break }
            isKept[index] = true
            room -= sizes[index]
        }
        var shown: [JSONValue] = []
        var rest = (count: 0, bytes: 0, place: 0)
        for (index, output) in all.enumerated() {
            if isKept[index] {
                shown.append(output)
            } else if rest.count == 0, let piece = ShownOutputs.piece(output, sizes[index], room) {
                shown.append(piece.output)
                room -= piece.size
            } else {
                if rest.count == 0 { rest.place = shown.count }
                rest.count += 1
                rest.bytes += sizes[index]
            }
        }
        if rest.count > 0 { shown.insert(OutputPreview.rest(rest.count, bytes: rest.bytes), at: rest.place) }
        outputs = shown
    }

    /// Whether it says how the cell ended: an error, or that there was more than it may put out.
    private static func isEnd(_ output: JSONValue) -> Bool {
        output["output_type"]?.string == "error" || output["data"]?[CellOutputReader.truncatedType] != nil
    }

    /// The output, or as much of it as there is room for; nil where there is none.
    private static func piece(_ output: JSONValue, _ size: Int, _ room: Int) -> (output: JSONValue, size: Int)? {
        if size <= room { return (output, size) }
        for characters in [OutputPreview.shown, 1024, 128] {
            let preview = OutputPreview.of(output, bytes: size, characters: characters)
            let size = OutputPreview.size(preview) + 1
            if size <= room { return (preview, size) }
        }
        return nil
    }

    /// What is shown instead of them, as it is kept.
    var text: String? { outputs.map { JSONValue.array($0).jsonText() } }
}

/// A notebook whose content has large outputs, in two: the document without them, and what is shown of each cell.
struct SplitNotebook: Sendable {
    /// Contents of fewer bytes are read whole.
    static let limit = 256 << 10

    struct Piece: Sendable {
        let cellID: String
        let bytes: Int
        /// A JSON array.
        let shown: String
    }

    /// An LZ4 frame of an `.ipynb`.
    let document: [UInt8]
    let pieces: [Piece]

    /// Nil where the outputs are not what makes it large.
    init?(_ notebook: Notebook) {
        var bare = notebook
        var pieces: [Piece] = []
        var all = 0
        for (index, cell) in notebook.cells.enumerated() where cell.kind == .code && !cell.outputs.isEmpty {
            let outputs = cell.outputs.map { JSONValue.object($0.json) }
            let shown = ShownOutputs(outputs)
            all += shown.bytes
            pieces.append(
                Piece(
                    cellID: cell.id, bytes: shown.bytes,
                    shown: shown.text ?? JSONValue.array(outputs).jsonText()))
            bare.cells[index].outputs = []
        }
        guard all > SplitNotebook.limit / 2 else { return nil }
        // Before 4.5 nbformat had no ids, by which the pieces are found.
        bare.minorVersion = max(5, notebook.minorVersion)
        document = LZ4Frame.compress(NotebookFormats.NotebookFormat.ipynb.serialize(bare))
        self.pieces = pieces
    }
}
