internal import Core
internal import EventLoop
internal import HTTPMessage
internal import HTTPServer
internal import ServiceKit
internal import WebSocket

/// Who is on the other side of a WebSocket, at its begin and from then on. Only pages of our own origin get one with a
/// browser's session: the handshake is checked for that, because it cannot carry the CSRF token.
struct SocketSignIn: Sendable {
    let authenticator: any Authenticator
    let loop: EventLoop
    let changes: AccessChanges
    let places: SocketPlaces

    /// Of the range for applications (RFC 6455 section 7.4.2): sign in first.
    private static let signedOut = WebSocketCloseCode(rawValue: 4401)
    /// The same for too many connections, or too many wrong tokens: come back later.
    private static let tooMany = WebSocketCloseCode(rawValue: 4429)
    private static let checkInterval = Duration.seconds(60)
    /// What a client may send: requests are small.
    private static let maxMessage = 16 << 10

    static var options: HTTPWebSocketOptions {
        var options = HTTPWebSocketOptions()
        options.limits.frame = maxMessage
        options.limits.message = maxMessage
        return options
    }

    /// Lets in who has signed in, for as long as the closure takes. Nobody else is told anything but why not, and has to
    /// go at once: the handshake is over, so a code of the application's says it.
    func letIn(
        _ request: HTTPRequest, _ socket: HTTPWebSocket, _ body: (Caller) async throws -> Void
    ) async throws {
        var held: [SocketPlaces.Holder] = []
        defer { for holder in held { places.leave(holder) } }
        let caller: Caller
        do throws(HarbourError) {
            try enter(.network(CallerNetwork.of(request)), &held)
            caller = try await authenticator.authenticate(request)
            if let user = caller.user { try enter(.user(user), &held) }
        } catch {
            let isTooMany = error.code == .resourceExhausted
            socket.close(isTooMany ? SocketSignIn.tooMany : SocketSignIn.signedOut, reason: error.code.name)
            while try await socket.next() != nil {}
            return
        }
        try await body(caller)
    }

    private func enter(
        _ holder: SocketPlaces.Holder, _ held: inout [SocketPlaces.Holder]
    ) throws(HarbourError) {
        try places.enter(holder)
        held.append(holder)
    }

    /// Who is signed out, or whose token is revoked, is not told anything more, nor of what may no longer be seen. That is
    /// looked at when something has changed, and now and then, because a token may also run out.
    /// - Parameters:
    ///   - id: what the connection is called.
    ///   - recheck: looks whether what is followed may still be seen.
    /// - Returns: what ends the watch.
    func watch(
        _ request: HTTPRequest, _ socket: HTTPWebSocket, as id: String,
        recheck: @escaping @Sendable () async -> Void = {}
    ) -> @Sendable () -> Void {
        changes.follow(id) { [self] in loop.spawn { await check(request, socket, recheck) } }
        let task = loop.spawn { [self] in
            while (try? await loop.sleep(for: SocketSignIn.checkInterval)) != nil {
                await check(request, socket, recheck)
            }
        }
        return { [changes] in
            task.cancel()
            changes.unfollow(id)
        }
    }

    private func check(
        _ request: HTTPRequest, _ socket: HTTPWebSocket, _ recheck: @Sendable () async -> Void
    ) async {
        do throws(HarbourError) { _ = try await authenticator.authenticate(request) } catch {
            guard error.code == .unauthenticated else { return }
            return socket.close(SocketSignIn.signedOut, reason: error.code.name)
        }
        await recheck()
    }
}
