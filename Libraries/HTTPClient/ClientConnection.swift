internal import Core
internal import EventLoop
internal import HTTP2
internal import Transport

/// One connection to an origin: moves bytes between the socket and the session, and its events to the calls.
final class ClientConnection: SocketStreamHandler {
    let session: HTTP2Connection
    private let loop: EventLoop
    private let configuration: HTTPClientConfiguration
    private weak var pool: OriginPool?
    private var stream: SocketStream?
    private var readyHeads: [ClientCall] = []
    private var isPumping = false
    private var isDirty = false
    private var timer: LoopTimer?
    private var timerTime: MonotonicTime?
    private var lastHeard: MonotonicTime
    private var idleSince: MonotonicTime
    private var pingSentAt: MonotonicTime?
    private var isClosing = false
    /// Told once whether the connection can be used.
    private var ready: ((Result<ClientConnection, HarbourError>) -> Void)?
    private static let socketHighWater = 262_144

    init(
        descriptor: Int32, peer: SocketAddress, secure: SecureLayer?, loop: EventLoop,
        configuration: HTTPClientConfiguration, pool: OriginPool,
        ready: @escaping (Result<ClientConnection, HarbourError>) -> Void
    ) throws(HarbourError) {
        self.loop = loop
        self.configuration = configuration
        self.pool = pool
        lastHeard = loop.now
        idleSince = loop.now
        var settings = HTTP2Settings()
        settings.maxHeaderListSize = configuration.maxHeaderSize
        // Responses that are read late, such as followed streams, must not stop the others on this connection.
        settings.connectionWindow = 64 << 20
        do { session = try HTTP2Connection(role: .client, settings: settings) } catch {
            SocketStream.discard(descriptor)
            throw HarbourError(.internalError, "A connection could not be prepared.", detail: error.description)
        }
        stream = try SocketStream(
            descriptor: descriptor, peer: peer, loop: loop, secure: secure, handler: Unconnected())
        stream?.handler = self
        self.ready = ready
        if secure == nil { becomeReady() } else { inspectBy(loop.now + configuration.connectTimeout) }
    }

    /// Stands in until the connection exists.
    private final class Unconnected: SocketStreamHandler {
        func streamReceived(_ bytes: UnsafeRawBufferPointer) {}
        func streamReadingPaused() {}
        func streamDrained() {}
        func streamEnded() {}
        func streamClosed(_ error: HarbourError) {}
    }

    /// Whether a call can be opened now.
    var hasRoom: Bool { canOpen && session.openStreamCount < session.peerMaxConcurrentStreams }
    /// Whether the connection takes calls at all, now or when others are done.
    var canOpen: Bool { stream != nil && !isClosing && session.canOpenStreams }
    var callCount: Int { session.openStreamCount }

    func open(_ call: ClientCall) -> Bool {
        guard hasRoom, call.open(on: self) else { return false }
        if session.openStreamCount == 1 {
            // The silence of a connection without calls says nothing about its peer.
            lastHeard = loop.now
            inspectBy(loop.now + configuration.keepAliveInterval)
        }
        markDirty()
        return true
    }

    private func becomeReady() {
        let told = ready
        ready = nil
        idleSince = loop.now
        told?(.success(self))
        markDirty()
        inspectBy(loop.now + configuration.idleTimeout)
    }

    // MARK: Socket

    func streamSecured(_ details: SecureDetails) {
        guard details.applicationProtocol == "h2" else {
            fail(HarbourError(.badGateway, "It does not speak HTTP/2 over TLS."))
            return
        }
        becomeReady()
    }

    func streamReceived(_ bytes: UnsafeRawBufferPointer) {
        lastHeard = loop.now
        pingSentAt = nil
        isPumping = true
        defer { isPumping = false }
        do {
            try session.receive(bytes, now: loop.now)
            handleEvents()
        } catch {
            fail(HarbourError(.badGateway, "The other side does not speak HTTP/2.", detail: error.description))
        }
    }

    func streamReadingPaused() {
        let heads = readyHeads
        readyHeads.removeAll(keepingCapacity: true)
        for call in heads { call.headReady() }
        flush()
    }

