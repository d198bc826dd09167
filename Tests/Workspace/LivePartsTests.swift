import CellExecution
import Core
import HarbourProtocol
import NotebookFormats
import Testing

@testable import WorkspaceService

@Suite("Parts of live notebooks, without I/O")
struct LivePartsTests {
    private func event(_ number: Int64, _ text: String = "e") -> EventRing.Event {
        EventRing.Event(sequence: number, text: text)
    }

    @Test func aRingKeepsTheNewest() {
        var ring = EventRing(last: 10, maxEvents: 4)
        #expect(ring.events(after: 10, count: 9) == .events([]))
        #expect(ring.events(after: 9, count: 9) == .older)
        for number in Int64(11)...30 { ring.append([event(number), event(number)]) }
        #expect(ring.last == 30)
        #expect(ring.events(after: 25, count: 9) == .older)
        #expect(ring.events(after: 26, count: 2) == .events([event(27), event(28)]))
        #expect(ring.events(after: 30, count: 9) == .events([]))
        ring.append([event(5)])
        #expect(ring.last == 30)
    }

    @Test func aRingIsBoundedByBytes() {
        var ring = EventRing(last: 0, maxEvents: 100, maxBytes: 100)
        for number in Int64(1)...9 { ring.append([event(number, String(repeating: "x", count: 40))]) }
        #expect(ring.events(after: 6, count: 9) == .older)
        #expect(ring.events(after: 7, count: 9) != .older)
        // One that is larger than all is kept alone: somebody waits for it.
        ring.append([event(10, String(repeating: "x", count: 400))])
        #expect(ring.events(after: 9, count: 9) != .older)
    }

    /// Goal: who takes a command over whose end was written down already has its result, and waits for nothing.
    @Test func anEndThatWasHeardIsKnown() {
        let events = [
            CommandEvent(sequence: 1, timestamp: .now, type: .stream, name: "stdout", text: "a\u{0}b\n"),
            CommandEvent(sequence: 2, timestamp: .now, type: .state, state: .finished),
        ]
        #expect(CellOutputReader(events).result?.ending == .finished)
        #expect(CellOutputReader(Array(events.dropLast())).result == nil)
    }

    @Test func linesAreJoinedInOrder() {
        var batch = OutputBatch()
        func stream(_ number: Int64, _ name: String, _ text: String) -> CommandEvent {
            CommandEvent(
                sequence: number, timestamp: Timestamp(milliseconds: 1), type: .stream, name: name, text: text)
        }
        for number in Int64(1)...1000 { batch.add(stream(number, "stdout", "\(number)\n")) }
        batch.add(stream(1001, "stderr", "a"))
        batch.add(stream(1002, "stderr", "b"))
        batch.add(CommandEvent(sequence: 1003, timestamp: Timestamp(milliseconds: 1), type: .clearOutput))
        batch.add(stream(1004, "stderr", "c"))
        let events = batch.take()
        #expect(batch.isEmpty)
        #expect(events.map(\.sequence) == [1000, 1002, 1003, 1004])
        #expect(events[0].text == (1...1000).map { "\($0)\n" }.joined())
        #expect(events.map { $0.text ?? "-" }[1...] == ["ab", "-", "c"])
        // A piece stays small enough to be told at once.
        let line = String(repeating: "x", count: 20_000)
        for number in Int64(1)...4 { batch.add(stream(number, "stdout", line)) }
        #expect(batch.take().map(\.sequence) == [1, 2, 3, 4])
    }

    @Test func largeOutputsAreToldByName() throws {
        let event = CommandEvent(
            sequence: 7, timestamp: .now, type: .display,
            data: ["text/html": .string(String(repeating: "x", count: 100_000))])
        let (told, whole) = NotebookJournal.texts(.output(event, cellID: "c", commandID: "m"), sequence: 3)
        let read = try NotebookEvent(jsonText: told)
        #expect(read.output?.data?[OutputPreview.type]?["types"] == ["text/html"])
        #expect(read.output?.sequence == 7)
        #expect(read.omittedBytes == Int64(whole.utf8.count))
        #expect(try CommandEvent(jsonText: whole) == event)
        // Of a text the end is told, whatever its characters are made of.
        let marked = "a" + String(repeating: "\u{301}", count: 100_000) + "the end"
        let (end, _) = NotebookJournal.texts(
            .output(
                CommandEvent(sequence: 8, timestamp: .now, type: .stream, name: "stdout", text: marked), cellID: "c",
                commandID: "m"), sequence: 4)
        #expect(try NotebookEvent(jsonText: end).output?.text?.hasSuffix("the end") == true)
        #expect(end.utf8.count < 20_000)
        let text = String(repeating: "line\n", count: 50_000)
        let named = OutputOverlay.named(
            ["output_type": "stream", "name": "stdout", "text": .array([.string(text)])], over: 1000)
        let about = named["data"]?[OutputPreview.type]
        #expect(about?["head"]?.string?.hasPrefix("line\nline") == true)
        #expect(about?["bytes"]?.int ?? 0 > 250_000)
    }

    @Test func selectsCells() throws {
        let cells = ["a", "b", "", "d"].enumerated().map { index, source in
            NotebookCell(cellID: "c\(index)", kind: .code, language: "python", source: source)
        }
        func chosen(_ body: RunCells) throws -> [String] { try CellSelection.cells(of: body, in: cells).map(\.cellID) }
        #expect(try chosen(RunCells(scope: .all)) == ["c0", "c1", "c3"])
        #expect(try chosen(RunCells(scope: .above, cellID: "c1")) == ["c0"])
        #expect(try chosen(RunCells(scope: .below, cellID: "c1")) == ["c1", "c3"])
        #expect(try chosen(RunCells(cellIds: ["c3", "c0"])) == ["c3", "c0"])
        #expect(throws: HarbourError.self) { try chosen(RunCells(cellIds: ["none"])) }
        #expect(throws: HarbourError.self) { try chosen(RunCells(scope: .above)) }
        #expect(throws: HarbourError.self) { try chosen(RunCells()) }
        #expect(CellSelection.hash("a") == "e40c292c")
    }

    @Test func topicsAreNamed() throws {
        for text in ["notebooks/12", "runs/5", "clusters/a-b", "clusters/a-b/logs", "runs", "jobs", "clusters"] {
            #expect(try LiveTopicName(text).text == text)
        }
        let wrong = [
            "", "notebooks", "notebooks/x", "jobs/1", "runs/5/logs", "clusters/", "clusters//logs", "clusters/a/b",
        ]
        for text in wrong {
            #expect(throws: HarbourError.self) { try LiveTopicName(text) }
        }
    }
}
