internal import Core
internal import HarbourProtocol
internal import Postgres

/// What may be done with what was deleted, until it is deleted for good.
struct WorkspaceTrash: Sendable {
    let tree: WorkspaceTree
    /// How long things stay; nil for ever.
    let retention: Duration?
    let store = TrashStore()

    /// A page of what is in the trash, the newest first; with a viewer, what they may restore.
    func list(
        before deletionID: Int64?, count: Int, visibleTo viewer: Principal?
    ) async throws(HarbourError) -> [TrashEntry] {
        try await store.list(before: deletionID, count: count, visibleTo: viewer, on: tree.pool).map(entry)
    }

    private func entry(_ row: TrashRow) -> TrashEntry {
        TrashEntry(
            deletionID: row.deletionID, path: row.path, objectType: row.kind, language: row.language, size: row.size,
            entryCount: row.entryCount, deletedTime: row.deletedAt, deletedBy: row.deletedBy,
            purgeTime: retention.map { row.deletedAt + $0 })
    }

    /// Puts a deletion back where it was, or elsewhere. Folders that are gone are made again.
    func restore(_ deletionID: Int64, to wished: WorkspacePath?, by user: String) async throws -> ObjectInfo {
        try await tree.pool.transaction(timeout: CopyStore.patience) { transaction in
            try await tree.objects.lockTree(exclusively: true, in: transaction)
            guard let row = try await store.lock(deletionID, in: transaction) else {
                throw WorkspaceTrash.missing(deletionID)
            }
            let source = try WorkspacePath(row.path)
            let destination = wished ?? source
            guard !destination.isRoot else {
                throw HarbourError(.invalidParameter, "`path` must name what is restored, not the root.")
            }
            guard try await tree.objects.find(destination, on: transaction) == nil else {
                throw HarbourError(
                    .alreadyExists,
                    "There is something else at \(destination.text) now. Send another `path` to restore it there, or "
                        + "move away what is there.")
            }
            try await store.extent(of: deletionID, in: transaction).check(from: source, to: destination)
            do throws(HarbourError) {
                try await tree.makeFolders(above: destination, by: user, at: .now, in: transaction)
            } catch {
                guard error.code == .alreadyExists else { throw error }
                throw HarbourError(
                    .alreadyExists, "It cannot be put back at \(destination.text). \(error.message) Send it as `path`.",
                    cause: error)
            }
            try await store.restore(row, from: source, to: destination, in: transaction)
            guard let restored = try await tree.objects.find(destination, on: transaction) else {
                throw WorkspaceTree.missing(destination)
            }
            return restored.info
        }
    }

    /// Deletes for good: nobody can see or restore it any more, and `TrashEmptier` removes it.
    func purge(_ deletionID: Int64) async throws(HarbourError) {
        guard try await PurgeStore().mark(deletionID, at: .now, on: tree.pool) else {
            throw WorkspaceTrash.missing(deletionID)
        }
    }

    static func missing(_ deletionID: Int64) -> HarbourError {
        HarbourError(
            .notFound, "Nothing in the trash has the number \(deletionID). It was restored, or deleted for good.")
    }
}
