internal import Core
internal import HarbourProtocol
internal import NotebookFormats
internal import ServiceKit

/// Routes that do with one plain request what the editor does with a whole document: for scripts.
struct NotebookShortcuts: Sendable {
    let tree: WorkspaceTree
    let gate: AccessGate
    let execution: ExecutionService
    let content: WorkspaceHandlers

    func register(on router: ServiceRouter) {
        registerList(on: router)
        router.on(WorkspaceAPI.createNotebook) { [self] input, context in
            try await create(input.body, by: context.userName)
        }
        router.on(WorkspaceAPI.importNotebook) { [content] input, context in
            try await content.importObject(input.body, by: context.userName)
        }
        router.on(WorkspaceAPI.exportNotebook) { [content, execution] input, _ in
            try await execution.checkExists(input.notebookID)
            return try await content.export(.newestOf(objectID: input.notebookID), as: input.format ?? .auto)
        }
        router.on(WorkspaceAPI.deleteNotebook) { [tree, gate, execution] input, context in
            try await execution.checkExists(input.notebookID)
            guard let path = try await gate.permissions.path(of: input.notebookID) else { return Empty() }
            try await tree.delete(path, recursively: false, by: context.userName)
            return Empty()
        }
        registerCells(on: router)
    }

    private func registerList(on router: ServiceRouter) {
        router.on(WorkspaceAPI.listNotebooks) { [tree, gate] input, context in
            let size = input.pageSize ?? 100
            let after = try input.pageToken.map { text throws(HarbourError) in
                try PageToken(text, count: 1).string(0)
            }
            let principal = try await gate.principal(context.caller)
            var found = try await tree.objects.notebooks(
                after: after, count: size + 1, seenBy: try await gate.sight(of: principal), on: tree.pool)
            guard found.count > size else { return NotebookList(notebooks: found.map(\.info)) }
            found.removeLast(found.count - size)
            return NotebookList(
                notebooks: found.map(\.info), nextPageToken: found.last.map { PageToken(.string($0.info.path)).text })
        }
    }

    private func registerCells(on router: ServiceRouter) {
        let saving = NotebookSaving(tree: tree)
        router.on(WorkspaceAPI.addCell) { input, context in
            let id = "c-" + Identifier.make().prefix(12)
            let saved = try await saving.edit(input.notebookID, by: context.userName) { notebook throws(HarbourError) in
                let index = input.body.index ?? notebook.cells.count
                guard index <= notebook.cells.count else {
                    throw HarbourError(
                        .invalidParameter, "The notebook has \(notebook.cells.count) cells; `index` is beyond them.")
                }
                let cell = Cell(id: id, kind: (input.body.kind ?? .code).formats, source: input.body.source)
                notebook.cells.insert(cell, at: index)
            }
            return AddedCell(cellID: id, revisionID: saved.revisionID)
        }
        router.on(WorkspaceAPI.deleteCell) { input, context in
            try await saving.edit(input.notebookID, by: context.userName) { notebook throws(HarbourError) in
                guard let index = notebook.index(ofCell: input.cellID) else {
                    throw HarbourError(.notFound, "The notebook has no cell \(input.cellID).")
                }
                notebook.cells.remove(at: index)
            }
        }
        let access = NotebookAccess(gate: gate)
        router.on(WorkspaceAPI.executeCell) { [execution] input, context in
            let attached = try await execution.store.session(input.notebookID, on: execution.store.pool).session
                .clusterID
            if let cluster = input.clusterID ?? attached { try await access.use(context.caller, cluster) }
            return try await execution.run(
                RunCells(clusterID: input.clusterID, scope: .selected, cellIds: [input.cellID]), input.notebookID,
                by: context.userName)
        }
    }

    private func create(_ body: CreateNotebook, by user: String) async throws -> ObjectInfo {
        guard !body.name.contains("/") else {
            throw HarbourError(.invalidParameter, "`name` must not have a slash; say in `folder` where it is to be.")
        }
        let path = try WorkspacePath("\(body.folder ?? "/Users/\(user)")/\(body.name)")
        let language = CellLanguage(body.language ?? "python")
        guard language == .python || language == .sql else {
            throw HarbourError(.unsupported, "Notebooks are written in python or sql, not in \(language.name).")
        }
        var notebook = Notebook(language: language, cells: [Cell(id: "cell-1", source: "")])
        if let text = body.description, !text.isEmpty {
            notebook.cells.insert(Cell(id: "about", kind: .markdown, source: text), at: 0)
        }
        return try await tree.store(
            StoredContent.of(notebook, name: path.name), at: path, .init(overwrites: false), by: user)
    }
}

extension CellKind {
    /// The same in the file formats.
    var formats: Cell.Kind {
        switch self {
        case .code: .code
        case .markdown: .markdown
        case .raw: .raw
        }
    }
}

extension StoredContent {
    /// A notebook that was made here.
    static func of(_ notebook: Notebook, name: String) throws -> StoredContent {
        try read(
            NotebookFormats.NotebookFormat.ipynb.serialize(notebook), name: name, format: .jupyter, language: nil,
            takesWidgets: false)
    }
}

extension NotebookSaving {
    /// Changes the newest revision, whichever that is by then.
    func edit(
        _ notebookID: Int64, by user: String, _ change: (inout Notebook) throws(HarbourError) -> Void
    ) async throws -> SavedNotebook {
        for _ in 0..<NotebookSaving.attempts {
            let newest = try await tree.content(.newestOf(objectID: notebookID))
            let old = try newest.notebook()
            var new = old
            try change(&new)
            let save = try await prepare(Change(old: old, new: new), over: newest)
            if let revision = try await store(save, over: newest, by: user) {
                return SavedNotebook(revisionID: revision, isMerged: false)
            }
        }
        throw HarbourError(.unavailable, "The notebook is being saved by too many at once. Try again.")
    }
}
