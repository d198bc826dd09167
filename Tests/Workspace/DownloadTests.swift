import Core
import Cryptography
import Glibc
import HTTPMessage
import HarbourProtocol
import ServiceClients
import StorageTestKit
import TestSupport
import Testing

@testable import WorkspaceService

@Suite("Downloads", .timeLimit(.minutes(15)))
struct DownloadTests {
    @Test func rangesAndConditionsAreHonoured() async throws { try await Files.run { try await ranges($0) } }

    @Test(.enabled(if: SeaweedFS.path != nil)) func rangesAndConditionsAreHonouredInS3() async throws {
        try await Files.runOnSeaweed { files, _ in try await ranges(files) }
    }

    private func ranges(_ files: Files) async throws {
        let bytes = Files.bytes(Files.piece + 3_000_000)
        let path = "/Shared/r.bin"
        try await files.upload(path, bytes)
        let whole = try await files.download(path)
        #expect(whole.bytes == bytes)
        #expect(whole.fields["content-length"] == "\(bytes.count)")
        #expect(whole.fields["accept-ranges"] == "bytes")
        let tag = try #require(whole.fields["etag"])
        #expect(tag == "\"\(hexadecimal(Digest.sha256(bytes)))\"")
        let head = try await files.download(path, method: .head)
        #expect(head.status == 200)
        #expect(head.bytes == [])
        #expect(head.fields["content-length"] == "\(bytes.count)")
        for range in [0..<1, 1_048_575..<1_048_577, 5_000_000..<9_500_000, bytes.count - 7..<bytes.count] {
            let part = try await files.download(path, ["range": "bytes=\(range.lowerBound)-\(range.upperBound - 1)"])
            #expect(part.status == 206)
            #expect(part.bytes == Array(bytes[range]))
            #expect(part.fields["content-range"] == "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(bytes.count)")
        }
        #expect(try await files.download(path, ["range": "bytes=-5"]).bytes == Array(bytes.suffix(5)))
        #expect(try await files.download(path, ["range": "bytes=\(bytes.count)-"]).status == 416)
        #expect(try await files.download(path, ["if-none-match": tag]).status == 304)
        #expect(try await files.download(path, ["if-match": "\"other\""]).status == 412)
        let other = try await files.download(path, ["range": "bytes=0-1", "if-range": "\"other\""])
        #expect(other.status == 200)
        #expect(try await files.download(path, ["range": "bytes=0-1", "if-range": tag]).status == 206)
    }

    /// Nothing that somebody uploads becomes a page or a script of the platform's origin.
    @Test(arguments: [
        ("a.html", "application/octet-stream", "attachment", "text/plain; charset=utf-8", "inline"),
        ("a.svg", "application/octet-stream", "attachment", "application/octet-stream", "attachment"),
        ("a.xml", "application/octet-stream", "attachment", "application/octet-stream", "attachment"),
        ("a.js", "application/octet-stream", "attachment", "text/plain; charset=utf-8", "inline"),
        ("a.csv", "text/csv; charset=utf-8", "attachment", "text/plain; charset=utf-8", "inline"),
        ("a.png", "image/png", "attachment", "image/png", "inline"),
        ("a.unknown", "application/octet-stream", "attachment", "application/octet-stream", "attachment"),
    ])
    func nothingRunsInTheBrowser(
        _ name: String, _ type: String, _ kind: String, _ shownType: String, _ shownKind: String
    ) {
        let saved = FileFields.fields(name: name, inline: false)
        #expect(saved["content-type"] == type)
        #expect(saved["content-disposition"]?.hasPrefix("\(kind); ") == true)
        let shown = FileFields.fields(name: name, inline: true)
        #expect(shown["content-type"] == shownType)
        #expect(shown["content-disposition"]?.hasPrefix("\(shownKind); ") == true)
        for fields in [saved, shown] {
            #expect(fields["x-content-type-options"] == "nosniff")
            #expect(fields["content-security-policy"]?.hasPrefix("sandbox; ") == true)
        }
    }

