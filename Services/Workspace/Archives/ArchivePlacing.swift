internal import Archive
internal import Core
internal import HarbourProtocol
internal import ObjectStorage
internal import Postgres

/// Puts what was unpacked into the tree, in one transaction.
///
/// While it lasts nobody can move or delete anything, and whoever wants to makes all wait that come after: so it does as
/// much as it can before it locks the tree, and the rest in sets, always in the order of the paths.
struct ArchivePlacing: Sendable {
    let uploads: UploadService
    let store: ArchiveStore
    let folder: WorkspacePath
    let overwrites: Bool
    private let sets: PlacingStore

    init(uploads: UploadService, store: ArchiveStore, folder: WorkspacePath, overwrites: Bool) {
        self.uploads = uploads
        self.store = store
        self.folder = folder
        self.overwrites = overwrites
        sets = PlacingStore(uploads: uploads.store)
    }

    /// Ready to be put at its path.
    private struct Leaf: Sendable {
        let path: WorkspacePath
        let content: StoredContent
        /// What it is in the object storage.
        let object: PlacingStore.Object?

        var kind: ObjectType { content.format == .file ? .file : .notebook }
        var key: PlacingStore.Key { PlacingStore.Key(path.text.utf8) }
    }

    /// Returns nil when the upload has become something already.
    func place(
        _ contents: [ArchiveStaging.Content], of archiveID: String, by user: String
    ) async throws -> ImportedFolder? {
        var leaves: [Leaf] = []
        leaves.reserveCapacity(contents.count)
        for content in contents { if let leaf = try await leaf(content) { leaves.append(leaf) } }
        leaves.sort { $0.path.text.utf8.lexicographicallyPrecedes($1.path.text.utf8) }
        let all = leaves
        let entries = try entries(contents, leaves)
        return try await store.pool.transaction(timeout: .seconds(900)) { transaction in
            if let row = try await archive(archiveID, in: transaction), row.state != "OPEN" { return nil }
            try await sets.insert(all.compactMap(\.object), in: transaction)
            try await uploads.tree.objects.lockTree(exclusively: false, in: transaction)
            let now = Timestamp.now
            let made = try await sets.insert(entries, by: user, at: now, in: transaction)
            try await checkFolders(entries, made, in: transaction)
            let unchanged = try await store(all, made, by: user, at: now, in: transaction)
            guard let info = try await uploads.tree.objects.find(folder, on: transaction)?.info else {
                throw WorkspaceTree.missing(folder)
            }
            try await store.endArchive(archiveID, as: info.objectID, in: transaction)
            let files = all.count { $0.kind == .file }
            return ImportedFolder(folder: info, notebooks: all.count - files, files: files, unchanged: unchanged)
        }
    }

    /// The row of the archive, locked; nil when it has ended.
    private func archive(_ id: String, in transaction: PostgresTransaction) async throws(HarbourError) -> UploadRow? {
        do throws(HarbourError) {
            return try await uploads.store.get(id, forUpdate: true, on: transaction)
        } catch {
            guard error.code == .notFound, try await store.result(ofUpload: id) != nil else { throw error }
            return nil
        }
    }

    private func leaf(_ content: ArchiveStaging.Content) async throws -> Leaf? {
        switch content.kind {
        case .folder: return nil
        case .small(let stored): return Leaf(path: content.path, content: stored, object: nil)
        case .large(let row):
            let (key, manifest, storage) = try await uploads.assemble(row)
            let stored = StoredContent(
                format: .file, language: nil, size: manifest.size, hash: manifest.sha256, place: .object(key.text))
            return Leaf(
                path: content.path, content: stored,
                object: PlacingStore.Object(
                    uploadID: row.id, key: key, manifest: manifest, storage: storage.name))
        }
    }

