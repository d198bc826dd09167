import ClusterBackend
import Core
import TestSupport
import Testing

@testable import DockerBackend

@Suite struct EngineStreamsTests {
    @Test func linesAreCutWhereverTheChunksEnd() {
        let text = Array("{\"a\":1}\n\n{\"b\":2}\n{\"c\"".utf8)
        for size in 1...text.count {
            var cutter = LineCutter()
            var lines: [String] = []
            for start in stride(from: 0, to: text.count, by: size) {
                let chunk = Array(text[start..<min(text.count, start + size)])
                lines += cutter.cut(chunk).map { String(decoding: $0, as: UTF8.self) }
            }
            #expect(lines == ["{\"a\":1}", "{\"b\":2}"])
        }
    }

    @Test func aLineThatIsTooLongIsLeftOut() {
        var cutter = LineCutter()
        #expect(cutter.cut([UInt8](repeating: 0x61, count: 2 << 20)).isEmpty)
        #expect(cutter.cut([0x0a, 0x62, 0x0a]) == [[0x62]])
    }

    private func frame(_ stream: UInt8, _ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        return [stream, 0, 0, 0] + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: bytes.count >> $0) } + bytes
    }

    @Test func framesBecomeLinesWhereverTheChunksEnd() {
        let log =
            frame(1, "2026-11-21T07:45:47.000000001Z first\n") + frame(1, "2026-11-21T07:45:47.000000002Z lo")
            + frame(2, "2026-11-21T07:45:47.000000003Z other stream\r\n")
            + frame(1, "2026-11-21T07:45:47.000000004Z ng\n") + frame(1, "2026-11-21T07:45:48.5Z no end")
        let second: Int64 = 1_795_247_147_000_000_000
        for size in [1, 2, 7, 50, log.count] {
            var frames = LogDemultiplexer()
            var lines: [EngineLogLine] = []
            for start in stride(from: 0, to: log.count, by: size) {
                lines += frames.feed(Array(log[start..<min(log.count, start + size)]))
            }
            #expect(lines.map(\.text) == ["first", "other stream", "long"])
            #expect(lines.map { $0.time - second } == [1, 3, 2])
            #expect(frames.finish() == [EngineLogLine(time: second + 1_500_000_000, text: "no end")])
        }
    }

    @Test func whatIsNoLogIsNotRead() {
        var frames = LogDemultiplexer()
        #expect(frames.feed(Array("HTTP/1.1 500 no".utf8)).isEmpty)
        #expect(frames.isBroken)
    }

    @Test func anyBytesAreSurvived() throws {
        let whole = frame(1, "2026-11-21T07:45:47.000000001Z first\n") + frame(2, "2026-11-21T07:45:48Z x\n")
        try fuzz("log-frames", corpus: [whole]) { input in
            var frames = LogDemultiplexer()
            for piece in input.pieces() { _ = frames.feed(piece) }
            _ = frames.finish()
        }
    }

    @Test(arguments: [
        ("1970-01-01T00:00:00Z", 0), ("1970-01-02T00:00:01.5Z", 86_401_500_000_000),
        ("2000-02-29T12:00:00.000000001Z", 951_825_600_000_000_001),
        ("2026-11-21T07:45:47Z", 1_795_247_147_000_000_000),
    ]) func timesAreRead(_ text: String, _ nanoseconds: Int64) {
        #expect(EngineTime.nanoseconds(text) == nanoseconds)
    }

    @Test(arguments: ["", "2026", "2026-11-21 07:45:47Z", "2026-13-21T07:45:47Z", "2026-11-21T07:45:47.1234567890Z"])
    func otherTimesAreNot(_ text: String) { #expect(EngineTime.nanoseconds(text) == nil) }

    @Test func sinceIsWrittenWithNineDigits() {
        #expect(EngineTime.since(1_500_000_000_000_000_042) == "1500000000.000000042")
    }

    @Test func numbersGrowAndStayTheSame() {
        func line(_ time: Int64) -> SourcedLine {
            SourcedLine(container: "c", node: "driver", line: EngineLogLine(time: time, text: "\(time)"))
        }
        var whole = LogMerger(after: 0)
        let all = [10, 10, 9, 12].compactMap { whole.number(line($0))?.sequence }
        #expect(all == [10, 11, 12, 13])
        var resumed = LogMerger(after: 11)
        #expect([10, 10, 9, 12].compactMap { resumed.number(line($0))?.sequence } == [12, 13])
        #expect(resumed.number(late: line(5)).sequence == 14)
    }

    @Test func anArchiveIsWhatTarReads() throws {
        var archive = TarArchive(user: 1000, group: 100)
        archive.addFolder("harbour", mode: 0o755)
        archive.addFile("harbour/token", mode: 0o600, Array("secret".utf8))
        archive.addFile("harbour/large", mode: 0o400, [UInt8](repeating: 0x78, count: 1500))
        let text = archive.finished().map { String(format($0)) }.joined()
        let listed = try runCommand([
            "sh", "-c", "printf '\(text)' | tar --numeric-owner -tvf - | awk '{ print $1, $2, $3, $6 }'",
        ])
        #expect(
            listed == """
                drwxr-xr-x 1000/100 0 harbour/
                -rw------- 1000/100 6 harbour/token
                -r-------- 1000/100 1500 harbour/large

                """)
    }

    /// A byte as printf(1) reads it.
    private func format(_ byte: UInt8) -> String {
        let digits = String(byte, radix: 8)
        return "\\" + String(repeating: "0", count: 3 - digits.utf8.count) + digits
    }
}
