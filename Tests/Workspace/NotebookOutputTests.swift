import Compression
import Core
import HTTPClient
import HarbourProtocol
import Postgres
import ServiceClients
import ServiceKit
import ServiceTestKit
import TestSupport
import Testing

@testable import WorkspaceService

/// A notebook as an `.ipynb` has it, for tests of what becomes of its outputs.
enum SampleDocument {
    struct Cell: Sendable {
        var id: String?
        var source: String
        var kind = "code"
        var output: String?
        var count: Int64?

        static func code(_ id: String?, _ source: String, _ output: String? = nil, _ count: Int64? = nil) -> Cell {
            Cell(id: id, source: source, output: output, count: count)
        }

        static func text(_ id: String, _ source: String) -> Cell { Cell(id: id, source: source, kind: "markdown") }
    }

    static func document(_ cells: [Cell], minor: Int64 = 5) -> JSONValue {
        let cells = cells.map { cell in
            var fields: JSONObject = [
                "cell_type": .string(cell.kind), "metadata": [:], "source": .string(cell.source),
            ]
            if let id = cell.id { fields["id"] = .string(id) }
            if cell.kind == "code" {
                fields["execution_count"] = cell.count.map { .integer($0) } ?? .null
                fields["outputs"] = .array(
                    cell.output.map {
                        [["output_type": "stream", "name": "stdout", "text": .array([.string($0)])]]
                    } ?? [])
            }
            return JSONValue.object(fields)
        }
        return ["nbformat": 4, "nbformat_minor": .integer(minor), "metadata": [:], "cells": .array(cells)]
    }

    /// The cells of a document as `id:output[count]`, and texts as `id`.
    static func shown(_ document: JSONValue?) -> [String] {
        (document?["cells"]?.array ?? []).map { cell in
            let id = cell["id"]?.string ?? "?"
            guard cell["cell_type"]?.string == "code" else { return id }
            let text = (cell["outputs"]?.array ?? []).map { output in
                output["text"]?.array?.compactMap(\.string).joined() ?? output["text"]?.string ?? "?"
            }.joined()
            return "\(id):\(text)[\(cell["execution_count"]?.int64.map { String($0) } ?? "-")]"
        }
    }
}

@Suite("Outputs of notebooks that are changed", .timeLimit(.minutes(15)))
struct NotebookOutputTests {
    private typealias Sample = SampleDocument

