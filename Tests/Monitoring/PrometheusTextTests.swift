import Core
import TestSupport
import Testing

@testable import MonitoringService

@Suite struct PrometheusTextTests {
    @Test func samplesOfBothFormatsAreRead() throws {
        let text = """
            # HELP requests_total Requests.
            # TYPE requests_total counter
            requests_total{method="GET",path="/a\\"b\\\\c\\n"} 3
            requests_total{ method = "PUT" , } 4.5e3 1395066363000
            temperature NaN
              low -Inf
            high{le="+Inf"} +Inf # {trace="x"} 1
            # EOF

            """
        let samples = try PrometheusText.parse(Array(text.utf8))
        #expect(samples.map(\.name) == ["requests_total", "requests_total", "temperature", "low", "high"])
        #expect(samples[0].labels.map(\.value) == ["GET", "/a\"b\\c\n"])
        #expect(samples[1].value == 4500)
        #expect(samples[2].value.isNaN)
        #expect(samples[3].value == -.infinity)
        #expect(samples[4].value == .infinity)
    }

    @Test(arguments: [
        "<html>", "a", "a{b=1} 2", "a{b=\"x\" 2", "a{b=\"x\"c=\"y\"} 2", "a{b=\"x\",b=\"y\"} 2", "a x", "a 1 2 3",
        "a{b=\"\\q\"} 1", "a{b=\"x\n\"} 1", "9a 1", "a 0x10", "a{b=\"\u{fffd}", "a nan",
    ])
    func whatIsNotTheFormatIsRefusedWithItsLine(text: String) {
        #expect { try PrometheusText.parse(Array(("ok 1\n" + text).utf8)) } throws: { error in
            let failure = HarbourError.wrap(error)
            return failure.code == .badGateway && failure.message.contains("line 2")
        }
    }

    @Test func limitsHold() {
        var limits = ExpositionLimits()
        limits.samples = 2
        #expect(throws: HarbourError.self) { try PrometheusText.parse(Array("a 1\na 2\na 3\n".utf8), limits: limits) }
        limits.bytes = 4
        #expect(throws: HarbourError.self) { try PrometheusText.parse(Array("a 1\na 2\n".utf8), limits: limits) }
    }

    @Test func anythingIsReadOrRefused() throws {
        let corpus = ["a{b=\"c\",d=\"e\\n\"} 1 2\n# x\n", "x NaN\ny +Inf # {a=\"b\"} 3\n"].map { Array($0.utf8) }
        try fuzz("prometheus text", corpus: corpus, iterations: 3000) { input in
            do throws(HarbourError) { _ = try PrometheusText.parse(input.bytes) } catch {
                guard error.code == .badGateway else { throw error }
            }
        }
    }

    @Test(arguments: 0..<50)
    func framesComeBack(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var id: Int64 = 0
        let samples = (0..<Int.random(in: 0...200, using: &generator)).map { _ in
            id += Int64.random(in: 1...100_000, using: &generator)
            return (id: id, value: Double(bitPattern: generator.next()))
        }
        let frame = SampleFrame.encode(samples.shuffled(using: &generator))
        var decoded: [(Int64, Double)] = []
        try SampleFrame.decode(frame) { decoded.append(($0, $1)) }
        #expect(decoded.map(\.0) == samples.map(\.id))
        #expect(decoded.map(\.1.bitPattern) == samples.map(\.value.bitPattern))
        if !frame.isEmpty && frame.count > 1 {
            #expect(throws: HarbourError.self) { try SampleFrame.decode(Array(frame.dropLast())) { _, _ in } }
        }
    }

    @Test func federationSelects() throws {
        let key = SeriesKey(name: "up", labels: [("job", "driver"), ("instance", "c\"1")])
        for (text, fits) in [
            ("up", true), ("down", false), ("{job=\"driver\"}", true), ("up{job!=\"driver\"}", false),
            ("{job=~\"dri.*|x\"}", true), ("{job!~\"dri.+\"}", false), ("{__name__=~\".+\"}", true),
        ] {
            #expect(try Federation(matches: [text]).accepts(key) == fits, "\(text)")
        }
        for text in ["{", "{}", "up{job}", "up{job=driver}"] {
            #expect(throws: HarbourError.self) { try Federation(matches: [text]) }
        }
        let line = Federation.line(key, 1, Timestamp(milliseconds: 5))
        #expect(line == "up{instance=\"c\\\"1\",job=\"driver\"} 1.0 5\n")
        #expect(try PrometheusText.parse(Array(line.utf8)).count == 1)
    }
}
