import Core
import HTTP1
import HTTPMessage
import Testing

@Suite struct HTTP1ResponseTests {
    private func request(_ text: String) -> HTTP1ServerConnection {
        var connection = HTTP1ServerConnection()
        connection.receive(Array(text.utf8))
        return connection
    }

    private func output(_ connection: inout HTTP1ServerConnection) -> String {
        String(decoding: connection.takeOutput(), as: UTF8.self)
    }

    private func names(_ connection: inout HTTP1ServerConnection) -> [String] {
        var names: [String] = []
        while let event = connection.nextEvent() {
            switch event {
            case .request: names.append("request")
            case .body(let bytes): names.append("body \(bytes.count)")
            case .end: names.append("end")
            case .failed(let error): names.append("failed \(error.code.status)")
            case .close: names.append("close")
            }
        }
        return names
    }

    private let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

    @Test func aKnownLengthIsSaid() throws {
        var connection = request(get)
        #expect(names(&connection) == ["request", "end"])
        let head = HTTP1ResponseHead(
            status: 201,
            fields: [
                "Content-Type": "text/plain", "Connection": "x", "Transfer-Encoding": "gzip", "Content-Length": "99",
                "X-Line": "a\r\nb: c",
            ], contentLength: 5, date: Array("today".utf8))
        try connection.respond(head)
        try connection.write(Array("he".utf8))
        try connection.write(Array("llo".utf8))
        try connection.finish()
        #expect(
            output(&connection)
                == "HTTP/1.1 201 Created\r\ncontent-type: text/plain\r\nx-line: a  b: c\r\ndate: today\r\n"
                + "content-length: 5\r\n\r\nhello")
        #expect(connection.staysOpen == true)
        #expect(names(&connection).isEmpty)
        #expect(connection.phase == .idle)
    }

    @Test func anUnknownLengthMeansChunks() throws {
        var connection = request(get)
        _ = names(&connection)
        try connection.respond(HTTP1ResponseHead(status: 200, contentLength: nil))
        try connection.write([UInt8](repeating: 0x61, count: 26))
        try connection.write([])
        try connection.write([0x62])
        try connection.finish()
        #expect(
            output(&connection)
                == "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1a\r\n"
                + String(repeating: "a", count: 26) + "\r\n1\r\nb\r\n0\r\n\r\n")
    }

    @Test func anOldClientGetsItsBodyUntilTheClose() throws {
        var connection = request("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        _ = names(&connection)
        try connection.respond(HTTP1ResponseHead(status: 200, contentLength: nil))
        try connection.write([0x61])
        try connection.finish()
        #expect(output(&connection) == "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\na")
        #expect(names(&connection) == ["close"])

        var kept = request("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
        _ = names(&kept)
        try kept.respond(HTTP1ResponseHead(status: 200, contentLength: 1), body: [0x61])
        #expect(output(&kept) == "HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: keep-alive\r\n\r\na")
        #expect(names(&kept).isEmpty)
    }

    @Test(arguments: [
        ("GET", 204, 3, "HTTP/1.1 204 No Content\r\n\r\n"), ("GET", 304, 3, "HTTP/1.1 304 Not Modified\r\n\r\n"),
        ("HEAD", 200, 3, "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n"),
        ("HEAD", 200, nil, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"),
        ("GET", 599, 0, "HTTP/1.1 599 \r\ncontent-length: 0\r\n\r\n"),
        ("GET", 99, 0, "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"),
    ])
    func someAnswersHaveNoBody(_ method: String, _ status: Int, _ length: Int?, _ expected: String) throws {
        var connection = request("\(method) / HTTP/1.1\r\nHost: a\r\n\r\n")
        _ = names(&connection)
        try connection.respond(HTTP1ResponseHead(status: status, contentLength: length))
        if length != 0 { try connection.write(Array("abc".utf8)) }
        try connection.finish()
        #expect(output(&connection) == expected)
        #expect(names(&connection).isEmpty)
    }

    @Test(arguments: [
        ("HTTP/1.1", "", true), ("HTTP/1.1", "Connection: close\r\n", false),
        ("HTTP/1.1", "Connection: x, CLOSE\r\n", false), ("HTTP/1.1", "Connection: x\r\nConnection: close\r\n", false),
        ("HTTP/1.0", "", false), ("HTTP/1.0", "Connection: keep-alive\r\n", true),
        ("HTTP/1.0", "Connection: keep-alive, close\r\n", false),
    ])
    func theConnectionStaysOpenAsAsked(_ version: String, _ field: String, _ stays: Bool) throws {
        let outcome = try drive("GET / \(version)\r\nHost: a\r\n\(field)\r\n")
        #expect(outcome.closed == !stays)
        #expect(outcome.output.contains("connection: close") == !stays)
    }

    @Test func aBodyMayWaitForAGoAhead() throws {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n"
        var connection = request(head)
        #expect(names(&connection) == ["request"])
        #expect(connection.awaitsContinue == true)
        connection.sendContinue()
        connection.sendContinue()
        #expect(output(&connection) == "HTTP/1.1 100 Continue\r\n\r\n")
        connection.receive(Array("ab".utf8))
        #expect(names(&connection) == ["body 2", "end"])
        try connection.respond(HTTP1ResponseHead(status: 200, contentLength: 0), body: [])
        #expect(names(&connection).isEmpty)
        #expect(connection.phase == .idle)

        // Refused before it was sent: nobody can know whether it comes, so the connection ends.
        var refused = request(head)
        _ = names(&refused)
        try refused.respond(HTTP1ResponseHead(status: 403, contentLength: 0), body: [])
        #expect(output(&refused).contains("connection: close"))
        #expect(names(&refused) == ["close"])

        // Sent without waiting.
        var eager = request(head + "ab")
        #expect(names(&eager) == ["request", "body 2", "end"])
        #expect(eager.awaitsContinue == false)
    }

    @Test func aBodyThatNobodyReadsIsDroppedWithinALimit() throws {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"
        var short = request(head)
        _ = names(&short)
        try short.respond(HTTP1ResponseHead(status: 404, contentLength: 0), body: [])
        #expect(!output(&short).contains("connection: close"))
        short.receive([UInt8](repeating: 1, count: 1000))
        short.receive(Array(get.utf8))
        #expect(names(&short) == ["request", "end"])

        var long = request("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
        _ = names(&long)
        try long.respond(HTTP1ResponseHead(status: 404, contentLength: 0), body: [])
        #expect(output(&long).contains("connection: close"))
        #expect(names(&long) == ["close"])

        var chunked = request("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        _ = names(&chunked)
        try chunked.respond(HTTP1ResponseHead(status: 404, contentLength: 0), body: [])
        chunked.receive(Array("fffff\r\n".utf8))
        var closed = false
        for _ in 0..<20 where !closed {
            chunked.receive([UInt8](repeating: 1, count: 50_000))
            closed = names(&chunked) == ["close"]
        }
        #expect(closed)
        #expect(chunked.wantsInput == false)
    }

    @Test func requestsSentAheadWaitForTheAnswerBefore() throws {
        var connection = request(get + get + get)
        for _ in 0..<3 {
            #expect(names(&connection) == ["request", "end"])
            #expect(connection.phase == .response)
            try connection.respond(HTTP1ResponseHead(status: 200, contentLength: 0), body: [])
        }
        #expect(names(&connection).isEmpty)
        _ = connection.nextEvent()
        var full = request(get)
        _ = names(&full)
        full.receive([UInt8](repeating: 0x61, count: 70_000))
        #expect(full.wantsInput == false)
    }

    @Test func anAnswerThatBreaksItsPromiseClosesTheConnection() throws {
        for (length, bytes) in [(5, 3), (3, 5)] {
            var connection = request(get)
            _ = names(&connection)
            try connection.respond(HTTP1ResponseHead(status: 200, contentLength: length))
            #expect(throws: HarbourError.self) {
                try connection.write([UInt8](repeating: 1, count: bytes))
                try connection.finish()
            }
            #expect(names(&connection) == ["close"])
        }
        var early = HTTP1ServerConnection()
        #expect(throws: HarbourError.self) { try early.respond(HTTP1ResponseHead(status: 200, contentLength: 0)) }
        #expect(throws: HarbourError.self) { try early.write([1]) }
        #expect(throws: HarbourError.self) { try early.finish() }
    }

    @Test func drainingLetsTheCurrentRequestEnd() throws {
        var idle = HTTP1ServerConnection()
        idle.drain()
        #expect(names(&idle) == ["close"])
        var busy = request(get + get)
        _ = names(&busy)
        busy.drain()
        try busy.respond(HTTP1ResponseHead(status: 200, contentLength: 0), body: [])
        #expect(output(&busy).contains("connection: close"))
        #expect(names(&busy) == ["close"])
    }

    @Test func anUpgradeHandsOverTheRest() throws {
        var connection = request(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: h2c, WebSocket\r\n\r\nframes")
        #expect(names(&connection) == ["request", "end"])
        #expect(connection.asksToUpgrade(to: "websocket") == true)
        #expect(connection.asksToUpgrade(to: "other") == false)
        try connection.switchProtocols(["upgrade": "websocket", "sec-websocket-accept": "x"])
        #expect(
            output(&connection)
                == "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
                + "sec-websocket-accept: x\r\n\r\n")
        #expect(connection.takeRemainder() == Array("frames".utf8))
        #expect(names(&connection).isEmpty)
        #expect(connection.phase == .over)

        var plain = request("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n")
        _ = names(&plain)
        #expect(plain.asksToUpgrade(to: "websocket") == false)
    }
}
