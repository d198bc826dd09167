import CellExecution
import Compression
import Core
import HarbourProtocol
import NotebookFormats
import Postgres
import ServiceClients
import ServiceTestKit
import TestSupport
import Testing

@testable import WorkspaceService

/// What is shown at once of outputs, and that opening a notebook leaves alone what is large.
@Suite("Opening notebooks with large outputs", .timeLimit(.minutes(15)))
struct OpeningTests {
    // MARK: What is shown

    private static func stream(_ text: String, _ name: String = "stdout") -> JSONValue {
        ["output_type": "stream", "name": .string(name), "text": .string(text)]
    }

    private static func about(_ output: JSONValue) -> JSONValue? { output["data"]?[OutputPreview.type] }

    private static let error: JSONValue = [
        "output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": ["one", "two"],
    ]

    @Test func littleIsShownWhole() {
        #expect(ShownOutputs([]).outputs == nil)
        let small = ShownOutputs([Self.stream(String(repeating: "x", count: 60_000)), Self.error])
        #expect(small.outputs == nil && small.bytes > 60_000)
    }

    /// Goal: of a flood one sees how it began, what is large by its start and its end, and the error that ended it.
    @Test func ofMuchTheStartAndTheErrorAreShown() throws {
        let flood = (0..<5000).map { Self.stream("line \($0) \(String(repeating: "x", count: 100))\n", "out\($0 % 2)") }
        let large = Self.stream("first\n" + String(repeating: "\u{1b}[31mé", count: 100_000) + "\nlast")
        let outputs = [flood[0], large] + flood + [Self.error]
        let shown = ShownOutputs(outputs)
        let kept = try #require(shown.outputs)
        #expect(kept.first == flood[0] && kept.last == Self.error)
        let preview = try #require(Self.about(kept[1]))
        #expect(preview["head"]?.string?.hasPrefix("first\n") == true)
        #expect(preview["tail"]?.string?.hasSuffix("\nlast") == true)
        let rest = try #require(kept.compactMap { Self.about($0) }.first { $0["outputs"] != nil })
        #expect((rest["outputs"]?.int ?? 0) + kept.count - 1 == outputs.count)
        #expect(kept.reduce(0) { $0 + OutputPreview.size($1) + 1 } <= ShownOutputs.limit)
        // Nothing is counted twice or left out.
        let named = kept.compactMap { Self.about($0)?["bytes"]?.int }.reduce(0, +)
        let whole = kept.filter { Self.about($0) == nil }.reduce(2) { $0 + OutputPreview.size($1) + 1 }
        #expect(named + whole == shown.bytes)
    }

    /// Goal: that a command put out more than it may is seen, whatever came before it.
    @Test func thatThereWasMoreIsShown() throws {
        var reader = CellOutputReader()
        for number in Int64(1)...3000 {
            _ = reader.read(
                CommandEvent(
                    sequence: number, timestamp: .now, type: .display,
                    data: ["text/plain": .string(String(repeating: "x", count: 100))]))
        }
        _ = reader.read(CommandEvent(sequence: 3001, timestamp: .now, type: .truncated, text: "It was cut."))
        let outputs = reader.reader.outputs
        let shown = try #require(ShownOutputs(outputs).outputs)
        #expect(shown.count < outputs.count && shown.last == outputs.last)
        #expect(shown.last?["data"]?[CellOutputReader.truncatedType]?.string == "It was cut.")
    }

    @Test func ofATableTheFirstRowsAreShown() throws {
        let rows = (0..<5000).map { JSONValue.array([.integer($0), .string("name \($0)")]) }
        let table: JSONValue = [
            "columns": [["name": "a", "type": "int"]], "rows": .array(rows), "truncated": false, "total_rows": 5000,
        ]
        let output: JSONValue = [
            "output_type": "display_data", "metadata": [:],
            "data": ["application/vnd.dataharbour.table+json": table, "text/plain": "a table"],
        ]
        let shown = try #require(ShownOutputs([output]).outputs)
        let about = try #require(Self.about(shown[0]))
        #expect(about["table"]?["rows"]?.array == Array(rows.prefix(10)))
        #expect(about["table"]?["total_rows"]?.int == 5000 && about["table"]?["truncated"]?.bool == true)
        #expect(about["types"] == ["application/vnd.dataharbour.table+json", "text/plain"])
    }

