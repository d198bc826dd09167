internal import Core
internal import HTTPMessage
internal import HarbourProtocol
internal import ServiceKit

/// The routes of files: decode, ask, encode.
struct FileHandlers: Sendable {
    let uploads: UploadService
    let reader: FileReader
    let parquet: ParquetReader?

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
                input.uploadID, at: Int(input.offset), context.request.body)
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
        router.on(WorkspaceAPI.downloadFile) { [reader] input, context in
            let content = try await reader.content(input.path, input.revisionID)
            return try await reader.download(content, context.request, inline: input.inline ?? false)
        }
        router.on(WorkspaceAPI.previewFile) { [reader, parquet] input, _ in
            let content = try await reader.content(input.path, input.revisionID)
            return try await FilePreviewer(reader: reader, parquet: parquet).preview(content, rows: input.rows ?? 100)
        }
    }
}
