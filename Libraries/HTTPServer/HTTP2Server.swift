internal import Core
internal import EventLoop
internal import HTTP1
internal import HTTP2
internal import HTTPMessage
internal import Transport

/// HTTP/2 on a server's connection: moves bytes between the socket and the session, and turns its events into
/// exchanges.
final class HTTP2Server: ServerProtocol, ExchangeChannel {
    private unowned let connection: ServerConnection
    private let context: ServerContext
    private let remote: HTTPPeer
    private let session: HTTP2Connection
    @exclusivity(unchecked) private var isPumping = false
    @exclusivity(unchecked) private var isDirty = false
    @exclusivity(unchecked) private var lastActivity: MonotonicTime
    @exclusivity(unchecked) private var headersSince: MonotonicTime?
    @exclusivity(unchecked) private var drainState = DrainState.open
    @exclusivity(unchecked) private var isOver = false
    /// Unsent bytes at the socket from which on the session produces no more.
    private static let socketHighWater = 262_144
    private static let drainPing: UInt64 = 0x6472_6169_6e21

    private enum DrainState {
        case open
        /// The peer has been told; requests on their way are still taken: to `closing` with the answer to our PING.
        case announced
        case closing
    }

    init(_ connection: ServerConnection) throws(HTTP2Failure) {
        self.connection = connection
        context = connection.context
        remote = connection.remote
        lastActivity = context.loop.now
        var settings = HTTP2Settings()
        settings.maxConcurrentStreams = context.limits.maxConcurrentStreams
        settings.maxHeaderListSize = context.limits.maxHeaderSize
        // Bodies that handlers read late must not stop those that others read.
        settings.connectionWindow = 16 << 20
        settings.resetBurst = context.limits.resetBurst
        settings.resetRate = context.limits.resetRate
        session = try HTTP2Connection(role: .server, settings: settings)
    }

    // MARK: Pump

    func received(_ bytes: UnsafeRawBufferPointer) {
        guard !isOver else { return }
        isPumping = true
        do {
            try session.receive(bytes, now: context.loop.now)
            handleEvents()
            isPumping = false
            watchHeaders()
        } catch {
            isPumping = false
            giveUp(error)
        }
    }

    func readingPaused() { flush() }

    func drained() { flush() }

    /// A client that sends no more cannot grant windows either.
    func inputEnded() { connection.close() }

    /// Sends what is ready: once a turn, after all handlers of the turn have answered.
    private func flush() {
        isDirty = false
        guard !isOver, let stream = connection.stream else { return }
        isPumping = true
        do {
            while stream.unsentBytes < HTTP2Server.socketHighWater {
                let room = HTTP2Server.socketHighWater - stream.unsentBytes
                let produced = try session.produce(upTo: room) { stream.append($0) }
                handleEvents()
                if produced == 0 { break }
                if produced >= room { stream.flush() }
            }
        } catch {
            isPumping = false
            giveUp(error)
            return
        }
        isPumping = false
        stream.flush()
        guard !isOver, stream.isOpen else { return }
        if session.isFinished && stream.unsentBytes == 0 {
            end()
        } else if session.openStreamCount > 0 || stream.unsentBytes > 0 {
            connection.inspectBy(context.loop.now + context.limits.writeTimeout)
        } else {
            connection.inspectBy(lastActivity + context.limits.idleTimeout)
        }
    }

    private func markDirty() {
        if isPumping || isDirty || isOver { return }
        isDirty = true
        context.loop.later { [self] in flush() }
    }

    /// The peer has broken the protocol beyond repair: our GOAWAY, where there is one, and out.
    private func giveUp(_ failure: HTTP2Failure) {
        guard !isOver, let stream = connection.stream else { return }
        Logger("http.server").info(
            "An HTTP/2 connection was ended.", ["peer": connection.remote.description, "reason": failure.description])
        if failure.reason == .flooded { session.terminate(.enhanceYourCalm) }
        // A session that has failed may refuse this too, and then there is nothing left to say.
        _ = try? session.produce(upTo: 65_536) { stream.append($0) }
        end()
    }

    private func end() {
        isOver = true
        connection.finish()
    }

    func connectionLost(_ error: HarbourError) {
        isOver = true
        for stream in session.streams {
            guard let exchange = stream.context as? Exchange else { continue }
            exchange.close(
                HarbourError(.cancelled, "The client's connection ended.", cause: error), sentBytes: stream.sentBytes)
        }
    }

    // MARK: Events

    private func handleEvents() {
        while let event = session.nextRecordedEvent() {
            switch event {
            case .head(let stream): stream._withUnsafeGuaranteedRef { begin($0) }
            case .data(let stream):
                stream._withUnsafeGuaranteedRef { stream in
                    exchange(stream).inboundChanged(received: stream.receivedBytes, ended: stream.inboundEnded)
                }
            case .writable(let stream): stream._withUnsafeGuaranteedRef { exchange($0).writable() }
            case .sentFirst(let stream): stream._withUnsafeGuaranteedRef { session.reset($0, .noError) }
            case .closed(let stream, let code): stream._withUnsafeGuaranteedRef { closed($0, code) }
            case .pong(HTTP2Server.drainPing): finishDrain()
            case .pong, .goAway, .settings: break
            }
        }
    }

    @inline(__always)
    private func exchange(_ stream: HTTP2Stream) -> Exchange {
        if let known = stream.context { return unsafeDowncast(known, to: Exchange.self) }
        let made = Exchange(context: context, channel: self)
        made.counterpart = stream
        stream.context = made
        return made
    }

