import Core
import Cryptography
import EventLoop
import HTTPClient
import HTTPMessage
import HarbourProtocol
import ObjectStorage
import Postgres
import ServiceClients
import ServiceKit
import ServiceTestKit
import StorageTestKit
import TestSupport
import Testing

@testable import WorkspaceService

@Suite("Uploads in chunks", .timeLimit(.minutes(15)))
struct UploadTests {
    @Test func aFileIsThereOnlyWhenItIsWhole() async throws { try await Files.run { try await wholeWay($0) } }

    @Test(.enabled(if: SeaweedFS.path != nil)) func aFileIsThereOnlyWhenItIsWholeInS3() async throws {
        try await Files.runOnSeaweed { files, _ in try await wholeWay(files) }
    }

    private func wholeWay(_ files: Files) async throws {
        let bytes = Files.bytes(2 * Files.piece + 4321)
        let sum = hexadecimal(Digest.sha256(bytes))
        let upload = try await files.create("/Shared/in/data.bin", bytes.count, sha256: sum)
        #expect(upload.offset == 0)
        #expect(upload.chunkSize == Int64(Files.piece))
        let first = try await files.write(upload.uploadID, Array(bytes[..<Files.piece]), at: 0)
        #expect(first.offset == Int64(Files.piece))
        #expect(try await !files.isThere("/Shared/in/data.bin"))
        #expect(await errorCode { try await files.complete(upload.uploadID) } == "INVALID_STATE")
        // Whoever has lost the number of the upload finds it by what it is.
        let found = try await files.create("/Shared/in/data.bin", bytes.count, sha256: sum)
        #expect(found.uploadID == upload.uploadID)
        #expect(found.offset == first.offset)
        _ = try await files.write(upload.uploadID, Array(bytes[Files.piece...]), at: Files.piece)
        let info = try await files.complete(upload.uploadID)
        #expect(info.objectType == .file)
        #expect(info.size == Int64(bytes.count))
        #expect(try await files.complete(upload.uploadID) == info, "who lost the answer may ask again")
        #expect(try await files.state(upload.uploadID).state == .complete)
        #expect(try await files.read("/Shared/in/data.bin") == bytes)
        let revisions = try await files.workspace.user.call(
            WorkspaceAPI.listRevisions, .init(notebookID: info.objectID)
        ).revisions
        #expect(revisions.map(\.contentHash) == [sum])
    }

    @Test func emptyFilesAreFiles() async throws {
        try await Files.run { files in
            try await files.upload("/Shared/empty.txt", [])
            #expect(try await files.read("/Shared/empty.txt") == [])
        }
    }

    /// A connection that breaks off leaves the whole pieces that have come.
    @Test func brokenConnectionsLoseNoWholePiece() async throws {
        try await Files.run { files in
            let bytes = Files.bytes(3 * Files.piece)
            let upload = try await files.create("/Shared/cut.bin", bytes.count)
            struct Cut: Error {}
            _ = try? await files.write(
                upload.uploadID,
                .stream { writer in
                    for start in stride(from: 0, to: 2 * Files.piece + 1_000_000, by: 100_000) {
                        try await writer.write(Array(bytes[start..<(start + 100_000)]))
                    }
                    throw Cut()
                }, at: 0)
            try await eventually("what came is kept") {
                try await files.state(upload.uploadID).offset == Int64(2 * Files.piece)
            }
            _ = try await files.write(upload.uploadID, Array(bytes[(2 * Files.piece)...]), at: 2 * Files.piece)
            try await files.complete(upload.uploadID)
            #expect(try await files.read("/Shared/cut.bin") == bytes)
        }
    }

