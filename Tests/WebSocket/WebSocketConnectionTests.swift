import Core
import Testing
import WebSocket

@Suite struct WebSocketConnectionTests {
    /// Bytes from a client, and the events they must lead to however they are cut.
    static let valid: [([UInt8], [String])] = [
        // RFC 6455 section 5.7.
        ([0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58], ["text Hello"]),
        (text("Hel", final: false) + frame(0x80, Array("lo".utf8)), ["text Hello"]),
        (text(""), ["text "]),
        (frame(0x82, []), ["binary 0"]),
        (frame(0x82, [UInt8](repeating: 0xfe, count: 125)), ["binary 125"]),
        (frame(0x82, [UInt8](repeating: 0xfe, count: 126)), ["binary 126"]),
        (frame(0x82, [UInt8](repeating: 0xfe, count: 65_535)), ["binary 65535"]),
        (frame(0x82, [UInt8](repeating: 0xfe, count: 65_536)), ["binary 65536"]),
        // Control frames between the pieces of a message.
        (
            text("a", final: false) + frame(0x89, [1]) + frame(0x00, []) + frame(0x8a, [2, 3]) + frame(0x80, [0x62]),
            ["pong 2", "text ab"]
        ),
        // A character over two frames and over three pieces.
        (frame(0x01, [0xce]) + frame(0x80, [0xba]), ["text \u{3ba}"]),
        (frame(0x01, [0xf0, 0x9f]) + frame(0x00, [0x98]) + frame(0x80, [0x80]), ["text \u{1f600}"]),
        (text("a") + frame(0x82, [1, 2]) + text("b"), ["text a", "binary 2", "text b"]),
        (closeFrame(1000), ["closed 1000"]),
        (closeFrame(1001, Array("bye".utf8)), ["closed 1001 bye"]),
        (frame(0x88, []), ["closed 1005"]),
        (text("a") + closeFrame(4999) + text("b"), ["text a", "closed 4999"]),
        (closeFrame(1000) + [0xff, 0xff], ["closed 1000"]),
    ]

    @Test(arguments: valid)
    func messagesAreReadHoweverTheyAreCut(_ bytes: [UInt8], _ expected: [String]) {
        for size in [Int.max, 1, 2, 3, 1000] where size >= 1000 || bytes.count < 1000 {
            #expect(serve(bytes, pieces: size).events == expected)
        }
    }

    static let invalid: [([UInt8], Int)] = [
        (frame(0x81, [0x61], masked: false), 1002),
        // Reserved bits and kinds.
        (frame(0xc1, [0x61]), 1002), (frame(0xa1, [0x61]), 1002), (frame(0x91, [0x61]), 1002),
        (frame(0xf1, [0x61]), 1002), (frame(0xd9, []), 1002),
        (frame(0x83, []), 1002), (frame(0x87, []), 1002), (frame(0x8b, []), 1002), (frame(0x8f, []), 1002),
        // Control frames.
        (frame(0x89, [UInt8](repeating: 0, count: 126)), 1002), (frame(0x09, []), 1002), (frame(0x08, []), 1002),
        (frame(0x0a, []), 1002), (frame(0x88, [UInt8](repeating: 0x30, count: 126)), 1002),
        // Lengths.
        ([0x82, 0xfe, 0, 125] + [0, 0, 0, 0], 1002),
        ([0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff] + [0, 0, 0, 0], 1002),
        ([0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0] + [0, 0, 0, 0], 1002),
        ([0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff] + [0, 0, 0, 0], 1009),
        // Fragments.
        (frame(0x80, [1]), 1002), (frame(0x00, [1]), 1002),
        (text("a", final: false) + text("b"), 1002), (text("a", final: false) + frame(0x82, []), 1002),
        (text("a") + frame(0x80, []), 1002),
        // Text.
        (frame(0x81, [0xff]), 1007), (frame(0x81, [0xc0, 0xaf]), 1007), (frame(0x81, [0xe0, 0x80, 0xaf]), 1007),
        (frame(0x81, [0xed, 0xa0, 0x80]), 1007), (frame(0x81, [0xf4, 0x90, 0x80, 0x80]), 1007),
        (frame(0x81, [0xf5, 0x80, 0x80, 0x80]), 1007), (frame(0x81, [0xf0, 0x8f, 0xbf, 0xbf]), 1007),
        (frame(0x81, [0x80]), 1007), (frame(0x81, [0xce]), 1007), (frame(0x81, [0xe2, 0x82]), 1007),
        (frame(0x01, [0xce]) + frame(0x80, []), 1007), (frame(0x01, [0xce]) + frame(0x80, [0x41]), 1007),
        (frame(0x01, [0x41, 0xff]), 1007),
        // Close frames.
        (frame(0x88, [3]), 1002), (closeFrame(0), 1002), (closeFrame(999), 1002), (closeFrame(1004), 1002),
        (closeFrame(1005), 1002), (closeFrame(1006), 1002), (closeFrame(1015), 1002), (closeFrame(1016), 1002),
        (closeFrame(1100), 1002), (closeFrame(2000), 1002), (closeFrame(2999), 1002), (closeFrame(5000), 1002),
        (closeFrame(65_535), 1002), (closeFrame(1000, [0xff]), 1007), (closeFrame(1000, [0xce]), 1007),
    ]