    /// All that must be there, with the folders above it, in the order of the paths.
    private func entries(
        _ contents: [ArchiveStaging.Content], _ leaves: [Leaf]
    ) throws(HarbourError) -> [PlacingStore.Entry] {
        var entries: [PlacingStore.Key: PlacingStore.Entry] = [:]
        func add(_ path: WorkspacePath) {
            var next: WorkspacePath? = path
            // What is above one that was added was added with it.
            while let folder = next, entries[PlacingStore.Key(folder.text.utf8)] == nil {
                entries[PlacingStore.Key(folder.text.utf8)] = .init(path: folder, kind: .directory)
                next = folder.folder
            }
        }
        add(folder)
        for content in contents {
            if case .folder = content.kind { add(content.path) } else if let above = content.path.folder { add(above) }
        }
        for leaf in leaves {
            // What looked like a notebook and is a file has its whole name, which may be another's.
            guard entries.updateValue(.init(path: leaf.path, kind: leaf.kind), forKey: leaf.key) == nil else {
                throw HarbourError(
                    .invalidArchive,
                    "Nothing was imported: two entries of the archive come to \(leaf.path.text). Rename one of them in it."
                )
            }
        }
        return entries.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map(\.value)
    }

    /// Makes sure that the folders that were there are folders.
    private func checkFolders(
        _ entries: [PlacingStore.Entry], _ made: [PlacingStore.Key: Int64], in transaction: PostgresTransaction
    ) async throws(HarbourError) {
        let there = entries.filter { $0.kind == .directory && made[PlacingStore.Key($0.path.text.utf8)] == nil }
        let kinds = try await uploads.tree.objects.kinds(of: there.map(\.path), on: transaction)
        for one in there where kinds[one.path.text] != .directory { throw WorkspaceTree.notFolder(one.path) }
    }

    /// Gives entries their contents.
    /// - Returns: how many had theirs already.
    private func store(
        _ leaves: [Leaf], _ made: [PlacingStore.Key: Int64], by user: String, at time: Timestamp,
        in transaction: PostgresTransaction
    ) async throws -> Int {
        let there = try await sets.lock(leaves.filter { made[$0.key] == nil }.map(\.path), in: transaction)
        let newest = try await sets.contents(of: there.values.compactMap(\.info.revisionID), in: transaction)
        var revisions: [PlacingStore.Revision] = []
        var (completed, widgets): ([(String, Int64)], [Int64: [NotebookWidget]]) = ([], [:])
        // Notebooks with the revisions that were their newest.
        var replaced: [(id: Int64, old: Int64?)] = []
        var (unused, unusedKeys, unchanged): ([String], [ObjectKey], Int) = ([], [], 0)
        for leaf in leaves {
            var id = made[leaf.key]
            if id == nil {
                let existing = there[leaf.key]?.info
                try WorkspaceTree.check(
                    existing, leaf.path, leaf.kind, .init(overwrites: overwrites, expectedRevisionID: nil))
                if let held = existing?.revisionID.flatMap({ newest[$0] }), held.hash == leaf.content.hash,
                    held.format == leaf.content.format.name
                {
                    unchanged += 1
                    if let object = leaf.object {
                        unused.append(object.uploadID)
                        unusedKeys.append(object.key)
                    }
                    continue
                }
                id = existing?.objectID
                if let id, leaf.kind == .notebook { replaced.append((id, existing?.revisionID)) }
            }
            guard let id else { throw WorkspaceTree.missing(leaf.path) }
            revisions.append(.init(objectID: id, content: leaf.content))
            if let said = leaf.content.widgets { widgets[id] = said }
            if let object = leaf.object { completed.append((object.uploadID, id)) }
        }
        let numbers = try await sets.insert(revisions, by: user, at: time, in: transaction)
        try await sets.complete(completed, in: transaction)
        try await sets.remove(unusedKeys, in: transaction)
        try await store.endUnused(unused, on: transaction)
        // What was made just now nobody has run or looks at.
        for (id, old) in replaced {
            guard let revision = numbers[id] else { throw HarbourError.missingRow("revision of \(id)") }
            try await uploads.tree.replaced(id, old, with: revision, by: user, in: transaction)
            if let said = widgets.removeValue(forKey: id) {
                try await WidgetStore().take(said, of: id, by: user, in: transaction)
            }
        }
        try await sets.insert(widgets, in: transaction)
        return unchanged
    }
}
