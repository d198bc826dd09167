import Core
import EventLoop
import Glibc
import HarbourProtocol
import ServiceClients
import ServiceTestKit
import TestSupport
import Testing

@testable import WorkspaceService

/// `harbour files`, the real command line, on a workspace.
@Suite("Files on the command line", .timeLimit(.minutes(15)))
struct FileCommandTests {
    private func harbour(
        _ files: Files, _ home: TemporaryDirectory, _ arguments: String..., fails: Bool = false
    ) async throws -> String {
        var specification = ProcessSpecification("\(WorkspaceProcess.programs)/harbour", arguments)
        specification.environment = .inherited(adding: [
            "HARBOUR_URL": files.workspace.service.baseURL, "HARBOUR_TOKEN": adminToken, "HARBOUR_DATA": home.path,
        ])
        specification.directory = home.path
        // It would be added to.
        unlink(home.file("output"))
        specification.output = .file(home.file("output"))
        specification.errors = .sameAsOutput
        let process = try await ChildProcess.start(specification, loop: files.workspace.service.loop)
        let exit = try await process.wait()
        let output = try runCommand(["cat", home.file("output")])
        #expect(exit.isSuccess != fails, "harbour \(arguments): \(output)")
        return output
    }

    @Test func filesGoThereAndBack() async throws {
        try await Files.run { files in
            let home = try TemporaryDirectory()
            let bytes = Files.bytes(2 * Files.piece + 777)
            let file = try home.write("data.bin", bytes)
            let said = try await harbour(files, home, "files", "upload", "/Shared/in", file)
            #expect(said.contains("/Shared/in/data.bin (revision"))
            #expect(try await files.read("/Shared/in/data.bin") == bytes)
            let refused = try await harbour(files, home, "files", "upload", "/Shared/in", file, fails: true)
            #expect(refused.contains("is there already"))
            _ = try await harbour(files, home, "files", "upload", "/Shared/in", file, "--overwrite")
            _ = try await harbour(
                files, home, "files", "download", "/Shared/in/data.bin", "--to", home.file("back.bin"))
            #expect(
                try runCommand(["sha256sum", home.file("back.bin")]).hasPrefix(
                    try runCommand(["sha256sum", file]).prefix(64)))
            let unwanted = access(home.file("back.bin.part"), F_OK)
            #expect(unwanted != 0)
        }
    }

    @Test func foldersGoThereAndBack() async throws {
        try await Files.run { files in
            let home = try TemporaryDirectory()
            _ = try await files.workspace.save("/Shared/project/query", "SELECT 1\n", format: .source, language: "sql")
            try await files.upload("/Shared/project/data/d.bin", Files.bytes(100_000))
            let said = try await harbour(files, home, "workspace", "export", "/Shared/project")
            #expect(said.contains("/Shared/project is in project.zip."))
            #expect(try runCommand(["unzip", "-t", home.file("project.zip")]).contains("No errors detected"))
            let back = try await harbour(files, home, "workspace", "import", "project.zip", "/Shared/again")
            #expect(back.contains("/Shared/again has 1 notebooks and 1 files of project.zip"))
            #expect(try await files.contents("/Shared/again") == files.contents("/Shared/project"))
            let refused = try await harbour(
                files, home, "workspace", "import", "project.zip", "/Shared/again", fails: true)
            #expect(refused.contains("/Shared/again/query is there already"))
            let same = try await harbour(
                files, home, "workspace", "import", "project.zip", "/Shared/again", "--overwrite")
            #expect(same.contains("2 of them unchanged"))
            _ = try home.write("none.zip", Array("no archive".utf8))
            let none = try await harbour(files, home, "workspace", "import", "none.zip", "/Shared/none", fails: true)
            #expect(none.contains("is no zip archive"))
        }
    }

    /// Another program that had begun the same file was killed: its upload is found by its content.
    @Test func whatWasBrokenOffGoesOn() async throws {
        try await Files.run { files in
            let home = try TemporaryDirectory()
            let bytes = Files.bytes(2 * Files.piece)
            let file = try home.write("big.bin", bytes)
            let sum = try runCommand(["sha256sum", file]).prefix(64)
            let upload = try await files.create("/Shared/big.bin", bytes.count, sha256: String(sum))
            _ = try await files.write(upload.uploadID, Array(bytes[..<Files.piece]), at: 0)
            let list = try await harbour(files, home, "files", "uploads")
            #expect(list.contains("/Shared/big.bin") && list.contains("50 %"))
            _ = try await harbour(files, home, "files", "upload", "/Shared/", file)
            #expect(try await files.state(upload.uploadID).state == .complete)
            #expect(try await files.read("/Shared/big.bin") == bytes)
        }
    }

    @Test func dataIsLookedInto() async throws {
        try await Files.run { files in
            let home = try TemporaryDirectory()
            try await files.upload("/Shared/a.csv", Array("city,count\nBonn,1\nKöln,2\n".utf8))
            let text = try await harbour(files, home, "files", "preview", "/Shared/a.csv")
            #expect(text.contains("Köln") && text.contains("INTEGER") && text.contains("2 rows of 26 B"))
            let json = try await harbour(files, home, "files", "preview", "/Shared/a.csv", "--output", "json")
            #expect(try FilePreview(json: Array(json.utf8)).rowsRead == 2)
        }
    }
}
