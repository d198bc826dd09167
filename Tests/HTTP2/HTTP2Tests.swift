import Core
import HTTP2
import HTTPMessage
import Testing

/// A client and a server that talk without a network.
final class ConnectionPair {
    let client: HTTP2Connection
    let server: HTTP2Connection
    var clientEvents: [HTTP2Event] = []
    var serverEvents: [HTTP2Event] = []
    var failure: HTTP2Failure?

    init(client: HTTP2Settings = HTTP2Settings(), server: HTTP2Settings = HTTP2Settings()) throws {
        self.client = try HTTP2Connection(role: .client, settings: client)
        self.server = try HTTP2Connection(role: .server, settings: server)
    }

    /// Moves bytes until none are left; what happens meanwhile is in the lists.
    func exchange(pieces size: Int = .max) throws {
        while true {
            let up = try ConnectionPair.move(from: client, to: server, size)
            collect()
            let down = try ConnectionPair.move(from: server, to: client, size)
            collect()
            if up + down == 0 { return }
        }
    }

    private static func move(from: HTTP2Connection, to: HTTP2Connection, _ size: Int) throws -> Int {
        var bytes: [UInt8] = []
        try from.produce { bytes += $0 }
        var start = 0
        while start < bytes.count {
            let end = min(bytes.count, start + min(size, bytes.count))
            try bytes[start..<end].withUnsafeBytes { try to.receive($0, now: .now) }
            start = end
        }
        return bytes.count
    }

    private func collect() {
        while let event = client.nextEvent() { clientEvents.append(event) }
        while let event = server.nextEvent() { serverEvents.append(event) }
    }

    func get(_ path: String, fields: HTTPFields = [:], body: [UInt8]? = []) -> HTTP2Stream? {
        client.request(
            method: body?.isEmpty == true ? .get : .post, scheme: "http", authority: "here", path: path,
            fields: fields, body: body)
    }

    /// The next request at the server.
    func nextRequest() -> HTTP2Stream? {
        while !serverEvents.isEmpty {
            if case .head(let stream) = serverEvents.removeFirst() { return stream }
        }
        return nil
    }

    func answer(_ stream: HTTP2Stream, _ body: [UInt8]?, fields: HTTPFields = [:]) {
        server.respond(
            stream, status: 200, fields: fields, contentLength: body?.count,
            date: Array("Sun, 06 Nov 1994 08:49:37 GMT".utf8), body: body)
    }
}

@Suite struct HTTP2ConnectionTests {
    @Test(arguments: [1, 7, Int.max])
    func requestsAndAnswersCross(_ pieces: Int) throws {
        let pair = try ConnectionPair()
        let first = try #require(pair.get("/a?b=c", fields: ["x-one": "1", "connection": "close"]))
        let second = try #require(pair.get("/upload", body: [UInt8](repeating: 5, count: 100_000)))
        try pair.exchange(pieces: pieces)
        let request = try #require(pair.nextRequest())
        #expect(request.request.method == .get)
        #expect(request.request.path == "/a")
        #expect(request.request.query == "b=c")
        #expect(request.request.authority == "here")
        #expect(request.request.fields["x-one"] == "1")
        // What belongs to a connection is not sent (RFC 9113 section 8.2.2).
        #expect(!request.request.fields.contains("connection"))
        pair.answer(request, Array("hello".utf8), fields: ["x-two": "2", "transfer-encoding": "chunked"])
        let upload = try #require(pair.nextRequest())
        var received: [UInt8] = pair.server.takeInbound(upload)
        try pair.exchange(pieces: pieces)
        received += pair.server.takeInbound(upload)
        #expect(received.count == 100_000)
        pair.answer(upload, [])
        try pair.exchange(pieces: pieces)
        #expect(first.status == 200)
        #expect(first.fields["x-two"] == "2")
        #expect(first.fields["content-length"] == "5")
        #expect(!first.fields.contains("transfer-encoding"))
        #expect(pair.client.takeInbound(first) == Array("hello".utf8))
        #expect(second.isClosed && first.isClosed)
        #expect(pair.client.openStreamCount == 0 && pair.server.openStreamCount == 0)
    }

    @Test func cookiesAreOneField() throws {
        let pair = try ConnectionPair()
        _ = pair.get("/a?b", fields: ["cookie": "a=1", "x": "y", "Cookie": "b=2", "cookie": "c=3"])
        try pair.exchange()
        let request = try #require(pair.nextRequest()).request
        #expect(request.fields.values("cookie") == ["a=1; b=2; c=3"])
        #expect(request.fields["x"] == "y")
        #expect(request.path == "/a")
    }

