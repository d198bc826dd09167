import Core
import Cryptography
import EventLoop
import Glibc
import HTTPClient
import HTTPMessage
import HarbourProtocol
import ServiceClients
import ServiceTestKit
import StorageTestKit
import TestSupport
import Testing

@testable import WorkspaceService

extension Files {
    /// The archive of a folder.
    func export(
        _ folder: String, as format: HarbourProtocol.NotebookFormat? = nil, by client: ServiceClient? = nil
    ) async throws -> [UInt8] {
        try await (client ?? workspace.user).send(
            WorkspaceAPI.exportFolder, .init(path: folder, format: format)
        ).collect(limit: 1 << 30)
    }

    /// Uploads an archive and asks for it to be unpacked.
    func unpack(_ archive: [UInt8], into folder: String, overwrite: Bool? = nil) async throws -> ImportedFolder {
        try await unpack(try await bring(archive), into: folder, overwrite: overwrite)
    }

    /// The upload of an archive.
    func bring(_ archive: [UInt8]) async throws -> String {
        let upload = try await create("/Shared/archive.zip", archive.count)
        if !archive.isEmpty { _ = try await write(upload.uploadID, archive, at: 0) }
        return upload.uploadID
    }

    func unpack(_ upload: String, into folder: String, overwrite: Bool? = nil) async throws -> ImportedFolder {
        try await workspace.user.call(
            WorkspaceAPI.importFolder,
            .init(body: ImportFolder(uploadID: upload, path: folder, overwrite: overwrite)))
    }

    /// Everything below a folder: paths below it, kinds, languages and the SHA-256 of what is in it.
    func contents(_ folder: String) async throws -> [String] {
        var found: [String] = []
        let list = try await workspace.user.call(WorkspaceAPI.listObjects, .init(pageSize: 500, path: folder))
        for object in list.objects {
            let name = object.path.dropFirst(folder.count)
            if object.objectType == .directory {
                found.append("\(name)/")
                found += try await contents(object.path).map { "\(name)\($0)" }
            } else {
                let revision = try await workspace.user.call(
                    WorkspaceAPI.listRevisions, .init(notebookID: object.objectID)
                ).revisions[0]
                found.append("\(name) \(object.objectType) \(object.language ?? "-") \(revision.contentHash)")
            }
        }
        return found.sorted()
    }

    /// An archive that Python makes: `z` is the archive, `e` makes an entry.
    func python(_ lines: String...) throws -> [UInt8] {
        let script =
            """
            import io, stat, sys, zipfile
            def e(name, mode=0o100644, method=zipfile.ZIP_DEFLATED):
                info = zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0))
                info.create_system, info.external_attr, info.compress_type = 3, mode << 16, method
                return info
            with zipfile.ZipFile(sys.argv[1], "w") as z:
            """ + lines.map { "\n    \($0)" }.joined()
        let file = folder.file("python.zip")
        try runCommand(["python3", "-W", "ignore", "-c", script, file])
        return try Files.load(file)
    }