    /// Goal: outputs that came with a file are there again when a change is taken back that has left no place for them,
    /// wherever one looks.
    @Test func thoseOfAFileOutliveTheirCells() async throws {
        try await RunningWorkspace.run([]) { running in
            let workspace = running.workspace
            let cells: [Sample.Cell] = [.code("a", "1", "one\n", 4), .code("b", "2", "two\n", 7), .code("c", "3")]
            let file = Sample.document(cells).jsonText()
            let made = try await workspace.save("/Shared/f/kept", file, format: .jupyter)
            // Their sources change: the outputs stay until they run again.
            let edited = try await workspace.saved(
                made.objectID, [.code("a", "1 + 1"), .code("b", "2"), .code("c", "3")], base: made.revisionID)
            let all = ["a:one\n[4]", "b:two\n[7]", "c:[-]"]
            #expect(try await workspace.outputs(made.objectID) == all)
            // One becomes a text and one is deleted; somebody else saves meanwhile.
            let gone = try await workspace.saved(made.objectID, [.text("a", "1"), .code("c", "3")], base: edited)
            #expect(try await workspace.outputs(made.objectID) == ["a", "c:[-]"])
            _ = try await workspace.saved(made.objectID, [.text("a", "1"), .code("c", "other")], base: gone)
            // Both come back.
            let back = try await workspace.saved(
                made.objectID, [.code("a", "1"), .code("b", "2"), .code("c", "3")], base: gone)
            #expect(try await workspace.outputs(made.objectID) == all)
            #expect(try await workspace.outputs(made.objectID, revision: back) == all)
            #expect(
                Sample.shown(try JSONValue(jsonText: try await workspace.export("/Shared/f/kept", .jupyter).text))
                    == all)
            let export = try await workspace.export("/Shared/f/kept", .jupyter, revision: back)
            #expect(Sample.shown(try JSONValue(jsonText: export.text)) == all)
            _ = try await workspace.copy("/Shared/f", "/Shared/g")
            #expect(Sample.shown(try JSONValue(jsonText: try await workspace.export("/Shared/g/kept").text)) == all)
            #expect(try await workspace.archived("/Shared/f", "kept.ipynb") == all)
            // And once more, for what was kept is part of the notebook again.
            let again = try await workspace.saved(made.objectID, [.code("c", "3")], base: back)
            _ = try await workspace.saved(made.objectID, [.code("b", "2"), .code("c", "3")], base: again)
            #expect(try await workspace.outputs(made.objectID) == ["b:two\n[7]", "c:[-]"])
        }
    }

    /// Goal: what was cleared does not come back, and a cell that ran since has what it put out last.
    @Test func thoseThatAreNotWantedAreGone() async throws {
        try await RunningWorkspace.run([]) { running in
            let workspace = running.workspace
            let file = Sample.document([.code("a", "print new", "old\n", 1), .code("b", "2", "two\n", 2)]).jsonText()
            let made = try await workspace.save("/Shared/n", file, format: .jupyter, overwrite: true)
            let base = try await workspace.saved(
                made.objectID, [.text("a", "print new")], base: made.revisionID, cleared: ["b"])
            let back = try await workspace.saved(
                made.objectID, [.code("a", "print new"), .code("b", "2")], base: base)
            #expect(try await workspace.outputs(made.objectID) == ["a:old\n[1]", "b:[-]"])
            try await running.start()
            _ = try await running.settled()
            let shown = try await workspace.outputs(made.objectID)
            #expect(shown[0].hasPrefix("a:new\n"))
            let text = try await workspace.saved(made.objectID, [.text("a", "print new")], base: back)
            _ = try await workspace.saved(made.objectID, [.code("a", "print new")], base: text)
            #expect(try await workspace.outputs(made.objectID) == [shown[0]])
        }
    }

    /// Goal: files of nbformat before 4.5 name no cells. Whoever edits them calls the cells as the server does, or all of
    /// them would be others after the first save.
    @Test func thoseOfAnOlderFileStay() async throws {
        try await Workspace.run { workspace in
            let file = Sample.document([.code(nil, "1", "one\n", 4), .code(nil, "2", "two\n", 5)], minor: 4).jsonText()
            let made = try await workspace.save("/Shared/old", file, format: .jupyter)
            let content = try await workspace.user.call(WorkspaceAPI.getNotebook, .init(notebookID: made.objectID))
            let ids = content.cells.map(\.cellID)
            #expect((content.document["cells"]?.array ?? []).map { $0["id"]?.string } == ids)
            // Its file is what it was.
            #expect(try await workspace.export("/Shared/old").text == file)
            _ = try await workspace.saved(
                made.objectID, [.code(ids[0], "changed"), .code(ids[1], "2")], base: made.revisionID)
            #expect(try await workspace.outputs(made.objectID) == ["\(ids[0]):one\n[4]", "\(ids[1]):two\n[5]"])
        }
    }

    /// Goal: a file that is put over a notebook takes nothing away: what ran is with the revision that ran, and whoever
    /// goes back to it has it again.
    @Test func thoseOfWhatIsReplacedStayWithTheirRevision() async throws {
        try await RunningWorkspace.run(["print one", "print two"]) { running in
            let workspace = running.workspace
            let before = try #require(running.notebook.revisionID)
            try await running.start()
            _ = try await running.settled()
            let ran = try await workspace.outputs(running.id)
            #expect(ran.map { $0.prefix(7) } == ["c0:one\n", "c1:two\n"])
            let other = Sample.document([.code("c1", "new", "new\n", 1)]).jsonText()
            let over = try await workspace.save("/Shared/n", other, format: .jupyter, overwrite: true)
            #expect(try await workspace.outputs(running.id) == ["c1:new\n[1]"])
            #expect(try await workspace.outputs(running.id, revision: before) == ran)
            #expect(try await workspace.exported("/Shared/n", revision: before) == ran)
            // Gone back to: what both have stays as it is now, as everywhere.
            let back = try await workspace.saved(
                running.id, [.code("c0", "print one"), .code("c1", "print two")], base: over.revisionID,
                restored: before)
            #expect(try await workspace.outputs(running.id) == [ran[0], "c1:new\n[1]"])
            #expect(
                await errorCode {
                    _ = try await workspace.saved(running.id, [.code("x", "")], base: back, restored: 1 << 40)
                } == "RESOURCE_DOES_NOT_EXIST")
            // They go with the notebook.
            let deletion = try await workspace.remove("/Shared/n")
            try await workspace.purge(deletion)
            try await workspace.withPool { (pool) async throws in
                try await eventually("all is gone") {
                    try await pool.query("SELECT 1 AS one FROM revision_outputs").count == 0
                }
            }
        }
    }

    /// The same of an archive that is put over a folder.
    @Test func thoseOfWhatAnArchiveReplacesStayToo() async throws {
        try await Files.run { files in
            let workspace = files.workspace
            let file = Sample.document([.code("a", "1", "file\n", 1)]).jsonText()
            let made = try await workspace.save("/Shared/t/n", file, format: .jupyter)
            let output: JSONValue = [["output_type": "stream", "name": "stdout", "text": "ran\n"]]
            let frame = LZ4Frame.compress(output.encodedJSON())
            _ = try await workspace.withPool { (pool) async throws in
                try await pool.query(
                    """
                    INSERT INTO cell_outputs (notebook_id, cell_id, command_id, execution_count, outputs)
                    VALUES (\(made.objectID), 'a', 'command', 3, \(frame))
                    """)
            }
            #expect(try await workspace.outputs(made.objectID) == ["a:ran\n[3]"])
            let other = Base64.encode(Sample.document([.code("a", "2", "other\n", 1)]).encodedJSON())
            let archive = try files.python(
                #"import base64"#, ##"z.writestr(e("n.ipynb"), base64.b64decode("\##(other)"))"##)
            _ = try await files.unpack(archive, into: "/Shared/t", overwrite: true)
            #expect(try await workspace.outputs(made.objectID) == ["a:other\n[1]"])
            #expect(try await workspace.outputs(made.objectID, revision: made.revisionID) == ["a:ran\n[3]"])
        }
    }

    /// Goal: a file that is put over a notebook, a move to the trash and back, and a save, while a cell runs, lose
    /// nothing of what it says.
    @Test func thoseOfACellThatRunsGoOn() async throws {
        try await RunningWorkspace.run(["print one\nwait", "print two"]) { running in
            let workspace = running.workspace
            let id = try await running.start().commands[0].commandID
            try await eventually("it has said something") { try await running.outputs()["c0"] == "one\n" }
            let other = Sample.document([.code("c0", "other", "file\n", 9), .code("x", "x", "x\n", 1)]).jsonText()
            let over = try await workspace.save("/Shared/n", other, format: .jupyter, overwrite: true)
            #expect(try await running.outputs() == ["c0": "one\n", "x": "x\n"])
            // Its cell becomes a text and is one no more.
            let text = try await workspace.saved(
                running.id, [.text("c0", "other"), .code("x", "x")], base: over.revisionID, cleared: ["c0"])
            running.cluster.say(id, ["print more"])
            let deletion = try await workspace.remove("/Shared/n")
            running.cluster.say(id, ["print in the trash"])
            running.cluster.finish(id)
            _ = try await workspace.restore(deletion)
            _ = try await running.settled()
            _ = try await workspace.saved(running.id, [.code("c0", "other"), .code("x", "x")], base: text)
            #expect(try await running.outputs() == ["c0": "one\nmore\nin the trash\n", "x": "x\n"])
        }
    }

    /// Goal: a copy has what there is at that moment, also of a cell that runs, and its own from there on.
    @Test func aCopyHasThem() async throws {
        try await RunningWorkspace.run(["print one", "print two\nwait"]) { running in
            let workspace = running.workspace
            let id = try await running.start().commands[1].commandID
            try await eventually("it has said something") {
                try await running.outputs() == ["c0": "one\n", "c1": "two\n"]
            }
            let first = try await workspace.copy("/Shared/n", "/Shared/copy")
            let second = try await workspace.copy("/Shared/copy", "/Shared/copy of it")
            running.cluster.say(id, ["print more"])
            try await eventually("it has said more") { try await running.outputs()["c1"] == "two\nmore\n" }
            let third = try await workspace.copy("/Shared/n", "/Shared/third")
            running.cluster.finish(id)
            _ = try await running.settled()
            let shown = { (object: ObjectInfo) in
                try await workspace.outputs(object.objectID).map { String($0.prefix { $0 != "[" }) }
            }
            #expect(try await shown(first) == ["c0:one\n", "c1:two\n"])
            #expect(try await shown(second) == ["c0:one\n", "c1:two\n"])
            #expect(try await shown(third) == ["c0:one\n", "c1:two\nmore\n"])
            let execution = try await running.user.call(
                WorkspaceAPI.getNotebookExecution, .init(notebookID: first.objectID))
            #expect(execution.commands.isEmpty)
            #expect(execution.session.clusterID == nil)
        }
    }

    /// Goal: who saves, clears, imports and runs at the same moment waits for the others, and is not sent away.
    @Test func nobodyIsInTheWayOfARun() async throws {
        try await RunningWorkspace.run(["print one", "print two"]) { running in
            let workspace = running.workspace
            for round in 0..<25 {
                let path = "/Shared/round \(round)"
                let made = try await workspace.save(
                    path, RunningWorkspace.document(["print one", "print two"]).jsonText(), format: .jupyter)
                let id = made.objectID
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        _ = try await workspace.user.call(
                            WorkspaceAPI.runCells,
                            .init(notebookID: id, body: RunCells(clusterID: "lab", scope: .all)))
                    }
                    for number in 0..<3 {
                        group.addTask {
                            _ = try await workspace.saved(
                                id, [.code("c0", "print one"), .code("c1", "print two"), .code("x\(number)", "")],
                                base: made.revisionID, cleared: ["c0", "c1"])
                        }
                    }
                    group.addTask {
                        try await workspace.save(
                            path,
                            SampleDocument.document([.code("c0", "print one"), .code("c1", "print two")]).jsonText(),
                            format: .jupyter, overwrite: true)
                    }
                    try await group.waitForAll()
                }
            }
        }
    }

    /// Goal: a refusal says what is in the way, cell by cell, and what to do.
    @Test func aRefusalNamesTheCells() async throws {
        try await Workspace.run { workspace in
            let file = Sample.document([.code("a", "1"), .code("b", "2"), .code("c", "3")]).jsonText()
            let made = try await workspace.save("/Shared/n", file, format: .jupyter)
            let theirs = try await workspace.saved(
                made.objectID, [.code("a", "theirs"), .code("b", "theirs")], base: made.revisionID)
            do {
                _ = try await workspace.saved(
                    made.objectID, [.code("a", "mine"), .code("c", "mine")], base: made.revisionID)
                Issue.record("no conflict")
            } catch let error as HarbourError {
                #expect(error.code == .conflict)
                #expect(
                    error.message
                        == "Nothing was saved, for others have changed what you have changed too: cell a (source); cell b "
                        + "(you have deleted it, others have changed it); cell c (others have deleted it, you have changed "
                        + "it). Load the notebook, which is at revision \(theirs) now, decide what it is to be, and save "
                        + "that on top.")
            }
            // The same once more, as whoever has not had the answer: nothing is made of it.
            let again = try await workspace.saved(
                made.objectID, [.code("a", "theirs"), .code("b", "theirs")], base: made.revisionID)
            #expect(again == theirs)
        }
    }
}