    // MARK: Opening

    private static let limit = 65_536

    private static func opened(_ workspace: Workspace, _ id: Int64, total: Int? = nil) async throws -> NotebookContent {
        try await workspace.user.call(
            WorkspaceAPI.getNotebook, .init(notebookID: id, outputLimit: limit, outputTotal: total))
    }

    private static func outputs(_ content: NotebookContent) -> [JSONValue] {
        (content.document["cells"]?.array ?? []).map { $0["outputs"] ?? .null }
    }

    private static func cell(
        _ workspace: Workspace, _ id: Int64, _ cell: String, limit: Int? = nil, total: Int? = nil
    ) async throws -> CellOutputs {
        try await workspace.user.call(
            WorkspaceAPI.getCellOutputs, .init(notebookID: id, cellID: cell, outputLimit: limit, outputTotal: total))
    }

    /// Goal: what cells have put out since is opened without reading it, also when nobody has kept what is shown of it
    /// yet; the cells for which there is no room are asked for one by one or with those below, and the whole is there still.
    @Test func readsWhatIsShownOfRuns() async throws {
        let cells = ["print small", "show text/html 300000", "show text/plain 200000", "show text/html 40000"]
        try await RunningWorkspace.run(cells) { running in
            let (workspace, id) = (running.workspace, running.id)
            try await running.start()
            _ = try await running.settled()
            let file = try await workspace.export("/Shared/n").text
            let all = Self.outputs(try await Self.opened(workspace, id))
            #expect(Self.about(all[1][0] ?? .null)?["bytes"]?.int ?? 0 > 300_000)
            #expect(Self.about(all[2][0] ?? .null)?["head"]?.string?.isEmpty == false)
            #expect(Self.about(all[3][0] ?? .null) == nil)
            try await workspace.withPool { (pool) async throws in
                // As from before there was such a thing: the first who opens it writes it down.
                try await pool.query("UPDATE cell_outputs SET bytes = NULL, shown = NULL")
                #expect(Self.outputs(try await Self.opened(workspace, id)) == all)
                let rows = try await pool.query("SELECT count(*) FROM cell_outputs WHERE bytes IS NULL")
                #expect(try rows.first?.decode(Int64.self) == 0)
                // What is large is not touched: it could not be read.
                try await pool.query(
                    "UPDATE cell_outputs SET outputs = convert_to('none', 'UTF8') WHERE shown IS NOT NULL")
            }
            #expect(Self.outputs(try await Self.opened(workspace, id)) == all)
            #expect(try await Self.cell(workspace, id, "c1", limit: Self.limit).outputs == all[1].array)
            #expect(await errorCode { _ = try await Self.cell(workspace, id, "c1") } == "DATA_CORRUPTED")
            // From the top, as far as there is room.
            let few = Self.outputs(try await Self.opened(workspace, id, total: 20_000))
            #expect(few[0...2] == all[0...2])
            let waiting = Self.about(few[3][0] ?? .null)
            #expect(waiting?["waits"]?.bool == true && waiting?["bytes"]?.int ?? 0 > 40_000)
            let rest = try await Self.cell(workspace, id, "c3", limit: Self.limit)
            #expect(rest.outputs == all[3].array && rest.lastSequence ?? 0 > 0 && rest.following == nil)
            // With those below, as far as there is room.
            let both = try await Self.cell(workspace, id, "c0", limit: Self.limit, total: 20_000)
            #expect(both.outputs == all[0].array && both.following?.map(\.cellID) == ["c1", "c2"])
            #expect(both.following?.map(\.outputs) == all[1...2].map { $0.array ?? [] })
            #expect(both.following?.allSatisfy { $0.lastSequence == rest.lastSequence && $0.commandID != nil } == true)
            #expect(try await Self.cell(workspace, id, "c3", limit: Self.limit, total: 1024).following == [])
            #expect(file.utf8.count > 540_000)
        }
    }

