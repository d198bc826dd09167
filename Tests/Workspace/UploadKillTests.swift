import Core
import Cryptography
import EventLoop
import HTTPClient
import HTTPMessage
import HarbourProtocol
import ServiceClients
import StorageTestKit
import TestSupport
import Testing

@testable import WorkspaceService

/// The workspace is killed with SIGKILL again and again while a file comes.
@Suite("Uploads to workspaces that are killed", .serialized, .timeLimit(.minutes(15)))
struct UploadKillTests {
    @Test func loseNothingThatWasSafe() async throws { try await run { _ in [:] } }

    @Test(.enabled(if: SeaweedFS.path != nil)) func loseNothingThatWasSafeInS3() async throws {
        try await withEventLoop { loop in
            let weed = try await SeaweedFS.start(loop: loop)
            try await run { _ in
                [
                    "HARBOUR_WORKSPACE_STORAGE_BACKEND": "s3", "HARBOUR_WORKSPACE_S3_ENDPOINT": weed.endpoint,
                    "HARBOUR_WORKSPACE_S3_BUCKET": SeaweedFS.bucket,
                    "HARBOUR_WORKSPACE_S3_ACCESS_KEY": SeaweedFS.accessKey,
                    "HARBOUR_WORKSPACE_S3_SECRET_KEY": SeaweedFS.secretKey,
                ]
            }
            try await weed.stop()
        }
    }

    private func run(_ settings: @escaping @Sendable (TemporaryDirectory) -> [String: String]) async throws {
        try await withDatabase { database in
            try await withEventLoop { loop in
                let folder = try TemporaryDirectory()
                var place = WorkspaceProcess.Surroundings(
                    loop: loop, http: HTTPClient(loop: loop), database: database, cluster: "http://127.0.0.1:1",
                    folder: folder)
                place.settings = ["HARBOUR_WORKSPACE_STORAGE_FOLDER": folder.file("s")]
                    .merging(settings(folder)) { _, own in own }
                try await upload(place)
                await place.http.close()
            }
        }
    }

    private func upload(_ place: WorkspaceProcess.Surroundings) async throws {
        let bytes = Files.bytes(6 * Files.piece + 99)
        var workspace = try await WorkspaceProcess.start("w", in: place)
        let upload = try await workspace.client.call(
            WorkspaceAPI.createUpload,
            .init(
                body: CreateUpload(
                    path: "/Shared/big.bin", size: Int64(bytes.count), sha256: hexadecimal(Digest.sha256(bytes)))))
        var offsets: [Int] = []
        for round in 0..<4 {
            let start = Int(
                try await workspace.client.call(WorkspaceAPI.getUpload, .init(uploadID: upload.uploadID)).offset)
            offsets.append(start)
            // The last round sends all; the others stop within a piece and are killed there.
            let stop = round == 3 ? bytes.count : min(bytes.count, start + Files.piece + Files.piece / 2)
            let base = workspace.baseURL
            let sending = Task {
                try await UploadKillTests.send(
                    Array(bytes[start..<stop]), upload.uploadID, start, base, place, round == 3)
            }
            if round == 3 {
                #expect(try await sending.value == 200)
                break
            }
            let current = workspace
            try await eventually("a piece is safe") {
                try await current.client.call(WorkspaceAPI.getUpload, .init(uploadID: upload.uploadID)).offset > start
            }
            try await workspace.kill()
            sending.cancel()
            _ = try? await sending.value
            workspace = try await WorkspaceProcess.start("w", in: place)
        }
        #expect(offsets == [0, 1, 2, 3].map { $0 * Files.piece })
        // Killed between the last byte and the end, too.
        try await workspace.kill()
        workspace = try await WorkspaceProcess.start("w", in: place)
        let info = try await workspace.client.call(WorkspaceAPI.completeUpload, .init(uploadID: upload.uploadID))
        #expect(info.size == Int64(bytes.count))
        try await workspace.kill()
        workspace = try await WorkspaceProcess.start("w", in: place)
        let answer = try await place.http.send(
            HTTPClientRequest(
                method: .get, origin: try HTTPOrigin(workspace.baseURL),
                target: "/api/v1/files/content?path=/Shared/big.bin", fields: ["authorization": "Bearer t"]),
            deadline: .now + .seconds(60))
        #expect(try await answer.body.collect(limit: 1 << 30) == bytes)
        try await workspace.kill()
    }

    /// Sends bytes and, unless it is all, then waits for the end of the connection.
    private static func send(
        _ bytes: [UInt8], _ id: String, _ offset: Int, _ base: String, _ place: WorkspaceProcess.Surroundings,
        _ isAll: Bool
    ) async throws -> Int {
        let answer = try await place.http.send(
            HTTPClientRequest(
                method: .put, origin: try HTTPOrigin(base), target: "/api/v1/files/uploads/\(id)?offset=\(offset)",
                fields: ["authorization": "Bearer t", "content-type": "application/octet-stream"],
                body: .stream { writer in
                    for start in stride(from: 0, to: bytes.count, by: 1 << 18) {
                        try await writer.write(Array(bytes[start..<min(bytes.count, start + 1 << 18)]))
                    }
                    if !isAll { try await place.loop.sleep(for: .seconds(600)) }
                }), deadline: .now + .seconds(120))
        return answer.status
    }
}
