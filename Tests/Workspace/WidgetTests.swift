import Core
import EventLoop
import HTTPClient
import HarbourProtocol
import Postgres
import ServiceClients
import ServiceKit
import ServiceTestKit
import TestSupport
import Testing

@testable import WorkspaceService

extension Workspace {
    /// The number of what is at a path.
    func number(_ path: String) async throws -> Int64 {
        try await user.call(WorkspaceAPI.getObject, .init(path: path)).objectID
    }

    /// The widgets of the notebook at a path.
    func widgets(_ path: String) async throws -> [NotebookWidget] {
        try await user.call(WorkspaceAPI.getNotebookExecution, .init(notebookID: try await number(path))).widgets ?? []
    }

    /// Chooses values in the notebook at a path.
    func choose(_ path: String, _ values: [String: String]) async throws {
        _ = try await user.call(
            WorkspaceAPI.changeWidgets,
            .init(notebookID: try await number(path), body: ChangeWidgets(values: values)))
    }
}

/// What widgets have, in their order: `name=value`.
func shownWidgets(_ widgets: [NotebookWidget]?) -> [String] {
    (widgets ?? []).map { "\($0.name)=\($0.value ?? $0.defaultValue)" }
}

@Suite("The widgets of a notebook", .timeLimit(.minutes(15)))
struct WidgetTests {
    private static let city = NotebookWidget(
        kind: .dropdown, name: "city", defaultValue: "Rome", label: "City", choices: ["Oslo", "Rome"])
    private static let day = NotebookWidget(kind: .text, name: "day", defaultValue: "monday")

    private static func line(_ declared: [NotebookWidget], removed: [String] = []) -> String {
        "widgets " + WidgetChanges(removed: removed, declared: declared).jsonText()
    }

    private func change(
        _ running: RunningWorkspace, _ body: ChangeWidgets
    ) async throws(HarbourError) -> NotebookExecution {
        try await running.user.call(WorkspaceAPI.changeWidgets, .init(notebookID: running.id, body: body))
    }

    private func code(_ running: RunningWorkspace, _ body: ChangeWidgets) async -> String {
        await errorCode { _ = try await change(running, body) }
    }

    // MARK: Through the service

    /// Goal: what a cell declares is everybody's and no output; what is chosen reaches the next command, whatever becomes
    /// of the kernel, and is told to all who look.
    @Test func valuesReachTheNextCommandOfAnyKernel() async throws {
        let cells = [WidgetTests.line([WidgetTests.city, WidgetTests.day]), "value city\nvalue day"]
        try await RunningWorkspace.run(cells) { running in
            let client = try await LiveClient.ready(running.workspace)
            client.subscribe("notebooks/\(running.id)")
            _ = try await client.next { $0.type == .subscribed }
            try await running.start()
            let ended = try await running.settled()
            #expect(ended.widgets == [WidgetTests.city, WidgetTests.day])
            #expect(try await running.outputs() == ["c0": "", "c1": "Rome\nmonday\n"])
            let told = try await client.next { $0.notebook?.type == .widgets }
            #expect(told.notebook?.widgets == ended.widgets)
            #expect(told.notebook?.commandID == ended.commands.first?.commandID)

            let chosen = try await change(running, ChangeWidgets(values: ["city": "Oslo"]))
            #expect(chosen.widgets?.map(\.value) == ["Oslo", nil])
            #expect(chosen.widgets?.first?.changedBy == "admin")
            let heard = try await client.next { $0.notebook?.type == .widgets }
            #expect(heard.notebook?.widgets == chosen.widgets)
            #expect(heard.notebook?.userName == "admin")
            // Said again it is no news.
            #expect(try await change(running, ChangeWidgets(values: ["city": "Oslo"])).lastSequence == heard.sequence)

            _ = try await running.user.call(WorkspaceAPI.restartKernel, .init(notebookID: running.id))
            try await running.start(RunCells(cellIds: ["c1"]))
            _ = try await running.settled()
            #expect(try await running.outputs()["c1"] == "Oslo\nmonday\n")
            // The cell that declares them runs as often as one likes.
            try await running.start()
            #expect(try await running.settled().widgets?.map(\.value) == ["Oslo", nil])
            #expect(try await running.outputs()["c1"] == "Oslo\nmonday\n")
            client.close()
        }
    }