    @Test func whatDoesNotFitIsRefused() async throws {
        try await Files.run(more: ["--upload-limit-mb", "32"]) { files in
            let upload = try await files.create("/Shared/a.bin", 2 * Files.piece)
            let id = upload.uploadID
            #expect(await errorCode { _ = try await files.write(id, [1], at: 0) } == "INVALID_PARAMETER_VALUE")
            let much = [UInt8](repeating: 0, count: 3 * Files.piece)
            #expect(await errorCode { _ = try await files.write(id, much, at: 0) } == "INVALID_PARAMETER_VALUE")
            #expect(await errorCode { _ = try await files.write(id, much, at: Files.piece) } == "RESOURCE_CONFLICT")
            // Without a length it shows only as it comes.
            let endless = HTTPOutgoingBody.stream { writer in
                for _ in 0..<25 { try await writer.write([UInt8](repeating: 0, count: 1 << 20)) }
            }
            #expect(await errorCode { _ = try await files.write(id, endless, at: 0) } == "REQUEST_TOO_LARGE")
            #expect(await errorCode { _ = try await files.create("/Shared/b", 33 << 20) } == "REQUEST_TOO_LARGE")
            #expect(await errorCode { _ = try await files.create("/", 1) } == "INVALID_PARAMETER_VALUE")
            #expect(await errorCode { _ = try await files.create("/Shared", 1) } == "RESOURCE_ALREADY_EXISTS")
            #expect(await errorCode { _ = try await files.state("0123456789") } == "RESOURCE_DOES_NOT_EXIST")
        }
    }

    @Test func aWrongChecksumLeavesNothing() async throws {
        try await Files.run { files in
            let upload = try await files.create(
                "/Shared/w.bin", 3, sha256: hexadecimal(Digest.sha256([1, 2, 3])))
            _ = try await files.write(upload.uploadID, [1, 2, 4], at: 0)
            #expect(await errorCode { try await files.complete(upload.uploadID) } == "CHECKSUM_MISMATCH")
            #expect(try await !files.isThere("/Shared/w.bin"))
            #expect(await errorCode { _ = try await files.state(upload.uploadID) } == "RESOURCE_DOES_NOT_EXIST")
            #expect(try files.stored("incoming") == [])
        }
    }