    @Test func namesGoThrough() {
        #expect(
            FileFields.disposition("attachment", "résumé \"1\".csv")
                == "attachment; filename=\"r_sum_ _1_.csv\"; filename*=UTF-8''r%C3%A9sum%C3%A9%20%221%22.csv")
    }

    @Test func notebooksAreDownloadedAsTheyAreKept() async throws {
        try await Files.run { files in
            try await files.workspace.save("/Shared/n", "print(1)\n", format: .source, language: "PYTHON")
            let answer = try await files.download("/Shared/n")
            #expect(answer.bytes == Array("print(1)\n".utf8))
            #expect(answer.fields["content-disposition"]?.contains("filename=\"n.py\"") == true)
            #expect(try await files.download("/Shared").status == 409)
            #expect(try await files.download("/Shared/none").status == 404)
        }
    }

    /// Goal: what `curl` gets of a notebook is what the export gives, and its parts fit together although outputs come
    /// without a new revision.
    @Test func notebooksComeWithTheirOutputs() async throws {
        try await RunningWorkspace.run(["print one", "print two"]) { running in
            let files = Files(workspace: running.workspace, folder: try TemporaryDirectory())
            let before = try await files.download("/Shared/n")
            try await running.start(RunCells(scope: .selected, cellIds: ["c0"]))
            _ = try await running.settled()
            let answer = try await files.download("/Shared/n")
            #expect(answer.status == 200)
            #expect(SampleDocument.shown(try JSONValue(json: answer.bytes)) == ["c0:one\n[1]", "c1:[-]"])
            #expect(answer.fields["content-type"] == "application/x-ipynb+json")
            #expect(answer.fields["content-disposition"]?.contains("filename=\"n.ipynb\"") == true)
            for revision in [nil, running.notebook.revisionID] {
                let export = try await running.workspace.export("/Shared/n", revision: revision)
                let same = try await files.download("/Shared/n", more: revision.map { "&revision_id=\($0)" } ?? "")
                #expect(same.bytes == Array(export.text.utf8))
            }
            // The tag is that of what was sent; the time of the revision would say too little.
            let tag = try #require(answer.fields["etag"])
            #expect(tag == "\"\(hexadecimal(Digest.sha256(answer.bytes)))\"" && tag != before.fields["etag"])
            #expect(answer.fields["last-modified"] == nil)
            let later = HTTPDate.format(.now + .seconds(3600))
            #expect(try await files.download("/Shared/n", ["if-modified-since": later]).status == 200)
            #expect(try await files.download("/Shared/n", ["if-none-match": tag]).status == 304)
            let head = try await files.download("/Shared/n", method: .head)
            #expect(head.fields["content-length"] == "\(answer.bytes.count)" && head.fields["etag"] == tag)
            let rest = try await files.download("/Shared/n", ["range": "bytes=9-", "if-range": tag])
            #expect(rest.status == 206 && rest.bytes == Array(answer.bytes[9...]))
            // Another cell has run in between: it begins anew.
            try await running.start(RunCells(scope: .selected, cellIds: ["c1"]))
            _ = try await running.settled()
            for condition in [tag, later] {
                let anew = try await files.download("/Shared/n", ["range": "bytes=9-", "if-range": condition])
                #expect(anew.status == 200)
                let shown = SampleDocument.shown(try JSONValue(json: anew.bytes))
                #expect(shown.first == "c0:one\n[1]" && shown.last?.hasPrefix("c1:two\n[") == true)
            }
        }
    }

    @Test func smallUploadsAreExportedToo() async throws {
        try await Files.run { files in
            try await files.upload("/Shared/t.txt", Array("hello".utf8))
            #expect(try await files.workspace.export("/Shared/t.txt").text == "hello")
            #expect(try await files.workspace.export("/Shared/t.txt").type == "txt")
        }
    }

    // MARK: Damage

    @Test func whatIsLostOrDamagedIsReported() async throws {
        try await Files.run { files in
            let bytes = Files.bytes(3 << 20)
            try await files.upload("/Shared/d.bin", bytes)
            let path = try #require(try files.stored("objects").first)
            let file = open(path, O_WRONLY)
            try #require(file >= 0)
            #expect(pwrite(file, "x", 1, off_t(2 << 20)) == 1)
            close(file)
            // What is whole can still be had.
            #expect(try await files.download("/Shared/d.bin", ["range": "bytes=0-99"]).bytes == Array(bytes[..<100]))
            let damaged = try await files.download("/Shared/d.bin", ["range": "bytes=-100"])
            #expect(damaged.status == 500)
            #expect(String(decoding: damaged.bytes, as: UTF8.self).contains("STORED_OBJECT_CORRUPTED"))
            // When it shows only later, the answer breaks off.
            #expect(await errorCode { _ = try await files.read("/Shared/d.bin") } != "")
            #expect(unlink(path) == 0)
            let lost = try await files.download("/Shared/d.bin")
            #expect(lost.status == 500)
            #expect(String(decoding: lost.bytes, as: UTF8.self).contains("STORED_OBJECT_MISSING"))
            #expect(
                await errorCode { _ = try await files.workspace.export("/Shared/d.bin") } == "STORED_OBJECT_MISSING")
        }
    }

    @Test(.enabled(if: SeaweedFS.path != nil)) func whatIsLostInS3IsReported() async throws {
        try await Files.runOnSeaweed { files, weed in
            let upload = try await files.create("/Shared/d.bin", 5)
            _ = try await files.write(upload.uploadID, [1, 2, 3, 4, 5], at: 0)
            try await files.complete(upload.uploadID)
            let object = "/\(SeaweedFS.bucket)/objects/\(upload.uploadID.prefix(2))/\(upload.uploadID)"
            #expect(try await weed.send(.put, object, "12345") == 200)
            #expect(await errorCode { _ = try await files.read("/Shared/d.bin") } == "STORED_OBJECT_CORRUPTED")
            #expect(try await weed.send(.delete, object) == 204)
            #expect(await errorCode { _ = try await files.read("/Shared/d.bin") } == "STORED_OBJECT_MISSING")
        }
    }
}
