internal import Core
internal import HarbourProtocol
internal import Postgres

extension ErrorCode {
    /// A folder is to be deleted that is not empty.
    static let directoryNotEmpty = ErrorCode("DIRECTORY_NOT_EMPTY", status: 409)
}

/// What may be done with the tree, each as one transaction.
struct WorkspaceTree: Sendable {
    let pool: PostgresPool
    let objects = ObjectStore()
    let revisions = RevisionStore()
    let search = SearchStore()

    // MARK: Reading

    func object(_ path: WorkspacePath) async throws(HarbourError) -> ObjectInfo {
        guard let found = try await objects.find(path, on: pool) else { throw WorkspaceTree.missing(path) }
        return found.info
    }

    /// A page of a folder; of a notebook or file, itself, as Databricks lists it. With a viewer, only what leads to
    /// something of theirs.
    func list(
        _ path: WorkspacePath, after place: (isLeaf: Bool, name: String)?, count: Int,
        visibleTo viewer: Principal? = nil
    ) async throws(HarbourError) -> [ObjectInfo] {
        let found = try await object(path)
        if found.objectType != .directory { return [found] }
        return try await objects.list(path, after: place, count: count, visibleTo: viewer, on: pool).map(\.info)
    }

    func content(_ which: RevisionStore.Which) async throws(HarbourError) -> RevisionContent {
        if let content = try await revisions.content(which, on: pool) { return content }
        switch which {
        case .newest(let path), .revisionAt(let path, _):
            guard let found = try await objects.find(path, on: pool) else { throw WorkspaceTree.missing(path) }
            guard found.info.objectType != .directory else {
                throw HarbourError(.invalidState, "\(path.text) is a folder, not a notebook.")
            }
            throw HarbourError(.notFound, "\(path.text) has no such revision. List its revisions to see which it has.")
        case .newestOf(let id):
            throw HarbourError(.notFound, "There is no notebook \(id). It may have been deleted.")
        case .revision(let id), .revisionOf(_, let id): throw HarbourError(.notFound, "There is no revision \(id).")
        }
    }

    func revisions(
        of objectID: Int64, before revisionID: Int64?, count: Int
    ) async throws(HarbourError) -> [RevisionInfo] {
        let found = try await revisions.list(of: objectID, before: revisionID, count: count, on: pool)
        if found.isEmpty, revisionID == nil, try await !revisions.objectExists(objectID, on: pool) {
            throw HarbourError(.notFound, "There is no notebook \(objectID).")
        }
        return found
    }

    // MARK: Changing

    /// How an import meets what is there already.
    struct ImportWish: Sendable {
        var overwrites: Bool
        /// The revision the caller has seen; a newer one is a conflict.
        var expectedRevisionID: Int64?
    }

    /// Stores content at a path, as a new entry or as a new revision of the one that is there. Folders above are made.
    /// Content that is the newest revision already makes no other.
    func store(
        _ content: StoredContent, at path: WorkspacePath, _ wish: ImportWish, by user: String
    ) async throws -> ObjectInfo {
        try await pool.transaction { transaction in
            try await store(content, at: path, wish, by: user, in: transaction).info
        }
    }

    /// The same within a transaction; also says whether it has made a revision.
    func store(
        _ content: StoredContent, at path: WorkspacePath, _ wish: ImportWish, by user: String,
        in transaction: PostgresTransaction
    ) async throws -> (info: ObjectInfo, isNew: Bool) {
        let kind: ObjectType = content.format == .file ? .file : .notebook
        let now = Timestamp.now
        try await objects.lockTree(exclusively: false, in: transaction)
        try await makeFolders(above: path, by: user, at: now, in: transaction)
        var target: StoredObject?
        if wish.expectedRevisionID == nil {
            target = try await objects.insert(path, kind: kind, by: user, at: now, in: transaction)
        }
        if target == nil {
            let existing = try await objects.find(path, forUpdate: true, on: transaction)
            try WorkspaceTree.check(existing?.info, path, kind, wish)
            if let existing, let newest = existing.info.revisionID,
                try await revisions.holds(content, revisionID: newest, on: transaction)
            {
                return (existing.info, false)
            }
            target = existing
        }
        guard let target else { throw WorkspaceTree.missing(path) }
        let id = target.info.objectID
        let revision = try await revisions.insert(content, of: id, by: user, at: now, in: transaction)
        if kind == .notebook {
            try await replaced(
                id, target.info.revisionID, with: revision, by: user, in: transaction)
            // Whoever saves what they have read has read of older ones.
            if let widgets = content.widgets, wish.expectedRevisionID == nil {
                try await WidgetStore().take(widgets, of: id, by: user, in: transaction)
            }
        }
        let stored = try await objects.setRevision(revision, content, of: id, by: user, at: now, in: transaction)
        return (stored.info, true)
    }

