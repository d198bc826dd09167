internal import Core
internal import NotebookFormats

/// Brings what two people have made of one notebook together: cells by their ids, and of each cell and of the notebook
/// field by field. The answer is the same whoever of the two saves first. Outputs are the server's and are not looked
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
        /// What has to be decided by somebody. There is at least one.
        case conflict([Conflict])
    }

    /// Something that both have changed, each in another way.
    enum Conflict: Hashable, CustomStringConvertible {
        /// These fields of a cell.
        case cell(String, [String])
        /// A cell that I have deleted and they have changed.
        case deletedHere(String)
        /// A cell that they have deleted and I have changed.
        case deletedThere(String)
        /// The order of these cells.
        case order([String])
        /// These fields of the notebook.
        case notebook([String])

        var description: String {
            switch self {
            case .cell(let id, let fields): "cell \(id) (\(Conflict.list(fields)))"
            case .deletedHere(let id): "cell \(id) (you have deleted it, others have changed it)"
            case .deletedThere(let id): "cell \(id) (others have deleted it, you have changed it)"
            case .order(let ids): "the order of the cells \(Conflict.list(ids))"
            case .notebook(let fields): "the notebook's \(Conflict.list(fields))"
            }
        }

        /// How many are named.
        private static let named = 5
        private static let longestName = 80

        /// The first ones, and how many more there are.
        static func list(_ names: [String], separator: String = ", ") -> String {
            let shown = names.prefix(named).map { name in
                name.unicodeScalars.count <= longestName
                    ? name : String(String.UnicodeScalarView(name.unicodeScalars.prefix(longestName))) + "…"
            }
            let rest = names.count - shown.count
            return shown.joined(separator: separator) + (rest > 0 ? " and \(rest) more" : "")
        }
    }

    func merge() -> Outcome {
        let (bases, mines, theirs) = (byID(base), byID(mine), byID(newest))
        var conflicts: [Conflict] = []
        var chosen: [String: Cell] = [:]
        var seen: Set<String> = []
        for id in (newest.cells + mine.cells).map(\.id) where seen.insert(id).inserted {
            switch (mines[id], theirs[id]) {
            case (let my?, let their?):
                let merge = CellMerge(base: bases[id], mine: my, theirs: their)
                chosen[id] = merge.cell
                if !merge.conflicts.isEmpty { conflicts.append(.cell(id, merge.conflicts)) }
            case (let cell?, nil), (nil, let cell?):
                let isMine = mines[id] != nil
                guard let old = bases[id] else {
                    chosen[id] = isMine ? withoutOutputs(cell) : cell
                    break
                }
                // The other has deleted it.
                if CellMerge.isChanged(cell, since: old) {
                    conflicts.append(isMine ? .deletedThere(id) : .deletedHere(id))
                }
            case (nil, nil): break
            }
        }
        let order = OrderMerge(
            base: base.cells.map(\.id), mine: mine.cells.map(\.id), theirs: newest.cells.map(\.id),
            kept: Set(chosen.keys))
        if !order.conflicts.isEmpty { conflicts.append(.order(order.conflicts)) }
        var merged = newest
        let fields = mergeFields(into: &merged)
        if !fields.isEmpty { conflicts.append(.notebook(fields)) }
        guard conflicts.isEmpty, let ids = order.order else { return .conflict(conflicts) }
        merged.cells = ids.compactMap { chosen[$0] }
        merged.minorVersion = max(5, mine.minorVersion, newest.minorVersion)
        return .merged(merged)
    }

    /// - Returns: the names of those that both have changed, each in another way.
    private func mergeFields(into merged: inout Notebook) -> [String] {
        var fields = FieldMerge()
        merged.metadata = fields.merge(
            "metadata", base: base.metadata, mine: mine.metadata, theirs: newest.metadata)
        merged.unknownFields = fields.merge(
            "", base: base.unknownFields, mine: mine.unknownFields, theirs: newest.unknownFields)
        return fields.conflicts
    }

    private func byID(_ notebook: Notebook) -> [String: Cell] {
        Dictionary(notebook.cells.map { ($0.id, $0) }) { first, _ in first }
    }

    private func withoutOutputs(_ cell: Cell) -> Cell {
        var cell = cell
        (cell.outputs, cell.executionCount) = ([], nil)
        return cell
    }
}
