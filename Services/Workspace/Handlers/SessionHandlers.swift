internal import Core
internal import Cryptography
internal import HTTPMessage
internal import HTTPServer
internal import HarbourProtocol
internal import ServiceKit

/// Signs browsers in and out. These routes are not the router's ordinary ones, because they set a cookie.
struct SessionHandlers: Sendable {
    let authenticator: TokenAuthenticator

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
        // A form of another site can neither send this type nor get at the answer, so it cannot sign anybody in.
        guard request.fields["content-type"]?.lowercased().hasPrefix("application/json") == true else {
            throw HarbourError(
                .unsupportedMediaType, "The body must be JSON. Send it with `content-type: application/json`.")
        }
        let body = try await request.body.collect(limit: 8192)
        let token = try SignIn(json: body).token.utf8.drop { $0 <= 0x20 }.prefix { $0 > 0x20 }
        let hash = Digest.sha256(Array(token))
        guard let caller = try await authenticator.caller(ofHash: hash), let user = caller.user else {
            throw HarbourError(
                .unauthenticated, "This token is not valid. `deploy/up` and `harbour up` print the one to use.")
        }
        return answer(SessionCookie(user: user, tokenHash: hash), request, isNew: true)
    }

    private func show(_ request: HTTPRequest) async throws(HarbourError) -> HTTPResponse {
        guard var session = try await authenticator.session(of: request) else { throw BearerToken.missing }
        // Who comes back stays signed in.
        let now = Timestamp.now
        let isOld = session.expires - now < SessionCookie.lifetime - .seconds(86_400)
        if isOld { session.expires = now + SessionCookie.lifetime }
        return answer(session, request, isNew: isOld)
    }

    private func signOut(_ request: HTTPRequest) async throws(HarbourError) -> HTTPResponse {
        if let session = try await authenticator.session(of: request) {
            try session.checkChange(request, authenticator.keys)
        }
        var response = HTTPResponse.json(Array("{}".utf8))
        response.fields.append("set-cookie", SessionCookie.clearField(for: request))
        return response
    }

    private func answer(_ session: SessionCookie, _ request: HTTPRequest, isNew: Bool) -> HTTPResponse {
        let body = Session(
            userName: session.user, csrfToken: session.csrfToken(authenticator.keys), expiresTime: session.expires)
        var response = HTTPResponse.json(body.encodedJSON())
        if isNew { response.fields.append("set-cookie", session.setField(for: request, authenticator.keys)) }
        return response
    }
}