    @Test func refusesWhatAWidgetCannotBe() async throws {
        try await RunningWorkspace.run([WidgetTests.line([WidgetTests.city, WidgetTests.day])]) { running in
            #expect(await code(running, ChangeWidgets(values: ["city": "Oslo"])) == "RESOURCE_DOES_NOT_EXIST")
            try await running.start()
            _ = try await running.settled()
            // All of it or nothing.
            let both = ChangeWidgets(values: ["city": "Bergen", "day": "friday"])
            #expect(await code(running, both) == "INVALID_PARAMETER_VALUE")
            #expect(await code(running, ChangeWidgets(values: ["day": "a\0"])) == "INVALID_PARAMETER_VALUE")
            let long = String(repeating: "é", count: 40_000)
            #expect(await code(running, ChangeWidgets(values: ["day": long])) == "INVALID_PARAMETER_VALUE")
            #expect(await code(running, ChangeWidgets(values: ["no": ""])) == "RESOURCE_DOES_NOT_EXIST")
            #expect(await code(running, ChangeWidgets(restored: ["no"])) == "RESOURCE_DOES_NOT_EXIST")
            #expect(try await running.execution().widgets == [WidgetTests.city, WidgetTests.day])
            let other = ChangeWidgets(values: [:])
            let unknown = await errorCode {
                _ = try await running.user.call(WorkspaceAPI.changeWidgets, .init(notebookID: 1 << 40, body: other))
            }
            #expect(unknown == "RESOURCE_DOES_NOT_EXIST")
        }
    }

    @Test func aRemovedOneComesBackWithItsValue() async throws {
        let cells = [WidgetTests.line([WidgetTests.city, WidgetTests.day]), "value city", "widgets nonsense"]
        try await RunningWorkspace.run(cells) { running in
            try await running.start(RunCells(cellIds: ["c0"]))
            _ = try await running.settled()
            _ = try await change(running, ChangeWidgets(values: ["city": "Oslo"]))
            let without = try await change(running, ChangeWidgets(removed: ["city", "nothing"]))
            #expect(without.widgets == [WidgetTests.day])
            try await running.start(RunCells(cellIds: ["c1", "c2"]))
            #expect(try await running.settled().commands.allSatisfy { $0.state == .finished })
            #expect(try await running.outputs()["c1"] == "(none)\n")
            let back = try await change(running, ChangeWidgets(restored: ["city"]))
            #expect(back.widgets?.map(\.name) == ["city", "day"])
            #expect(back.widgets?.first?.value == "Oslo")
            // Declared anew after it was removed, it is another one, at the end.
            _ = try await change(running, ChangeWidgets(removed: ["city"]))
            try await running.start(RunCells(cellIds: ["c0"]))
            #expect(try await running.settled().widgets == [WidgetTests.day, WidgetTests.city])
        }
    }

    /// Goal: whoever looks at the cell sees which of its widgets there are not, and why; the others are there.
    @Test func whatIsRefusedIsSaidAtTheCell() async throws {
        let many = (0..<150).map { NotebookWidget(kind: .text, name: "w\($0)", defaultValue: "") }
        let more = (150..<210).map { NotebookWidget(kind: .text, name: "w\($0)", defaultValue: "") }
        let cells = [
            "widgets nonsense\nprint on it goes", WidgetTests.line(many) + "\n" + WidgetTests.line(more), "print 1",
        ]
        try await RunningWorkspace.run(cells) { running in
            let client = try await LiveClient.ready(running.workspace)
            client.subscribe("notebooks/\(running.id)")
            _ = try await client.next { $0.type == .subscribed }
            try await running.start()
            let told = try await client.next { $0.notebook?.command?.warning != nil }
            #expect(told.notebook?.command?.cellID == "c0")
            let ended = try await running.settled()
            #expect(ended.widgets?.count == 200)
            #expect(ended.commands.map(\.state) == [.finished, .finished, .finished])
            let warnings = ended.commands.map { $0.warning ?? "" }
            #expect(warnings[0].hasPrefix("The cell's change of widgets is not valid: "))
            let lines = warnings[1].split(separator: "\n")
            #expect(lines.count == 6)
            #expect(lines.first == "The widget w200 is one too many: a notebook has at most 200. Remove some.")
            #expect(lines.last == "And 5 more were refused.")
            #expect(warnings[2].isEmpty)
            #expect(try await running.outputs()["c0"] == "on it goes\n")
            // Run again, it is told again of the new run only.
            _ = try await running.save(["print 2"] + cells.dropFirst(), base: running.notebook.revisionID ?? 0)
            try await running.start(RunCells(cellIds: ["c0"]))
            #expect(try await running.settled().commands.first { $0.cellID == "c0" }?.warning == nil)
            client.close()
        }
    }

