internal import Core
internal import Cryptography
internal import HTTPMessage
internal import HarbourProtocol
internal import ObjectStorage

/// Takes one file out of a form and puts it into a folder. It takes the way of uploads in chunks, so that nothing is
/// in the tree before all has come, and an upload that breaks off is cleared away like any other.
struct FormUpload: Sendable {
    let service: UploadService
    let folder: WorkspacePath
    let overwrites: Bool

    func take(_ request: HTTPRequest, by user: String) async throws -> ObjectInfo {
        var parser = try MultipartParser(contentType: request.fields["content-type"])
        var writer: PieceWriter?
        var isInFile = false
        do {
            for try await chunk in request.body {
                parser.add(chunk)
                while let event = try parser.next() {
                    switch event {
                    case .part(let part):
                        isInFile = part.fileName?.isEmpty == false
                        guard isInFile, let name = part.fileName else { continue }
                        guard writer == nil else {
                            throw HarbourError(
                                .invalidParameter, "The form has more than one file. Send one in each request.")
                        }
                        writer = PieceWriter(service: service, row: try await begin(name, by: user))
                    case .data(let bytes): if isInFile { try await writer?.add(bytes[...]) }
                    case .partEnd: isInFile = false
                    case .end: break
                    }
                }
            }
            try parser.finish()
            guard var done = writer else {
                throw HarbourError(
                    .invalidParameter,
                    "The form has no file. Send one in a part with a filename, as curl -F file=@data.csv.")
            }
            try await done.finish()
            return try await service.complete(done.row.id, by: user)
        } catch {
            if let writer { try? await service.abort(writer.row.id) }
            throw error
        }
    }

    /// Browsers on some systems send whole paths as names.
    private func begin(_ name: String, by user: String) async throws -> UploadRow {
        let last = name.split(whereSeparator: { $0 == "/" || $0 == "\\" }).last.map(String.init) ?? ""
        let path = try WorkspacePath(folder.prefix + last)
        try await service.checkTarget(path, overwrites: overwrites)
        return try await service.store.insert(
            SystemRandom.token(bytes: 16), by: user, to: path, overwrites: overwrites, size: nil, wanted: nil,
            storage: try service.available().name, lifetime: service.lifetime)
    }
}
