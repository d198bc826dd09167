internal import Archive
internal import Core
internal import Cryptography
internal import EventLoop
internal import HarbourProtocol
internal import ObjectStorage
internal import Postgres

/// Unpacks an archive that was uploaded into a folder: all of it or nothing.
///
/// First its directory is looked at, then everything is unpacked beside the tree, and at the end one transaction puts it
/// into the tree. Whatever fails before leaves the tree as it was, and the upload for another try.
struct FolderImport: Sendable {
    let uploads: UploadService
    let store: ArchiveStore
    let limits: ArchiveLimits
    private let turns = Turns(
        limit: FolderImport.parallel,
        refusal: "\(FolderImport.parallel) archives are being imported at the moment, which is the limit. "
            + "Try again soon.")
    /// Threads that wait for the storage; as many as there are imports at a time.
    private let threads = BlockingPool(threads: FolderImport.parallel)

    private static let parallel = 2

    init(uploads: UploadService, store: ArchiveStore, limits: ArchiveLimits) {
        self.uploads = uploads
        self.store = store
        self.limits = limits
    }

    func run(_ body: ImportFolder, by user: String) async throws -> ImportedFolder {
        let folder = try WorkspacePath(body.path)
        if let id = try await store.result(ofUpload: body.uploadID) { return try await result(id) }
        let turn = try await turns.take()
        defer { withExtendedLifetime(turn) {} }
        let (row, zip) = try await open(body.uploadID)
        var plan = try await self.plan(zip, folder)
        try plan.check(
            .invalidArchive, "Nothing was imported: some entries of the archive cannot be.",
            advice: "Make it without them.")
        let overwrites = body.overwrite ?? false
        try await meet(&plan, folder, overwrites: overwrites)
        var staging = ArchiveStaging(uploads: uploads, limits: limits, overwrites: overwrites)
        do {
            try await unpack(zip, plan, &staging)
            let placing = ArchivePlacing(uploads: uploads, store: store, folder: folder, overwrites: overwrites)
            guard var done = try await placing.place(staging.contents, of: row.id, by: user) else {
                // Another request for the same upload was faster.
                try await store.endUnused(staging.objects, on: store.pool)
                return try await result(try await store.result(ofUpload: row.id) ?? 0)
            }
            done.notes = FolderImport.notes(staging.notes, litter: plan.litter)
            return done
        } catch {
            // What cannot be marked now expires like any other upload.
            try? await store.endUnused(staging.objects, on: store.pool)
            throw error
        }
    }

    private static func notes(_ notes: [String], litter: Int) -> [String]? {
        var shown = Array(notes.prefix(ArchivePlan.shownProblems))
        if notes.count > shown.count { shown.append("and \(notes.count - shown.count) more") }
        if litter > 0 { shown.append("\(litter) files of macOS were left out (__MACOSX, .DS_Store)") }
        return shown.isEmpty ? nil : shown
    }

    private func result(_ objectID: Int64) async throws -> ImportedFolder {
        guard let found = try await uploads.tree.objects.find(objectID: objectID, on: store.pool),
            found.info.objectType == .directory
        else {
            throw HarbourError(
                .invalidState, "This upload has become something else already. Upload the archive again.")
        }
        return ImportedFolder(folder: found.info)
    }

    // MARK: The archive

    /// Puts the upload's pieces together, so that it can be read from any place.
    private func open(_ id: String) async throws -> (UploadRow, StoredZip) {
        let row = try await uploads.store.get(id, on: store.pool)
        guard row.state == "OPEN", let size = row.size, row.stored == size else {
            throw HarbourError(
                .invalidState,
                "Only \(row.stored) of the archive's \(row.size ?? 0) bytes have come. Send the rest before importing it."
            )
        }
        try await uploads.verify(row)
        let (key, manifest, storage) = try await uploads.assemble(row)
        let zip = StoredZip(size: size) { range in
            var reader = try await VerifiedReader(storage, key, manifest, range)
            var bytes: [UInt8] = []
            bytes.reserveCapacity(range.count)
            while let next = try await reader.next() { bytes += next }
            return bytes
        }
        return (row, zip)
    }

    private func plan(_ zip: StoredZip, _ folder: WorkspacePath) async throws -> ArchivePlan {
        let limits = limits
        return try await threads.run {
            var plan = ArchivePlan(folder: folder, archiveSize: zip.size, limits: limits)
            let reader = try ZipReader(zip)
            while let entry = try reader.next() {
                try plan.add(entry) { try FolderImport.start(of: entry, reader) }
            }
            return plan
        }
    }

    private static func start(of entry: ZipReader.Entry, _ reader: ZipReader) throws -> [UInt8] {
        guard entry.kind == .file, entry.isReadable, !entry.isEncrypted else { return [] }
        var bytes: [UInt8] = []
        while bytes.count < ArchiveNames.startBytes,
            let next = try reader.read(ArchiveNames.startBytes - bytes.count)
        {
            bytes += next
        }
        return bytes
    }

    private func meet(_ plan: inout ArchivePlan, _ folder: WorkspacePath, overwrites: Bool) async throws {
        var existing: [String: ObjectType] = [:]
        let paths = plan.items.map(\.path)
        for start in stride(from: 0, to: paths.count, by: 1000) {
            let some = Array(paths[start..<min(paths.count, start + 1000)])
            existing.merge(try await uploads.tree.objects.kinds(of: some, on: store.pool)) { first, _ in first }
        }
        plan.meet(existing, overwrites: overwrites)
        try plan.check(
            .alreadyExists, "Nothing was imported: some of it would take the place of what is there.",
            advice: overwrites
                ? "Move that away." : "Send overwrite: true to save new revisions, or choose another folder.")
    }

    /// Unpacks everything that was planned, in the order of the archive.
    private func unpack(_ zip: StoredZip, _ plan: ArchivePlan, _ staging: inout ArchiveStaging) async throws {
        let reader = try await threads.run { try ZipReader(zip) }
        var number = -1
        for item in plan.items {
            let target = item.number
            let skipped = target - number
            number = target
            let entry = try await threads.run {
                var entry: ZipReader.Entry?
                for _ in 0..<skipped { entry = try reader.next() }
                return entry
            }
            guard let entry, entry.path == item.name, entry.size == item.size else {
                throw HarbourError.missingRow("entry \(target) of an archive")
            }
            guard !item.isFolder else {
                staging.addFolder(item.path)
                continue
            }
            let threads = threads
            try await staging.add(item) { count in try await threads.run { try reader.read(count) } }
        }
    }
}
