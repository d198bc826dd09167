import Core
import NotebookFormats
import Testing

@Suite("Outputs are assembled from kernel messages")
struct OutputAssemblerTests {
    @Test func mergesStreams() {
        var assembler = OutputAssembler()
        #expect(assembler.handle(.stream(name: "stdout", text: "a"), sequence: 1) == .appended(0))
        #expect(assembler.handle(.stream(name: "stdout", text: "b\n"), sequence: 2) == .replaced(0))
        #expect(assembler.handle(.stream(name: "stderr", text: "c"), sequence: 3) == .appended(1))
        #expect(assembler.handle(.stream(name: "stdout", text: "d"), sequence: 4) == .appended(2))
        #expect(assembler.handle(.stream(name: "stdout", text: ""), sequence: 5) == .none)
        #expect(assembler.outputs == [.stream("stdout", "ab\n"), .stream("stderr", "c"), .stream("stdout", "d")])
        #expect(assembler.output(at: 1)?.text == "c")
        #expect(assembler.output(at: 3) == nil)
    }

    @Test func ignoresRepetitions() {
        var assembler = OutputAssembler()
        for sequence: Int64 in [1, 2, 1, 2, 3, 3] {
            assembler.handle(.stream(name: "stdout", text: "\(sequence)"), sequence: sequence)
        }
        #expect(assembler.outputs == [.stream("stdout", "123")])
        #expect(assembler.lastSequence == 3)
    }

    @Test func updatesDisplays() {
        var assembler = OutputAssembler()
        assembler.handle(.display(data: ["text/plain": "0 %"], displayID: "p"))
        assembler.handle(.stream(name: "stdout", text: "x"))
        assembler.handle(.display(data: ["text/plain": "again"], displayID: "p"))
        #expect(assembler.handle(.updateDisplay(data: ["text/plain": "9 %"], displayID: "p")) == .replaced(2))
        #expect(assembler.outputs[0] == .displayData(["text/plain": "9 %"]))
        #expect(assembler.outputs[2] == .displayData(["text/plain": "9 %"]))
        #expect(
            assembler.handle(.updateDisplay(data: [:], displayID: "q")) == .elsewhere(displayID: "q"))
        assembler.handle(.result(count: 4, data: ["text/plain": "v"], displayID: "r"))
        assembler.handle(.updateDisplay(data: ["text/plain": "w"], displayID: "r"))
        #expect(assembler.outputs[3] == .executeResult(count: 4, ["text/plain": "w"]))
        #expect(assembler.executionCount == 4)
    }

    @Test func clears() {
        var assembler = OutputAssembler()
        assembler.handle(.stream(name: "stdout", text: "a"))
        #expect(assembler.handle(.clear(wait: true)) == .none)
        #expect(assembler.count == 1)
        #expect(assembler.handle(.stream(name: "stdout", text: "b")) == .restarted)
        #expect(assembler.outputs == [.stream("stdout", "b")])
        #expect(assembler.handle(.clear(wait: false)) == .cleared)
        #expect(assembler.handle(.stream(name: "stdout", text: "c")) == .appended(0))
        assembler.handle(.clear(wait: true))
        #expect(assembler.handle(.error(name: "E", value: "v", traceback: ["t"])) == .restarted)
        #expect(assembler.outputs == [.error(name: "E", value: "v", traceback: ["t"])])
    }

    /// Goal: what is too much is left out, a line says so once, and how the run ended is still told.
    @Test func keepsLimits() {
        var assembler = OutputAssembler(limits: OutputLimits(bytes: 1000, outputs: 10))
        for _ in 0..<100 { assembler.handle(.stream(name: "stdout", text: String(repeating: "x", count: 99) + "\n")) }
        #expect(assembler.isTruncated)
        assembler.handle(.display(data: ["text/plain": "late"]))
        assembler.handle(.error(name: "E", value: "v", traceback: []))
        #expect(assembler.count == 3)
        #expect(assembler.outputs[0].text?.utf8.count == 1000)
        #expect(assembler.outputs[1].text?.contains("left out") == true)
        #expect(assembler.outputs[2].kind == .error)
        var many = OutputAssembler(limits: OutputLimits(bytes: 1000, outputs: 10))
        for index in 0..<100 { many.handle(.stream(name: index % 2 == 0 ? "stdout" : "stderr", text: ".")) }
        #expect(many.count == 11)
    }

    /// Goal: stopping anywhere and going on from the snapshot gives what going on at once gives.
    @Test func resumesAnywhere() throws {
        let seed = testSeed()
        var random = SeededGenerator(seed: seed)
        for _ in 0..<200 {
            let events = (0..<20).map { _ in event(&random) }
            var whole = OutputAssembler(limits: OutputLimits(bytes: 600, outputs: 8))
            var parts = whole
            for (index, event) in events.enumerated() {
                whole.handle(event, sequence: Int64(index + 1))
                parts.handle(event, sequence: Int64(index + 1))
                // The reader resumes a little before where it was.
                if Int.random(in: 0..<3, using: &random) == 0 {
                    parts = try OutputAssembler(
                        snapshot: JSONValue(json: parts.snapshot.encodedJSON()), limits: parts.limits)
                    for repeated in max(0, index - 2)...index {
                        parts.handle(events[repeated], sequence: Int64(repeated + 1))
                    }
                }
            }
            #expect(parts.outputs == whole.outputs, "seed \(seed)")
            #expect(parts.snapshot == whole.snapshot, "seed \(seed)")
        }
        #expect(harbourError { _ = try OutputAssembler(snapshot: ["x": 1]) }?.code == .invalidNotebook)
    }

    private func event(_ random: inout SeededGenerator) -> OutputEvent {
        let text = ["a", "line\n", "\r50 %", String(repeating: "z", count: 90)].randomElement(using: &random) ?? ""
        let id = ["d1", "d2"].randomElement(using: &random)
        switch Int.random(in: 0..<9, using: &random) {
        case 0: return .display(data: ["text/plain": .string(text)], displayID: id)
        case 1: return .updateDisplay(data: ["text/html": .string(text)], displayID: id ?? "")
        case 2: return .result(count: 7, data: ["text/plain": .string(text)], metadata: ["m": [1]], displayID: id)
        case 3: return .error(name: "E", value: text, traceback: [text])
        case 4: return .clear(wait: Bool.random(using: &random))
        case 5: return .executionCount(7)
        default: return .stream(name: Bool.random(using: &random) ? "stdout" : "stderr", text: text)
        }
    }
}
