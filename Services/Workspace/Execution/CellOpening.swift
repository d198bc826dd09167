internal import CellExecution
internal import Core
internal import HarbourProtocol
internal import NotebookFormats
internal import Postgres

/// Finds what one cell of a notebook has put out.
struct CellOpening: Sendable {
    let tree: WorkspaceTree
    let notebookID: Int64
    let cellID: String
    private let shown = ShownStore()

    init(tree: WorkspaceTree, notebookID: Int64, cellID: String) {
        (self.tree, self.notebookID, self.cellID) = (tree, notebookID, cellID)
    }

    /// - Parameters:
    ///   - limit: of outputs of more bytes there is a preview; all of them are whole when nil.
    ///   - total: the most bytes of these and of outputs of cells below, which come as well then.
    func outputs(limit: Int?, total: Int?) async throws -> CellOutputs {
        var found = try await outputs(limit: limit)
        guard let limit, let total else { return found }
        let room = max(0, total - found.outputs.reduce(0) { $0 + OutputPreview.size($1) })
        let opening = NotebookOpening(tree: tree, which: .newestOf(objectID: notebookID), limit: limit, total: room)
        found.following = try await opening.outputs(below: cellID)
        return found
    }

    private func outputs(limit: Int?) async throws -> CellOutputs {
        let found: CellOutputs? = try await tree.pool.transaction(isolation: .repeatableRead) { transaction in
            guard let revisionID = try await newest(transaction) else { return nil }
            var outputs = try await outputs(revisionID, whole: limit == nil, transaction)
            outputs?.lastSequence = try await NotebookJournal().position(notebookID, on: transaction).last
            return outputs
        }
        guard var outputs = found else {
            _ = try await tree.content(.newestOf(objectID: notebookID))
            throw HarbourError(.notFound, "The notebook has no cell \(cellID).")
        }
        if let limit {
            let all = outputs.outputs
            outputs.outputs = (ShownOutputs(all).outputs ?? all).map { OutputOverlay.named($0, over: limit) }
        }
        return outputs
    }

    private func newest(_ transaction: PostgresTransaction) async throws(HarbourError) -> Int64? {
        let rows = try await transaction.query(
            """
            SELECT revision_id FROM objects
            WHERE object_id = \(notebookID) AND kind = 'NOTEBOOK' AND deleted_at IS NULL
            """)
        return try rows.first?.decode(Int64.self)
    }

    /// What the cell has put out since the revision was made, or else what the revision has of it.
    private func outputs(
        _ revisionID: Int64, whole: Bool, _ transaction: PostgresTransaction
    ) async throws -> CellOutputs? {
        for place in [ShownStore.Place.left(revisionID), .notebook(notebookID)] {
            guard let entry = try await shown.list(place, cell: cellID, on: transaction).first else { continue }
            if entry.isRunning {
                let events = try await CellOutputStore.events(of: entry.command ?? "", upTo: .max, on: transaction)
                let reader = CellOutputReader(events).reader
                return CellOutputs(
                    cellID: cellID, commandID: entry.command, outputs: reader.outputs,
                    executionCount: reader.executionCount)
            }
            let kept = try await shown.read(place, cells: [cellID], whole: whole, on: transaction)[cellID]
            return CellOutputs(
                cellID: cellID, commandID: entry.command, outputs: try await CellOpening.outputs(kept),
                executionCount: entry.executionCount)
        }
        return try await ofContent(revisionID, whole: whole, transaction)
    }

    private func ofContent(
        _ revisionID: Int64, whole: Bool, _ transaction: PostgresTransaction
    ) async throws -> CellOutputs? {
        let which = RevisionStore.Which.revisionOf(objectID: notebookID, revisionID)
        guard let content = try await tree.revisions.content(which, bare: !whole, on: transaction) else { return nil }
        let kept =
            try await content.isBare
            ? shown.read(.content(revisionID), cells: [cellID], on: transaction)[cellID] : nil
        let apart = try await CellOpening.outputs(kept)
        return try await StoredContent.work(on: content.size) {
            guard let cell = try content.notebook().cells.first(where: { $0.id == cellID }) else { return nil }
            return CellOutputs(
                cellID: cellID, outputs: content.isBare ? apart : cell.outputs.map { .object($0.json) },
                executionCount: cell.executionCount)
        }
    }

    private static func outputs(_ kept: ShownStore.Kept?) async throws -> [JSONValue] {
        switch kept {
        case .shown(let text):
            try await StoredContent.work(on: text.utf8.count) { try JSONValue(jsonText: text).array ?? [] }
        case .whole(let frame): try await CellOutputStore.read(frame)
        case nil: []
        }
    }
}
