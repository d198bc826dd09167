import Core
import EventLoop
import HTTPMessage
import HarbourProtocol
import ServiceTestKit
import Testing
import Transport
import WebSocket

/// A client of the WebSocket, as a browser tab is one.
///
/// `@unchecked Sendable`: used on its loop only.
final class LiveClient: SocketStreamHandler, @unchecked Sendable {
    private let loop: EventLoop
    private var stream: SocketStream?
    private var machine = WebSocketConnection(role: .client)
    private var received: [UInt8] = []
    private var isEnded = false
    private var waiters: [CheckedContinuation<Void, Never>] = []
    private(set) var clientID = ""
    /// How the connection was closed, once it is.
    private(set) var closure: WebSocketClosure?

    private init(_ loop: EventLoop) { self.loop = loop }

    /// Connects and signs in with a token.
    static func open(
        _ workspace: Workspace, token: String = adminToken, origin: String? = nil, path: String = "/api/v1/live"
    ) async throws -> LiveClient {
        try await open(workspace.service.loop, workspace.service.baseURL, token: token, origin: origin, path: path)
    }

    static func open(
        _ loop: EventLoop, _ baseURL: String, token: String = adminToken, origin: String? = nil,
        path: String = "/api/v1/live"
    ) async throws -> LiveClient {
        let client = LiveClient(loop)
        let port = try #require(Int(baseURL.split(separator: ":").last ?? ""))
        let addresses = try await SocketAddress.resolve(host: "127.0.0.1", port: port)
        try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
            Connector.connect(addresses, within: .seconds(60), loop: loop) { result in
                do {
                    let (descriptor, peer) = try result.get()
                    client.stream = try SocketStream(descriptor: descriptor, peer: peer, loop: loop, handler: client)
                    done.resume()
                } catch {
                    done.resume(throwing: error)
                }
            }
        }
        var head = "GET \(path) HTTP/1.1\r\nhost: 127.0.0.1:\(port)\r\nauthorization: Bearer \(token)\r\n"
        if let origin { head += "origin: \(origin)\r\n" }
        for (name, value) in WebSocketHandshake.requestFields(key: WebSocketHandshake.makeKey()) {
            head += "\(name): \(value)\r\n"
        }
        client.write(Array((head + "\r\n").utf8))
        var bytes: [UInt8] = []
        while let end = try await client.headEnd(&bytes) {
            let text = String(decoding: bytes[..<end], as: UTF8.self)
            guard text.hasPrefix("HTTP/1.1 101 ") else { throw HarbourError(.permissionDenied, text) }
            client.machine.receive(Array(bytes[end...]))
            break
        }
        return client
    }

    private func headEnd(_ bytes: inout [UInt8]) async throws -> Int? {
        while true {
            if let range = String(decoding: bytes, as: UTF8.self).firstRange(of: "\r\n\r\n") {
                return String(decoding: bytes, as: UTF8.self)[..<range.upperBound].utf8.count
            }
            guard let more = await read() else { throw HarbourError(.unavailable, "The server hung up.") }
            bytes += more
        }
    }

    /// Connects and reads the greeting.
    static func ready(_ workspace: Workspace, token: String = adminToken) async throws -> LiveClient {
        let client = try await open(workspace, token: token)
        let hello = try #require(try await client.next())
        #expect(hello.type == .hello)
        client.clientID = hello.clientID ?? ""
        return client
    }

    func send(_ request: LiveRequest) { send(text: request.jsonText()) }

    func send(text: String) {
        do { try machine.send(text: text) } catch { Issue.record(error) }
        write(machine.takeOutput())
    }

    func subscribe(_ topic: String, after: Int64? = nil) {
        send(LiveRequest(type: .subscribe, topic: topic, after: after))
    }

    func close() { stream?.close() }
    func pause() { stream?.pauseReading() }
    func resume() { stream?.resumeReading() }

    /// The next message; nil when the connection is closed.
    func next() async throws -> LiveMessage? {
        guard let text = try await nextText() else { return nil }
        return try LiveMessage(jsonText: text)
    }

    func nextText() async throws -> String? {
        while true {
            while let event = machine.nextEvent() {
                write(machine.takeOutput())
                if case .text(let text) = event { return text }
                if case .closed(let closure) = event {
                    self.closure = closure
                    stream?.close()
                    return nil
                }
            }
            guard let bytes = await read() else { return nil }
            machine.receive(bytes)
        }
    }

    /// The next message that is of interest.
    func next(where matches: (LiveMessage) -> Bool) async throws -> LiveMessage {
        while let message = try await next() { if matches(message) { return message } }
        throw HarbourError(.unavailable, "The connection was closed.")
    }

    private func write(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { stream?.append($0) }
        stream?.flush()
    }

    private func read() async -> [UInt8]? {
        while received.isEmpty && !isEnded { await withCheckedContinuation { waiters.append($0) } }
        defer { received = [] }
        return received.isEmpty ? nil : received
    }

    private func wake() {
        let woken = waiters
        waiters = []
        for waiter in woken { waiter.resume() }
    }

    func streamReceived(_ bytes: UnsafeRawBufferPointer) {
        received.append(contentsOf: bytes)
        wake()
    }
    func streamReadingPaused() {}
    func streamDrained() {}
    func streamEnded() {
        isEnded = true
        stream?.close()
        wake()
    }
    func streamClosed(_ error: HarbourError) {
        isEnded = true
        wake()
    }
}
