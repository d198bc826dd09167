internal import Core
internal import EventLoop
internal import HTTPMessage
internal import HTTPServer
internal import HarbourProtocol
internal import ServiceKit
internal import WebSocket

/// The WebSocket of the page. Only pages of our own origin get it with a browser's session: its handshake is checked for
/// that, because a handshake cannot carry the CSRF token.
struct LiveHandlers: Sendable {
    let authenticator: any Authenticator
    let parts: LiveParts
    let loop: EventLoop
    let keeper: PresenceKeeper
    let changes: AccessChanges

    static let path = "/api/v1/live"
    /// Of the range for applications (RFC 6455 section 7.4.2): sign in first.
    private static let signedOut = WebSocketCloseCode(rawValue: 4401)
    private static let checkInterval = Duration.seconds(60)
    /// What a client may send: requests are small.
    private static let maxMessage = 16 << 10

    /// Who is signed out, or whose token is revoked, is not told anything more, nor of what he may no longer see.
    private func check(_ request: HTTPRequest, _ socket: HTTPWebSocket, _ connection: LiveConnection) async {
        do throws(HarbourError) {
            _ = try await authenticator.authenticate(request)
        } catch {
            guard error.code == .unauthenticated else { return }
            return socket.close(LiveHandlers.signedOut, reason: error.code.name)
        }
        await connection.recheck()
    }

    /// Checks when something has changed, and now and then, because a token may also run out.
    private func watch(
        _ request: HTTPRequest, _ socket: HTTPWebSocket, _ connection: LiveConnection
    ) -> Task<Void, Never> {
        changes.follow(connection.clientID) { [self] in loop.spawn { await check(request, socket, connection) } }
        return loop.spawn { [self] in
            while (try? await loop.sleep(for: LiveHandlers.checkInterval)) != nil {
                await check(request, socket, connection)
            }
        }
    }

    func register(on router: ServiceRouter) {
        var options = HTTPWebSocketOptions()
        options.limits.frame = LiveHandlers.maxMessage
        options.limits.message = LiveHandlers.maxMessage
        for method in [HTTPMethod.get, .connect] {
            router.name(
                EndpointRoute(
                    service: "workspace", operationID: "live", method: method, path: LiveHandlers.path,
                    isIdempotent: true))
        }
        router.http.webSocket(LiveHandlers.path, options: options) { [self] request, _, socket in
            let caller: Caller
            do throws(HarbourError) {
                caller = try await authenticator.authenticate(request)
            } catch {
                // The handshake is over: a code of the application's says that one has to sign in.
                socket.close(LiveHandlers.signedOut, reason: error.code.name)
                _ = try await socket.next()
                return
            }
            let connection = LiveConnection(loop: loop, socket: socket, caller: caller, parts: parts)
            let watch = watch(request, socket, connection)
            defer {
                watch.cancel()
                changes.unfollow(connection.clientID)
            }
            await keeper.came()
            let result: Result<Void, any Error>
            do { result = .success(try await connection.run()) } catch { result = .failure(error) }
            await keeper.went()
            try result.get()
        }
    }
}
