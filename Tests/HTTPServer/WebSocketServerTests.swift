import Core
import EventLoop
import HTTP2
import HTTPMessage
import HTTPServer
import Testing
import WebSocket

@Suite struct WebSocketServerTests {
    private func withEcho(
        ended: AsyncStream<String>.Continuation? = nil,
        _ body: @escaping @Sendable (ServerFixture) async throws -> Void
    ) async throws {
        try await withServer { router, _ in
            router.webSocket("/echo/{name}") { _, parameters, socket in
                do {
                    try await socket.send(text: "hello \(parameters["name"])")
                    for try await message in socket {
                        switch message {
                        case .text(let text): try await socket.send(text: text)
                        case .binary(let bytes): try await socket.send(binary: bytes)
                        }
                    }
                    ended?.yield("closed")
                } catch {
                    ended?.yield("\(error)")
                    throw error
                }
            }
        } _: { server in
            try await body(server)
        }
    }

    @Test func echoesOverHTTP1() async throws {
        let (ends, ended) = AsyncStream.makeStream(of: String.self)
        try await withEcho(ended: ended) { server in
            let client = try await WebSocketOverHTTP1.open(server, "/echo/one")
            #expect(try await client.next() == "hello one")
            client.send(text: "ü")
            #expect(try await client.next() == "ü")
            let large = String(repeating: "abc", count: 500_000)
            client.send(text: large)
            #expect(try await client.next() == large)
            client.close()
            #expect(try await client.next() == nil)
            for await end in ends {
                #expect(end == "closed")
                break
            }
        }
    }

    @Test func aLostConnectionEndsTheHandler() async throws {
        let (ends, ended) = AsyncStream.makeStream(of: String.self)
        try await withEcho(ended: ended) { server in
            let client = try await WebSocketOverHTTP1.open(server, "/echo/one")
            #expect(try await client.next() == "hello one")
            client.raw.close()
            for await end in ends {
                #expect(end != "closed")
                break
            }
        }
    }

