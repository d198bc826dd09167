internal import Core
internal import Cryptography
internal import EventLoop
internal import HTTP2
internal import HTTPMessage
internal import Transport

/// A protocol spoken on a connection. All on the loop.
protocol ServerProtocol: AnyObject {
    /// Bytes have come; answer them in `readingPaused`.
    func received(_ bytes: UnsafeRawBufferPointer)
    /// All bytes of this turn have been given.
    func readingPaused()
    /// The socket has room again.
    func drained()
    /// The client sends no more.
    func inputEnded()
    /// The connection is gone: fail what is open.
    func connectionLost(_ error: HarbourError)
    /// Finish what is open, take nothing new, then close.
    func drain()
    /// Looks for peers that are too slow or idle. Returns when to look again; nil for not before something happens.
    func inspect(_ now: MonotonicTime) -> MonotonicTime?
}

/// One client: the socket, the choice of the protocol by its first bytes, and the one timer.
final class ServerConnection: SocketStreamHandler {
    let context: ServerContext
    private(set) var remote: HTTPPeer
    private(set) var stream: SocketStream?
    private var wire: (any ServerProtocol)?
    private var firstBytes: [UInt8] = []
    private var timer: LoopTimer?
    private var timerTime: MonotonicTime?
    private let openedAt: MonotonicTime
    private var onClose: ((ServerConnection) -> Void)?
    private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    init(
        descriptor: Int32, peer: SocketAddress, tls: TLSContext?, context: ServerContext,
        onClose: @escaping (ServerConnection) -> Void
    ) throws(HarbourError) {
        self.context = context
        remote = HTTPPeer(description: peer.description)
        openedAt = context.loop.now
        let secure: SecureLayer?
        do throws(HarbourError) {
            secure = try tls.map { (tls) throws(HarbourError) in try SecureLayer(server: tls) }
        } catch {
            SocketStream.discard(descriptor)
            throw error
        }
        stream = try SocketStream(
            descriptor: descriptor, peer: peer, loop: context.loop, secure: secure, handler: ServerConnection.Relay())
        // From here on a failure can be told to the server.
        self.onClose = onClose
        stream?.handler = self
        inspectBy(openedAt + context.limits.headerTimeout)
    }

    /// Stands in until the connection exists.
    private final class Relay: SocketStreamHandler {
        func streamReceived(_ bytes: UnsafeRawBufferPointer) {}
        func streamReadingPaused() {}
        func streamDrained() {}
        func streamEnded() {}
        func streamClosed(_ error: HarbourError) {}
    }

    // MARK: Socket

    func streamSecured(_ details: SecureDetails) {
        remote = HTTPPeer(
            description: remote.description, isSecure: true, certificateSubject: details.peerCertificate?.subject)
    }

    func streamReceived(_ bytes: UnsafeRawBufferPointer) {
        if let wire {
            wire.received(bytes)
            return
        }
        firstBytes.append(contentsOf: bytes)
        chooseProtocol()
    }

    /// HTTP/2 by prior knowledge begins with 24 bytes that no HTTP/1.1 request can begin with (RFC 9113 section 3.4).
    private func chooseProtocol() {
        let preface = ServerConnection.preface
        let isHTTP2 = firstBytes.starts(with: preface.prefix(firstBytes.count))
        if isHTTP2 && firstBytes.count < preface.count { return }
        do {
            let wire: any ServerProtocol = isHTTP2 ? try HTTP2Server(self) : HTTP1Server(self)
            self.wire = wire
            let first = firstBytes
            firstBytes = []
            first.withUnsafeBytes { wire.received($0) }
        } catch {
            close()
        }
    }

    func streamReadingPaused() { wire?.readingPaused() }

    func streamDrained() { wire?.drained() }

    func streamEnded() {
        if let wire { wire.inputEnded() } else { close() }
    }

    func streamClosed(_ error: HarbourError) { lost(error) }

    // MARK: For the protocol

    /// Closes after what waits has been sent and the peer has seen it.
    func finish() {
        stream?.finish()
        lost(HarbourError(.unavailable, "The connection was closed."))
    }

    /// Closes at once.
    func close() {
        stream?.close()
        lost(HarbourError(.unavailable, "The connection was closed."))
    }

    private func lost(_ error: HarbourError) {
        guard stream != nil else { return }
        stream = nil
        timer?.cancel()
        timer = nil
        let wire = wire
        self.wire = nil
        wire?.connectionLost(error)
        let closed = onClose
        onClose = nil
        closed?(self)
    }

    /// Finishes what is open and closes.
    func drain() {
        if let wire { wire.drain() } else { close() }
    }

    // MARK: The timer

    /// Sees to it that the protocol looks at its peers no later than that, with one timer for all reasons.
    func inspectBy(_ time: MonotonicTime) {
        guard stream != nil else { return }
        if timer != nil, let timerTime, timerTime <= time { return }
        timer?.cancel()
        timerTime = time
        timer = context.loop.schedule(at: time) { [weak self] in self?.inspect() }
    }

    private func inspect() {
        timer = nil
        guard let stream else { return }
        let now = MonotonicTime.now
        guard let wire else {
            // No protocol within the time for a head.
            close()
            return
        }
        let limit = context.limits.writeTimeout
        if stream.unsentBytes > 0 && now - stream.lastProgress >= limit {
            close()
            return
        }
        if let next = wire.inspect(now) { inspectBy(next) }
        if self.stream != nil && stream.unsentBytes > 0 { inspectBy(stream.lastProgress + limit) }
    }
}
