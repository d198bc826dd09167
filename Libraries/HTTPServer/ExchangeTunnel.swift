internal import Core
internal import EventLoop
internal import HTTPMessage
public import WebSocket

/// What a route says about its WebSocket connections.
public struct HTTPWebSocketOptions: Sendable {
    /// Ours, in the order of preference.
    public var subprotocols: [String] = []
    /// Which pages may connect.
    public var origins = WebSocketHandshake.Origins.same
    /// What the other side may send.
    public var limits = WebSocketLimits()
    /// How long the other side may take to answer our goodbye, whatever else it sends, before the connection is broken
    /// off.
    public var closeTimeout = Duration.seconds(10)

    /// No subprotocols, pages of the same origin, default limits.
    public init() {}
}

extension Exchange {
    typealias WebSocketAction = @Sendable (HTTPRequest, HTTPWebSocket) async throws -> Void

    /// Opens the connection and runs the handler on it.
    func openWebSocket(_ options: HTTPWebSocketOptions, _ action: @escaping WebSocketAction) throws(HarbourError) {
        let isHTTP2 = channel.carriesStreams
        guard isHTTP2 ? request.method == .connect : channel.asksForWebSocket(self) else {
            throw HarbourError(.upgradeRequired, "This path speaks WebSocket. Connect with a WebSocket client.")
        }
        let acceptance = try WebSocketHandshake.accept(
            request, isHTTP2: isHTTP2, subprotocols: options.subprotocols, origins: options.origins)
        try channel.openTunnel(self, HTTPResponse(status: acceptance.status, fields: acceptance.fields))
        beginTunnel(status: acceptance.status)
        let socket = HTTPWebSocket(self, options, subprotocol: acceptance.subprotocol)
        onDrain = { [weak socket] in socket?.close(.goingAway) }
        let generation = generation
        let request = request
        let task = Task.immediate(executorPreference: context.loop) { [self] in
            do {
                try await action(request, socket)
                socket.finish(nil)
            } catch {
                socket.finish(error)
                logTunnelFailure(error, request)
            }
            endTunnel(generation)
        }
        keep(task, generation)
    }

    private func logTunnelFailure(_ error: any Error, _ request: HTTPRequest) {
        let known = HarbourError.wrap(error)
        // Peers that go away or send nonsense are no failures of ours.
        if known.code.status >= 500 && known.code != .unavailable { context.log(known, request) }
    }

    func sendWithoutWaiting(_ bytes: [UInt8], _ generation: UInt32) {
        guard self.generation == generation, phase == .streaming else { return }
        _ = channel.sendBody(self, bytes, end: false)
    }

    func breakOff(_ generation: UInt32) {
        guard self.generation == generation else { return }
        channel.abort(self)
    }
}