    @Test func unreadBytesHoldTheSenderBack() throws {
        var settings = HTTP2Settings()
        settings.streamWindow = 65_535
        let pair = try ConnectionPair(server: settings)
        let stream = try #require(pair.get("/", body: [UInt8](repeating: 1, count: 300_000)))
        try pair.exchange()
        let request = try #require(pair.nextRequest())
        #expect(request.unreadBytes == 65_535)
        #expect(stream.unsentBytes == 300_000 - 65_535)
        var total = 0
        while total < 300_000 {
            let bytes = pair.server.takeInbound(request)
            try #require(!bytes.isEmpty)
            #expect(bytes.count <= 65_535)
            total += bytes.count
            try pair.exchange()
        }
        #expect(request.inboundEnded)
    }

    @Test func aStreamNobodyReadsLeavesRoomForOthers() throws {
        var settings = HTTP2Settings()
        settings.streamWindow = 65_535
        settings.connectionWindow = 65_535
        let pair = try ConnectionPair(server: settings)
        _ = pair.get("/one", body: [UInt8](repeating: 1, count: 60_000))
        try pair.exchange()
        let one = try #require(pair.nextRequest())
        pair.answer(one, [])
        try pair.exchange()
        #expect(one.isClosed)
        pair.server.recycle(one)
        _ = pair.get("/two", body: [UInt8](repeating: 2, count: 60_000))
        try pair.exchange()
        let two = try #require(pair.nextRequest())
        #expect(two.unreadBytes == 60_000)
    }

    @Test func writersWaitForTheWindow() throws {
        let pair = try ConnectionPair()
        _ = pair.get("/")
        try pair.exchange()
        let stream = try #require(pair.nextRequest())
        pair.answer(stream, nil)
        #expect(pair.server.write(stream, [UInt8](repeating: 1, count: 1000)))
        #expect(!pair.server.write(stream, [UInt8](repeating: 1, count: 100_000)))
        try pair.exchange()
        let woken = pair.serverEvents.contains { if case .writable = $0 { true } else { false } }
        #expect(woken)
        #expect(stream.unsentBytes == 0)
        pair.server.write(stream, [], end: true)
        try pair.exchange()
        #expect(stream.isClosed)
    }

    @Test func anAnswerBeforeTheEndOfTheRequestStopsTheUpload() throws {
        let pair = try ConnectionPair()
        let upload = try #require(pair.get("/", body: nil))
        pair.client.write(upload, [1, 2, 3])
        try pair.exchange()
        let stream = try #require(pair.nextRequest())
        pair.answer(stream, [9])
        try pair.exchange()
        let first = pair.serverEvents.contains { if case .sentFirst = $0 { true } else { false } }
        #expect(first)
        pair.server.reset(stream, .noError)
        try pair.exchange()
        #expect(upload.isClosed && stream.isClosed)
        #expect(pair.client.takeInbound(upload) == [9])
    }

    @Test func goAwayRefusesWhatCameTooLate() throws {
        let pair = try ConnectionPair()
        _ = pair.get("/early")
        try pair.exchange()
        let early = try #require(pair.nextRequest())
        pair.server.goAway()
        let late = try #require(pair.get("/late"))
        try pair.exchange()
        #expect(late.isClosed)
        let code = pair.clientEvents.compactMap { event -> HTTP2ErrorCode? in
            if case .closed(let stream, let code) = event, stream === late { code } else { nil }
        }
        #expect(code == [.refusedStream])
        #expect(!pair.client.canOpenStreams)
        pair.answer(early, [])
        try pair.exchange()
        #expect(pair.server.isFinished && pair.client.isFinished)
    }

    @Test func headersOverTheLimitAreNotKept() throws {
        var settings = HTTP2Settings()
        settings.maxHeaderListSize = 1000
        let pair = try ConnectionPair(server: settings)
        _ = pair.get("/", fields: ["x": String(repeating: "a", count: 2000)])
        try pair.exchange()
        let stream = try #require(pair.nextRequest())
        #expect(stream.headersTooLarge)
        #expect(!stream.request.fields.contains("x"))
    }

