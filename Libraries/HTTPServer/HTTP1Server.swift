public import Core
internal import EventLoop
internal import HTTP1
internal import HTTPMessage
internal import Transport

/// HTTP/1.1 on a server's connection: one exchange at a time, in the order of the requests.
final class HTTP1Server: ServerProtocol, ExchangeChannel {
    private unowned let connection: ServerConnection
    private let context: ServerContext
    private var session: HTTP1ServerConnection
    private lazy var exchange = Exchange(context: context, channel: self)
    /// Held for the exchange, which does not.
    private var request: HTTPRequest?
    private var inbound: [UInt8] = []
    private var receivedBytes = 0
    private var sentBytes = 0
    private var responseDone = false
    private var waitsForRoom = false
    private var isPumping = false
    private var isDirty = false
    private var isOver = false
    /// HTTP is over, and another protocol has the connection.
    private var isTunnel = false
    private var lastActivity: MonotonicTime
    private var headSince: MonotonicTime?
    /// Received and unread bytes from which on the socket is not read.
    private static let inboundHighWater = 262_144
    private static let outboundHighWater = 65_536

    init(_ connection: ServerConnection) {
        self.connection = connection
        context = connection.context
        lastActivity = context.loop.now
        var limits = HTTP1Limits()
        limits.fieldBytes = context.limits.maxHeaderSize
        limits.requestLine = min(limits.requestLine, context.limits.maxHeaderSize)
        // The route decides how large a body may be.
        limits.body = 1 << 50
        session = HTTP1ServerConnection(limits: limits)
    }

    // MARK: Pump

    func received(_ bytes: UnsafeRawBufferPointer) {
        lastActivity = context.loop.now
        if isTunnel {
            receivedBytes += bytes.count
            inbound.append(contentsOf: bytes)
            exchange.inboundChanged(received: receivedBytes, ended: false)
            updateReading()
            return
        }
        session.receive(bytes)
        pump()
    }

    func readingPaused() { flush() }

    func drained() { flush() }

    /// Whoever closes while an answer is awaited has given up: telling that from a half-closed connection would take
    /// writing to it.
    func inputEnded() {
        if isTunnel {
            exchange.inboundChanged(received: receivedBytes, ended: true)
            return
        }
        session.receiveEnd()
        if exchange.phase == .running || exchange.phase == .streaming || exchange.phase == .collecting {
            connection.close()
            return
        }
        pump()
        flush()
    }

    private func pump() {
        guard !isOver, !isPumping else { return }
        isPumping = true
        defer { isPumping = false }
        while !isOver {
            if responseDone {
                responseDone = false
                inbound = []
                exchange.close(nil, sentBytes: sentBytes)
            }
            // A client that asks ahead and does not read its answers waits for the next one.
            if exchange.phase == .idle && isCongested() { break }
            guard let event = session.nextEvent() else { break }
            handle(event)
        }
        updateReading()
        watchHead()
    }

    private func isCongested() -> Bool {
        guard session.outputCount > HTTP1Server.outboundHighWater else {
            return (connection.stream?.unsentBytes ?? 0) > HTTP1Server.outboundHighWater
        }
        sendOutput()
        return (connection.stream?.unsentBytes ?? 0) > HTTP1Server.outboundHighWater
    }

    private func handle(_ event: HTTP1Event) {
        switch event {
        case .request(let request): begin(request)
        case .body(let bytes):
            receivedBytes += bytes.count
            if inbound.isEmpty { inbound = bytes } else { inbound += bytes }
            exchange.inboundChanged(received: receivedBytes, ended: false)
        case .end: exchange.inboundChanged(received: receivedBytes, ended: true)
        case .failed(let error): failed(error)
        case .close:
            isOver = true
            sendOutput()
            connection.finish()
        }
    }

    private func begin(_ request: HTTPRequest) {
        receivedBytes = 0
        sentBytes = 0
        inbound = []
        headSince = nil
        self.request = request
        exchange.begin(
            request, remote: connection.remote, contentLength: session.bodyLength, ended: session.bodyLength == 0,
            inboundHere: 0)
        // A synchronous action is called with the whole body: the client that waits for a go-ahead gets it.
        if exchange.phase == .collecting { session.sendContinue() }
    }

    private func failed(_ error: HarbourError) {
        guard session.owesResponse else {
            connection.close()
            return
        }
        switch exchange.phase {
        case .idle:
            let unread = HTTPRequest(forServer: ())
            request = unread
            exchange.refuse(unread, remote: connection.remote, error)
        case .running, .collecting: exchange.respond(with: error)
        case .streaming, .finished: connection.close()
        }
    }

    private func flush() {
        isDirty = false
        guard !isOver else { return }
        pump()
        while !isOver {
            sendOutput()
            guard waitsForRoom, let stream = connection.stream, stream.unsentBytes < 16_384 else { break }
            waitsForRoom = false
            isPumping = true
            exchange.writable()
            isPumping = false
            pump()
        }
        guard !isOver, let stream = connection.stream else { return }
        if exchange.phase == .idle && stream.unsentBytes == 0 {
            connection.inspectBy(lastActivity + context.limits.idleTimeout)
        } else if stream.unsentBytes > 0 {
            connection.inspectBy(context.loop.now + context.limits.writeTimeout)
        }
    }

    private func sendOutput() {
        guard let stream = connection.stream else { return }
        sendOutputOfSession()
        stream.flush()
    }