    @Test(arguments: invalid)
    func whatBreaksTheRulesEndsTheConnection(_ bytes: [UInt8], _ code: Int) {
        for size in [Int.max, 1] {
            let (events, output) = serve(bytes + text("never seen"), pieces: size)
            #expect(events.last == "closed \(code)")
            #expect(!events.contains("text never seen"))
            #expect(closeCode(output) == code)
        }
    }

    @Test(arguments: [1000, 1003, 1007, 1011, 1012, 1014, 3000, 3999, 4000, 4999])
    func codesAreEchoed(_ code: Int) {
        let (events, output) = serve(closeFrame(code, Array("x".utf8)))
        #expect(events == ["closed \(code) x"])
        #expect(output == [0x88, 2, UInt8(code >> 8), UInt8(code & 0xff)])
    }

    @Test func limitsAreKept() {
        var limits = WebSocketLimits()
        limits.frame = 10
        limits.message = 15
        limits.fragments = 3
        let ten = [UInt8](repeating: 0x61, count: 10)
        #expect(serve(frame(0x82, ten), limits: limits).events == ["binary 10"])
        #expect(serve(frame(0x82, ten + [1]), limits: limits).events == ["closed 1009"])
        // The header is enough to refuse it.
        #expect(serve(Array(frame(0x82, ten + [1]).prefix(6)), limits: limits).events == ["closed 1009"])
        #expect(serve(frame(0x02, ten) + frame(0x80, [1, 2, 3, 4, 5]), limits: limits).events == ["binary 15"])
        #expect(serve(frame(0x02, ten) + frame(0x80, [1, 2, 3, 4, 5, 6]), limits: limits).events == ["closed 1009"])
        let empty = frame(0x02, []) + frame(0x00, []) + frame(0x00, []) + frame(0x00, [])
        #expect(serve(empty, limits: limits).events == ["closed 1009"])
    }

    @Test func pingsAreAnsweredAndAFloodIsAnsweredOnce() {
        let (_, output) = serve(frame(0x89, [1, 2]) + frame(0x89, []))
        #expect(output == [0x8a, 2, 1, 2] + [0x8a, 0])
        var limits = WebSocketLimits()
        limits.outputForPongs = 100
        var flood: [UInt8] = []
        for number in 0..<200 { flood += frame(0x89, [UInt8(number)]) }
        let (_, answer) = serve(flood, limits: limits)
        #expect(answer.count < 110)
        // The newest one is answered.
        #expect(Array(answer.suffix(3)) == [0x8a, 1, 199])
    }

    @Test func aLostConnectionIsNotAClose() {
        #expect(serve(text("a"), end: true).events == ["text a", "closed 1006"])
        #expect(serve([0x81], end: true).events == ["closed 1006"])
        #expect(serve(Array(text("abc").dropLast()), end: true).events == ["closed 1006"])
        #expect(serve(closeFrame(1000), end: true).events == ["closed 1000"])
    }

    @Test func bothSidesTalkAndSayGoodbye() throws {
        var client = WebSocketConnection(role: .client, generator: SeededGenerator(seed: 7))
        var server = WebSocketConnection(role: .server)
        func pump() -> [String] {
            var events: [String] = []
            while true {
                let up = client.takeOutput()
                let down = server.takeOutput()
                if up.isEmpty, down.isEmpty { return events }
                server.receive(up)
                client.receive(down)
                while let event = server.nextEvent() { events.append("server \(describe(event))") }
                while let event = client.nextEvent() { events.append("client \(describe(event))") }
            }
        }
        try client.send(text: "h\u{e9}llo")
        try client.send(binary: [UInt8](repeating: 5, count: 70_000))
        try server.send(text: "welcome")
        try server.ping([1, 2, 3])
        #expect(
            pump() == ["server text h\u{e9}llo", "server binary 70000", "client text welcome", "server pong 3"])

        server.close(.goingAway, reason: "restart")
        server.close(.normal)
        #expect(throws: HarbourError.self) { try server.send(text: "late") }
        // What was under way is dropped by the side that is closing.
        try client.send(text: "crossing")
        #expect(pump() == ["client closed 1001 restart", "server closed 1001"])
        #expect(server.state == .closed)
        #expect(client.state == .closed)
        #expect(throws: HarbourError.self) { try client.send(text: "late") }
    }

    @Test func goodbyesFitTheirFrame() {
        var long = WebSocketConnection(role: .server)
        long.close(.policyViolation, reason: String(repeating: "\u{e9}", count: 100))
        let output = long.takeOutput()
        #expect(output.count == 2 + 124)
        #expect(output.prefix(4) == [0x88, 124, 3, 0xf0])
        var unsendable = WebSocketConnection(role: .server)
        unsendable.close(.abnormal)
        #expect(unsendable.takeOutput() == [0x88, 2, 3, 0xe8])
    }

    @Test func aServersFramesAreReadByAClient() {
        var client = WebSocketConnection(role: .client)
        client.receive(frame(0x81, [0x61], masked: false) + frame(0x81, [0x61], masked: true))
        var events: [String] = []
        while let event = client.nextEvent() { events.append(describe(event)) }
        #expect(events == ["text a", "closed 1002"])
    }
}