    /// Goal: an event stays small; what is left out of it is there for whoever asks.
    @Test func longOnesAreAskedFor() async throws {
        try await RunningWorkspace.run([WidgetTests.line([WidgetTests.city, WidgetTests.day])]) { running in
            try await running.start()
            _ = try await running.settled()
            let client = try await LiveClient.ready(running.workspace)
            client.subscribe("notebooks/\(running.id)")
            _ = try await client.next { $0.type == .subscribed }
            let long = String(repeating: "x", count: 65_536)
            let answer = try await change(running, ChangeWidgets(values: ["day": long]))
            let event = try #require(try await client.next { $0.notebook?.type == .widgets }.notebook)
            #expect(event.widgets == nil)
            #expect(event.userName == "admin")
            #expect(answer.widgets?.last?.value == long)
            #expect(try await running.execution().widgets == answer.widgets)
            client.close()
        }
    }

    /// Goal: who only chooses, and never runs anything, does not fill the database; and nothing of a command is lost.
    @Test func newsOfChoicesIsForgotten() async throws {
        let cells = [WidgetTests.line([WidgetTests.city]), "wait"]
        try await RunningWorkspace.run(cells) { running in
            try await running.start(RunCells(cellIds: ["c0"]))
            _ = try await running.settled()
            /// Chooses after many events have come, and counts what is left of the first.
            func firstEvents(_ city: String) async throws -> Int {
                try await running.workspace.withPool { (pool) async throws in
                    _ = try await pool.query(
                        "UPDATE notebook_sessions SET last_sequence = last_sequence + 2000")
                }
                _ = try await change(running, ChangeWidgets(values: ["city": city]))
                return try await running.workspace.withPool { (pool) async throws in
                    try await pool.query(
                        """
                        SELECT 1 FROM cell_events e JOIN notebook_sessions s USING (notebook_id)
                        WHERE e.sequence <= s.last_sequence - \(NotebookJournal.keptEvents)
                        """
                    ).count
                }
            }
            #expect(try await firstEvents("Oslo") == 0)
            let waiting = try #require(try await running.start(RunCells(cellIds: ["c1"])).commands.last).commandID
            _ = try await running.wait { _ in running.cluster.started.contains(waiting) }
            #expect(try await firstEvents("Rome") > 0)
            running.cluster.finish(waiting)
            _ = try await running.settled()
            #expect(try await firstEvents("Oslo") == 0)
        }
    }

    /// Goal: kill -9 in the middle of the command that declares loses nothing, and what a person chose meanwhile stays.
    @Test func aKilledWorkspaceLosesNone() async throws {
        let scripted = ScriptedCluster()
        try await WorkspaceProcess.Surroundings.with(scripted) { try await declareAndKill(scripted, $0) }
    }

    private func declareAndKill(_ scripted: ScriptedCluster, _ place: WorkspaceProcess.Surroundings) async throws {
        // Removing first: taken in twice it would drop what was chosen.
        let first = WidgetTests.line([WidgetTests.city], removed: ["city"])
        let document = RunningWorkspace.document([first + "\nwait", "value city"])
        var process = try await WorkspaceProcess.start("w0", in: place)
        let notebook = try await process.client.call(
            WorkspaceAPI.importObject,
            .init(
                body: ImportObject(
                    path: "/Shared/n", content: Base64.encode(document.encodedJSON()), format: .jupyter))
        ).objectID
        let begun = try await process.client.call(
            WorkspaceAPI.runCells, .init(notebookID: notebook, body: RunCells(clusterID: "lab", scope: .all)))
        func execution() async throws -> NotebookExecution {
            try await process.client.call(WorkspaceAPI.getNotebookExecution, .init(notebookID: notebook))
        }
        try await eventually("it is declared") { try await execution().widgets == [WidgetTests.city] }
        _ = try await process.client.call(
            WorkspaceAPI.changeWidgets, .init(notebookID: notebook, body: ChangeWidgets(values: ["city": "Oslo"])))
        try await process.kill()
        process = try await WorkspaceProcess.start("w0", in: place)
        #expect(try await execution().widgets?.first?.value == "Oslo")
        scripted.finish(begun.commands[0].commandID)
        try await eventually("all cells have run") {
            try await execution().commands.allSatisfy { $0.state == .finished }
        }
        #expect(try await execution().widgets?.first?.value == "Oslo")
        let outputs = try await process.client.call(
            WorkspaceAPI.getCellOutputs, .init(notebookID: notebook, cellID: "c1"))
        #expect(outputs.outputs.first?.jsonText().contains("Oslo") == true)
        try await process.kill()
    }

    // MARK: The list alone

