internal import Core
internal import Cryptography
internal import EventLoop
internal import Glibc
internal import HTTPClient
internal import HTTPMessage
internal import HarbourProtocol
internal import ServiceClients

/// Sends a file in chunks and goes on after whatever breaks off: the connection, the platform, or this program, which finds
/// its upload again by the content of the file.
struct FileUploader: Sendable {
    let api: PublicAPI
    let source: UserFile
    let progress: ProgressLine
    /// How long the platform may be away.
    private static let patience = Duration.seconds(600)
    /// How often nothing more may arrive, one time after the other.
    private static let tries = 6
    private static let readSize = 1 << 18

    func run(to path: String, overwrite: Bool) async throws -> ObjectInfo {
        let upload = try await send(to: path, overwrite: overwrite)
        // Putting many chunks together takes a store some time.
        return try await api.client.callPatiently(
            WorkspaceAPI.completeUpload, .init(uploadID: upload.uploadID), context: .within(.seconds(900)))
    }

    /// Sends everything and leaves it to be completed.
    func send(to path: String, overwrite: Bool) async throws -> FileUpload {
        let sum = hexadecimal(try await digest())
        var upload = try await api.call(
            WorkspaceAPI.createUpload,
            .init(
                body: CreateUpload(
                    path: path, size: Int64(source.size), sha256: sum, overwrite: overwrite ? true : nil)))
        var failures = 0
        while upload.offset < upload.size {
            let before = upload.offset
            upload = try await goOn(upload, isLast: failures == FileUploader.tries)
            failures = upload.offset > before ? 0 : failures + 1
            // Something that fails at once is not asked again at once.
            if failures > 0 { try await api.loop.sleep(for: .milliseconds(100 << failures)) }
        }
        progress.end()
        return upload
    }

    /// Sends from where the upload is; returns where it is then.
    private func goOn(_ upload: FileUpload, isLast: Bool) async throws -> FileUpload {
        do throws(HarbourError) {
            return try await send(upload)
        } catch {
            // What the platform has decided stays so; everything else passes.
            let isPassing = error.code == .conflict || error.code.status >= 500 && error.code != .unsupported
            guard !isLast, isPassing || error.code == .cancelled, error.code.status != 507 else { throw error }
        }
        return try await api.client.callPatiently(
            WorkspaceAPI.getUpload, .init(uploadID: upload.uploadID), context: .within(FileUploader.patience))
    }

    private func send(_ upload: FileUpload) async throws(HarbourError) -> FileUpload {
        let (source, progress) = (source, progress)
        let body = HTTPOutgoingBody.stream { writer in
            var position = Int(upload.offset)
            while position < source.size {
                let start = position
                let bytes = try await BlockingPool.shared.run { try source.read(at: start, FileUploader.readSize) }
                try await writer.write(bytes)
                position += bytes.count
                progress.show(position, of: source.size)
            }
        }
        let response = try await api.client.send(
            WorkspaceAPI.writeUpload, .init(uploadID: upload.uploadID, offset: upload.offset),
            fields: ["content-type": "application/octet-stream"], body: body)
        return try FileUpload(
            json: try await response.collect(limit: 1 << 20), subject: "answer of the workspace", code: .badGateway)
    }

    private func digest() async throws -> [UInt8] {
        let source = source
        return try await BlockingPool.shared.run {
            var hash = SHA256()
            var position = 0
            while position < source.size {
                let bytes = try source.read(at: position, 1 << 20)
                hash.update(bytes)
                position += bytes.count
            }
            return hash.finish()
        }
    }
}

/// Gets a file, goes on after what breaks off, and keeps only what has the right checksum.
struct FileDownloader: Sendable {
    let api: PublicAPI
    let path: String
    let progress: ProgressLine
    private static let tries = 20

    /// - Parameter target: where to; standard output when nil, which cannot go on.
    func run(to target: String?) async throws {
        guard let target else { return try await copy(to: UserFile(descriptor: 1), from: 0, tag: nil) }
        let part = "\(target).part"
        let file = try UserFile(writing: part)
        var tag: String?
        for attempt in 1... {
            do {
                // What an earlier try left may be of another revision; the tag of this one tells.
                try await copy(to: file, from: tag == nil ? 0 : file.position, tag: tag) { tag = $0 }
                break
            } catch let error as HarbourError {
                guard error.code == .unavailable || error.code == .cancelled, attempt < FileDownloader.tries else {
                    unlink(part)
                    throw error
                }
                try await api.loop.sleep(for: .milliseconds(min(5000, 200 * attempt)))
            }
        }
        progress.end()
        let sum = "\"\(hexadecimal(try await BlockingPool.shared.run { try file.digest() }))\""
        guard tag == nil || tag == sum else {
            unlink(part)
            throw HarbourError(.badGateway, "What came of \(path) is not what the workspace has. Try again.")
        }
        guard rename(part, target) == 0 else { throw HarbourError.system("\(target) cannot be written", errno) }
    }

    private func copy(
        to file: UserFile, from start: Int, tag: String?, _ begun: (String?) -> Void = { _ in }
    ) async throws {
        var fields = HTTPFields()
        if start > 0, let tag {
            fields["range"] = "bytes=\(start)-"
            fields["if-range"] = tag
        }
        let response = try await api.client.send(WorkspaceAPI.downloadFile, .init(path: path), fields: fields)
        // Another revision came meanwhile: it begins anew.
        if response.status == 200 { file.position = 0 }
        begun(response.fields["etag"])
        let size = response.body.length.map { $0 + file.position }
        for try await bytes in response.body {
            try file.write(bytes)
            if let size { progress.show(file.position, of: size) }
        }
        try file.truncate()
    }
}
