internal import Core
internal import HarbourProtocol
internal import NotebookFormats
internal import Postgres

/// What may be asked about running notebooks.
struct ExecutionService: Sendable {
    let tree: WorkspaceTree
    let store: ExecutionStore
    let outputs = CellOutputStore()
    let journal = NotebookJournal()

    init(tree: WorkspaceTree) {
        self.tree = tree
        store = ExecutionStore(pool: tree.pool)
    }

    /// Puts cells of the newest revision into the queue.
    func run(_ body: RunCells, _ notebookID: Int64, by user: String) async throws -> NotebookExecution {
        let content = try await tree.content(.newestOf(objectID: notebookID))
        let notebook = try await StoredContent.work(on: content.size) { try content.content() }
        let cells = try CellSelection.cells(of: body, in: notebook.cells)
        let batch = ExecutionStore.Batch(
            id: "nb-\(notebookID)-" + (body.idempotencyToken ?? Identifier.make()), cells: cells, user: user,
            clusterID: body.clusterID)
        return try await store.enqueue(batch, notebookID)
    }

    /// Makes sure that there is such a notebook.
    func checkExists(_ notebookID: Int64) async throws(HarbourError) {
        let rows = try await tree.pool.query(
            """
            SELECT 1 AS one FROM objects
            WHERE object_id = \(notebookID) AND kind = 'NOTEBOOK' AND deleted_at IS NULL
            """)
        if rows.isEmpty {
            throw HarbourError(.notFound, "There is no notebook \(notebookID). It may have been deleted.")
        }
    }

    /// A revision, and what there is of the notebook beside it.
    struct Revision: Sendable {
        var content: RevisionContent
        var outputs: [String: CellOutputStore.Outputs] = [:]
        /// Nil where its file says which there are.
        var widgets: [NotebookWidget]?
        /// The event up to which the outputs go; nil where they will not change.
        var lastSequence: Int64?

        /// The content as a file in the wished format, and the ending of its name.
        func file(as format: HarbourProtocol.NotebookFormat) throws(HarbourError) -> ([UInt8], String) {
            try content.file(
                as: format, outputs.isEmpty ? nil : OutputOverlay(outputs: outputs), widgets: widgets)
        }
    }

    /// The newest revision with what its cells have put out since, or another one as it was left.
    /// - Parameters:
    ///   - limit: of outputs of more bytes there is a preview; all of them are read when nil.
    ///   - total: the most bytes of outputs of all cells.
    func notebook(_ which: RevisionStore.Which, limit: Int?, total: Int?) async throws -> NotebookContent {
        if let limit {
            return try await NotebookOpening(tree: tree, which: which, limit: limit, total: total).notebook()
        }
        let revision = try await revision(which)
        return try await StoredContent.work(on: revision.content.size + revision.outputs.count * 4096) {
            var notebook = try revision.content.content()
            notebook.document = OutputOverlay(outputs: revision.outputs).document(
                notebook.document, ids: notebook.cells.map(\.cellID))
            notebook.lastSequence = revision.lastSequence
            return notebook
        }
    }

    /// A revision with outputs and widgets, as they are at one moment. Of the newest one they are what has come since; one
    /// that is named says what it said, with the outputs that it was left with when a file replaced it.
    /// - Parameter isListed: it is named because it was the newest a moment ago, and is taken for it.
    func revision(_ which: RevisionStore.Which, isListed: Bool = false) async throws -> Revision {
        let isNewest = which.isNewest || isListed
        let read: Revision? = try await tree.pool.transaction(isolation: .repeatableRead) { transaction in
            guard let content = try await tree.revisions.content(which, on: transaction) else { return nil }
            let left = try await outputs.outputs(ofRevision: content.revisionID, on: transaction)
            guard isNewest else { return Revision(content: content, outputs: left) }
            let (last, _) = try await journal.position(content.objectID, on: transaction)
            return Revision(
                content: content,
                outputs: left.isEmpty ? try await outputs.outputs(of: content.objectID, on: transaction) : left,
                widgets: try await store.widgets.kept(content.objectID, on: transaction), lastSequence: last)
        }
        if let read { return read }
        // Why there is none is said as elsewhere.
        return Revision(content: try await tree.content(which))
    }
}
