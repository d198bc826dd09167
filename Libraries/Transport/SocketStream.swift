public import Core
internal import Cryptography
public import EventLoop
internal import Glibc

/// Is told what happens on a `SocketStream`. Called on the loop only, and never after `streamClosed`.
public protocol SocketStreamHandler: AnyObject {
    /// The TLS handshake is done; not called for plain connections.
    func streamSecured(_ details: SecureDetails)
    /// Bytes have come; they are valid within the call.
    func streamReceived(_ bytes: UnsafeRawBufferPointer)
    /// The bytes of this turn have all been given: the time to answer them.
    func streamReadingPaused()
    /// Bytes had to wait for the peer, and now all have been handed to the system.
    func streamDrained()
    /// The peer sends no more. Whoever has nothing more to say closes.
    func streamEnded()
    /// The connection broke.
    func streamClosed(_ error: HarbourError)
}

extension SocketStreamHandler {
    /// Plain connections need not care.
    public func streamSecured(_ details: SecureDetails) {}
}

/// A connected, non-blocking stream socket on a loop, plain or encrypted. Bytes are collected by `append` and leave
/// with `flush`.
///
/// `@unchecked Sendable`: touched on its loop only.
public final class SocketStream: DescriptorHandler, @unchecked Sendable {
    /// The loop it lives on.
    public let loop: EventLoop
    /// Where the other end is.
    public let peer: SocketAddress
    /// Told what happens; held until the stream is closed.
    @exclusivity(unchecked) public var handler: (any SocketStreamHandler)?
    /// When the peer last took or sent a byte; coarse, in turns of the loop.
    @exclusivity(unchecked) public internal(set) var lastProgress: MonotonicTime
    @exclusivity(unchecked) var descriptor: Int32
    let secure: SecureLayer?
    /// What the owner has written.
    @exclusivity(unchecked) var output = ByteQueue()
    /// The same encrypted; used with TLS only.
    @exclusivity(unchecked) var ciphertext = ByteQueue(capacity: 64)
    @exclusivity(unchecked) private var interest: ReadyEvents = [.readable, .peerClosed]
    @exclusivity(unchecked) private var waitsForRoom = false
    @exclusivity(unchecked) var readsPaused = false
    @exclusivity(unchecked) var inputEnded = false
    @exclusivity(unchecked) var isFinishing = false
    @exclusivity(unchecked) private var lingerTimer: LoopTimer?
    @exclusivity(unchecked) private var lingerBytes = 0
    private static let readsPerTurn = 4
    private static let lingerLimit = 4 << 20

    /// Takes over a connected, non-blocking descriptor and begins to watch it. Only on the loop.
    /// - Throws: `TEMPORARILY_UNAVAILABLE` when it cannot be watched; the descriptor is then closed.
    public init(
        descriptor: Int32, peer: SocketAddress, loop: EventLoop, secure: SecureLayer? = nil,
        handler: any SocketStreamHandler
    ) throws(HarbourError) {
        self.descriptor = descriptor
        self.peer = peer
        self.loop = loop
        self.secure = secure
        self.handler = handler
        lastProgress = loop.now
        if peer.family != AF_UNIX {
            var one: Int32 = 1
            setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        }
        do { try loop.register(descriptor, interest, self) } catch {
            Glibc.close(descriptor)
            throw error
        }
        // A client's first message is in there already.
        if secure != nil { flush() }
    }

    /// Closes a descriptor for which no stream could be made.
    public static func discard(_ descriptor: Int32) { Glibc.close(descriptor) }

    // MARK: Writing

    /// Whether the stream is open.
    public var isOpen: Bool { descriptor >= 0 }
    /// Bytes that the system has not taken yet.
    public var unsentBytes: Int { output.count + ciphertext.count }

    /// Collects bytes for the next `flush`.
    public func append(_ bytes: UnsafeRawBufferPointer) {
        if descriptor >= 0 && !isFinishing { output.append(bytes) }
    }

    /// Hands over what the system takes now; the rest follows by itself, and `streamDrained` tells when.
    public func flush() {
        guard sendWaiting() else { return }
        // The system may take in the same turn what was too much a moment ago, and then does not say that there is room.
        loop.later { [self] in if descriptor >= 0 && !waitsForRoom && !isFinishing { handler?.streamDrained() } }
    }

    /// True when the rest has gone that was waited for.
    private func sendWaiting() -> Bool {
        guard descriptor >= 0 else { return false }
        let isDone: Bool
        if secure == nil {
            isDone = send(&output)
        } else {
            repeat {
                encrypt()
                guard send(&ciphertext) else { break }
            } while !output.isEmpty && secure?.isEstablished == true
            isDone = ciphertext.isEmpty
        }
        guard descriptor >= 0, isDone == waitsForRoom else { return false }
        waitsForRoom = !isDone
        updateInterest()
        return isDone
    }