    static func load(_ path: String) throws -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        try #require(file >= 0)
        defer { close(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while case let count = Glibc.read(file, &buffer, buffer.count), count > 0 { bytes += buffer[..<count] }
        return bytes
    }
}

@Suite("Folders as zip archives", .timeLimit(.minutes(15)))
struct FolderArchiveTests {
    private static let source = "# Databricks notebook source\nprint(1)\n\n# COMMAND ----------\n\nprint(2)"
    private static let jupyter = #"""
        {"cells": [{"cell_type": "code", "execution_count": null, "id": "a", "metadata": {}, "outputs": [],
        "source": ["1 + 1"]}], "metadata": {"language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5}
        """#

    /// Entries of every kind, with names that are hard.
    private static func fill(_ files: Files, _ root: String) async throws {
        let workspace = files.workspace
        _ = try await workspace.save("\(root)/report", jupyter, format: .jupyter)
        _ = try await workspace.save("\(root)/deep/er/größe 漢字", source, format: .source, language: "python")
        _ = try await workspace.save("\(root)/deep/etl.py", source, format: .source, language: "python")
        _ = try await workspace.save("\(root)/query", "SELECT 1\n", format: .source, language: "sql")
        _ = try await workspace.save("\(root)/marked", "# %%\n1\n# %%\n2\n", format: .source, language: "python")
        try await files.upload("\(root)/module.py", Array("def f(): return 1\n".utf8))
        try await files.upload("\(root)/data/empty.csv", [])
        try await files.upload("\(root)/data/large.bin", Files.bytes(2 * Files.piece + 12_345))
        try await files.upload("\(root)/data/text.csv", Array(String(repeating: "a,b\n", count: 500_000).utf8))
        _ = try await workspace.user.call(
            WorkspaceAPI.makeDirectories, .init(body: MakeDirectories(path: "\(root)/nothing in it")))
    }

    @Test func whatIsPackedIsUnpackedTheSame() async throws { try await Files.run { try await roundTrip($0) } }

    @Test(.enabled(if: SeaweedFS.path != nil)) func whatIsPackedIsUnpackedTheSameInS3() async throws {
        try await Files.runOnSeaweed { files, _ in try await roundTrip(files) }
    }

    private func roundTrip(_ files: Files) async throws {
        try await FolderArchiveTests.fill(files, "/Shared/from")
        let archive = try await files.export("/Shared/from")
        #expect(try await files.export("/Shared/from") == archive, "the same folder makes the same archive")
        // Every other program reads it.
        let file = try files.folder.write("out.zip", archive)
        #expect(try runCommand(["unzip", "-t", file]).contains("No errors detected"))
        try runCommand(["unzip", "-q", file, "-d", files.folder.file("out")])
        #expect(
            try Files.load(files.folder.file("out/data/large.bin")) == Files.bytes(2 * Files.piece + 12_345))
        #expect(try Files.load(files.folder.file("out/deep/etl.py.py")) == Array(FolderArchiveTests.source.utf8))
        #expect(try Files.load(files.folder.file("out/report.ipynb")) == Array(FolderArchiveTests.jupyter.utf8))
        let done = try await files.unpack(archive, into: "/Shared/to/here")
        #expect(done.notebooks == 5)
        #expect(done.files == 4)
        #expect(done.unchanged == 0)
        #expect(done.notes == nil)
        #expect(done.folder.path == "/Shared/to/here")
        let contents = try await files.contents("/Shared/from")
        #expect(contents.count == 13)
        #expect(try await files.contents("/Shared/to/here") == contents)
        #expect(try await files.read("/Shared/to/here/data/large.bin") == Files.bytes(2 * Files.piece + 12_345))
        #expect(try await files.isThere("/Shared/archive.zip") == false, "the archive itself comes nowhere")
    }

    @Test func plainSourceStaysANotebook() async throws {
        try await Files.run { files in
            _ = try await files.workspace.save("/Shared/a/plain", "print(1)\n", format: .source, language: "python")
            let archive = try await files.export("/Shared/a")
            _ = try await files.unpack(archive, into: "/Shared/b")
            let info = try await files.workspace.user.call(WorkspaceAPI.getObject, .init(path: "/Shared/b/plain"))
            #expect(info.objectType == .notebook)
            let jupyter = try await files.export("/Shared/a", as: .jupyter)
            let file = try files.folder.write("j.zip", jupyter)
            #expect(try runCommand(["unzip", "-Z1", file]) == "plain.ipynb\n")
        }
    }

    /// Two that would have one name.
    @Test func namesOfNotebooksGiveWay() async throws {
        try await Files.run { files in
            _ = try await files.workspace.save("/Shared/a/x", FolderArchiveTests.source, format: .source)
            try await files.upload("/Shared/a/x.py", Array("y = 1\n".utf8))
            let file = try files.folder.write("n.zip", try await files.export("/Shared/a"))
            #expect(try runCommand(["unzip", "-Z1", file]) == "x (notebook).py\nx.py\n")
        }
    }

    // MARK: What is there already

    @Test func whatIsThereIsNotReplacedUnlessWanted() async throws {
        try await Files.run { files in
            try await FolderArchiveTests.fill(files, "/Shared/a")
            let archive = try await files.export("/Shared/a")
            let before = try await files.contents("/Shared/a")
            let upload = try await files.bring(archive)
            do {
                _ = try await files.unpack(upload, into: "/Shared/a")
                Issue.record("it was not refused")
            } catch let error as HarbourError {
                #expect(error.code == .alreadyExists)
                #expect(error.message.contains("\n/Shared/a/data/text.csv is there already"))
            }
            // The upload stays for another try.
            _ = try await files.workspace.save(
                "/Shared/a/query", "SELECT 2\n", format: .source, overwrite: true, language: "sql")
            let done = try await files.unpack(upload, into: "/Shared/a", overwrite: true)
            #expect(done.unchanged == 8)
            #expect(try await files.contents("/Shared/a") == before)
            let query = try await files.workspace.user.call(WorkspaceAPI.getObject, .init(path: "/Shared/a/query"))
            let revisions = try await files.workspace.user.call(
                WorkspaceAPI.listRevisions, .init(notebookID: query.objectID)
            ).revisions
            #expect(revisions.count == 3, "no revision is lost")
            // Whoever lost the answer asks again.
            let again = try await files.unpack(upload, into: "/Shared/a", overwrite: true)
            #expect(again.folder.path == "/Shared/a")
            #expect(again.notebooks == nil)
        }
    }

    @Test func filesInTheWayOfFoldersAreNamed() async throws {
        try await Files.run { files in
            let archive = try files.python(#"z.writestr(e("a/b.txt"), b"1")"#, #"z.writestr(e("c.txt"), b"1")"#)
            try await files.upload("/Shared/t/a", [1])
            #expect(
                await errorCode { _ = try await files.unpack(archive, into: "/Shared/t", overwrite: true) }
                    == "RESOURCE_ALREADY_EXISTS")
            #expect(try await !files.isThere("/Shared/t/c.txt"))
        }
    }

    // MARK: What is not to be trusted

    @Test func whatIsWrongIsNamedAndNothingComes() async throws {
        try await Files.run { files in
            let archive = try files.python(
                #"z.writestr(e("good.txt"), b"1")"#, #"z.writestr(e("../up"), b"1")"#,
                #"z.writestr(e("/absolute"), b"1")"#, #"z.writestr(e("a/back\\slash"), b"1")"#,
                #"z.writestr(e("link", stat.S_IFLNK | 0o777), b"/etc/passwd")"#, #"z.writestr(e("twice"), b"1")"#,
                #"z.writestr(e("twice"), b"2")"#, #"z.writestr(e("good.txt/below"), b"2")"#,
                #"z.writestr(e("x" * 300), b"2")"#, #"z.writestr(e("lzma", method=zipfile.ZIP_LZMA), b"2" * 100)"#,
                #"z.writestr(e("d/" * 40 + "deep"), b"2")"#, #"z.writestr(e("double//slash"), b"2")"#)
            do {
                _ = try await files.unpack(archive, into: "/Shared/t")
                Issue.record("it was not refused")
            } catch let error as HarbourError {
                #expect(error.code.name == "INVALID_ARCHIVE")
                let lines = error.message.split(separator: "\n").dropFirst()
                #expect(lines.count == 10, "\(error.message)")
                for (name, reason) in [
                    ("../up", "leads out"), ("/absolute", "begins with a slash"), ("a/back\\slash", "backslash"),
                    ("link", "a link"), ("twice", "comes twice"), ("good.txt/below", "which is a file"),
                    ("lzma", "not supported"), ("double//slash", "empty part"),
                ] { #expect(lines.contains { $0.hasPrefix("\(name): ") && $0.contains(reason) }, "\(name)") }
            }
            #expect(try await !files.isThere("/Shared/t"))
        }
    }

    @Test func encryptedAndBrokenArchivesAreRefused() async throws {
        try await Files.run { files in
            _ = try files.folder.write("s.txt", Array("secret".utf8))
            try runCommand(["sh", "-c", "cd '\(files.folder.path)' && zip -qP password secret.zip s.txt"])
            let secret = try Files.load(files.folder.file("secret.zip"))
            #expect(await errorCode { _ = try await files.unpack(secret, into: "/Shared/t") } == "INVALID_ARCHIVE")
            let good = try files.python(#"z.writestr(e("a.txt"), bytes(range(256)) * 1000)"#)
            for cut in [0, 10, good.count - 1] {
                #expect(
                    await errorCode { _ = try await files.unpack(Array(good[..<cut]), into: "/Shared/t") }
                        == "INVALID_ARCHIVE", "cut at \(cut)")
            }
            // The last of many is damaged: what came before does not stay.
            var damaged = try files.python(
                #"z.writestr(e("1/large", method=zipfile.ZIP_STORED), bytes(9 << 20))"#,
                #"z.writestr(e("2", method=zipfile.ZIP_STORED), b"find me" * 100)"#)
            let place = try #require(damaged.indices.last { damaged[$0...].starts(with: "find me".utf8) })
            damaged[place] ^= 1
            #expect(await errorCode { _ = try await files.unpack(damaged, into: "/Shared/t") } == "INVALID_ARCHIVE")
            #expect(try await !files.isThere("/Shared/t"))
            let database = try #require(files.workspace.service.database)
            let open = try runCommand([
                "psql", database.url, "-Atc",
                "SELECT count(*) FROM workspace.uploads WHERE user_name = '' AND state <> 'ENDED'",
            ])
            #expect(open == "0\n", "what was unpacked is on its way out")
        }
    }

    @Test func bombsAreRefusedUnread() async throws {
        try await Files.run { files in
            let bomb = try files.python(#"z.writestr(e("bomb"), bytes(200 << 20))"#)
            #expect(bomb.count < 300_000)
            #expect(await errorCode { _ = try await files.unpack(bomb, into: "/Shared/t") } == "REQUEST_TOO_LARGE")
            // Few entries, each with folders of its own above it.
            let deep = try files.python(#"for i in range(700): z.writestr(e(f"{i}/{'d/' * 28}f"), b"")"#)
            #expect(await errorCode { _ = try await files.unpack(deep, into: "/Shared/t") } == "REQUEST_TOO_LARGE")
            #expect(try await !files.isThere("/Shared/t"))
        }
    }

    @Test func uploadsThatAreNotWholeAreNotUnpacked() async throws {
        try await Files.run { files in
            let upload = try await files.create("/Shared/archive.zip", 100)
            let early = await errorCode { _ = try await files.unpack(upload.uploadID, into: "/Shared/t") }
            #expect(early == "INVALID_STATE")
            #expect(
                await errorCode { _ = try await files.unpack("none-of-these", into: "/Shared/t") }
                    == "RESOURCE_DOES_NOT_EXIST")
        }
    }

    @Test func archivesAreWhatWasAnnounced() async throws {
        try await Files.run { files in
            let archive = try files.python(#"z.writestr(e("a.txt"), b"1")"#)
            let upload = try await files.create(
                "/Shared/archive.zip", archive.count, sha256: hexadecimal(Digest.sha256([1])))
            _ = try await files.write(upload.uploadID, archive, at: 0)
            #expect(
                await errorCode { _ = try await files.unpack(upload.uploadID, into: "/Shared/t") }
                    == "CHECKSUM_MISMATCH")
            #expect(try await !files.isThere("/Shared/t"))
            #expect(try files.stored("objects").isEmpty, "what is wrong is not kept")
        }
    }

    /// Goal: of notebooks only what is compressed is in memory until they are in the tree; their text is read afterwards.
    @Test func textsAreReadAfterUnpacking() async throws {
        try await Files.run { files in
            let archive = try files.python(#"z.writestr(e("n.ipynb"), """\#(FolderArchiveTests.jupyter)""")"#)
            _ = try await files.unpack(archive, into: "/Shared/t")
            try await eventually("the notebook is found") {
                try await files.workspace.found("1 +", path: "/Shared/t") == ["CONTENT /Shared/t/n#1"]
            }
            try await files.workspace.withPool { (pool) async throws in
                let uploads = UploadService(
                    store: UploadStore(pool: pool), tree: WorkspaceTree(pool: pool), storage: nil, limit: 1 << 30,
                    lifetime: .seconds(3600))
                let limits = ArchiveLimits(fileBytes: 1 << 30)
                var staging = ArchiveStaging(uploads: uploads, limits: limits, overwrites: false)
                let bytes = Array(FolderArchiveTests.jupyter.utf8)
                var pieces = [bytes]
                let item = ArchivePlan.Item(
                    number: 0, name: "n.ipynb", path: try WorkspacePath("/Shared/n"), isFolder: false, isNotebook: true,
                    size: bytes.count)
                try await staging.add(item) { _ in pieces.popLast() }
                guard case .small(let content)? = staging.contents.first?.kind else {
                    Issue.record("a notebook is kept in memory")
                    return
                }
                #expect(content.format != .file)
                #expect(content.text == nil)
            }
        }
    }

