internal import Core
internal import EventLoop
internal import HTTPMessage
internal import HTTPServer
internal import HarbourProtocol
internal import ServiceKit

/// The WebSocket of the page.
struct LiveHandlers: Sendable {
    let signIn: SocketSignIn
    let parts: LiveParts
    let loop: EventLoop
    let keeper: PresenceKeeper

    static let path = "/api/v1/live"

    func register(on router: ServiceRouter) {
        for method in [HTTPMethod.get, .connect] {
            router.name(
                EndpointRoute(
                    service: "workspace", operationID: "live", method: method, path: LiveHandlers.path,
                    isIdempotent: true))
        }
        router.http.webSocket(LiveHandlers.path, options: SocketSignIn.options) { [self] request, _, socket in
            try await signIn.letIn(request, socket) { caller in try await serve(caller, request, socket) }
        }
    }

    private func serve(_ caller: Caller, _ request: HTTPRequest, _ socket: HTTPWebSocket) async throws {
        let connection = LiveConnection(loop: loop, socket: socket, caller: caller, parts: parts)
        let endWatch = signIn.watch(request, socket, as: connection.clientID) { await connection.recheck() }
        defer { endWatch() }
        await keeper.came()
        let result: Result<Void, any Error>
        do { result = .success(try await connection.run()) } catch { result = .failure(error) }
        await keeper.went()
        try result.get()
    }
}