    @Test func plainRequestsAreToldToUpgrade() async throws {
        try await withEcho { server in
            let answer = try await server.get("/echo/one")
            #expect(answer.status == 426)
            #expect(answer.fields["sec-websocket-version"] == "13")
            let raw = try await RawConnection.open(server.loop, port: server.port)
            raw.send(
                "GET /echo/a HTTP/1.1\r\nhost: here\r\norigin: http://elsewhere\r\nconnection: upgrade\r\n"
                    + "upgrade: websocket\r\nsec-websocket-version: 13\r\n"
                    + "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
            #expect(try await raw.read(until: "}").contains("PERMISSION_DENIED"))
            raw.close()
        }
    }

    @Test func drainSaysGoodbye() async throws {
        try await withEcho { server in
            let client = try await WebSocketOverHTTP1.open(server, "/echo/one")
            #expect(try await client.next() == "hello one")
            async let drained: Void = server.server.drain(budget: .seconds(30))
            #expect(try await client.next() == nil)
            #expect(client.closure?.code == .goingAway)
            await drained
        }
    }

    /// Goal: who does not answer our goodbye keeps nothing open, whatever else it sends.
    @Test func aGoodbyeIsNotWaitedForForEver() async throws {
        let (ends, ended) = AsyncStream.makeStream(of: String.self)
        try await withServer { router, _ in
            var options = HTTPWebSocketOptions()
            options.closeTimeout = .milliseconds(100)
            router.webSocket("/deaf", options: options) { _, _, socket in
                socket.close(.policyViolation, reason: "go")
                do {
                    while try await socket.next() != nil {}
                    ended.yield("closed")
                } catch {
                    ended.yield(HarbourError.wrap(error).code.name)
                    throw error
                }
            }
        } _: { server in
            let deaf = try await WebSocketOverHTTP1.open(server, "/deaf")
            deaf.send(text: "still here")
            for await end in ends {
                #expect(end != "closed")
                break
            }
            // The goodbye has come, and then the end.
            while try await deaf.raw.readBytes() != nil {}
            let polite = try await WebSocketOverHTTP1.open(server, "/deaf")
            #expect(try await polite.next() == nil)
            #expect(polite.closure?.code == .policyViolation)
            for await end in ends {
                #expect(end == "closed")
                break
            }
        }
    }

    @Test func echoesOverAStreamOfHTTP2() async throws {
        try await withEcho { server in
            let raw = try await RawConnection.open(server.loop, port: server.port)
            let session = try HTTP2Connection(role: .client)
            var socket = WebSocketConnection(role: .client)
            func flush() throws {
                var bytes: [UInt8] = []
                try session.produce { bytes += $0 }
                if !bytes.isEmpty { raw.send(bytes) }
            }
            var stream: HTTP2Stream?
            var texts: [String] = []
            try flush()
            while texts.count < 2, let bytes = try await raw.readBytes() {
                try bytes.withUnsafeBytes { try session.receive($0, now: .now) }
                while let event = session.nextEvent() {
                    if case .settings = event, stream == nil {
                        #expect(session.peerAllowsExtendedConnect)
                        stream = session.request(
                            method: .connect, scheme: "http", authority: "here", path: "/echo/two",
                            fields: ["sec-websocket-version": "13"], body: nil, connectProtocol: "websocket")
                    }
                    if case .head(let stream) = event { #expect(stream.status == 200) }
                    if case .data(let stream) = event { socket.receive(session.takeInbound(stream)) }
                }
                while let event = socket.nextEvent() {
                    guard case .text(let text) = event else { continue }
                    texts.append(text)
                    if texts.count == 1 { try socket.send(text: "and back") }
                }
                let output = socket.takeOutput()
                if let stream, !output.isEmpty { session.write(stream, output) }
                try flush()
            }
            #expect(texts == ["hello two", "and back"])
            raw.close()
        }
    }
}

/// A WebSocket client on a bare connection.
private final class WebSocketOverHTTP1 {
    let raw: RawConnection
    private var machine = WebSocketConnection(role: .client)
    private(set) var closure: WebSocketClosure?

    private init(_ raw: RawConnection) { self.raw = raw }

    static func open(_ server: ServerFixture, _ path: String) async throws -> WebSocketOverHTTP1 {
        let raw = try await RawConnection.open(server.loop, port: server.port)
        let client = WebSocketOverHTTP1(raw)
        let key = WebSocketHandshake.makeKey()
        var head = "GET \(path) HTTP/1.1\r\nhost: 127.0.0.1\r\n"
        for (name, value) in WebSocketHandshake.requestFields(key: key) { head += "\(name): \(value)\r\n" }
        raw.send(head + "\r\n")
        var bytes: [UInt8] = []
        while let more = try await raw.readBytes() {
            bytes += more
            guard let end = String(decoding: bytes, as: UTF8.self).firstRange(of: "\r\n\r\n") else { continue }
            let text = String(decoding: bytes, as: UTF8.self)
            #expect(text.hasPrefix("HTTP/1.1 101 "))
            #expect(text.contains(WebSocketHandshake.acceptValue(for: key)))
            client.machine.receive(Array(bytes[text[..<end.upperBound].utf8.count...]))
            return client
        }
        throw HarbourError(.unavailable, "The server closed the connection.")
    }

    func send(text: String) {
        do { try machine.send(text: text) } catch { Issue.record(error) }
        raw.send(machine.takeOutput())
    }

    func close() {
        machine.close()
        raw.send(machine.takeOutput())
    }

    /// The next text; nil when the connection is closed.
    func next() async throws -> String? {
        while true {
            while let event = machine.nextEvent() {
                raw.send(machine.takeOutput())
                if case .text(let text) = event { return text }
                if case .closed(let closure) = event {
                    self.closure = closure
                    raw.close()
                    return nil
                }
            }
            guard let bytes = try await raw.readBytes() else { return nil }
            machine.receive(bytes)
        }
    }
}
