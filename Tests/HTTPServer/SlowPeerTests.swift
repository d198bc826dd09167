import Core
import EventLoop
import HTTP2
import HTTPClient
import HTTPMessage
import HTTPServer
import Testing

/// Clients that keep a server waiting.
@Suite struct SlowPeerTests {
    @Test func aStreamWhoseClientTakesNothingIsReset() async throws {
        var limits = HTTPServerLimits()
        limits.writeTimeout = .milliseconds(30)
        try await withServer(limits: limits) { router, _ in
            router.get("/large") { _, _ in .json([UInt8](repeating: 1, count: 100_000)) }
        } _: { server in
            var settings = HTTP2Settings()
            settings.streamWindow = 1000
            let client = try await RawHTTP2Client.open(server, settings)
            let stream = try #require(client.get("/large"))
            // The window is never opened again, because nobody takes what came.
            try await client.pump { stream.isClosed }
            #expect(client.codes == [.cancel])
            #expect(stream.receivedBytes == 1000)
            client.raw.close()
        }
    }

    @Test func aBodyThatDoesNotComeEndsItsStream() async throws {
        var limits = HTTPServerLimits()
        limits.bodyTimeout = .milliseconds(30)
        try await withServer(limits: limits) { router, _ in
            router.post("/sync") { _, _ in .noContent }
            router.post("/async") { request, _ in
                _ = try await request.body.collect()
                return .noContent
            }
        } _: { server in
            for path in ["/sync", "/async"] {
                let client = try await RawHTTP2Client.open(server)
                let stream = try #require(client.get(path, method: .post, body: nil))
                client.session.write(stream, [1])
                try await client.pump { stream.isClosed }
                #expect(client.codes == [.cancel])
                client.raw.close()
                let raw = try await RawConnection.open(server.loop, port: server.port)
                raw.send("POST \(path) HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\na")
                let text = try await raw.read()
                #expect(text.isEmpty || text.hasPrefix("HTTP/1.1 408 "))
            }
        }
    }

    @Test func anIdleConnectionIsToldAndClosed() async throws {
        var limits = HTTPServerLimits()
        limits.idleTimeout = .milliseconds(30)
        try await withServer(limits: limits) { router, _ in
            router.get("/") { _, _ in .noContent }
        } _: { server in
            let client = try await RawHTTP2Client.open(server)
            let stream = try #require(client.get("/"))
            try await client.pump { stream.isClosed && client.isGoneAway }
            #expect(stream.status == 204)
            #expect(try await client.raw.readBytes() == nil)
        }
    }

    @Test func aHeaderBlockThatDoesNotEndIsNotAwaited() async throws {
        var limits = HTTPServerLimits()
        limits.headerTimeout = .milliseconds(30)
        try await withServer(limits: limits) { router, _ in
            router.get("/") { _, _ in .noContent }
        } _: { server in
            let raw = try await RawConnection.open(server.loop, port: server.port)
            raw.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            // SETTINGS, then HEADERS without END_HEADERS.
            raw.send([0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 3, 1, 0, 0, 0, 0, 1, 0x82, 0x86, 0x84])
            while try await raw.readBytes() != nil {}
            let silent = try await RawConnection.open(server.loop, port: server.port)
            silent.send("PRI * HT")
            #expect(try await silent.readBytes() == nil)
        }
    }

    @Test func connectionsOverTheLimitWait() async throws {
        var limits = HTTPServerLimits()
        limits.maxConnections = 2
        try await withServer(limits: limits) { router, _ in
            router.get("/") { _, _ in .noContent }
        } _: { server in
            let first = try await RawConnection.open(server.loop, port: server.port)
            let second = try await RawConnection.open(server.loop, port: server.port)
            let third = try await RawConnection.open(server.loop, port: server.port)
            let request = "GET / HTTP/1.1\r\nhost: a\r\n\r\n"
            for raw in [first, second, third] { raw.send(request) }
            _ = try await first.read(until: "\r\n\r\n")
            _ = try await second.read(until: "\r\n\r\n")
            #expect(server.server.connectionCount == 2)
            first.close()
            // Its place goes to the one that waited.
            #expect(try await third.read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 204 "))
            second.close()
            third.close()
        }
    }

    @Test func aFloodIsSentAway() async throws {
        try await withServer { router, _ in
            router.get("/") { _, _ in .noContent }
        } _: { server in
            let raw = try await RawConnection.open(server.loop, port: server.port)
            raw.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            let ping: [UInt8] = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]
            raw.send([0, 0, 0, 4, 0, 0, 0, 0, 0] + Array(repeatElement(ping, count: 20_000).joined()))
            while try await raw.readBytes() != nil {}
            #expect(try await server.get("/").status == 204)
        }
    }
}

/// An HTTP/2 client that does only what it is told.
private final class RawHTTP2Client {
    let raw: RawConnection
    let session: HTTP2Connection
    private(set) var codes: [HTTP2ErrorCode] = []
    private(set) var isGoneAway = false

    private init(_ raw: RawConnection, _ settings: HTTP2Settings) throws {
        self.raw = raw
        session = try HTTP2Connection(role: .client, settings: settings)
    }

    static func open(
        _ server: ServerFixture, _ settings: HTTP2Settings = HTTP2Settings()
    ) async throws -> RawHTTP2Client {
        try RawHTTP2Client(try await RawConnection.open(server.loop, port: server.port), settings)
    }

    func get(_ path: String, method: HTTPMethod = .get, body: [UInt8]? = []) -> HTTP2Stream? {
        session.request(method: method, scheme: "http", authority: "a", path: path, fields: [:], body: body)
    }

    /// Moves bytes until the condition holds or the server closes.
    func pump(until isDone: () -> Bool) async throws {
        while true {
            var bytes: [UInt8] = []
            try session.produce { bytes += $0 }
            if !bytes.isEmpty { raw.send(bytes) }
            if isDone() { return }
            guard let more = try await raw.readBytes() else { return }
            try more.withUnsafeBytes { try session.receive($0, now: .now) }
            while let event = session.nextEvent() {
                if case .closed(_, let code) = event { codes.append(code) }
                if case .goAway = event { isGoneAway = true }
            }
        }
    }
}
