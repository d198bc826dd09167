import Core
import Cryptography
import Testing

@testable import JupyterKernel

@Suite struct JupyterWireTests {
    private let wire = JupyterWire(key: Array("key".utf8), session: "session")
    private let message = JupyterMessage(id: "1", type: "stream", content: Array(#"{"text":"ä"}"#.utf8))

    @Test func aMessageIsReadBack() throws {
        var frames = wire.encode(message, now: Timestamp(milliseconds: 0))
        // Routing prefixes come first, and buffers last.
        frames.insert(Array("topic".utf8), at: 0)
        frames.append([1, 2, 3])
        let read = try wire.decode(frames)
        #expect(read.id == "1")
        #expect(read.type == "stream")
        #expect(read.parentID == nil)
        #expect(read.content == message.content)
    }

    @Test func theHeaderIsWhatTheProtocolSays() throws {
        let frames = wire.encode(message, now: Timestamp(milliseconds: 0))
        let header = try JSONObject(json: frames[2])
        #expect(header["date"] == "1970-01-01T00:00:00.000Z")
        #expect(header["session"] == "session")
        #expect(header["version"] == "5.3")
        #expect(frames[1].count == 64)
    }

    @Test func everyChangedByteIsNoticed() {
        let frames = wire.encode(message, now: .now)
        for frame in 1..<6 {
            for index in frames[frame].indices {
                var forged = frames
                forged[frame][index] ^= 1
                #expect(throws: JupyterWire.Failure.signature) { try wire.decode(forged) }
            }
        }
        #expect(throws: JupyterWire.Failure.incomplete) { try wire.decode(Array(frames.dropLast())) }
        #expect(throws: JupyterWire.Failure.incomplete) { try wire.decode([]) }
        let stranger = JupyterWire(key: [], session: "session")
        #expect(throws: JupyterWire.Failure.signature) { try stranger.decode(frames) }
    }

    @Test func whatIsSignedMayStillBeWrong() {
        for header in ["", "[]", "{}", #"{"msg_id":1}"#, #"{"msg_id":"1","msg_type":"a"} x"#] {
            let parts = [Array(header.utf8), Array("{}".utf8), Array("{}".utf8), Array("{}".utf8)]
            let digits = Array("0123456789abcdef".utf8)
            let signature = HMAC.sha256(key: wire.key, parts: parts).flatMap {
                [digits[Int($0 >> 4)], digits[Int($0 & 15)]]
            }
            #expect(throws: JupyterWire.Failure.malformed) {
                try wire.decode([Array("<IDS|MSG>".utf8), signature] + parts)
            }
        }
    }
}

@Suite struct KernelContentTests {
    private func output(_ type: String, _ content: String, metadata: String = "{}") -> KernelOutput? {
        KernelContent.output(
            of: JupyterMessage(id: "1", type: type, metadata: Array(metadata.utf8), content: Array(content.utf8)))
    }

    @Test func outputsOfAllKinds() {
        #expect(output("stream", #"{"name":"stderr","text":"x"}"#) == .stream(name: "stderr", text: "x"))
        let bundle = KernelBundle(data: ["text/plain": "1"], metadata: ["a": 1])
        let json = #""data":{"text/plain":"1"},"metadata":{"a":1}"#
        #expect(output("display_data", "{\(json)}") == .display(bundle, displayID: nil))
        #expect(
            output("update_display_data", #"{\#(json),"transient":{"display_id":"d"}}"#)
                == .updateDisplay(bundle, displayID: "d"))
        #expect(output("execute_result", #"{\#(json),"execution_count":4}"#) == .result(bundle, executionCount: 4))
        #expect(
            output("error", #"{"ename":"E","evalue":"m","traceback":["a","b"]}"#, metadata: #"{"x":1}"#)
                == .error(KernelError(name: "E", message: "m", traceback: ["a", "b"], metadata: ["x": 1])))
        #expect(output("clear_output", #"{"wait":true}"#) == .clearOutput(wait: true))
        #expect(output("comm_msg", #"{"comm_id":"c"}"#) == .comm(type: "comm_msg", content: ["comm_id": "c"]))
        #expect(output("status", "{}") == nil)
    }

    @Test func strangeContentsAreShownStrangely() {
        #expect(output("stream", "") == .stream(name: "stdout", text: ""))
        #expect(output("stream", #"{"name":1,"text":["a","b"]}"#) == .stream(name: "stdout", text: "ab"))
        #expect(output("display_data", #"{"data":[]}"#) == .display(KernelBundle(data: [:]), displayID: nil))
        let broken = Array(#"{"name":"stdout","text":""#.utf8) + [0xff] + Array(#"x"}"#.utf8)
        let repaired = KernelContent.output(of: JupyterMessage(id: "1", type: "stream", content: broken))
        #expect(repaired == .stream(name: "stdout", text: "\u{fffd}x"))
    }
}

@Suite struct KernelSpecTests {
    @Test func aFileIsRead() throws {
        let json = """
            {"argv": ["python", "-m", "x", "-f", "{connection_file}", "{resource_dir}/a{resource_dir}"],
             "display_name": "X", "language": "Python", "env": {"A": "${HOME}/b"}, "interrupt_mode": "message"}
            """
        let spec = try KernelSpec(name: "x", directory: "/d", json: Array(json.utf8))
        #expect(spec.language == "python")
        #expect(spec.interruptMode == .message)
        #expect(
            spec.commandLine(connectionFile: "/c", python: "/p") == ["/p", "-m", "x", "-f", "/c", "/d/a/d"])
        #expect(spec.variables(over: ["HOME": "/h"]) == ["A": "/h/b"])
    }

    @Test(arguments: ["", "[]", "{}", #"{"argv":[]}"#, #"{"argv":["x"]}"#]) func aWrongFileIsRefused(json: String) {
        #expect(throws: HarbourError.self) { try KernelSpec(name: "x", directory: "", json: Array(json.utf8)) }
    }

    @Test func foldersAreSearchedInJupytersOrder() {
        let finder = KernelSpecFinder(
            python: "/v/bin/python", environment: ["JUPYTER_PATH": "/a:/b", "HOME": "/h"])
        #expect(
            finder.dataFolders == [
                "/a", "/b", "/v/share/jupyter", "/h/.local/share/jupyter", "/usr/local/share/jupyter",
                "/usr/share/jupyter",
            ])
    }
}