    @Test func whatIsNoNotebookIsAFile() async throws {
        try await Files.run { files in
            let archive = try files.python(
                #"z.writestr(e("broken.ipynb"), b"{")"#, #"z.writestr(e("./dotted.txt"), b"1")"#,
                #"z.writestr(e("__MACOSX/._x"), b"1")"#, #"z.writestr(e("a/.DS_Store"), b"1")"#)
            let done = try await files.unpack(archive, into: "/Shared/t")
            #expect(done.files == 2)
            #expect(done.notes?.count == 2)
            #expect(try await files.read("/Shared/t/broken.ipynb") == Array("{".utf8))
            #expect(try await files.read("/Shared/t/dotted.txt") == Array("1".utf8))
            #expect(try await !files.isThere("/Shared/t/__MACOSX"))
        }
    }

    // MARK: Who may see what

    @Test func onlyWhatOneMaySeeIsPacked() async throws {
        try await Files.run { files in
            let anna = try await files.workspace.makeUser("anna")
            for name in ["open/a", "secret/b", "secret/deep/c"] {
                _ = try await files.workspace.save("/Users/admin/\(name)", FolderArchiveTests.source, format: .source)
            }
            #expect(
                await errorCode { _ = try await files.export("/Users/admin", by: anna.client) } == "PERMISSION_DENIED")
            try await files.workspace.give(
                .canRead, on: "directories", try await files.workspace.objectID("/Users/admin/open"), to: "anna")
            try await files.workspace.give(
                .canRead, on: "notebooks", try await files.workspace.objectID("/Users/admin/secret/deep/c"), to: "anna")
            let file = try files.folder.write("anna.zip", try await files.export("/Users/admin", by: anna.client))
            #expect(try runCommand(["unzip", "-Z1", file]) == "open/\nopen/a.py\nsecret/deep/c.py\n")
            let upload = try await anna.client.call(
                WorkspaceAPI.createUpload, .init(body: CreateUpload(path: "/Users/anna/x.zip", size: 1)))
            #expect(
                await errorCode {
                    _ = try await anna.client.call(
                        WorkspaceAPI.importFolder,
                        .init(body: ImportFolder(uploadID: upload.uploadID, path: "/Users/admin/open")))
                } == "PERMISSION_DENIED")
        }
    }

    // MARK: What breaks

    @Test func brokenFilesBreakTheArchiveOff() async throws {
        try await Files.run { files in
            _ = try await files.workspace.save("/Shared/a/first", FolderArchiveTests.source, format: .source)
            try await files.upload("/Shared/a/large.bin", Files.bytes(3 << 20))
            let path = try #require(try files.stored("objects").first)
            let file = open(path, O_WRONLY | O_CLOEXEC)
            #expect(pwrite(file, "x", 1, (2 << 20) + 5) == 1)
            close(file)
            let code = await errorCode { _ = try await files.export("/Shared/a") }
            #expect(code == "BAD_UPSTREAM_RESPONSE", "the archive is broken off and not short: \(code)")
            #expect(await errorCode { _ = try await files.export("/Shared/a/first") } == "INVALID_PARAMETER_VALUE")
        }
    }

    @Test func tooMuchIsRefusedBeforeTheFirstByte() async throws {
        try await Files.run(more: ["--upload-limit-mb", "1"]) { files in
            for number in 0..<5 { try await files.upload("/Shared/a/\(number)", Files.bytes(900_000)) }
            #expect(await errorCode { _ = try await files.export("/Shared/a") } == "REQUEST_TOO_LARGE")
        }
    }
}