    /// True when all is sent.
    private func send(_ queue: inout ByteQueue) -> Bool {
        while !queue.isEmpty {
            let count = Glibc.send(descriptor, queue.bytes.baseAddress, queue.count, Int32(MSG_NOSIGNAL))
            if count > 0 {
                queue.removeFirst(count)
                lastProgress = loop.now
            } else if count < 0 && errno == EINTR {
                continue
            } else if count < 0 && errno == EAGAIN {
                return false
            } else {
                failLater(errno)
                return false
            }
        }
        return true
    }

    // MARK: Reading

    /// Stops reading, so that the system's buffers fill and the peer has to wait.
    public func pauseReading() {
        if readsPaused { return }
        readsPaused = true
        updateInterest()
    }

    /// Reads again.
    public func resumeReading() {
        if !readsPaused { return }
        readsPaused = false
        updateInterest()
        // Decrypted bytes may wait where epoll cannot see them.
        if secure?.isEstablished == true { loop.later { [self] in readDecrypted() } }
    }

    // MARK: Ending

    /// Closes at once; bytes not sent are lost. The handler is not told, for it is the one who asks.
    public func close() {
        guard descriptor >= 0 else { return }
        lingerTimer?.cancel()
        lingerTimer = nil
        loop.deregister(descriptor)
        Glibc.close(descriptor)
        descriptor = -1
        handler = nil
    }

    /// Sends what waits, says that no more comes, and closes when the peer has understood: closing with unread input
    /// would make the system throw away our last words. The handler is not told of anything any more.
    public func finish(within limit: Duration = .seconds(2)) {
        guard descriptor >= 0, !isFinishing else { return }
        isFinishing = true
        handler = nil
        flush()
        if let secure, output.isEmpty {
            secure.session.close()
            flush()
        }
        guard descriptor >= 0 else { return }
        if inputEnded && unsentBytes == 0 {
            close()
            return
        }
        readsPaused = false
        lingerTimer = loop.schedule(after: limit) { [weak self] in self?.close() }
        if unsentBytes == 0 { shutdown(descriptor, Int32(SHUT_WR)) }
        updateInterest()
    }

    /// What epoll saw.
    public func descriptorReady(_ events: ReadyEvents) {
        if events.contains(.writable), sendWaiting() {
            if isFinishing { shutdown(descriptor, Int32(SHUT_WR)) } else { handler?.streamDrained() }
        }
        guard descriptor >= 0 else { return }
        if !events.isDisjoint(with: [.readable, .peerClosed, .hungUp, .failed]) { read(events) }
    }

    private func read(_ events: ReadyEvents) {
        if isFinishing {
            swallow()
            return
        }
        // Input is left in the system while reading is paused, but a broken connection must be noticed.
        if readsPaused || inputEnded {
            guard !events.isDisjoint(with: [.hungUp, .failed]) else { return }
            var failure: Int32 = 0
            var size = socklen_t(MemoryLayout<Int32>.size)
            getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &failure, &size)
            fail(failure == 0 ? ECONNRESET : failure)
            return
        }
        var received = false
        reading: for _ in 0..<SocketStream.readsPerTurn {
            let scratch = loop.scratch
            let count = recv(descriptor, scratch.baseAddress, scratch.count, 0)
            if count > 0 {
                received = true
                lastProgress = loop.now
                take(UnsafeRawBufferPointer(rebasing: scratch[..<count]))
                if descriptor < 0 { return }
                if count < scratch.count || readsPaused || isFinishing || inputEnded { break reading }
            } else if count == 0 {
                inputEnded = true
                break reading
            } else if errno == EINTR {
                continue
            } else if errno == EAGAIN {
                break reading
            } else {
                fail(errno)
                return
            }
        }
        if received { handler?.streamReadingPaused() }
        if inputEnded && descriptor >= 0 {
            updateInterest()
            handler?.streamEnded()
        }
    }

    private func take(_ bytes: UnsafeRawBufferPointer) {
        if secure == nil { handler?.streamReceived(bytes) } else { decrypt(bytes) }
    }

    /// Reads and forgets until the peer closes too.
    private func swallow() {
        let count = recv(descriptor, loop.scratch.baseAddress, loop.scratch.count, 0)
        if count < 0 && (errno == EAGAIN || errno == EINTR) { return }
        lingerBytes += max(0, count)
        if count <= 0 || lingerBytes > SocketStream.lingerLimit { close() }
    }

    private func updateInterest() {
        guard descriptor >= 0 else { return }
        var wanted: ReadyEvents = readsPaused || inputEnded ? [] : [.readable, .peerClosed]
        if waitsForRoom { wanted.insert(.writable) }
        if wanted == interest { return }
        interest = wanted
        loop.modify(descriptor, wanted)
    }

    private func fail(_ number: Int32) {
        fail(.system("The connection to \(peer) broke", number))
    }

    func fail(_ error: HarbourError) {
        let told = handler
        close()
        told?.streamClosed(error)
    }

    /// Writing fails in the middle of the owner's work, who must not be told inside it.
    private func failLater(_ number: Int32) {
        let error = HarbourError.system("The connection to \(peer) broke", number)
        loop.later { [self] in if isOpen { fail(error) } }
    }
}