    /// Goal: what was changed on its way is not kept, and comes again.
    @Test func aPieceIsKeptOnlyAsItWasSent() async throws {
        try await Files.run { files in
            let content = [UInt8](repeating: 7, count: Files.piece) + [1, 2, 3]
            let first = Array(content[..<Files.piece])
            let last = Array(content[Files.piece...])
            let id = try await files.create("/Shared/p.bin", content.count).uploadID
            let checksum = hexadecimal(Digest.sha256(first))
            let changed = Array(first.dropLast() + [8])
            #expect(
                await errorCode { _ = try await files.write(id, changed, at: 0, sha256: checksum) }
                    == "CHECKSUM_MISMATCH")
            #expect(try await files.state(id).offset == 0)
            #expect(try await files.write(id, first, at: 0, sha256: checksum).offset == Int64(Files.piece))
            for wrong in ["x", String(repeating: "g", count: 64)] {
                let code = await errorCode { _ = try await files.write(id, last, at: Files.piece, sha256: wrong) }
                #expect(code == "INVALID_PARAMETER_VALUE")
            }
            _ = try await files.write(id, last, at: Files.piece, sha256: hexadecimal(Digest.sha256(last)))
            try await files.complete(id)
            #expect(try await files.isThere("/Shared/p.bin"))
            // Of several pieces it cannot be said before they are kept.
            let two = [UInt8](repeating: 0, count: 2 * Files.piece)
            let other = try await files.create("/Shared/q.bin", two.count).uploadID
            let both = hexadecimal(Digest.sha256(two))
            #expect(
                await errorCode { _ = try await files.write(other, two, at: 0, sha256: both) }
                    == "INVALID_PARAMETER_VALUE")
        }
    }

    /// What looks like a notebook and is a file stays one when it is edited.
    @Test func editedFilesStayFiles() async throws {
        try await Files.run { files in
            for (name, text) in [("a.json", #"{"a": 1}"#), ("module.py", "def f(): return 1"), ("q.sql", "SELECT 1")] {
                let path = "/Shared/\(name)"
                let file = try await files.upload(path, [UInt8(ascii: "1")])
                let saved = try await files.workspace.user.call(
                    WorkspaceAPI.importObject,
                    .init(
                        body: ImportObject(
                            path: path, content: Base64.encode(Array(text.utf8)), format: .auto, overwrite: true,
                            expectedRevisionID: file.revisionID)))
                #expect(saved.objectType == .file)
                #expect(try await files.read(path) == Array(text.utf8))
            }
        }
    }

    @Test func whatIsAbortedOrForgottenIsRemoved() async throws {
        try await Files.run(more: ["--upload-expiry", "1h"]) { files in
            let upload = try await files.create("/Shared/x.bin", 2 * Files.piece)
            _ = try await files.write(upload.uploadID, Files.bytes(Files.piece), at: 0)
            #expect(try files.stored("incoming").count == 1)
            _ = try await files.workspace.user.call(WorkspaceAPI.abortUpload, .init(uploadID: upload.uploadID))
            #expect(try files.stored("incoming") == [])
            let other = try await files.create("/Shared/x.bin", 2 * Files.piece)
            _ = try await files.write(other.uploadID, Files.bytes(Files.piece), at: 0)
            let uploads = try files.service()
            try await uploads.sweep()
            #expect(try await files.state(other.uploadID).offset == Int64(Files.piece), "it is not old yet")
            try await uploads.sweep(at: .now + .seconds(3700))
            #expect(await errorCode { _ = try await files.state(other.uploadID) } == "RESOURCE_DOES_NOT_EXIST")
            #expect(try files.stored("incoming") == [])
            await uploads.store.pool.drain(budget: .seconds(5))
        }
    }

    /// The pieces are where they were written; elsewhere they would be missing in the middle of the file.
    @Test func anUploadStaysInItsStorage() async throws {
        try await Files.run { files in
            let upload = try await files.create("/Shared/s.bin", 2 * Files.piece)
            _ = try await files.write(upload.uploadID, Files.bytes(Files.piece), at: 0)
            let uploads = try files.service()
            try await uploads.store.pool.query("UPDATE uploads SET storage = 's3' WHERE upload_id = \(upload.uploadID)")
            let code = await errorCode {
                _ = try await files.write(upload.uploadID, Files.bytes(Files.piece), at: Files.piece)
            }
            #expect(code == "INVALID_STATE")
            await uploads.store.pool.drain(budget: .seconds(5))
        }
    }

    @Test func aFileIsReplacedOnlyWhenThatIsMeant() async throws {
        try await Files.run { files in
            let first = try await files.upload("/Shared/r.csv", Array("a\n1\n".utf8))
            #expect(await errorCode { _ = try await files.create("/Shared/r.csv", 1) } == "RESOURCE_ALREADY_EXISTS")
            let second = try await files.upload("/Shared/r.csv", Array("a\n2\n".utf8), overwrite: true)
            #expect(second.objectID == first.objectID)
            #expect(second.revisionID != first.revisionID)
            // The same content makes no revision, and is not kept twice.
            let third = try await files.upload("/Shared/r.csv", Array("a\n2\n".utf8), overwrite: true)
            #expect(third.revisionID == second.revisionID)
            #expect(try files.stored("objects").count == 2)
            let old = try await files.download("/Shared/r.csv", more: "&revision_id=\(try #require(first.revisionID))")
            #expect(old.bytes == Array("a\n1\n".utf8))
            // Somebody else was quicker: what has come can still be put elsewhere, or over it.
            let late = try await files.create("/Shared/late.csv", 1, sha256: hexadecimal(Digest.sha256([7])))
            _ = try await files.write(late.uploadID, [7], at: 0)
            try await files.upload("/Shared/late.csv", [8])
            #expect(await errorCode { try await files.complete(late.uploadID) } == "RESOURCE_ALREADY_EXISTS")
            let again = try await files.create(
                "/Shared/late.csv", 1, sha256: hexadecimal(Digest.sha256([7])), overwrite: true)
            #expect(again.uploadID == late.uploadID)
            try await files.complete(late.uploadID)
            #expect(try await files.read("/Shared/late.csv") == [7])
        }
    }

    @Test func uploadsAreListedForTheirUser() async throws {
        try await Files.run { files in
            let upload = try await files.create("/Shared/l.bin", 5)
            let ada = try await files.workspace.makeUser("ada")
            #expect(try await ada.client.call(WorkspaceAPI.listUploads, .init()).uploads == [])
            #expect(
                try await files.workspace.user.call(WorkspaceAPI.listUploads, .init()).uploads.map(\.uploadID)
                    == [upload.uploadID])
            #expect(
                await errorCode {
                    _ = try await ada.client.call(WorkspaceAPI.getUpload, .init(uploadID: upload.uploadID))
                } == "PERMISSION_DENIED")
        }
    }

    @Test func withoutAStorageItIsSaidWhatIsMissing() async throws {
        try await Workspace.run { workspace in
            #expect(
                await errorCode {
                    _ = try await workspace.user.call(
                        WorkspaceAPI.createUpload, .init(body: CreateUpload(path: "/Shared/a", size: 1)))
                } == "NOT_SUPPORTED")
        }
    }

    // MARK: Forms

    @Test func aFormBringsAFile() async throws {
        try await Files.run { files in
            let body =
                "--xyz\r\ncontent-disposition: form-data; name=\"note\"\r\n\r\nhello\r\n"
                + "--xyz\r\ncontent-disposition: form-data; name=\"file\"; filename=\"C:\\in\\my; data.csv\"\r\n"
                + "content-type: text/csv\r\n\r\na,b\r\n--xy\r\n1,2\r\n\r\n--xyz--\r\n"
            let info = try await files.form("/Shared/forms", body)
            #expect(info.path == "/Shared/forms/my; data.csv")
            #expect(try await files.read(info.path) == Array("a,b\r\n--xy\r\n1,2\r\n".utf8))
            #expect(await errorCode { _ = try await files.form("/Shared/forms", body) } == "RESOURCE_ALREADY_EXISTS")
            #expect(try await files.form("/Shared/forms", body, more: "&overwrite=true").objectID == info.objectID)
        }
    }

    @Test func brokenFormsLeaveNothing() async throws {
        try await Files.run { files in
            let file = "--xyz\r\ncontent-disposition: form-data; name=\"f\"; filename=\"f.bin\"\r\n\r\n"
            for body in [file + "abc", file + "abc\r\n" + file + "abc\r\n--xyz--", "--xyz--", "nothing"] {
                let code = await errorCode { _ = try await files.form("/Shared", body) }
                #expect(["MALFORMED_REQUEST", "INVALID_PARAMETER_VALUE"].contains(code), "\(body)")
            }
            let code = await errorCode { _ = try await files.form("/Shared", file, boundary: "") }
            #expect(code == "UNSUPPORTED_MEDIA_TYPE")
            let (listed, stored) = (try await files.workspace.list("/Shared"), try files.stored("incoming"))
            #expect(listed == [])
            #expect(stored == [])
        }
    }

    /// However the bytes are cut, the form is the same.
    @Test func formsAreReadInAnyPieces() throws {
        let body = Array(
            ("preamble\r\n--B\r\nContent-Disposition: form-data; name=a; filename*=UTF-8''r%C3%A9s.csv\r\n\r\n"
                + "\r\n--\r\n--A\r\n\r\n--B\r\n\r\nx\r\n--B--").utf8)
        for size in 1...body.count {
            var parser = try MultipartParser(contentType: "multipart/form-data; boundary=\"B\"")
            var parts: [MultipartParser.Part] = []
            var data: [[UInt8]] = []
            for start in stride(from: 0, to: body.count, by: size) {
                parser.add(Array(body[start..<min(body.count, start + size)]))
                while let event = try parser.next() {
                    switch event {
                    case .part(let part):
                        parts.append(part)
                        data.append([])
                    case .data(let bytes): data[data.count - 1] += bytes
                    case .partEnd, .end: break
                    }
                }
            }
            try parser.finish()
            #expect(parts == [.init(name: "a", fileName: "rés.csv"), .init()])
            #expect(data == [Array("\r\n--\r\n--A\r\n".utf8), Array("x".utf8)])
        }
    }
}

extension Files {
    /// The service on the same database and folder, as another process would have it.
    func service() throws -> UploadService {
        let pool = try workspace.service.service.environment.makeDatabase().pool
        return UploadService(
            store: UploadStore(pool: pool), tree: WorkspaceTree(pool: pool),
            storage: try LocalObjects(folder: folder.file("s")), limit: 1 << 30, lifetime: .seconds(3600))
    }
}
