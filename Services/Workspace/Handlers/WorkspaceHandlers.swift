internal import Core
internal import HarbourProtocol
internal import ServiceKit

/// The routes of the contract: decode, ask the tree, encode.
struct WorkspaceHandlers: Sendable {
    let tree: WorkspaceTree
    let gate: AccessGate
    /// Knows what cells have put out since their revision.
    let execution: ExecutionService
    /// Fetches what is in the object storage.
    let files: FileReader
    let frozen: FrozenRevisions

    func register(on router: ServiceRouter) {
        router.on(WorkspaceAPI.getObject) { [tree] input, _ in
            try await tree.object(try WorkspacePath(input.path))
        }
        router.on(WorkspaceAPI.makeDirectories) { [tree] input, context in
            try await tree.makeFolder(try WorkspacePath(input.body.path), by: context.userName)
        }
        router.on(WorkspaceAPI.deleteObject) { [tree] input, context in
            DeletedObject(
                deletionID: try await tree.delete(
                    try WorkspacePath(input.body.path), recursively: input.body.recursive ?? false,
                    by: context.userName))
        }
        router.on(WorkspaceAPI.moveObject) { [tree] input, context in
            try await tree.move(
                try WorkspacePath(input.body.sourcePath), to: try WorkspacePath(input.body.destinationPath),
                by: context.userName)
        }
        router.on(WorkspaceAPI.copyObject) { [tree] input, context in
            try await tree.copy(
                try WorkspacePath(input.body.sourcePath), to: try WorkspacePath(input.body.destinationPath),
                by: context.userName)
        }
        registerContent(on: router)
        registerLists(on: router)
    }

    private func registerContent(on router: ServiceRouter) {
        router.on(WorkspaceAPI.importObject) { [self] input, context in
            try await importObject(input.body, by: context.userName)
        }
        router.on(WorkspaceAPI.exportObject) { [self] input, _ in
            let path = try WorkspacePath(input.path)
            let which = input.revisionID.map { RevisionStore.Which.revisionAt(path, $0) } ?? .newest(path)
            return try await export(which, as: input.format ?? .auto)
        }
        router.on(WorkspaceAPI.getNotebook) { [self] input, _ in
            let which = input.revisionID.map { RevisionStore.Which.revisionOf(objectID: input.notebookID, $0) }
            return try await execution.notebook(
                which ?? .newestOf(objectID: input.notebookID), limit: input.outputLimit, total: input.outputTotal)
        }
        router.on(WorkspaceAPI.readContent) { [self] input, _ in
            let path = try WorkspacePath(input.path)
            let content = try await content(.newest(path))
            // A run that has read it reads it again by its number.
            guard try await frozen.freeze(content.revisionID) else { throw WorkspaceTree.missing(path) }
            return content
        }
        router.on(WorkspaceAPI.readRevision) { [self] input, _ in try await content(.revision(input.revisionID)) }
    }

    private func content(_ which: RevisionStore.Which) async throws -> NotebookContent {
        let content = try await tree.content(which)
        return try await StoredContent.work(on: content.size) { try content.content() }
    }

    /// A file of a revision with what its cells have put out since; of the newest one also with its widgets.
    func export(
        _ which: RevisionStore.Which, as format: HarbourProtocol.NotebookFormat
    ) async throws -> ExportedObject {
        var stored = try await execution.revision(which)
        stored.content = try await files.loaded(stored.content)
        let newest = stored
        return try await StoredContent.work(on: newest.content.size + newest.outputs.count * 4096) {
            let (bytes, fileType) = try newest.file(as: format)
            return ExportedObject(
                content: Base64.encode(bytes), fileType: fileType, path: newest.content.path,
                revisionID: newest.content.revisionID)
        }
    }

    /// Puts a file into the tree.
    func importObject(_ body: ImportObject, by user: String) async throws -> ObjectInfo {
        let path = try WorkspacePath(body.path)
        guard !path.isRoot else {
            throw HarbourError(.invalidParameter, "The path must name a notebook, not the root.")
        }
        var isFile = false
        if body.expectedRevisionID != nil, body.format ?? .auto == .auto, body.language == nil {
            // Whoever has seen a file saves a file: JSON and modules of Python look like notebooks.
            isFile = try await tree.objects.find(path, on: tree.pool)?.info.objectType == .file
        }
        let staysFile = isFile
        let content = try await StoredContent.work(on: body.content.utf8.count) {
            guard let bytes = Base64.decode(body.content) else {
                throw HarbourError(
                    .invalidParameter, "The field `content` is not base64. Encode the file and try again.")
            }
            if staysFile { return try StoredContent.file(bytes) }
            return try StoredContent.read(
                bytes, name: path.name, format: body.format ?? .auto, language: body.language,
                takesWidgets: body.expectedRevisionID == nil)
        }
        return try await tree.store(
            content, at: path,
            .init(overwrites: body.overwrite ?? false, expectedRevisionID: body.expectedRevisionID), by: user)
    }

    private func registerLists(on router: ServiceRouter) {
        router.on(WorkspaceAPI.listObjects) { [tree, gate] input, context in
            let size = input.pageSize ?? 50
            let path = try WorkspacePath(input.path)
            let viewer = try await gate.viewer(context.caller, at: path)
            var place: (isLeaf: Bool, name: String)?
            if let text = input.pageToken {
                let token = try PageToken(text, count: 2)
                place = (try token.int64(0) != 0, try token.string(1))
            }
            // One more than asked for says whether there is another page.
            var objects = try await tree.list(path, after: place, count: size + 1, visibleTo: viewer)
            guard objects.count > size else { return ObjectList(objects: objects) }
            objects.removeLast(objects.count - size)
            let next = try objects.last.map { last throws(HarbourError) in
                let name = try WorkspacePath(last.path).name
                return PageToken(.integer(last.objectType == .directory ? 0 : 1), .string(name)).text
            }
            return ObjectList(objects: objects, nextPageToken: next)
        }
        router.on(WorkspaceAPI.listRevisions) { [tree] input, _ in
            let size = input.pageSize ?? 50
            let before = try input.pageToken.map { text throws(HarbourError) in
                try PageToken(text, count: 1).int64(0)
            }
            var revisions = try await tree.revisions(of: input.notebookID, before: before, count: size + 1)
            guard revisions.count > size else { return RevisionList(revisions: revisions) }
            revisions.removeLast(revisions.count - size)
            return RevisionList(
                revisions: revisions, nextPageToken: revisions.last.map { PageToken(.integer($0.revisionID)).text })
        }
    }
}