    func streamDrained() { flush() }

    func streamEnded() { fail(HarbourError(.unavailable, "The other side closed the connection.")) }

    func streamClosed(_ error: HarbourError) { fail(error) }

    func markDirty() {
        if isPumping || isDirty || stream == nil { return }
        isDirty = true
        loop.later { [self] in flush() }
    }

    private func flush() {
        isDirty = false
        guard let stream else { return }
        isPumping = true
        do {
            while stream.unsentBytes < ClientConnection.socketHighWater {
                let room = ClientConnection.socketHighWater - stream.unsentBytes
                let produced = try session.produce(upTo: room) { stream.append($0) }
                handleEvents()
                if produced == 0 { break }
                if produced >= room { stream.flush() }
            }
        } catch {
            isPumping = false
            fail(HarbourError(.internalError, "The connection failed.", detail: error.description))
            return
        }
        isPumping = false
        stream.flush()
        if session.isFinished && stream.unsentBytes == 0 {
            fail(HarbourError(.unavailable, "The other side ended the connection."))
        }
    }

    private func handleEvents() {
        while let event = session.nextEvent() {
            switch event {
            case .head(let stream):
                if let call = stream.context as? ClientCall { readyHeads.append(call) }
            case .data(let stream): (stream.context as? ClientCall)?.inboundChanged()
            case .writable(let stream): (stream.context as? ClientCall)?.writable()
            case .closed(let stream, let code): closed(stream, code, nil)
            case .settings: pool?.roomChanged()
            case .goAway: pool?.roomChanged()
            case .pong, .sentFirst: break
            }
        }
    }

    private func closed(_ stream: HTTP2Stream, _ code: HTTP2ErrorCode, _ lost: HarbourError?) {
        let call = stream.context as? ClientCall
        stream.context = nil
        call?.streamClosed(code, lost: lost)
        session.recycle(stream)
        if session.openStreamCount == 0 {
            idleSince = loop.now
            inspectBy(loop.now + configuration.idleTimeout)
        }
        pool?.roomChanged()
    }

    private func fail(_ error: HarbourError) {
        guard let stream else { return }
        stream.close()
        self.stream = nil
        timer?.cancel()
        timer = nil
        pool?.forget(self)
        let told = ready
        ready = nil
        told?(.failure(error))
        for open in session.streams {
            let call = open.context as? ClientCall
            open.context = nil
            call?.streamClosed(.cancel, lost: error)
        }
        pool?.roomChanged()
    }

    /// Lets open calls end and closes.
    func finish() {
        isClosing = true
        guard stream != nil else { return }
        session.goAway()
        if session.openStreamCount == 0 {
            flush()
            fail(HarbourError(.unavailable, "The client was closed."))
        } else {
            markDirty()
        }
    }

    /// Closes at once.
    func close(_ error: HarbourError) {
        isClosing = true
        fail(error)
    }

    // MARK: Timer

    private func inspectBy(_ time: MonotonicTime) {
        if timer != nil, let timerTime, timerTime <= time { return }
        timer?.cancel()
        timerTime = time
        timer = loop.schedule(at: time) { [weak self] in self?.inspect() }
    }

    private func inspect() {
        timer = nil
        guard stream != nil else { return }
        let now = MonotonicTime.now
        if ready != nil {
            fail(HarbourError(.unavailable, "the TLS handshake was not completed in time"))
            return
        }
        guard session.openStreamCount > 0 else {
            let end = idleSince + configuration.idleTimeout
            if now >= end {
                finish()
            } else {
                session.releaseMemory()
                inspectBy(end)
            }
            return
        }
        if let pingSentAt {
            if now - pingSentAt >= configuration.keepAliveTimeout {
                fail(HarbourError(.unavailable, "The other side gives no sign of life."))
            } else {
                inspectBy(pingSentAt + configuration.keepAliveTimeout)
            }
        } else if now - lastHeard >= configuration.keepAliveInterval {
            pingSentAt = now
            session.ping(1)
            flush()
            inspectBy(now + configuration.keepAliveTimeout)
        } else {
            inspectBy(lastHeard + configuration.keepAliveInterval)
        }
    }
}
