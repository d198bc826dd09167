internal import Core
internal import HarbourProtocol
internal import ObjectStorage
internal import Postgres

/// Puts what was unpacked into the tree, in one transaction.
struct ArchivePlacing: Sendable {
    let uploads: UploadService
    let store: ArchiveStore
    let folder: WorkspacePath
    let overwrites: Bool

    /// An object with what it must contain.
    private struct Large: Sendable {
        let id: String
        let key: ObjectKey
        let manifest: ObjectManifest
        let storage: String
    }

    /// Ready to be put at its path.
    private struct Ready: Sendable {
        let path: WorkspacePath
        /// Nil for a folder.
        let content: StoredContent?
        let large: Large?
    }

    /// Returns nil when the upload has become something already.
    func place(
        _ contents: [ArchiveStaging.Content], of archiveID: String, by user: String
    ) async throws -> ImportedFolder? {
        var ready: [Ready] = []
        ready.reserveCapacity(contents.count)
        for content in contents { ready.append(try await self.ready(content)) }
        let all = ready
        return try await store.pool.transaction(timeout: .seconds(900)) { transaction in
            if let row = try await archive(archiveID, in: transaction), row.state != "OPEN" { return nil }
            let made = try await uploads.tree.makeFolder(folder, by: user, in: transaction)
            var (notebooks, files, unchanged) = (0, 0, 0)
            var unused: [String] = []
            for one in all {
                guard let content = one.content else {
                    _ = try await uploads.tree.makeFolder(one.path, by: user, in: transaction)
                    continue
                }
                if content.format == .file { files += 1 } else { notebooks += 1 }
                if try await !put(content, one, by: user, in: transaction) {
                    unchanged += 1
                    if let id = one.large?.id { unused.append(id) }
                }
            }
            try await store.endUnused(unused, on: transaction)
            try await store.endArchive(archiveID, as: made.objectID, in: transaction)
            return ImportedFolder(folder: made, notebooks: notebooks, files: files, unchanged: unchanged)
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

    /// False when the newest revision has the same content.
    private func put(
        _ content: StoredContent, _ one: Ready, by user: String, in transaction: PostgresTransaction
    ) async throws -> Bool {
        if let large = one.large {
            // It may have expired and be on its way out.
            _ = try await uploads.store.get(large.id, forUpdate: true, on: transaction)
            try await uploads.store.insertObject(
                large.key, large.manifest, storage: large.storage, in: transaction)
        }
        let (info, isNew) = try await uploads.tree.store(
            content, at: one.path, .init(overwrites: overwrites, expectedRevisionID: nil), by: user, in: transaction)
        if let large = one.large {
            if isNew {
                try await uploads.store.complete(large.id, as: info.objectID, in: transaction)
            } else {
                try await uploads.store.removeObject(large.key, in: transaction)
            }
        }
        return isNew
    }

    private func ready(_ content: ArchiveStaging.Content) async throws -> Ready {
        switch content.kind {
        case .folder: return Ready(path: content.path, content: nil, large: nil)
        case .small(let stored): return Ready(path: content.path, content: stored, large: nil)
        case .large(let row):
            let (key, manifest, storage) = try await uploads.assemble(row)
            let stored = StoredContent(
                format: .file, language: nil, size: manifest.size, hash: manifest.sha256, place: .object(key.text))
            return Ready(
                path: content.path, content: stored,
                large: Large(id: row.id, key: key, manifest: manifest, storage: storage.name))
        }
    }
}
