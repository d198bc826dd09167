import Core
import Cryptography
import EventLoop
import Glibc
import HTTPClient
import HTTPMessage
import HarbourProtocol
import ServiceClients
import StorageTestKit
import TestSupport
import Testing

@testable import WorkspaceService

/// A workspace with an object storage.
struct Files: Sendable {
    let workspace: Workspace
    /// Where objects are, when they are in a folder.
    let folder: TemporaryDirectory

    static let piece = UploadService.pieceSize

    static func run(
        more: [String] = [], _ body: @escaping @Sendable (Files) async throws -> Void
    ) async throws {
        let folder = try TemporaryDirectory()
        try await Workspace.run(more: ["--storage-folder", folder.file("s")] + more) { workspace in
            try await body(Files(workspace: workspace, folder: folder))
        }
    }

    /// The same with objects in a real S3 server.
    static func runOnSeaweed(_ body: @escaping @Sendable (Files, SeaweedFS) async throws -> Void) async throws {
        try await withEventLoop { loop in
            let weed = try await SeaweedFS.start(loop: loop)
            let folder = try TemporaryDirectory()
            let settings = [
                "--storage-backend", "s3", "--s3-endpoint", weed.endpoint, "--s3-bucket", SeaweedFS.bucket,
                "--s3-access-key", SeaweedFS.accessKey, "--s3-secret-key", SeaweedFS.secretKey,
            ]
            try await Workspace.run(more: settings) { workspace in
                try await body(Files(workspace: workspace, folder: folder), weed)
            }
            try await weed.stop()
        }
    }

    /// The same bytes each time, no two blocks alike.
    static func bytes(_ count: Int) -> [UInt8] {
        var state: UInt64 = 88_172_645_463_325_252
        // A page of them, repeated and numbered: making each byte would keep the processor from other tests.
        let page = (0..<4096).map { _ in
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return UInt8(truncatingIfNeeded: state)
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + page.count)
        while bytes.count < count {
            let number = bytes.count / page.count
            bytes += page
            bytes[bytes.count - 1] = UInt8(truncatingIfNeeded: number)
            bytes[bytes.count - 2] = UInt8(truncatingIfNeeded: number >> 8)
        }
        bytes.removeLast(bytes.count - count)
        return bytes
    }

    // MARK: Uploads

    func create(
        _ path: String, _ size: Int, sha256: String? = nil, overwrite: Bool? = nil
    ) async throws -> FileUpload {
        try await workspace.user.call(
            WorkspaceAPI.createUpload,
            .init(body: CreateUpload(path: path, size: Int64(size), sha256: sha256, overwrite: overwrite)))
    }

    func write(_ id: String, _ bytes: [UInt8], at offset: Int, sha256: String? = nil) async throws -> FileUpload {
        try await write(id, .bytes(bytes), at: offset, sha256: sha256)
    }

    func write(_ id: String, _ body: HTTPOutgoingBody, at offset: Int, sha256: String? = nil) async throws -> FileUpload
    {
        let checksum = sha256.map { "&sha256=\($0)" } ?? ""
        let answer = try await workspace.send(
            .put, "/api/v1/files/uploads/\(id)?offset=\(offset)\(checksum)",
            fields: ["content-type": "application/octet-stream"],
            body: body)
        return try FileUpload(json: try await Files.checked(answer))
    }

    func state(_ id: String) async throws -> FileUpload {
        try await workspace.user.call(WorkspaceAPI.getUpload, .init(uploadID: id))
    }

    @discardableResult
    func complete(_ id: String) async throws -> ObjectInfo {
        try await workspace.user.call(WorkspaceAPI.completeUpload, .init(uploadID: id))
    }

    /// All steps at once.
    @discardableResult
    func upload(_ path: String, _ bytes: [UInt8], overwrite: Bool? = nil) async throws -> ObjectInfo {
        let upload = try await create(path, bytes.count, overwrite: overwrite)
        if !bytes.isEmpty { _ = try await write(upload.uploadID, bytes, at: 0) }
        return try await complete(upload.uploadID)
    }

    func form(_ folder: String, _ body: String, boundary: String = "xyz", more: String = "") async throws -> ObjectInfo
    {
        let answer = try await workspace.send(
            .post, "/api/v1/files/upload?path=\(folder)\(more)",
            fields: ["content-type": "multipart/form-data; boundary=\(boundary)"], body: .bytes(Array(body.utf8)))
        return try ObjectInfo(json: try await Files.checked(answer))
    }

    // MARK: Downloads

    func download(
        _ path: String, _ fields: HTTPFields = [:], method: HTTPMethod = .get, more: String = ""
    ) async throws -> (status: Int, fields: HTTPFields, bytes: [UInt8]) {
        let answer = try await workspace.send(
            method, "/api/v1/files/content?path=\(PercentEncoding.encode(path))\(more)", fields: fields)
        return (answer.status, answer.fields, try await answer.body.collect(limit: 1 << 30))
    }

    func read(_ path: String) async throws -> [UInt8] {
        let answer = try await download(path)
        guard answer.status == 200 else { throw HarbourError(status: answer.status, body: answer.bytes, service: "it") }
        return answer.bytes
    }

    func isThere(_ path: String) async throws -> Bool {
        do {
            _ = try await workspace.user.call(WorkspaceAPI.getObject, .init(path: path))
            return true
        } catch {
            guard error.code == .notFound else { throw error }
            return false
        }
    }

    private static func checked(_ answer: HTTPClientResponse) async throws -> [UInt8] {
        let bytes = try await answer.body.collect()
        guard answer.status == 200 else { throw HarbourError(status: answer.status, body: bytes, service: "it") }
        return bytes
    }

    // MARK: The folder of objects

    /// The files below a part of the storage.
    func stored(_ part: String) throws -> [String] {
        try runCommand(["find", folder.file("s/\(part)"), "-type", "f"]).split(separator: "\n").map(String.init)
    }
}
