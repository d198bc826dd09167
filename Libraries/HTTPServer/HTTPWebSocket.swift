public import Core
internal import EventLoop
internal import HTTPMessage
public import WebSocket

/// An open WebSocket connection on a server, over HTTP/1.1 or over a stream of HTTP/2 alike.
///
/// Messages are read by iterating, which also answers pings and notices the end: keep somebody reading. Sending may go
/// on from other tasks at the same time. The connection is closed when the handler returns.
///
/// `@unchecked Sendable`: the state is touched on the loop only, to which every function goes first.
public final class HTTPWebSocket: AsyncSequence, @unchecked Sendable {
    /// What the other side sent.
    public enum Message: Sendable, Hashable {
        /// A text.
        case text(String)
        /// Bytes.
        case binary([UInt8])
    }
    /// Messages.
    public typealias Element = Message
    /// What reading can throw.
    public typealias Failure = HarbourError

    /// The subprotocol that was agreed on; nil for none.
    public let subprotocol: String?
    private let exchange: Exchange
    private let generation: UInt32
    private let source: InboundSource
    private let sink: OutboundSink
    private var machine: WebSocketConnection
    private var keepalive: WebSocketKeepalive
    private var timer: LoopTimer?
    private let closeTimeout: Duration
    /// Runs from our goodbye on.
    private var closeTimer: LoopTimer?
    private var end: WebSocketClosure?
    private var isFinished = false

    init(_ exchange: Exchange, _ options: HTTPWebSocketOptions, subprotocol: String?) {
        self.exchange = exchange
        self.subprotocol = subprotocol
        generation = exchange.generation
        source = InboundSource(exchange, exchange.generation)
        sink = OutboundSink(exchange, exchange.generation)
        machine = WebSocketConnection(role: .server, limits: options.limits)
        closeTimeout = options.closeTimeout
        keepalive = WebSocketKeepalive(now: exchange.context.loop.now)
    }

    // MARK: Reading

    /// The next message; nil when the connection was closed properly.
    /// - Throws: `WEBSOCKET_PROTOCOL_ERROR` when the other side broke the protocol, `TEMPORARILY_UNAVAILABLE` or
    ///   `CANCELLED` when the connection was lost.
    public func next() async throws(HarbourError) -> Message? {
        while true {
            let step = await onLoop { $0.step() }
            switch step {
            case .message(let message): return message
            case .ended(let closure):
                if let error = closure.error { throw error }
                return nil
            case .more: break
            }
            let chunk = try await source.next()
            await onLoop { socket in
                socket.timer?.cancel()
                socket.keepalive.heard(at: socket.exchange.context.loop.now)
                if let chunk { socket.machine.receive(chunk) } else { socket.machine.receiveEnd() }
            }
        }
    }

    private enum Step: Sendable {
        case message(Message)
        case ended(WebSocketClosure)
        case more
    }

    private func step() -> Step {
        defer { flush() }
        if let end { return .ended(end) }
        while let event = machine.nextEvent() {
            switch event {
            case .text(let text): return .message(.text(text))
            case .binary(let bytes): return .message(.binary(bytes))
            case .pong: continue
            case .closed(let closure):
                end = closure
                timer?.cancel()
                closeTimer?.cancel()
                return .ended(closure)
            }
        }
        // Silence counts only while somebody listens.
        checkPeer()
        return .more
    }

    /// The messages.
    public func makeAsyncIterator() -> Iterator { Iterator(socket: self) }

    /// Reads messages; several iterators share them.
    public struct Iterator: AsyncIteratorProtocol {
        fileprivate let socket: HTTPWebSocket
        /// The next message; nil when the connection was closed properly.
        public mutating func next() async throws(HarbourError) -> Message? { try await socket.next() }
        /// The same; which actor asks makes no difference.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(HarbourError) -> Message? {
            try await socket.next()
        }
    }

    // MARK: Sending

    /// Sends a text; returns when there is room for more.
    /// - Throws: `INVALID_STATE` or `CANCELLED` when the connection is closed.
    public func send(text: String) async throws(HarbourError) {
        try await send { (machine) throws(HarbourError) in try machine.send(text: text) }
    }

    /// Sends bytes; returns when there is room for more.
    /// - Throws: `INVALID_STATE` or `CANCELLED` when the connection is closed.
    public func send(binary: [UInt8]) async throws(HarbourError) {
        try await send { (machine) throws(HarbourError) in try machine.send(binary: binary) }
    }

    private func send(
        _ frame: @Sendable @escaping (inout WebSocketConnection) throws(HarbourError) -> Void
    ) async throws(HarbourError) {
        let result: Result<[UInt8], HarbourError> = await onLoop { socket in
            do throws(HarbourError) {
                try frame(&socket.machine)
                return .success(socket.machine.takeOutput())
            } catch {
                return .failure(error)
            }
        }
        try await sink.write(try result.get())
    }

    /// Says goodbye; reading ends when the other side has answered, or has not for too long.
    public func close(_ code: WebSocketCloseCode = .normal, reason: String = "") {
        exchange.context.loop.onLoop { [self] in
            machine.close(code, reason: reason)
            flush()
            guard end == nil, closeTimer == nil, !isFinished else { return }
            closeTimer = exchange.context.loop.schedule(after: closeTimeout) { [weak self] in
                guard let self else { return }
                exchange.breakOff(generation)
            }
        }
    }

    // MARK: Inside

    private func onLoop<Value: Sendable>(_ work: @escaping @Sendable (HTTPWebSocket) -> Value) async -> Value {
        let loop = exchange.context.loop
        if loop.isCurrent { return work(self) }
        return await withCheckedContinuation { continuation in
            loop.submit { continuation.resume(returning: work(self)) }
        }
    }

    /// Pongs and goodbyes do not wait for room: the state machine keeps them few.
    private func flush() {
        let bytes = machine.takeOutput()
        if !bytes.isEmpty { exchange.sendWithoutWaiting(bytes, generation) }
    }

    private func checkPeer() {
        timer?.cancel()
        let loop = exchange.context.loop
        let next: MonotonicTime
        switch keepalive.check(at: .now) {
        case .wait(let time): next = time
        case .ping(let time):
            next = time
            // It fails only when the connection is closing, and then nobody needs to know whether the peer lives.
            _ = try? machine.ping()
            flush()
        case .lost:
            exchange.breakOff(generation)
            return
        }
        timer = loop.schedule(at: next) { [weak self] in self?.checkPeer() }
    }

    /// The handler is done: the last words, whatever became of it.
    func finish(_ error: (any Error)?) {
        isFinished = true
        timer?.cancel()
        closeTimer?.cancel()
        if let error {
            let known = HarbourError.wrap(error)
            machine.close(known.code == .cancelled ? .goingAway : .internalError)
        } else {
            machine.close(.normal)
        }
        flush()
    }
}
