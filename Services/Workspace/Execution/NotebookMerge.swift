internal import Core
internal import NotebookFormats

/// Brings what two people have made of one notebook together, cell by cell. Outputs are the server's and are not looked
/// at: those of the newest revision stay.
struct NotebookMerge {
    let base: Notebook
    let mine: Notebook
    /// The newest revision, which others may have saved since.
    let newest: Notebook

    /// What came of it.
    enum Outcome {
        /// All changes together.
        case merged(Notebook)
        /// Both have changed these cells, each in another way.
        case conflict([String])
    }

    func merge() -> Outcome {
        let (bases, mines, theirs) = (byID(base), byID(mine), byID(newest))
        var conflicts: [String] = []
        /// Nil when it is deleted.
        func chosen(_ id: String) -> Cell? {
            let (old, my, their) = (bases[id], mines[id], theirs[id])
            switch (my, their) {
            case (let my?, let their?):
                if isSame(my, their) || isSame(my, old) { return their }
                if isSame(their, old) { return withOutputs(my, of: their) }
                conflicts.append(id)
                return my
            // Of a change and a deletion, the change stays: nothing anybody wrote is lost.
            case (let my?, nil): return old == nil || !isSame(my, old) ? withOutputs(my, of: nil) : nil
            case (nil, let their?): return old == nil || !isSame(their, old) ? their : nil
            case (nil, nil): return nil
            }
        }
        let mineMoved = order(mine, in: bases) != order(base, in: mines)
        let (first, second) = mineMoved ? (mine, newest) : (newest, mine)
        var ids = first.cells.map(\.id)
        var known = Set(ids)
        // What only the other has comes after the cell that it follows there.
        for (index, cell) in second.cells.enumerated() where known.insert(cell.id).inserted {
            let before = index == 0 ? nil : ids.firstIndex(of: second.cells[index - 1].id)
            ids.insert(cell.id, at: before.map { $0 + 1 } ?? 0)
        }
        var merged = newest
        merged.cells = ids.compactMap(chosen)
        guard conflicts.isEmpty else { return .conflict(conflicts) }
        merged.metadata = metadata()
        merged.minorVersion = max(5, mine.minorVersion, newest.minorVersion)
        return .merged(merged)
    }

    private func byID(_ notebook: Notebook) -> [String: Cell] {
        Dictionary(notebook.cells.map { ($0.id, $0) }) { first, _ in first }
    }

    /// The cells that others have as well, in their order.
    private func order(_ notebook: Notebook, in others: [String: Cell]) -> [String] {
        notebook.cells.map(\.id).filter { others[$0] != nil }
    }

    private func isSame(_ cell: Cell, _ other: Cell?) -> Bool {
        guard let other else { return false }
        return cell.kind == other.kind && cell.source == other.source && cell.metadata == other.metadata
            && cell.attachments == other.attachments && cell.unknownFields == other.unknownFields
    }

    private func withOutputs(_ cell: Cell, of other: Cell?) -> Cell {
        var cell = cell
        cell.outputs = cell.kind == .code ? other?.outputs ?? [] : []
        cell.executionCount = cell.kind == .code ? other?.executionCount : nil
        return cell
    }

    /// Theirs with what I have changed.
    private func metadata() -> JSONObject {
        var merged = newest.metadata
        for key in Set(mine.metadata.keys).union(base.metadata.keys) where mine.metadata[key] != base.metadata[key] {
            merged[key] = mine.metadata[key]
        }
        return merged
    }
}
