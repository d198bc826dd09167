internal import Core
internal import HarbourProtocol
internal import ServiceKit

/// The routes of archives: decode, ask, encode.
struct ArchiveHandlers: Sendable {
    let exports: FolderExport
    let imports: FolderImport
    let gate: AccessGate

    init(uploads: UploadService, files: FileReader, execution: ExecutionService, gate: AccessGate) {
        let limits = ArchiveLimits(fileBytes: uploads.limit)
        let store = ArchiveStore(pool: uploads.store.pool)
        exports = FolderExport(store: store, files: files, execution: execution, limits: limits)
        imports = FolderImport(uploads: uploads, store: store, limits: limits)
        self.gate = gate
    }

    func register(on router: ServiceRouter) {
        router.on(WorkspaceAPI.exportFolder) { [exports, gate] input, context in
            let folder = try WorkspacePath(input.path)
            let sight = try await gate.sight(context.caller, at: folder)
            return try await exports.response(folder, as: input.format ?? .auto, seenBy: sight)
        }
        router.on(WorkspaceAPI.importFolder) { [imports] input, context in
            try await imports.run(input.body, by: context.userName)
        }
    }
}