    @inline(__always)
    private func stream(_ exchange: Exchange) -> HTTP2Stream? {
        exchange.counterpart.map { unsafeDowncast($0, to: HTTP2Stream.self) }
    }

    private func begin(_ stream: HTTP2Stream) {
        // A stream that was reset in the same turn is not begun.
        if stream.isClosed { return }
        lastActivity = context.loop.now
        let exchange = exchange(stream)
        if stream.headersTooLarge {
            exchange.refuse(stream.request, remote: connection.remote, HTTP2Server.headersTooLarge)
            session.discardInbound(stream)
            return
        }
        exchange.begin(
            stream.request, remote: remote, contentLength: stream.contentLength, ended: stream.inboundEnded,
            inboundHere: stream.receivedBytes)
    }

    static let headersTooLarge = HarbourError(
        .fieldsTooLarge,
        "The header fields of the request are larger than is accepted here. Send fewer or shorter ones.")

    private func closed(_ stream: HTTP2Stream, _ code: HTTP2ErrorCode) {
        lastActivity = context.loop.now
        if let exchange = stream.context as? Exchange {
            let error = code == .noError ? nil : HarbourError(.cancelled, "The client gave the request up.")
            exchange.close(error, sentBytes: stream.sentBytes)
        }
        session.recycle(stream)
    }

    // MARK: Exchanges

    func sendHead(_ exchange: Exchange, _ head: HTTPResponse, length: Int?, body: [UInt8]?) {
        guard let stream = stream(exchange) else { return }
        session.respond(
            stream, status: head.status, fields: head.fields, contentLength: length, date: context.dateBytes,
            body: body)
        markDirty()
    }

    func sendBody(_ exchange: Exchange, _ bytes: [UInt8], end: Bool) -> Bool {
        guard let stream = stream(exchange) else { return true }
        let room = session.write(stream, bytes, end: end)
        markDirty()
        return room
    }

    func takeInbound(_ exchange: Exchange) -> [UInt8] {
        guard let stream = stream(exchange) else { return [] }
        let bytes = session.takeInbound(stream)
        // The window that this opens has to be told to the client.
        if !bytes.isEmpty { markDirty() }
        return bytes
    }

    func discardInbound(_ exchange: Exchange) {
        guard let stream = stream(exchange) else { return }
        session.discardInbound(stream)
        markDirty()
    }

    func abort(_ exchange: Exchange) {
        guard let stream = stream(exchange) else { return }
        session.reset(stream, .internalError)
        markDirty()
    }

    var carriesStreams: Bool { true }

    func asksForWebSocket(_ exchange: Exchange) -> Bool { false }

    func openTunnel(_ exchange: Exchange, _ head: HTTPResponse) throws(HarbourError) {
        guard stream(exchange)?.connectProtocol == "websocket" else {
            throw HarbourError(.unsupported, "The only protocol that is spoken inside HTTP/2 is WebSocket.")
        }
        sendHead(exchange, head, length: nil, body: nil)
    }

    // MARK: Drain

    func drain() {
        guard drainState == .open, !isOver else { return }
        drainState = .announced
        for stream in session.streams { (stream.context as? Exchange)?.onDrain?() }
        session.announceShutdown()
        session.ping(HTTP2Server.drainPing)
        markDirty()
    }

    /// All requests the client sent before it knew have come.
    private func finishDrain() {
        guard drainState == .announced else { return }
        drainState = .closing
        session.goAway()
        markDirty()
    }

    // MARK: Slow peers

    private func watchHeaders() {
        guard session.isReceivingHeaders else {
            headersSince = nil
            return
        }
        if headersSince == nil {
            headersSince = context.loop.now
            connection.inspectBy(context.loop.now + context.limits.headerTimeout)
        }
    }

    func watchPeer() { connection.inspectBy(context.loop.now + context.limits.bodyTimeout) }

    func inspect(_ now: MonotonicTime) -> MonotonicTime? {
        let limits = context.limits
        if let headersSince, now - headersSince >= limits.headerTimeout {
            giveUp(HTTP2Failure.tooSlow("a header block was not completed in time"))
            return nil
        }
        var next = headersSince.map { $0 + limits.headerTimeout }
        if session.openStreamCount == 0 {
            let idleEnd = lastActivity + limits.idleTimeout
            if now >= idleEnd {
                session.goAway()
                flush()
                return nil
            }
            session.releaseMemory()
            return min(next ?? idleEnd, idleEnd)
        }
        for stream in session.streams {
            guard let time = inspect(stream, now) else { continue }
            next = min(next ?? time, time)
        }
        if isDirty { flush() }
        return next
    }

    /// Resets the stream when its client has kept us waiting; else tells when to look again, if there is a reason to.
    private func inspect(_ stream: HTTP2Stream, _ now: MonotonicTime) -> MonotonicTime? {
        guard let exchange = stream.context as? Exchange else { return nil }
        let waitsForRoom = stream.unsentBytes > 0
        let waitsForBody = exchange.phase == .collecting || (exchange.reader != nil && !exchange.isTunnel)
        guard waitsForRoom || waitsForBody else {
            exchange.stall.since = nil
            return nil
        }
        let moved =
            exchange.stall.sentBytes != stream.sentBytes || exchange.stall.receivedBytes != stream.receivedBytes
        let limit = waitsForRoom ? context.limits.writeTimeout : context.limits.bodyTimeout
        if moved || exchange.stall.since == nil {
            exchange.stall = StallMark(
                since: now, sentBytes: stream.sentBytes, receivedBytes: stream.receivedBytes)
            return now + limit
        }
        let start = exchange.stall.since ?? now
        if now - start < limit { return start + limit }
        session.reset(stream, .cancel)
        markDirty()
        return nil
    }
}