extension Workspace {
    /// Saves cells as an editor does.
    func saved(
        _ notebookID: Int64, _ cells: [SampleDocument.Cell], base: Int64?, cleared: [String]? = nil,
        restored: Int64? = nil
    ) async throws -> Int64 {
        try await user.call(
            WorkspaceAPI.saveNotebook,
            .init(
                notebookID: notebookID,
                body: SaveNotebook(
                    baseRevisionID: base ?? 0, document: SampleDocument.document(cells), clearedCellIds: cleared,
                    restoredRevisionID: restored))
        ).revisionID
    }

    /// The cells of a notebook with their outputs.
    func outputs(_ notebookID: Int64, revision: Int64? = nil) async throws -> [String] {
        SampleDocument.shown(
            try await user.call(
                WorkspaceAPI.getNotebook, .init(notebookID: notebookID, revisionID: revision)
            ).document)
    }

    /// The same of its file.
    func exported(_ path: String, revision: Int64? = nil) async throws -> [String] {
        SampleDocument.shown(try JSONValue(jsonText: try await export(path, .jupyter, revision: revision).text))
    }

    /// The same of a notebook in the archive of a folder.
    func archived(_ folder: String, _ name: String) async throws -> [String] {
        let place = try TemporaryDirectory()
        let bytes = try await user.send(WorkspaceAPI.exportFolder, .init(path: folder, format: .jupyter)).collect(
            limit: 1 << 24)
        try place.write("a.zip", bytes)
        try runCommand(["python3", "-m", "zipfile", "-e", place.file("a.zip"), place.path])
        return SampleDocument.shown(try JSONValue(json: try Files.load("\(place.path)/\(name)")))
    }
}
