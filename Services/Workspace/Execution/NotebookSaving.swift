internal import Core
internal import HarbourProtocol
internal import NotebookFormats
internal import Postgres

/// Saves what somebody has edited on top of whatever others have saved meanwhile.
struct NotebookSaving: Sendable {
    let tree: WorkspaceTree
    let outputs = CellOutputStore()
    let kept = KeptOutputs()
    let journal = NotebookJournal()

    /// How often the newest revision may have changed while a merge was being made.
    static let attempts = 20

    /// - Throws: `RESOURCE_CONFLICT` when others have changed the same in another way; nothing is saved then.
    func save(_ body: SaveNotebook, _ notebookID: Int64, by user: String) async throws -> SavedNotebook {
        for _ in 0..<NotebookSaving.attempts {
            let newest = try await tree.content(.newestOf(objectID: notebookID))
            let base =
                newest.revisionID == body.baseRevisionID
                ? newest : try await tree.content(.revisionOf(objectID: notebookID, body.baseRevisionID))
            let change = try await StoredContent.work(on: newest.size + base.size) {
                try NotebookSaving.merged(body, base: base, newest: newest)
            }
            let save = try await prepare(
                change, over: newest, cleared: body.clearedCellIds ?? [], restored: body.restoredRevisionID)
            if let revision = try await store(save, over: newest, by: user, client: body.clientID) {
                return SavedNotebook(
                    revisionID: revision, isMerged: newest.revisionID != body.baseRevisionID)
            }
        }
        throw HarbourError(.unavailable, "The notebook is being saved by too many at once. Try again.")
    }

    /// What the newest revision is and what it becomes.
    struct Change: Sendable {
        let old: Notebook
        var new: Notebook
    }

    static func merged(_ body: SaveNotebook, base: RevisionContent, newest: RevisionContent) throws -> Change {
        let mine = try NotebookFormats.NotebookFormat.ipynb.parse(body.document.encodedJSON())
        let old = try newest.notebook()
        let merge = NotebookMerge(
            base: newest.revisionID == base.revisionID ? old : try base.notebook(), mine: mine, newest: old)
        switch merge.merge() {
        case .conflict(let conflicts):
            let list = NotebookMerge.Conflict.list(conflicts.map(\.description), separator: "; ")
            throw HarbourError(
                .conflict,
                "Nothing was saved, for others have changed what you have changed too: \(list). Load the notebook, "
                    + "which is at revision \(newest.revisionID) now, decide what it is to be, and save that on top.")
        case .merged(let notebook): return Change(old: old, new: notebook)
        }
    }

    /// What is written down of a save.
    struct Save: Sendable {
        let content: StoredContent
        /// Cells whose outputs are dropped.
        let cleared: [String]
        /// Outputs that the content has no place for.
        let left: [KeptOutputs.Kept]
        /// The cells with outputs that were kept and are part of the content again.
        let taken: [String]
    }

    /// Sees to it that outputs that came with a file stay, whatever becomes of their cells.
    /// - Parameter restored: the revision that is brought back.
    func prepare(
        _ change: Change, over newest: RevisionContent, cleared: [String] = [], restored: Int64? = nil
    ) async throws -> Save {
        let appeared = KeptOutputs.appeared(in: change.new, since: change.old)
        let found = appeared.isEmpty ? [:] : try await kept.read(appeared, of: newest.objectID, on: tree.pool)
        var wanted = found
        if let restored, !appeared.isEmpty {
            let then = try await outputs(of: restored, newest.objectID)
            wanted = then.filter { appeared.contains($0.key) }.merging(found) { then, _ in then }
        }
        let overlay = OutputOverlay(outputs: wanted)
        return try await StoredContent.work(on: newest.size + wanted.count * 4096) {
            let dropped = Set(cleared)
            var notebook = try overlay.notebook(change.new)
            for index in notebook.cells.indices where dropped.contains(notebook.cells[index].id) {
                notebook.cells[index].outputs = []
                notebook.cells[index].executionCount = nil
            }
            return Save(
                content: try StoredContent.of(notebook, name: newest.path), cleared: cleared,
                left: KeptOutputs.left(by: change.old, in: notebook, besides: dropped), taken: Array(found.keys))
        }
    }

    /// The outputs that a revision has of its own or was left with.
    private func outputs(
        of revisionID: Int64, _ notebookID: Int64
    ) async throws -> [String: CellOutputStore.Outputs] {
        let content = try await tree.content(.revisionOf(objectID: notebookID, revisionID))
        let left = try await outputs.outputs(ofRevision: revisionID, on: tree.pool)
        return try await StoredContent.work(on: content.size) {
            var found: [String: CellOutputStore.Outputs] = [:]
            for cell in try content.notebook().cells where cell.kind == .code {
                found[cell.id] = .init(
                    executionCount: cell.executionCount, outputs: cell.outputs.map { .object($0.json) })
            }
            return found.merging(left) { _, left in left }
        }
    }

    /// Stores a save unless there is another newest revision by now.
    func store(
        _ save: Save, over newest: RevisionContent, by user: String, client: String? = nil
    ) async throws -> Int64? {
        let id = newest.objectID
        return try await tree.pool.transaction { transaction -> Int64? in
            let now = Timestamp.now
            // Who makes the notebook's session at the same moment only needs it to be there.
            let rows = try await transaction.query(
                """
                SELECT 1 AS one FROM objects WHERE object_id = \(id) AND revision_id = \(newest.revisionID)
                    AND deleted_at IS NULL FOR NO KEY UPDATE
                """)
            if rows.isEmpty { return nil }
            // Before the outputs, as those do who run cells.
            let last = try await journal.lock(id, in: transaction)
            if !save.cleared.isEmpty { try await outputs.drop(of: id, cells: save.cleared, in: transaction) }
            if try await tree.revisions.holds(save.content, revisionID: newest.revisionID, on: transaction) {
                return newest.revisionID
            }
            try await kept.remove(save.taken, of: id, in: transaction)
            try await kept.write(save.left, of: id, in: transaction)
            let revision = try await tree.revisions.insert(save.content, of: id, by: user, at: now, in: transaction)
            _ = try await tree.objects.setRevision(revision, save.content, of: id, by: user, at: now, in: transaction)
            try await journal.revised(id, revision, by: user, client: client, after: last, in: transaction)
            return revision
        }
    }
}

extension NotebookJournal {
    /// Tells that a notebook has a new revision; its row must be locked.
    func revised(
        _ notebookID: Int64, _ revisionID: Int64, by user: String, client: String? = nil, after last: Int64,
        in transaction: PostgresTransaction
    ) async throws(HarbourError) {
        let event = NotebookEvent(
            sequence: 0, timestamp: .now, type: .revision, revisionID: revisionID, userName: user, clientID: client)
        try await append([JournalEntry(event: event)], to: notebookID, after: last, in: transaction)
    }
}

extension WorkspaceTree {
    /// A notebook was replaced by a file: what its cells have put out before is not of this content and stays with the
    /// revision that was the newest until now.
    func replaced(
        _ notebookID: Int64, _ oldID: Int64?, with revisionID: Int64, by user: String,
        in transaction: PostgresTransaction
    ) async throws(HarbourError) {
        // Before the outputs, as those do who run cells.
        let last = try await NotebookJournal().lock(notebookID, in: transaction)
        if let oldID { try await CellOutputStore().leave(with: oldID, of: notebookID, in: transaction) }
        try await NotebookJournal().revised(notebookID, revisionID, by: user, after: last, in: transaction)
    }
}
