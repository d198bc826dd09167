internal import Core
internal import Cryptography
internal import EventLoop
internal import Transport

/// The connections to one origin, and the calls that wait for a stream.
final class OriginPool {
    private let origin: HTTPOrigin
    private let loop: EventLoop
    private let configuration: HTTPClientConfiguration
    private var connections: [ClientConnection] = []
    private var waiting = WaitingCalls()
    private var isConnecting = false
    private var tls: TLSContext?
    private var isClosed = false

    init(_ origin: HTTPOrigin, loop: EventLoop, configuration: HTTPClientConfiguration) {
        self.origin = origin
        self.loop = loop
        self.configuration = configuration
    }

    /// Opens the call's stream now, or as soon as there is room.
    func submit(_ call: ClientCall) {
        if isClosed {
            call.reject(HarbourError(.unavailable, "The client has been closed."))
            return
        }
        if waiting.isEmpty && connections.contains(where: { $0.open(call) }) { return }
        guard waiting.count < configuration.maxWaitingCalls else {
            call.reject(
                HarbourError(
                    .resourceExhausted,
                    "Too many requests wait for \(call.request.serviceName.lowercasedFirst). Try later."))
            return
        }
        waiting.append(call)
        connectIfNeeded()
    }

    /// A stream has ended, or the peer has changed what it allows.
    func roomChanged() {
        while let connection = connections.first(where: { $0.hasRoom }), let call = waiting.popFirst() {
            if connection.open(call) { continue }
            waiting.append(call)
            break
        }
        connectIfNeeded()
    }

    func forget(_ connection: ClientConnection) { connections.removeAll { $0 === connection } }

    private func connectIfNeeded() {
        guard !isConnecting, !isClosed, !waiting.isEmpty else { return }
        let usable = connections.count { $0.canOpen }
        guard usable < configuration.maxConnectionsPerOrigin else { return }
        isConnecting = true
        connect()
    }

    private func connect() {
        let limit = configuration.connectTimeout
        let started = MonotonicTime.now
        switch origin {
        case .unix(let path):
            do { connect([try SocketAddress.unix(path)], limit) } catch { connected(.failure(error)) }
        case .http(let host, let port), .https(let host, let port):
            if let known = SocketAddress.numeric(host: host, port: port) {
                connect(known, limit)
                return
            }
            let box = PoolBox(pool: self)
            loop.spawn {
                do throws(HarbourError) {
                    let found = try await SocketAddress.resolve(host: host, port: port)
                    box.pool.connect(found, limit - (.now - started))
                } catch {
                    box.pool.connected(.failure(error))
                }
            }
        }
    }

    private func connect(_ addresses: [SocketAddress], _ limit: Duration) {
        Connector.connect(addresses, within: limit, loop: loop) { [self] result in
            switch result {
            case .success(let (descriptor, peer)):
                begin(descriptor, peer)
            case .failure(let failure):
                connected(.failure(HarbourError(.unavailable, failure.reason)))
            }
        }
    }

    private func begin(_ descriptor: Int32, _ peer: SocketAddress) {
        let secure: SecureLayer?
        do throws(HarbourError) { secure = try makeSecureLayer() } catch {
            SocketStream.discard(descriptor)
            connected(.failure(error))
            return
        }
        do throws(HarbourError) {
            // The socket keeps it until it is ready, and this pool from then on.
            _ = try ClientConnection(
                descriptor: descriptor, peer: peer, secure: secure, loop: loop, configuration: configuration, pool: self
            ) { [self] in connected($0) }
        } catch {
            connected(.failure(error))
        }
    }

    private func makeSecureLayer() throws(HarbourError) -> SecureLayer? {
        guard case .https(let host, _) = origin else { return nil }
        if let tls { return try SecureLayer(client: tls, serverName: host) }
        let made = try TLSContext(client: configuration.tls ?? TLSClientConfiguration())
        tls = made
        return try SecureLayer(client: made, serverName: host)
    }

    private func connected(_ result: Result<ClientConnection, HarbourError>) {
        isConnecting = false
        switch result {
        case .success(let connection):
            if isClosed {
                connection.close(HarbourError(.unavailable, "The client has been closed."))
                return
            }
            connections.append(connection)
            roomChanged()
        case .failure(let error):
            // Calls that another connection will serve go on waiting for it.
            if connections.contains(where: { $0.canOpen }) { return }
            var failed = waiting
            waiting = WaitingCalls()
            while let call = failed.popFirst() { call.reject(OriginPool.unreachable(call.request, error)) }
        }
    }

    private static func unreachable(_ request: HTTPClientRequest, _ error: HarbourError) -> HarbourError {
        guard error.code == .unavailable else {
            return HarbourError(
                error.code, "\(request.serviceName) at \(request.origin) cannot be used: \(error.message)", cause: error
            )
        }
        return HarbourError(
            .unavailable,
            "\(request.serviceName) at \(request.origin) does not answer: \(error.message). "
                + "Check that it is running and that the address is right.", cause: error)
    }

    /// Ends all connections; `budget` for open calls is the caller's business.
    func close() {
        isClosed = true
        let error = HarbourError(.unavailable, "The client has been closed.")
        while let call = waiting.popFirst() { call.reject(error) }
        for connection in connections { connection.close(error) }
    }
}

/// Calls in the order they came. One that has ended while it waited is skipped.
private struct WaitingCalls {
    private var calls: [ClientCall] = []
    private var head = 0

    var count: Int { calls.count - head }

    var isEmpty: Bool {
        mutating get {
            dropEnded()
            return head == calls.count
        }
    }

    mutating func append(_ call: ClientCall) { calls.append(call) }

    mutating func popFirst() -> ClientCall? {
        dropEnded()
        guard head < calls.count else { return nil }
        head += 1
        return calls[head - 1]
    }

    private mutating func dropEnded() {
        while head < calls.count, calls[head].isOver { head += 1 }
        if head > 64 && head * 2 > calls.count {
            calls.removeFirst(head)
            head = 0
        }
    }
}

/// Takes a pool into a task of its own loop.
private struct PoolBox: @unchecked Sendable {
    let pool: OriginPool
}
