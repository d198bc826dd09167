import Core
import Glibc
import HarbourProtocol
import ServiceClients
import TestSupport
import Testing

/// The sample notebooks of every kind through the store: what is kept in PostgreSQL comes out as it went in.
@Suite(.timeLimit(.minutes(15))) struct CorpusTests {
    private static let folder =
        "/" + #filePath.split(separator: "/").dropLast(2).joined(separator: "/") + "/NotebookFormats/Corpus"

    /// The samples, and in which format each is exported.
    private static func samples() throws -> [(name: String, format: HarbourProtocol.NotebookFormat)] {
        try runCommand(["ls", folder]).split(separator: "\n").map(String.init).compactMap { name in
            if ["check.py", "generate.py"].contains(name) { return nil }
            return (name, name.hasSuffix(".ipynb") ? .jupyter : .source)
        }
    }

    private static func bytes(_ name: String) throws -> [UInt8] {
        let file = try #require(fopen("\(folder)/\(name)", "rb"), "\(name) cannot be read")
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
        return bytes
    }

    private static func export(
        _ path: String, _ format: HarbourProtocol.NotebookFormat, _ user: ServiceClient
    ) async throws -> [UInt8] {
        let file = try await user.call(WorkspaceAPI.exportObject, .init(path: path, format: format))
        return try #require(Base64.decode(file.content))
    }

    /// Goal: byte for byte, also of a copy.
    @Test func whatIsImportedIsExported() async throws {
        try await Workspace.run { workspace in
            let samples = try Self.samples()
            #expect(samples.count >= 19)
            for (name, format) in samples {
                let bytes = try Self.bytes(name)
                let path = "/Shared/\(name)"
                let made = try await workspace.user.call(
                    WorkspaceAPI.importObject, .init(body: ImportObject(path: path, content: Base64.encode(bytes))))
                guard made.objectType == .notebook else {
                    Issue.record("\(name) is no notebook")
                    continue
                }
                #expect(try await Self.export(made.path, format, workspace.user) == bytes, "\(name)")
                let copy = try await workspace.user.call(
                    WorkspaceAPI.copyObject,
                    .init(body: CopyObject(sourcePath: made.path, destinationPath: "/Shared/copy of \(name)")))
                #expect(try await Self.export(copy.path, format, workspace.user) == bytes, "copy of \(name)")
            }
        }
    }

    /// The notebook with code that the scripted cluster runs: each cell prints and shows, and the last one fails.
    private static func scripted(_ document: JSONValue) throws -> JSONValue {
        var object = try #require(document.object)
        let cells = object["cells"]?.array ?? []
        let last = cells.lastIndex { $0["cell_type"]?.string == "code" }
        object["cells"] = .array(
            cells.enumerated().map { index, cell in
                guard var cell = cell.object, cell["cell_type"]?.string == "code" else { return cell }
                cell["source"] = .string(
                    "print a line\nshow text/plain 9\nshow image/png 9" + (index == last ? "\nfail broken" : ""))
                return .object(cell)
            })
        return .object(object)
    }

    /// Goal: what cells put out while they run is laid over the file so that nbformat takes it, in every version of it.
    @Test(.enabled(if: PeerPython.has("nbformat"), "nbformat is not installed: see Tests/README.md"))
    func whatHasRunIsStillValid() async throws {
        let scratch = try TemporaryDirectory()
        try await RunningWorkspace.run([]) { running in
            var paths: [String] = []
            for (name, format) in try Self.samples() where format == .jupyter {
                let document = try Self.scripted(JSONValue(json: Self.bytes(name).dropMark()))
                let path = try await running.workspace.save("/Shared/\(name)", document.jsonText(), format: .jupyter)
                    .path
                let id = try await running.user.call(WorkspaceAPI.getObject, .init(path: path)).objectID
                _ = try await running.user.call(
                    WorkspaceAPI.runCells, .init(notebookID: id, body: RunCells(clusterID: "lab", scope: .all)))
                let ended = try await running.settled(id)
                #expect(ended.commands.last?.state == (ended.commands.isEmpty ? nil : .error), "\(name)")
                paths.append(try scratch.write(name, try await Self.export(path, .jupyter, running.user)))
            }
            let check =
                "import sys, nbformat\n"
                + "for path in sys.argv[1:]: nbformat.validate(nbformat.read(path, as_version=nbformat.NO_CONVERT))"
            #expect(throws: Never.self) { try runCommand([PeerPython.executable, "-c", check] + paths) }
        }
    }
}

extension [UInt8] {
    /// Without the mark of order that a file of text may begin with.
    fileprivate func dropMark() -> [UInt8] { starts(with: [0xef, 0xbb, 0xbf]) ? Array(dropFirst(3)) : self }
}