    /// Whether the entry that is there may get this content.
    static func check(
        _ existing: ObjectInfo?, _ path: WorkspacePath, _ kind: ObjectType, _ wish: ImportWish
    ) throws(HarbourError) {
        guard let existing else {
            throw HarbourError(
                .conflict,
                "\(path.text) is not there any more, so it cannot be saved. Import it without "
                    + "expected_revision_id to make it again.")
        }
        guard existing.objectType == kind else {
            throw HarbourError(
                .alreadyExists,
                "\(path.text) is a \(existing.objectType.rawValue.lowercased()) already. Choose another path.")
        }
        if let expected = wish.expectedRevisionID {
            guard existing.revisionID == expected else {
                throw HarbourError(
                    .conflict,
                    "\(path.text) was saved in the meantime: its newest revision is \(existing.revisionID ?? 0), not "
                        + "\(expected). Load it again and repeat the change.")
            }
        } else if !wish.overwrites {
            throw HarbourError(
                .alreadyExists, "\(path.text) is there already. Send overwrite: true to save a new revision of it.")
        }
    }

    func makeFolder(_ path: WorkspacePath, by user: String) async throws -> ObjectInfo {
        try await pool.transaction { try await makeFolder(path, by: user, in: $0) }
    }

    /// The same within a transaction.
    func makeFolder(
        _ path: WorkspacePath, by user: String, in transaction: PostgresTransaction
    ) async throws -> ObjectInfo {
        let now = Timestamp.now
        try await objects.lockTree(exclusively: false, in: transaction)
        try await makeFolders(above: path, by: user, at: now, in: transaction)
        if let made = try await objects.insert(path, kind: .directory, by: user, at: now, in: transaction) {
            return made.info
        }
        guard let existing = try await objects.find(path, on: transaction) else {
            throw WorkspaceTree.missing(path)
        }
        guard existing.info.objectType == .directory else { throw WorkspaceTree.notFolder(path) }
        return existing.info
    }

    func makeFolders(
        above path: WorkspacePath, by user: String, at time: Timestamp, in transaction: PostgresTransaction
    ) async throws(HarbourError) {
        let ancestors = path.ancestors
        let kinds = try await objects.kinds(of: ancestors, on: transaction)
        for folder in ancestors {
            switch kinds[folder.text] {
            case .directory: continue
            case nil: _ = try await objects.insert(folder, kind: .directory, by: user, at: time, in: transaction)
            default: throw WorkspaceTree.notFolder(folder)
            }
        }
    }

    /// - Returns: the number by which it can be restored.
    @discardableResult
    func delete(_ path: WorkspacePath, recursively: Bool, by user: String) async throws -> Int64 {
        try WorkspaceTree.checkUnprotected(path)
        return try await pool.transaction(timeout: CopyStore.patience) { transaction in
            try await objects.lockTree(exclusively: true, in: transaction)
            guard let found = try await objects.find(path, on: transaction) else { throw WorkspaceTree.missing(path) }
            if found.info.objectType == .directory, !recursively,
                try await objects.hasEntries(path, in: transaction)
            {
                throw HarbourError(
                    .directoryNotEmpty, "\(path.text) is not empty. Send recursive: true to delete all that is in it.")
            }
            return try await objects.delete(path, by: user, at: .now, in: transaction)
        }
    }

    func move(_ source: WorkspacePath, to destination: WorkspacePath, by user: String) async throws -> ObjectInfo {
        try WorkspaceTree.checkUnprotected(source)
        guard source != destination, !source.contains(destination) else {
            throw HarbourError(
                .invalidParameter, "\(source.text) cannot be moved into itself. Choose another destination_path.")
        }
        return try await pool.transaction(timeout: CopyStore.patience) { transaction in
            let now = Timestamp.now
            try await objects.lockTree(exclusively: true, in: transaction)
            guard try await objects.find(source, on: transaction) != nil else { throw WorkspaceTree.missing(source) }
            guard try await objects.find(destination, on: transaction) == nil else {
                throw HarbourError(
                    .alreadyExists, "\(destination.text) is there already. Choose another destination_path.")
            }
            try await TreeExtent.measure(CopyStore.below(source), in: transaction)
                .check(from: source, to: destination)
            try await makeFolders(above: destination, by: user, at: now, in: transaction)
            try await objects.move(source, to: destination, by: user, at: now, in: transaction)
            guard let moved = try await objects.find(destination, on: transaction) else {
                throw WorkspaceTree.missing(destination)
            }
            return moved.info
        }
    }

    // MARK: Errors

    static func missing(_ path: WorkspacePath) -> HarbourError {
        HarbourError(.notFound, "There is nothing at \(path.text). List its folder to see what is there.")
    }

    static func notFolder(_ path: WorkspacePath) -> HarbourError {
        HarbourError(.alreadyExists, "\(path.text) is not a folder. Choose another path.")
    }

    /// Others live below these.
    private static func checkUnprotected(_ path: WorkspacePath) throws(HarbourError) {
        guard !path.isRoot, path.text != "/Users", path.text != "/Shared" else {
            throw HarbourError(.permissionDenied, "\(path.text) cannot be moved or deleted.")
        }
    }
}