    @Test func aStreamObjectThatIsUsedAgainHasANewGeneration() throws {
        let pair = try ConnectionPair()
        _ = pair.get("/one")
        try pair.exchange()
        let stream = try #require(pair.nextRequest())
        let kept = stream.request
        let generation = stream.generation
        pair.answer(stream, [])
        try pair.exchange()
        pair.server.recycle(stream)
        _ = pair.get("/two")
        try pair.exchange()
        let again = try #require(pair.nextRequest())
        #expect(again === stream)
        #expect(again.generation != generation)
        // Who still holds the old request keeps it.
        #expect(kept.path == "/one")
        #expect(again.request.path == "/two")
    }
}

@Suite struct HTTP2DefenceTests {
    private func frame(_ type: UInt8, flags: UInt8 = 0, stream: UInt32 = 0, _ payload: [UInt8] = []) -> [UInt8] {
        let count = payload.count
        return [UInt8(count >> 16), UInt8(count >> 8 & 255), UInt8(count & 255), type, flags]
            + (0..<4).map { UInt8(stream >> (24 - 8 * $0) & 255) } + payload
    }

    private func server(_ settings: HTTP2Settings = HTTP2Settings()) throws -> HTTP2Connection {
        let server = try HTTP2Connection(role: .server, settings: settings)
        try feed(server, Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + frame(4))
        return server
    }

    private func feed(_ server: HTTP2Connection, _ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { try server.receive($0, now: MonotonicTime(nanoseconds: 1)) }
        while server.nextEvent() != nil {}
        try server.produce { _ in }
        while let event = server.nextEvent() {
            if case .closed(let stream, _) = event { server.recycle(stream) }
        }
    }

    /// Whether the peer is sent away before it has sent all of it.
    private func isStopped(_ server: HTTP2Connection, _ bytes: [UInt8], times: Int) -> Bool {
        for _ in 0..<times {
            do { try feed(server, bytes) } catch { return true }
            if server.isFinished { return true }
        }
        return false
    }

    /// HPACK for GET / of an http origin, all from the static table but the authority.
    private let headers: [UInt8] = [0x82, 0x86, 0x84, 0x41, 0x01, 0x61]

    @Test func pingSettingsAndEmptyFramesAreLimited() throws {
        #expect(isStopped(try server(), frame(6, stream: 0, [1, 2, 3, 4, 5, 6, 7, 8]), times: 10_000))
        #expect(isStopped(try server(), frame(4), times: 10_000))
        let open = try server()
        try feed(open, frame(1, flags: 4, stream: 1, headers))
        #expect(isStopped(open, frame(0, stream: 1), times: 10_000))
    }

    @Test func rapidResetsAreLimited() throws {
        let server = try server()
        var stopped = false
        for number in 0..<5000 where !stopped {
            let id = UInt32(number * 2 + 1)
            let bytes = frame(1, flags: 5, stream: id, headers) + frame(3, stream: id, [0, 0, 0, 8])
            stopped = isStopped(server, bytes, times: 1)
        }
        #expect(stopped)
    }

    @Test func continuationsAreLimited() throws {
        let server = try server()
        #expect(!isStopped(server, frame(1, stream: 1, headers), times: 1))
        #expect(isStopped(server, frame(9, stream: 1), times: 100))
    }

    @Test func headerBombsAreLimited() throws {
        let server = try server()
        // A field of 4000 bytes goes into the table once and is then repeated by one byte each.
        let name: [UInt8] = [0x40, 0x01, 0x78, 0x7f, 0xa1, 0x1e] + [UInt8](repeating: 0x61, count: 4000)
        let bomb = headers + name + [UInt8](repeating: 0xbe, count: 10_000)
        #expect(isStopped(server, frame(1, flags: 5, stream: 1, bomb), times: 1))
    }

    @Test func nonsenseIsNotHTTP2() throws {
        let server = try HTTP2Connection(role: .server)
        let failure = #expect(throws: HTTP2Failure.self) {
            try Array("GET / HTTP/1.1\r\nhost: a\r\n\r\n".utf8).withUnsafeBytes { try server.receive($0, now: .now) }
        }
        #expect(failure?.reason == .notHTTP2)
    }

    @Test func wellMeaningPeersAreNotStopped() throws {
        let server = try server()
        #expect(!isStopped(server, frame(6, stream: 0, [1, 2, 3, 4, 5, 6, 7, 8]), times: 500))
        for number in 0..<2000 {
            let id = UInt32(number * 2 + 1)
            try feed(server, frame(1, flags: 5, stream: id, headers))
            let stream = try #require(server.streams.first)
            server.respond(stream, status: 204, fields: [:], contentLength: nil, date: [], body: [])
            #expect(!isStopped(server, [], times: 1))
        }
    }
}
