public import Core
internal import Cryptography
public import EventLoop
internal import HTTPMessage
internal import Transport

/// An HTTP server on one event loop and one address. One listener speaks HTTP/2 and HTTP/1.1: over TLS as ALPN says,
/// otherwise by the first bytes of a connection.
///
///     let server = HTTPServer(configuration: .init(), handler: router, loop: loop)
///     let port = try await server.start()
///     await server.drain(budget: .seconds(10))
///
/// `@unchecked Sendable`: its state is touched on its loop only; the functions may be called from anywhere.
public final class HTTPServer: @unchecked Sendable {
    private let configuration: HTTPServerConfiguration
    private let loop: EventLoop
    private let context: ServerContext
    private var listener: Listener?
    private var connections: [ObjectIdentifier: ServerConnection] = [:]
    private var drainWaiters: [CheckedContinuation<Void, Never>] = []
    private var tls: TLSContext?
    private var isDraining = false
    private var budgetTimer: LoopTimer?

    /// Makes a server; it does nothing before `start`.
    public init(configuration: HTTPServerConfiguration, handler: any HTTPHandler, loop: EventLoop) {
        self.configuration = configuration
        self.loop = loop
        context = ServerContext(loop: loop, handler: handler, configuration: configuration)
    }

    /// Listens and serves.
    /// - Returns: the port, which the system chose when the configuration said 0; 0 for a unix socket.
    /// - Throws: `TEMPORARILY_UNAVAILABLE` when the address is taken or not ours, `TLS_CONFIGURATION_INVALID` for
    ///   certificates that cannot be used.
    @discardableResult
    public func start() async throws(HarbourError) -> Int {
        if let tls = configuration.tls { self.tls = try TLSContext(server: tls) }
        let address: SocketAddress
        switch configuration.address {
        case .unix(let path): address = try SocketAddress.unix(path)
        case .tcp(let host, let port):
            guard let first = try await SocketAddress.resolve(host: host, port: port).first else {
                throw HarbourError(.unavailable, "The host “\(host)” has no address to listen on.")
            }
            address = first
        }
        let result = await withCheckedContinuation { continuation in
            loop.onLoop { [self] in continuation.resume(returning: listen(address)) }
        }
        return try result.get()
    }

    private func listen(_ address: SocketAddress) -> Result<Int, HarbourError> {
        do throws(HarbourError) {
            // The listener is held by the loop, and the server by the listener, until `drain`.
            let listener = try Listener(address, loop: loop) { [self] descriptor, peer in accept(descriptor, peer) }
            self.listener = listener
            return .success(listener.address.port)
        } catch {
            return .failure(error)
        }
    }

    private func accept(_ descriptor: Int32, _ peer: SocketAddress) {
        do throws(HarbourError) {
            let connection = try ServerConnection(
                descriptor: descriptor, peer: peer, tls: tls, context: context
            ) { [weak self] in self?.forget($0) }
            connections[ObjectIdentifier(connection)] = connection
            if connections.count >= configuration.limits.maxConnections { listener?.pause() }
        } catch {
            Logger("http.server").warning("A connection could not be taken.", ["error": error.describeChain()])
        }
    }

    private func forget(_ connection: ServerConnection) {
        connections[ObjectIdentifier(connection)] = nil
        if connections.count < configuration.limits.maxConnections { listener?.resume() }
        if isDraining && connections.isEmpty { wakeDrainWaiters() }
    }

    private func wakeDrainWaiters() {
        budgetTimer?.cancel()
        budgetTimer = nil
        let waiters = drainWaiters
        drainWaiters = []
        for waiter in waiters { waiter.resume() }
    }

    /// Reads the certificate files again, for new connections; on failure the old ones stay.
    /// - Throws: `TLS_CONFIGURATION_INVALID`.
    public func reloadCertificates() throws(HarbourError) { try tls?.reload() }

    /// How many clients are connected. Only on the loop.
    public var connectionCount: Int { connections.count }

    /// Breaks every connection off at once and goes on listening. Only on the loop.
    public func closeConnections() {
        for connection in Array(connections.values) { connection.close() }
    }

    /// Stops listening, lets open requests finish, and closes every connection: those still busy when the budget is
    /// used up are broken off. Returns when all are closed.
    public func drain(budget: Duration) async {
        await withCheckedContinuation { continuation in
            loop.onLoop { [self] in
                drainWaiters.append(continuation)
                beginDrain(budget)
            }
        }
    }

    private func beginDrain(_ budget: Duration) {
        listener?.close()
        listener = nil
        isDraining = true
        for connection in Array(connections.values) { connection.drain() }
        guard !connections.isEmpty else {
            wakeDrainWaiters()
            return
        }
        budgetTimer?.cancel()
        budgetTimer = loop.schedule(after: budget) { [weak self] in
            guard let self else { return }
            for connection in Array(connections.values) { connection.close() }
        }
    }
}
