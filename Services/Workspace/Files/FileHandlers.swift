internal import Core
internal import Cryptography
internal import EventLoop
internal import HTTPMessage
internal import HarbourProtocol
internal import NotebookFormats
internal import ServiceKit

/// The routes of files: decode, ask, encode.
struct FileHandlers: Sendable {
    let uploads: UploadService
    let reader: FileReader
    let parquet: ParquetReader?
    /// Knows what the cells of notebooks have put out since their revision.
    let execution: ExecutionService

    func register(on router: ServiceRouter) {
        router.on(WorkspaceAPI.createUpload) { [uploads] input, context in
            try await uploads.create(input.body, by: context.userName)
        }
        router.on(WorkspaceAPI.listUploads) { [uploads] _, context in
            FileUploadList(
                uploads: try await uploads.store.list(by: context.userName).map {
                    $0.upload(chunkSize: UploadService.pieceSize)
                })
        }
        router.on(WorkspaceAPI.getUpload) { [uploads] input, _ in try await uploads.get(input.uploadID) }
        router.on(WorkspaceAPI.writeUpload) { [uploads] input, context in
            let upload = try await uploads.write(
                input.uploadID, at: Int(input.offset), context.request.body, sha256: input.sha256)
            return .json(upload.encodedJSON())
        }
        router.on(WorkspaceAPI.abortUpload) { [uploads] input, _ in
            try await uploads.abort(input.uploadID)
            return Empty()
        }
        router.on(WorkspaceAPI.completeUpload) { [uploads] input, context in
            try await uploads.complete(input.uploadID, by: context.userName)
        }
        router.on(WorkspaceAPI.uploadForm) { [uploads] input, context in
            let folder = try WorkspacePath(input.path)
            let info = try await FormUpload(service: uploads, folder: folder, overwrites: input.overwrite ?? false)
                .take(context.request, by: context.userName)
            return .json(info.encodedJSON())
        }
        router.on(WorkspaceAPI.downloadFile) { [self] input, context in
            let content = try await reader.content(input.path, input.revisionID)
            let inline = input.inline ?? false
            guard case .notebook(.ipynb) = content.format else {
                return try await reader.download(
                    content, context.request, inline: inline, modified: content.createdAt)
            }
            // Outputs come without a new revision, so that no date says whether it is still the same.
            return try await reader.download(
                try await withOutputs(content, isNewest: input.revisionID == nil), context.request, inline: inline,
                modified: nil)
        }
        router.on(WorkspaceAPI.previewFile) { [reader, parquet] input, _ in
            let content = try await reader.content(input.path, input.revisionID)
            return try await FilePreviewer(reader: reader, parquet: parquet).preview(content, rows: input.rows ?? 100)
        }
    }
    /// A notebook as the export gives it. Its digest is that of these bytes, so that a range is of what its reader has.
    private func withOutputs(_ content: RevisionContent, isNewest: Bool) async throws -> RevisionContent {
        var found = try await execution.revision(
            .revisionOf(objectID: content.objectID, content.revisionID), isListed: isNewest)
        found.content = try await reader.loaded(found.content)
        let whole = found
        // How much its outputs are is not known before they are read.
        return try await BlockingPool.shared.run {
            let (bytes, _) = try whole.file(as: .auto)
            return RevisionContent(
                revisionID: content.revisionID, objectID: content.objectID, path: content.path, format: content.format,
                size: bytes.count, hash: Digest.sha256(bytes), createdAt: content.createdAt, place: .bytes(bytes))
        }
    }
}
