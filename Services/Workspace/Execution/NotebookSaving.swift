internal import Core
internal import HarbourProtocol
internal import NotebookFormats
internal import Postgres

/// Saves what somebody has edited on top of whatever others have saved meanwhile.
struct NotebookSaving: Sendable {
    let tree: WorkspaceTree
    let outputs = CellOutputStore()
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
            let content = try await StoredContent.work(on: newest.size + base.size) {
                try NotebookSaving.merged(body, base: base, newest: newest)
            }
            if let revision = try await store(content, over: newest, body, by: user) {
                return SavedNotebook(
                    revisionID: revision, isMerged: newest.revisionID != body.baseRevisionID)
            }
        }
        throw HarbourError(.unavailable, "The notebook is being saved by too many at once. Try again.")
    }

    static func merged(
        _ body: SaveNotebook, base: RevisionContent, newest: RevisionContent
    ) throws -> StoredContent {
        let mine = try NotebookFormats.NotebookFormat.ipynb.parse(body.document.encodedJSON())
        let newestNotebook = try newest.notebook()
        let merge = NotebookMerge(
            base: newest.revisionID == base.revisionID ? newestNotebook : try base.notebook(), mine: mine,
            newest: newestNotebook)
        switch merge.merge() {
        case .conflict(let conflicts):
            let list = NotebookMerge.Conflict.list(conflicts.map(\.description), separator: "; ")
            throw HarbourError(
                .conflict,
                "Nothing was saved, for others have changed what you have changed too: \(list). Load the notebook, "
                    + "which is at revision \(newest.revisionID) now, decide what it is to be, and save that on top.")
        case .merged(var notebook):
            let cleared = Set(body.clearedCellIds ?? [])
            for index in notebook.cells.indices where cleared.contains(notebook.cells[index].id) {
                notebook.cells[index].outputs = []
                notebook.cells[index].executionCount = nil
            }
            return try StoredContent.read(
                NotebookFormats.NotebookFormat.ipynb.serialize(notebook), name: newest.path, format: .jupyter,
                language: nil, takesWidgets: false)
        }
    }

    /// Stores a merge unless there is another newest revision by now.
    func store(
        _ content: StoredContent, over newest: RevisionContent, _ body: SaveNotebook, by user: String
    ) async throws -> Int64? {
        let id = newest.objectID
        return try await tree.pool.transaction { transaction -> Int64? in
            let now = Timestamp.now
            let rows = try await transaction.query(
                """
                SELECT 1 AS one FROM objects WHERE object_id = \(id) AND revision_id = \(newest.revisionID)
                    AND deleted_at IS NULL FOR UPDATE
                """)
            if rows.isEmpty { return nil }
            if let cleared = body.clearedCellIds, !cleared.isEmpty {
                try await outputs.drop(of: id, cells: cleared, in: transaction)
            }
            if try await tree.revisions.holds(content, revisionID: newest.revisionID, on: transaction) {
                return newest.revisionID
            }
            let revision = try await tree.revisions.insert(content, of: id, by: user, at: now, in: transaction)
            _ = try await tree.objects.setRevision(revision, content, of: id, by: user, at: now, in: transaction)
            try await journal.revised(id, revision, by: user, client: body.clientID, in: transaction)
            return revision
        }
    }
}

extension NotebookJournal {
    /// Tells that a notebook has a new revision.
    func revised(
        _ notebookID: Int64, _ revisionID: Int64, by user: String, client: String? = nil,
        in transaction: PostgresTransaction
    ) async throws(HarbourError) {
        let last = try await lock(notebookID, in: transaction)
        let event = NotebookEvent(
            sequence: 0, timestamp: .now, type: .revision, revisionID: revisionID, userName: user, clientID: client)
        try await append([JournalEntry(event: event)], to: notebookID, after: last, in: transaction)
    }
}

extension WorkspaceTree {
    /// A notebook was replaced by a file: what its cells have put out before is not of this content.
    func replaced(
        _ notebookID: Int64, _ revisionID: Int64, by user: String, in transaction: PostgresTransaction
    ) async throws(HarbourError) {
        try await CellOutputStore().drop(of: notebookID, in: transaction)
        try await NotebookJournal().revised(notebookID, revisionID, by: user, in: transaction)
    }
}