    private func sendOutputOfSession() {
        if session.outputCount > 0 { session.takeOutput().withUnsafeBytes { connection.stream?.append($0) } }
    }

    private func markDirty() {
        if isPumping || isDirty || isOver { return }
        isDirty = true
        context.loop.later { [self] in flush() }
    }

    /// A client may send no further ahead than somebody reads.
    private func updateReading() {
        guard !isOver, let stream = connection.stream else { return }
        if (isTunnel || session.wantsInput) && inbound.count < HTTP1Server.inboundHighWater {
            stream.resumeReading()
        } else {
            stream.pauseReading()
        }
    }

    // MARK: Exchange

    func sendHead(_ exchange: Exchange, _ head: HTTPResponse, length: Int?, body: [UInt8]?) {
        var fields = head.fields
        fields.append("x-request-id", exchange.request.requestID)
        do throws(HarbourError) {
            try session.respond(
                HTTP1ResponseHead(
                    status: head.status, fields: fields, contentLength: length, date: context.dateBytes))
            if let body {
                try session.write(body)
                try session.finish()
                sentBytes += body.count
                responseDone = true
            }
        } catch {
            broken(error)
        }
        markDirty()
    }

    func sendBody(_ exchange: Exchange, _ bytes: [UInt8], end: Bool) -> Bool {
        if isTunnel { return sendThroughTunnel(bytes, end: end) }
        do throws(HarbourError) {
            try session.write(bytes)
            sentBytes += bytes.count
            if end {
                try session.finish()
                responseDone = true
            }
        } catch {
            broken(error)
        }
        markDirty()
        let waiting = session.outputCount + (connection.stream?.unsentBytes ?? 0)
        if end || waiting < HTTP1Server.outboundHighWater { return true }
        waitsForRoom = true
        return false
    }

    var carriesStreams: Bool { false }

    func asksForWebSocket(_ exchange: Exchange) -> Bool { session.asksToUpgrade(to: "websocket") }

    func openTunnel(_ exchange: Exchange, _ head: HTTPResponse) throws(HarbourError) {
        var fields = head.fields
        fields.append("x-request-id", exchange.request.requestID)
        try session.switchProtocols(fields)
        isTunnel = true
        inbound = session.takeRemainder()
        receivedBytes = inbound.count
        markDirty()
    }

    private func sendThroughTunnel(_ bytes: [UInt8], end: Bool) -> Bool {
        // What HTTP still had to say goes first.
        sendOutputOfSession()
        bytes.withUnsafeBytes { connection.stream?.append($0) }
        sentBytes += bytes.count
        if end {
            context.loop.later { [self] in endTunnel() }
            return true
        }
        markDirty()
        if (connection.stream?.unsentBytes ?? 0) < HTTP1Server.outboundHighWater { return true }
        waitsForRoom = true
        return false
    }

    private func endTunnel() {
        guard !isOver else { return }
        isOver = true
        exchange.close(nil, sentBytes: sentBytes)
        connection.finish()
    }

    private func broken(_ error: HarbourError) {
        context.log(error, exchange.request)
        session.abort()
        responseDone = true
    }

    func takeInbound(_ exchange: Exchange) -> [UInt8] {
        if inbound.isEmpty {
            if session.awaitsContinue {
                session.sendContinue()
                markDirty()
            }
            return inbound
        }
        let bytes = inbound
        inbound = []
        if !isPumping { updateReading() }
        return bytes
    }

    func discardInbound(_ exchange: Exchange) {
        inbound = []
        session.discardBody()
        markDirty()
    }

    func abort(_ exchange: Exchange) {
        if isTunnel {
            connection.close()
            return
        }
        session.abort()
        responseDone = true
        markDirty()
    }

    // MARK: End

    func drain() {
        exchange.onDrain?()
        session.drain()
        markDirty()
    }

    func connectionLost(_ error: HarbourError) {
        isOver = true
        exchange.close(
            responseDone ? nil : HarbourError(.cancelled, "The client's connection ended.", cause: error),
            sentBytes: sentBytes)
    }

    // MARK: Slow peers

    private func watchHead() {
        guard !isOver, session.phase == .head else {
            headSince = nil
            return
        }
        if headSince == nil {
            headSince = context.loop.now
            connection.inspectBy(context.loop.now + context.limits.headerTimeout)
        }
    }

    func watchPeer() { connection.inspectBy(context.loop.now + context.limits.bodyTimeout) }

    func inspect(_ now: MonotonicTime) -> MonotonicTime? {
        let limits = context.limits
        switch session.phase {
        case .idle:
            let end = lastActivity + limits.idleTimeout
            if now < end { return end }
            connection.close()
            return nil
        case .head:
            let end = (headSince ?? now) + limits.headerTimeout
            if now < end { return end }
            // Who cannot finish a head is not waiting for an answer to it.
            connection.close()
            return nil
        case .body: return inspectBody(now)
        case .response, .over: return nil
        }
    }

    private func inspectBody(_ now: MonotonicTime) -> MonotonicTime? {
        guard exchange.reader != nil || exchange.phase == .collecting else { return nil }
        let end = lastActivity + context.limits.bodyTimeout
        if now < end { return end }
        if exchange.phase == .collecting {
            exchange.respond(with: HarbourError(.requestTimeout, "The body of the request did not come in time."))
            session.abort()
            flush()
        } else {
            connection.close()
        }
        return nil
    }
}

extension ErrorCode {
    /// The client took too long to send its request.
    public static let requestTimeout = ErrorCode("REQUEST_TIMEOUT", status: 408)
}
