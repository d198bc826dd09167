internal import Core
internal import Cryptography
internal import HTTPMessage
internal import HTTPServer
internal import HarbourProtocol
internal import ServiceKit

/// The routes of personal tokens and of access tokens.
struct TokenHandlers: Sendable {
    let tokens: TokenStore
    let people: PeopleStore
    let directory: Directory
    let authenticator: TokenAuthenticator
    let passwords: PasswordSignIn
    let access: AccessTokens

    /// Says what it is, so that a token that got out is found.
    private static let prefix = "hbr_"

    func register(on router: ServiceRouter) {
        router.on(WorkspaceAPI.createToken) { [self] input, context in
            // What ends soon must not make what does not.
            guard context.caller.tokenName != TokenAuthenticator.accessTokenName else {
                throw HarbourError(
                    .permissionDenied, "A token is made with a session or a personal token. Sign in with one of them.")
            }
            return try await create(input.body, for: input.body.userName ?? context.userName)
        }
        router.on(WorkspaceAPI.listTokens) { [tokens] input, context in
            TokenList(tokenInfos: try await tokens.list(of: input.userName ?? context.userName))
        }
        router.on(WorkspaceAPI.revokeToken) { [self] input, context in
            try await revoke(input.body.tokenID, context)
            return Empty()
        }
        registerAccess(on: router)
    }

    private func create(_ wish: CreateToken, for user: String) async throws -> CreatedToken {
        guard let principal = try await directory.principal(user) else {
            throw HarbourError(.notFound, "There is no user \(user) who may sign in. Make the user first.")
        }
        let value = TokenHandlers.prefix + SystemRandom.token()
        let expires = wish.lifetimeSeconds.map { Timestamp.now + .seconds($0) }
        let info = try await tokens.insert(
            hash: Digest.sha256(value), user: principal.userName, name: wish.comment ?? "", expires: expires)
        return CreatedToken(tokenValue: value, tokenInfo: info)
    }

    private func revoke(_ text: String, _ context: RequestContext) async throws {
        guard let id = Int64(text), let owner = try await tokens.user(ofToken: id) else {
            throw HarbourError(.notFound, "There is no token \(text.prefix(32)). List the tokens.")
        }
        if let name = context.user, name != owner {
            guard try await directory.principal(name)?.isAdministrator == true else {
                // Whose tokens there are is nobody else's business.
                throw HarbourError(.notFound, "There is no token \(text.prefix(32)). List the tokens.")
            }
        }
        try await tokens.revoke(id)
        authenticator.forget()
    }

    // MARK: Access tokens

    /// Not one of the router's ordinary routes, because whoever asks has not signed in yet.
    private func registerAccess(on router: ServiceRouter) {
        let route = WorkspaceAPI.createAccessToken.route
        router.name(route)
        router.http.on(route.method, route.path, maxBodySize: route.maximumBodyBytes) {
            [self] (request, _) async throws -> HTTPResponse in
            let wish = try RequestAccessToken(
                json: try await SignInBody.json(of: request, limit: route.maximumBodyBytes))
            var response = HTTPResponse.json(try await accessToken(wish, request).encodedJSON())
            response.fields.append("cache-control", "no-store")
            return response
        }
    }

    private func accessToken(_ wish: RequestAccessToken, _ request: HTTPRequest) async throws -> AccessToken {
        let note = { (caller: Caller) in
            request.attributes[AuditNote.self] = AuditNote(
                route: WorkspaceAPI.createAccessToken.route, caller: caller)
        }
        if let user = wish.userName, let password = wish.password {
            note(Caller(user: user))
            let version = try await passwords.check(user: user, password: password, request)
            return try access.make(user: user, credentialsVersion: version)
        }
        guard wish.userName == nil, wish.password == nil else {
            throw HarbourError(.invalidParameter, "Send both `user_name` and `password`, or neither.")
        }
        let caller = try await authenticator.authenticate(request)
        note(caller)
        // What was made from an access token would never end: each could make the next.
        guard let user = caller.user, !caller.isService, caller.tokenName != TokenAuthenticator.accessTokenName else {
            throw HarbourError(
                .permissionDenied, "An access token is made for a password or a personal token. Send one of them.")
        }
        guard let credentials = try await people.credentials(of: user), credentials.isActive else {
            throw BearerToken.refused
        }
        return try access.make(user: user, credentialsVersion: credentials.version)
    }
}

/// The body of a request that signs in.
enum SignInBody {
    /// A form of another site can neither send this type nor get at the answer, so it cannot sign anybody in.
    static func json(of request: HTTPRequest, limit: Int) async throws(HarbourError) -> [UInt8] {
        guard request.fields["content-type"]?.lowercased().hasPrefix("application/json") == true else {
            throw HarbourError(
                .unsupportedMediaType, "The body must be JSON. Send it with `content-type: application/json`.")
        }
        return try await request.body.collect(limit: limit)
    }
}
