public import Core
public import EventLoop

/// The client between our services: HTTP/2, multiplexed over few connections that are made when needed and kept.
///
///     let client = HTTPClient(loop: loop)
///     let response = try await client.send(.init(origin: .http(host: "127.0.0.1", port: 8080), target: "/healthz"))
///     let body = try await response.collect()
///
/// Cancelling the calling task resets the stream. A call is sent again only when that is safe: when the peer has not
/// looked at it, or once after a lost connection when the request is idempotent.
///
/// `@unchecked Sendable`: its state is touched on its loop only; the functions may be called from anywhere.
public final class HTTPClient: @unchecked Sendable {
    /// The loop the connections live on.
    public let loop: EventLoop
    private let configuration: HTTPClientConfiguration
    private var pools: [HTTPOrigin: OriginPool] = [:]
    private var isClosed = false

    /// Makes a client; it connects when it is used.
    public init(loop: EventLoop, configuration: HTTPClientConfiguration = HTTPClientConfiguration()) {
        self.loop = loop
        self.configuration = configuration
    }

    /// Sends the request and waits for the head of the response; the body follows in the response.
    /// - Parameters:
    ///   - request: what to ask, and whom.
    ///   - deadline: when to give up, body included. It travels as `x-harbour-deadline-ms`.
    /// - Returns: the status and fields, with the body still to be read.
    /// - Throws: `TEMPORARILY_UNAVAILABLE` when nobody answers there or the connection broke, `DEADLINE_EXCEEDED`,
    ///   `CANCELLED`, `BAD_UPSTREAM_RESPONSE` when the answer is no valid one. Statuses of 400 and more do not throw.
    public func send(
        _ request: HTTPClientRequest, deadline: MonotonicTime? = nil
    ) async throws(HarbourError) -> HTTPClientResponse {
        let call = ClientCall(request, deadline: deadline, loop: loop)
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                loop.onLoop { [self] in call.start(continuation, in: pool(request.origin)) }
            }
        } onCancel: { [loop] in
            loop.submit { call.end(ClientCall.cancelledError) }
        }
        return try result.get()
    }

    private func pool(_ origin: HTTPOrigin) -> OriginPool {
        if let known = pools[origin] { return known }
        let made = OriginPool(origin, loop: loop, configuration: configuration)
        if isClosed { made.close() }
        pools[origin] = made
        return made
    }

    /// Breaks off all calls and closes all connections.
    public func close() async {
        await withCheckedContinuation { continuation in
            loop.onLoop { [self] in
                isClosed = true
                for pool in pools.values { pool.close() }
                continuation.resume()
            }
        }
    }
}
