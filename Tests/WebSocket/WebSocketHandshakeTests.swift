import Core
import HTTPMessage
import Testing
import WebSocket

@Suite struct WebSocketHandshakeTests {
    private let key = "dGhlIHNhbXBsZSBub25jZQ=="

    private func request(
        _ changes: [(String, String?)] = [], method: HTTPMethod = .get, authority: String = "harbour.example"
    ) -> HTTPRequest {
        var fields: HTTPFields = [
            "upgrade": "websocket", "connection": "Upgrade", "sec-websocket-version": "13", "sec-websocket-key": key,
        ]
        for (name, value) in changes { fields[name] = value }
        return HTTPRequest(method: method, target: "/chat", authority: authority, fields: fields)
    }

    private func code(
        _ request: HTTPRequest, isHTTP2: Bool = false, origins: WebSocketHandshake.Origins = .same
    ) -> ErrorCode? {
        do throws(HarbourError) {
            _ = try WebSocketHandshake.accept(request, isHTTP2: isHTTP2, origins: origins)
            return nil
        } catch { return error.code }
    }

    @Test func theExampleOfTheStandard() throws {
        // RFC 6455 section 1.3.
        #expect(WebSocketHandshake.acceptValue(for: key) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        let answer = try WebSocketHandshake.accept(
            request([("sec-websocket-protocol", "chat, superchat")]), isHTTP2: false,
            subprotocols: ["superchat", "chat"])
        #expect(answer.status == 101)
        #expect(answer.subprotocol == "superchat")
        #expect(
            answer.fields == [
                "upgrade": "websocket", "sec-websocket-accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
                "sec-websocket-protocol": "superchat",
            ])
        let none = try WebSocketHandshake.accept(
            request([("sec-websocket-protocol", "other")]), isHTTP2: false, subprotocols: ["chat"])
        #expect(none.subprotocol == nil)
        #expect(!none.fields.contains("sec-websocket-protocol"))
    }

    @Test func requestsThatAreNotRight() {
        #expect(code(request()) == nil)
        #expect(code(request([("upgrade", "h2c, WebSocket")])) == nil)
        #expect(code(request(method: .post)) == .malformedRequest)
        #expect(code(request([("upgrade", nil)])) == .upgradeRequired)
        #expect(code(request([("upgrade", "h2c")])) == .upgradeRequired)
        #expect(code(request([("sec-websocket-version", "8")])) == .upgradeRequired)
        #expect(code(request([("sec-websocket-version", nil)])) == .upgradeRequired)
        #expect(code(request([("sec-websocket-key", nil)])) == .malformedRequest)
        #expect(code(request([("sec-websocket-key", "c2hvcnQ=")])) == .malformedRequest)
        #expect(code(request([("sec-websocket-key", "not base64!")])) == .malformedRequest)
    }

    @Test func aStreamOfHTTP2NeedsNoKey() throws {
        let connect = request(
            [("upgrade", nil), ("connection", nil), ("sec-websocket-key", nil)], method: .connect)
        let answer = try WebSocketHandshake.accept(connect, isHTTP2: true)
        #expect(answer.status == 200)
        #expect(answer.fields.isEmpty)
        #expect(code(request(), isHTTP2: true) == .malformedRequest)
    }

    @Test func pagesOfOtherOriginsAreKeptOut() {
        func with(_ origin: String, _ authority: String = "harbour.example") -> HTTPRequest {
            request([("origin", origin)], authority: authority)
        }
        #expect(code(with("https://harbour.example")) == nil)
        #expect(code(with("https://Harbour.Example")) == nil)
        #expect(code(with("https://harbour.example:443")) == nil)
        #expect(code(with("http://localhost:8080", "localhost:8080")) == nil)
        #expect(code(with("http://localhost:8081", "localhost:8080")) == .permissionDenied)
        #expect(code(with("https://evil.example")) == .permissionDenied)
        #expect(code(with("https://harbour.example.evil")) == .permissionDenied)
        #expect(code(with("null")) == .permissionDenied)
        #expect(code(with("https://evil.example"), origins: .any) == nil)
        #expect(code(with("https://evil.example"), origins: .these(["https://evil.example"])) == nil)
        #expect(code(with("https://harbour.example"), origins: .these(["https://other"])) == .permissionDenied)
    }

    @Test func aClientChecksTheAnswer() throws {
        let key = WebSocketHandshake.makeKey()
        #expect(key != WebSocketHandshake.makeKey())
        let sent = WebSocketHandshake.requestFields(key: key, subprotocols: ["a", "b"])
        #expect(sent["sec-websocket-protocol"] == "a, b")
        var fields: HTTPFields = [
            "upgrade": "WebSocket", "connection": "keep-alive, Upgrade",
            "sec-websocket-accept": WebSocketHandshake.acceptValue(for: key), "sec-websocket-protocol": "b",
        ]
        #expect(try WebSocketHandshake.verify(status: 101, fields: fields, key: key, subprotocols: ["a", "b"]) == "b")
        #expect(throws: HarbourError.self) { try WebSocketHandshake.verify(status: 200, fields: fields, key: key) }
        #expect(throws: HarbourError.self) {
            try WebSocketHandshake.verify(status: 101, fields: fields, key: key, subprotocols: ["c"])
        }
        fields["sec-websocket-protocol"] = nil
        #expect(try WebSocketHandshake.verify(status: 101, fields: fields, key: key) == nil)
        for (name, value) in [
            ("upgrade", nil), ("connection", "close"), ("sec-websocket-accept", "x"),
            ("sec-websocket-extensions", "permessage-deflate"),
        ] as [(String, String?)] {
            var wrong = fields
            wrong[name] = value
            #expect(throws: HarbourError.self) { try WebSocketHandshake.verify(status: 101, fields: wrong, key: key) }
        }
    }
}

@Suite struct WebSocketKeepaliveTests {
    @Test func aSilentPeerIsPingedAndThenGivenUp() {
        let start = MonotonicTime(nanoseconds: 0)
        var keepalive = WebSocketKeepalive(interval: .seconds(30), timeout: .seconds(10), now: start)
        #expect(keepalive.check(at: start + .seconds(5)) == .wait(until: start + .seconds(30)))
        keepalive.heard(at: start + .seconds(20))
        #expect(keepalive.check(at: start + .seconds(30)) == .wait(until: start + .seconds(50)))
        #expect(keepalive.check(at: start + .seconds(50)) == .ping(nextCheck: start + .seconds(60)))
        #expect(keepalive.check(at: start + .seconds(55)) == .wait(until: start + .seconds(60)))
        keepalive.heard(at: start + .seconds(56))
        #expect(keepalive.check(at: start + .seconds(60)) == .wait(until: start + .seconds(86)))
        #expect(keepalive.check(at: start + .seconds(86)) == .ping(nextCheck: start + .seconds(96)))
        #expect(keepalive.check(at: start + .seconds(96)) == .lost)
    }
}