    @Test func aDeclarationKeepsWhatFits() throws {
        var list = WidgetList()
        list.apply(WidgetChanges(removed: [], declared: [WidgetTests.city, WidgetTests.day]))
        try list.change(ChangeWidgets(values: ["city": "Oslo", "day": "friday"]), by: "a", at: .now)
        var other = WidgetTests.city
        other.choices = ["Oslo", "Paris"]
        other.defaultValue = "Paris"
        list.apply(WidgetChanges(removed: [], declared: [other]))
        #expect(list.shown.map(\.name) == ["city", "day"])
        #expect(list.shown.map(\.value) == ["Oslo", "friday"])
        other.choices = ["Paris"]
        list.apply(WidgetChanges(removed: [], declared: [other]))
        #expect(list.shown.map(\.value) == [nil, "friday"])
        list.apply(WidgetChanges(removed: ["day"], declared: [WidgetTests.day]))
        #expect(list.shown.map(\.value) == [nil, nil])
    }

    @Test func severalOfAList() {
        let widget = NotebookWidget(kind: .multiselect, name: "m", defaultValue: "", choices: ["a", "b c"])
        for value in ["", "a", "b c,a"] { #expect(widget.allows(value), "\(value)") }
        for value in ["c", "a,", "a, b c", ","] { #expect(!widget.allows(value), "\(value)") }
    }

    @Test func limitsHold() throws {
        var list = WidgetList()
        let many = (0..<300).map { NotebookWidget(kind: .text, name: "w\($0)", defaultValue: "") }
        for part in [many[..<150], many[150...]] {
            list.apply(WidgetChanges(removed: [], declared: Array(part)))
        }
        list.apply(
            WidgetChanges(removed: [], declared: [NotebookWidget(kind: .text, name: "a\0", defaultValue: "")]))
        #expect(list.shown.count == 200)
        let value = String(repeating: "x", count: 65_536)
        try list.change(
            ChangeWidgets(values: ["w0": value, "w1": value, "w2": value, "w3": value]), by: "a", at: .now)
        let refused = #expect(throws: HarbourError.self) {
            try list.change(ChangeWidgets(values: ["w4": "x"]), by: "a", at: .now)
        }
        #expect(refused?.code == .resourceExhausted)
        // Of those that are removed the newest are kept.
        for (index, part) in [many[..<150], many[150..<200]].enumerated() {
            try list.change(
                ChangeWidgets(removed: part.map(\.name)), by: "a", at: Timestamp(milliseconds: Int64(index)))
        }
        list.apply(WidgetChanges(removed: [], declared: Array(many[200...])))
        try list.change(ChangeWidgets(removed: many[200...].map(\.name)), by: "a", at: Timestamp(milliseconds: 9))
        #expect(list.entries.count == 200)
        #expect(list.entries["w0"] == nil)
        #expect(list.entries["w299"] != nil)
    }

    /// Goal: whatever a cell publishes as a change, what travels with each command stays small, and so does what is kept.
    @Test func declarationsHaveALimitTogether() throws {
        func long(_ name: String, _ bytes: Int = 65_000) -> NotebookWidget {
            NotebookWidget(kind: .text, name: name, defaultValue: String(repeating: "x", count: bytes))
        }
        var list = WidgetList()
        for name in ["a", "b", "c", "d", "e"] { list.apply(WidgetChanges(removed: [], declared: [long(name)])) }
        #expect(list.shown.map(\.name) == ["a", "b", "c", "d"])
        // One that is known and shorter now makes room, wherever it stands; one that is longer now makes none.
        list.apply(WidgetChanges(removed: [], declared: [long("e"), long("a", 10)]))
        #expect(list.shown.map(\.name) == ["a", "b", "c", "d", "e"])
        list.apply(WidgetChanges(removed: [], declared: [long("f"), long("a")]))
        #expect(list.shown.map(\.name) == ["b", "c", "d", "e"])
        for round in 0..<40 {
            list.apply(WidgetChanges(removed: list.shown.map(\.name), declared: [long("r\(round)")]))
            try list.change(
                ChangeWidgets(removed: ["r\(round)"]), by: "a", at: Timestamp(milliseconds: Int64(round)))
        }
        #expect(list.entries.count == 16)
        // Nor do those that come back make it large again.
        for name in ["s", "t", "u", "v"] { list.apply(WidgetChanges(removed: [], declared: [long(name)])) }
        let full = #expect(throws: HarbourError.self) {
            try list.change(ChangeWidgets(restored: ["r39"]), by: "a", at: .now)
        }
        #expect(full?.code == .resourceExhausted)
        #expect(list.entries["r39"] != nil && list.entries["r23"] == nil)
    }
}
