internal import Core
internal import HarbourProtocol

/// Which cells a request wants to have run.
enum CellSelection {
    /// The code cells that are meant, in the order in which they run. Cells without text are left out.
    /// - Throws: `RESOURCE_DOES_NOT_EXIST` when a cell is not in the notebook, `INVALID_PARAMETER_VALUE` when it is not
    ///   said which are meant.
    static func cells(of body: RunCells, in cells: [NotebookCell]) throws(HarbourError) -> [NotebookCell] {
        let chosen: [NotebookCell]
        switch body.scope ?? .selected {
        case .all: chosen = cells
        case .above: chosen = Array(cells[..<(try index(of: body.cellID, in: cells))])
        case .below: chosen = Array(cells[(try index(of: body.cellID, in: cells))...])
        case .selected:
            guard let ids = body.cellIds, !ids.isEmpty else {
                throw HarbourError(
                    .invalidParameter, "Say which cells to run: send `cell_ids`, or the `scope` ALL, ABOVE or BELOW.")
            }
            var found: [NotebookCell] = []
            for id in ids { found.append(cells[try index(of: id, in: cells)]) }
            chosen = found
        }
        return chosen.filter { $0.kind == .code && !$0.source.allSatisfy(\.isWhitespace) }
    }

    private static func index(of id: String?, in cells: [NotebookCell]) throws(HarbourError) -> Int {
        guard let id else {
            throw HarbourError(.invalidParameter, "The scopes ABOVE and BELOW need the `cell_id` to count from.")
        }
        guard let index = cells.firstIndex(where: { $0.cellID == id }) else {
            throw HarbourError(
                .notFound, "The saved notebook has no cell \(id.prefix(64)). Save the notebook, then run it.")
        }
        return index
    }

    /// FNV-1a with 32 bits of a text's UTF-8, in hexadecimal: enough to see that a text is another one.
    static func hash(_ text: String) -> String {
        var hash: UInt32 = 0x811c_9dc5
        for byte in text.utf8 { hash = (hash ^ UInt32(byte)) &* 0x0100_0193 }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 8 - digits.utf8.count) + digits
    }
}
