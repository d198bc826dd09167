public import Core
public import EventLoop
internal import Glibc

/// Accepts connections on one address. Lives on its loop.
public final class Listener: DescriptorHandler {
    /// Where it listens, with the port the system chose.
    public let address: SocketAddress
    private let loop: EventLoop
    private var descriptor: Int32
    private let socketPath: String?
    private var isWatching = false
    private var isPaused = false
    private var retry: LoopTimer?
    private let accepted: (Int32, SocketAddress) -> Void

    /// Listens on the address and calls `accepted` with each new, non-blocking descriptor, which is then the
    /// callee's. Only on the loop.
    /// - Throws: `TEMPORARILY_UNAVAILABLE` when the address is taken or not ours.
    public init(
        _ wanted: SocketAddress, loop: EventLoop, backlog: Int32 = 1024,
        accepted: @escaping (Int32, SocketAddress) -> Void
    ) throws(HarbourError) {
        self.loop = loop
        self.accepted = accepted
        socketPath = wanted.family == AF_UNIX ? String(wanted.description.dropFirst(5)) : nil
        if let socketPath { try Listener.removeStaleSocket(socketPath, wanted) }
        let made = socket(wanted.family, Int32(SOCK_STREAM.rawValue) | Listener.flags, 0)
        guard made >= 0 else { throw .system("A listening socket could not be made", errno) }
        descriptor = made
        var one: Int32 = 1
        setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        // Only the user who started the service may talk to its socket. On Linux the file that bind makes takes the
        // descriptor's own mode; the process's umask would be every thread's, also of one that makes a folder just now.
        if socketPath != nil { fchmod(made, 0o600) }
        guard wanted.withSockaddr({ bind(made, $0, $1) }) == 0, listen(made, backlog) == 0,
            let address = SocketAddress.read({ getsockname(made, $0, $1) })
        else {
            let number = errno
            Glibc.close(made)
            throw .system("Nothing can listen on \(wanted)", number)
        }
        self.address = wanted.family == AF_UNIX ? wanted : address
        do { try watch() } catch {
            Glibc.close(made)
            throw error
        }
    }

    private static let flags = Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)

    /// Takes no connections until `resume()`; the system queues them.
    public func pause() {
        isPaused = true
        unwatch()
    }

    /// Accepts again.
    public func resume() {
        guard isPaused, descriptor >= 0 else { return }
        isPaused = false
        startWatching()
    }

    /// Stops listening for good.
    public func close() {
        guard descriptor >= 0 else { return }
        unwatch()
        retry?.cancel()
        Glibc.close(descriptor)
        descriptor = -1
        if let socketPath { unlink(socketPath) }
    }

    /// Accepts what waits.
    public func descriptorReady(_ events: ReadyEvents) {
        // A bounded number a turn, so that a storm of new connections does not starve the old ones.
        for _ in 0..<64 {
            guard descriptor >= 0, !isPaused else { return }
            var peer: SocketAddress?
            var connection: Int32 = -1
            peer = SocketAddress.read { address, length in
                connection = EventLoop.acceptConnection(descriptor, address: address, length: length)
                return connection >= 0 ? 0 : -1
            }
            if let peer, connection >= 0 {
                accepted(connection, peer)
                continue
            }
            switch errno {
            case EINTR, ECONNABORTED, EPROTO: continue
            case EMFILE, ENFILE, ENOBUFS, ENOMEM: waitForResources()
            default: break
            }
            return
        }
    }

    /// Out of descriptors: the queue stays ready, so watching on would only burn time.
    private func waitForResources() {
        unwatch()
        Logger("transport").warning("Out of descriptors or memory: new connections wait.")
        retry = loop.schedule(after: .milliseconds(200)) { [weak self] in
            guard let self, !isPaused, descriptor >= 0 else { return }
            startWatching()
        }
    }

    private func startWatching() {
        do { try watch() } catch {
            waitForResources()
        }
    }

    private func watch() throws(HarbourError) {
        if isWatching { return }
        try loop.register(descriptor, .readable, self)
        isWatching = true
    }

    private func unwatch() {
        if isWatching { loop.deregister(descriptor) }
        isWatching = false
    }

    /// A socket file that a killed process left behind is in the way; one that somebody answers is not ours.
    private static func removeStaleSocket(_ path: String, _ address: SocketAddress) throws(HarbourError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw HarbourError(.invalidState, "“\(path)” exists and is not a socket. Remove it or choose another path.")
        }
        let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | flags, 0)
        guard probe >= 0 else { return }
        defer { Glibc.close(probe) }
        if address.withSockaddr({ connect(probe, $0, $1) }) == 0 || errno == EAGAIN {
            throw HarbourError(.unavailable, "Another process listens on “\(path)” already.")
        }
        unlink(path)
    }
}
