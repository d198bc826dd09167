internal import Core
internal import Cryptography
internal import HTTPMessage
internal import HTTPServer
internal import HarbourProtocol
internal import ServiceKit

/// Signs browsers in and out. These routes are not the router's ordinary ones, because they set a cookie.
struct SessionHandlers: Sendable {
    let authenticator: TokenAuthenticator
    let tokens: TokenStore
    let directory: Directory
    let passwords: PasswordSignIn

    func register(on router: ServiceRouter) {
        serve(WorkspaceAPI.createSession.route, on: router, signIn)
        serve(WorkspaceAPI.getSession.route, on: router, show)
        serve(WorkspaceAPI.deleteSession.route, on: router, signOut)
    }

    private func serve(
        _ route: EndpointRoute, on router: ServiceRouter,
        _ handler: @escaping @Sendable (HTTPRequest) async throws(HarbourError) -> HTTPResponse
    ) {
        router.name(route)
        router.http.on(route.method, route.path, maxBodySize: route.maximumBodyBytes) {
            (request, _) async throws -> HTTPResponse in
            var response = try await handler(request)
            response.fields.append("cache-control", "no-store")
            return response
        }
    }

    private func signIn(_ request: HTTPRequest) async throws(HarbourError) -> HTTPResponse {
        let wish = try SignIn(json: try await SignInBody.json(of: request, limit: 8192))
        if let user = wish.userName, let password = wish.password, wish.token == nil {
            return try await signIn(user, password, request)
        }
        guard let text = wish.token, wish.userName == nil, wish.password == nil else {
            throw HarbourError(.invalidParameter, "Send a `token`, or `user_name` and `password`.")
        }
        let token = text.utf8.drop { $0 <= 0x20 }.prefix { $0 > 0x20 }
        let hash = Digest.sha256(Array(token))
        guard let caller = try await authenticator.caller(ofShown: hash, request), let user = caller.user else {
            throw HarbourError(
                .unauthenticated, "This token is not valid. `deploy/up` and `harbour up` print the one to use.")
        }
        note(request, caller)
        return try await answer(SessionCookie(user: user, tokenHash: hash), request, isNew: true)
    }

    /// The session gets a token that nobody knows, so that it can be ended from here like any other.
    private func signIn(
        _ user: String, _ password: String, _ request: HTTPRequest
    ) async throws(HarbourError) -> HTTPResponse {
        note(request, Caller(user: user))
        _ = try await passwords.check(user: user, password: password, request)
        let hash = Digest.sha256(SystemRandom.bytes(32))
        let session = SessionCookie(user: user, tokenHash: hash)
        _ = try await tokens.insert(
            hash: hash, user: user, name: "session", expires: session.expires, isSession: true)
        return try await answer(session, request, isNew: true)
    }

    private func note(_ request: HTTPRequest, _ caller: Caller) {
        request.attributes[AuditNote.self] = AuditNote(route: WorkspaceAPI.createSession.route, caller: caller)
    }

    private func show(_ request: HTTPRequest) async throws(HarbourError) -> HTTPResponse {
        guard var session = try await authenticator.session(of: request) else { throw BearerToken.missing }
        // Who comes back stays signed in.
        let now = Timestamp.now
        let isOld = session.expires - now < SessionCookie.lifetime - .seconds(86_400)
        if isOld {
            session.expires = now + SessionCookie.lifetime
            try await tokens.extendSession(hash: session.tokenHash, to: session.expires)
        }
        return try await answer(session, request, isNew: isOld)
    }

    private func signOut(_ request: HTTPRequest) async throws(HarbourError) -> HTTPResponse {
        if let session = try await authenticator.session(of: request) {
            try session.checkChange(request, authenticator.keys)
            do { try await tokens.endSession(session) } catch { throw HarbourError.wrap(error) }
            authenticator.forget()
        }
        var response = HTTPResponse.json(Array("{}".utf8))
        response.fields.append("set-cookie", SessionCookie.clearField(for: request))
        return response
    }

    private func answer(
        _ session: SessionCookie, _ request: HTTPRequest, isNew: Bool
    ) async throws(HarbourError) -> HTTPResponse {
        let body = Session(
            userName: session.user, csrfToken: session.csrfToken(authenticator.keys), expiresTime: session.expires,
            role: try await directory.principal(session.user)?.role)
        var response = HTTPResponse.json(body.encodedJSON())
        if isNew { response.fields.append("set-cookie", session.setField(for: request, authenticator.keys)) }
        return response
    }
}