    /// Goal: what is read is bounded also where nobody has looked at any of the outputs. What has no room is not touched,
    /// can be asked for by itself, and is opened by those who come next.
    @Test func readsAPieceOfWhatNobodyHasLookedAt() async throws {
        try await RunningWorkspace.run(["print a", "print b", "print c", "show text/html 40000"]) { running in
            let (workspace, id) = (running.workspace, running.id)
            try await running.start()
            _ = try await running.settled()
            let all = Self.outputs(try await Self.opened(workspace, id))
            let text = [Self.stream(String(repeating: "0123456789", count: 4 << 20))]
            let large = LZ4Frame.compress(Array(JSONValue.array(text).jsonText().utf8))
            #expect(large.count < NotebookOpening.unreadBytes / 8)
            try await workspace.withPool { (pool) async throws in
                try await pool.query("UPDATE cell_outputs SET bytes = NULL, shown = NULL")
                // It cannot be read, and is too much to be read.
                let none = [UInt8](repeating: 1, count: NotebookOpening.unreadBytes + 1)
                try await pool.query("UPDATE cell_outputs SET outputs = \(none) WHERE cell_id = 'c1'")
                // Each has room when it is unpacked, and both have none.
                try await pool.query("UPDATE cell_outputs SET outputs = \(large) WHERE cell_id IN ('c0', 'c2')")
            }
            let few = Self.outputs(try await Self.opened(workspace, id, total: 30_000))
            let waits = few.map { Self.about($0[0] ?? .null)?["waits"]?.bool ?? false }
            #expect(waits == [false, true, true, true], "\(waits)")
            #expect(Self.about(few[3][0] ?? .null)?["bytes"]?.int ?? 0 > 40_000)
            let next = Self.outputs(try await Self.opened(workspace, id))
            #expect(next[0] == few[0] && next[2] == few[0] && next[3] == all[3])
            #expect(Self.about(next[1][0] ?? .null)?["waits"]?.bool == true)
            #expect(try await Self.cell(workspace, id, "c2", limit: Self.limit).outputs == next[2].array)
        }
    }

    /// Goal: opening a notebook takes as many statements however many cells it has and has run.
    @Test func takesAsManyStatementsForManyCells() async throws {
        let postgres = try await PostgresFixture.start(countsStatements: true)
        let database = try await postgres.makeDatabase()
        let cluster = ScriptedCluster()
        try await withService(cluster.definition, hasDatabase: false) { service in
            try await Workspace.run(upstreams: ["cluster": service.baseURL], database: database) { workspace in
                var counts: [Int] = []
                for number in [2, 100] {
                    let cells = (0..<number).map { "print \($0)" }
                    let notebook = try await workspace.save(
                        "/Shared/n\(number)", RunningWorkspace.document(cells).jsonText(), format: .jupyter)
                    let running = RunningWorkspace(workspace: workspace, cluster: cluster, notebook: notebook)
                    try await running.start()
                    _ = try await running.settled()
                    #expect(Self.outputs(try await Self.opened(workspace, running.id)).allSatisfy { $0[0] != nil })
                    // What else the workspace does meanwhile can only add to what is counted.
                    var least = Int.max
                    for _ in 0..<10 {
                        let before = try await postgres.statements(in: database)
                        _ = try await Self.opened(workspace, running.id)
                        least = min(least, try await postgres.statements(in: database) - before)
                    }
                    counts.append(least)
                }
                #expect(counts[0] == counts[1] && counts[0] <= 10, "\(counts)")
            }
        }
        try await postgres.stop()
    }

    /// Goal: the same of what came with a file. The file comes out as it went in, and so it does of a copy.
    @Test func readsWhatIsShownOfFiles() async throws {
        try await Workspace.run { workspace in
            let cells = (0..<30).map { number in
                SampleDocument.Cell.code(
                    "c\(number)", "\(number)", String(repeating: "line \(number)\n", count: 10_000), Int64(number))
            }
            let file = SampleDocument.document(cells).jsonText()
            let made = try await workspace.save("/Shared/f/large", file, format: .jupyter)
            #expect(try await workspace.export("/Shared/f/large").text == file)
            let content = try await Self.opened(workspace, made.objectID)
            let all = Self.outputs(content)
            #expect(content.document.jsonText().utf8.count < 400_000 && all.count == 30)
            #expect(all.allSatisfy { Self.about($0[0] ?? .null)?["head"]?.string?.hasPrefix("line") == true })
            #expect(content.document["cells"]?[7]?["execution_count"]?.int == 7)
            // A save takes them along.
            let saved = try await workspace.saved(
                made.objectID, cells.map { .code($0.id, $0.source + " + 1") }, base: made.revisionID)
            #expect(Self.outputs(try await Self.opened(workspace, made.objectID)) == all)
            let copy = try await workspace.copy("/Shared/f", "/Shared/g")
            #expect(copy.objectType == .directory)
            let text = try await workspace.export("/Shared/f/large").text
            #expect(try await workspace.export("/Shared/g/large").text == text)
            let twin = try await workspace.user.call(WorkspaceAPI.getObject, .init(path: "/Shared/g/large"))
            #expect(Self.outputs(try await Self.opened(workspace, twin.objectID)) == all)
            let kept = try await workspace.withPool { (pool) async throws in
                let frame = try await pool.query("SELECT content FROM revisions WHERE revision_id = \(saved)")
                // Nobody else may change one.
                try await pool.query("ALTER TABLE revisions DISABLE TRIGGER USER")
                try await pool.query("UPDATE revisions SET content = convert_to('none', 'UTF8')")
                return try frame.first?.decode([UInt8].self) ?? []
            }
            for id in [made.objectID, twin.objectID] {
                #expect(Self.outputs(try await Self.opened(workspace, id)) == all)
                #expect(try await Self.cell(workspace, id, "c3", limit: Self.limit).outputs == all[3].array)
            }
            let few = Self.outputs(try await Self.opened(workspace, made.objectID, total: 10_000))
            #expect(few[0] == all[0] && Self.about(few[29][0] ?? .null)?["waits"]?.bool == true)
            let last = try await Self.cell(workspace, made.objectID, "c27", limit: Self.limit, total: 1_000_000)
                .following
            #expect(last?.map(\.cellID) == ["c28", "c29"] && last?.map(\.executionCount) == [28, 29])
            #expect(last?.map(\.outputs) == all[28...].map { $0.array ?? [] })
            try await workspace.withPool { (pool) async throws in
                _ = try await pool.query("UPDATE revisions SET content = \(kept) WHERE revision_id = \(saved)")
            }
            let whole = try await Self.cell(workspace, made.objectID, "c3").outputs
            #expect(whole.first?["text"]?.array?.compactMap(\.string).joined() == cells[3].output)
            #expect(
                await errorCode { _ = try await Self.cell(workspace, made.objectID, "c99") }
                    == "RESOURCE_DOES_NOT_EXIST")
            // What is gone takes with it what was shown of it.
            let deletion = try await workspace.remove("/Shared/f")
            _ = try await workspace.user.call(WorkspaceAPI.purgeDeletion, .init(deletionID: deletion))
            try await eventually("its revisions are gone") {
                try await workspace.withPool { (pool) async throws in
                    try await pool.query("SELECT 1 FROM revision_cells WHERE revision_id = \(saved)").isEmpty
                }
            }
        }
    }
}
