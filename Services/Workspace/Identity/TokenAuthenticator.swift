internal import Core
internal import Cryptography
internal import HTTPMessage
internal import ServiceKit
internal import Synchronization

/// Lets in users with a token of theirs, an access token or a browser's session, and the other services with their token.
final class TokenAuthenticator: Authenticator {
    private struct Known {
        let caller: Caller
        let until: MonotonicTime
    }

    /// For how long a revoked token may still be taken.
    private static let memory = Duration.seconds(15)
    private static let memorySize = 10_000

    private let guesses = TokenGuesses()

    /// What a caller's `tokenName` is with an access token.
    static let accessTokenName = "access token"

    private let services: ServiceTokenAuthenticator
    private let tokens: TokenStore
    private let access: AccessTokens
    private let people: PeopleStore
    /// What browsers' sessions are signed with.
    let keys: SessionCookie.Keys
    private let known = Mutex<[[UInt8]: Known]>([:])

    init(
        services: ServiceTokenAuthenticator, tokens: TokenStore, people: PeopleStore, access: AccessTokens,
        keys: SessionCookie.Keys
    ) {
        self.services = services
        self.tokens = tokens
        self.people = people
        self.access = access
        self.keys = keys
    }

    /// The caller. A token that is shown counts alone; without one, the browser's session does.
    func authenticate(_ request: HTTPRequest) async throws(HarbourError) -> Caller {
        guard let shown = BearerToken.bytes(of: request) else {
            guard let session = SessionCookie.find(in: request, keys) else { throw BearerToken.missing }
            try session.checkChange(request, keys)
            guard let caller = try await caller(of: session) else { throw BearerToken.refused }
            return caller
        }
        if services.accepts(shown) {
            return Caller(user: try ServiceTokenAuthenticator.user(of: request), isService: true)
        }
        let hash = Digest.sha256(shown)
        let caller = try await guarded(hash, request) { () async throws(HarbourError) -> Caller? in
            AccessTokens.isOne(shown)
                ? try await self.caller(ofAccessToken: shown) : try await self.caller(ofHash: hash)
        }
        guard let caller else { throw BearerToken.refused }
        return caller
    }

    /// The caller of a token that somebody shows to sign in with; nil when it is none.
    /// - Throws: `RESOURCE_EXHAUSTED` after too many wrong ones.
    func caller(ofShown hash: [UInt8], _ request: HTTPRequest) async throws(HarbourError) -> Caller? {
        try await guarded(hash, request) { () async throws(HarbourError) -> Caller? in try await caller(ofHash: hash) }
    }

    /// Looks a token up, unless too many wrong ones have come from where it comes from. Whoever was let in before
    /// is let in, whatever others do there.
    private func guarded(
        _ hash: [UInt8], _ request: HTTPRequest, _ find: () async throws(HarbourError) -> Caller?
    ) async throws(HarbourError) -> Caller? {
        if let caller = remembered(hash) { return caller }
        let network = CallerNetwork.of(request)
        if let wait = guesses.begin(hash, from: network, at: .now) {
            throw RetryAfter.error(wait, request, "Too many tokens that are not valid have come from here.")
        }
        guard let caller = try await find() else { return nil }
        guesses.wasRight(hash, from: network)
        return caller
    }

    /// Forgets whom it has seen, because a token was revoked or a user changed. Other replicas do within their memory.
    func forget() { known.withLock { $0.removeAll() } }

    /// The browser's session, if it has one that has not ended and whose token is still valid.
    func session(of request: HTTPRequest) async throws(HarbourError) -> SessionCookie? {
        guard let session = SessionCookie.find(in: request, keys) else { return nil }
        return try await caller(of: session) == nil ? nil : session
    }

    /// Whose session it is; nil when it was signed out of, or its token is no longer valid.
    func caller(of session: SessionCookie) async throws(HarbourError) -> Caller? {
        if let caller = remembered(session.mark) { return caller }
        guard let owner = try await tokens.owner(ofHash: session.tokenHash, unlessEnded: session.mark) else {
            known.withLock { $0[session.mark] = nil }
            return nil
        }
        return remember(Caller(user: owner.user, tokenName: owner.tokenName), session.mark, until: owner.expires)
    }

    /// Whose token has this hash: from memory when it was seen a moment ago, so that a busy page does not ask the
    /// database for every request.
    func caller(ofHash hash: [UInt8]) async throws(HarbourError) -> Caller? {
        if let caller = remembered(hash) { return caller }
        guard let owner = try await tokens.owner(ofHash: hash) else {
            known.withLock { $0[hash] = nil }
            return nil
        }
        return remember(Caller(user: owner.user, tokenName: owner.tokenName), hash, until: owner.expires)
    }

    /// Whom an access token stands for: somebody whose credentials have not changed since.
    private func caller(ofAccessToken shown: [UInt8]) async throws(HarbourError) -> Caller? {
        guard let claims = access.read(shown) else { return nil }
        let hash = Digest.sha256(shown)
        if let caller = remembered(hash) { return caller }
        guard let credentials = try await people.credentials(of: claims.user), credentials.isActive,
            credentials.version == claims.credentialsVersion
        else { return nil }
        return remember(Caller(user: claims.user, tokenName: TokenAuthenticator.accessTokenName), hash)
    }

    private func remembered(_ hash: [UInt8]) -> Caller? {
        guard let known = known.withLock({ $0[hash] }), known.until > .now else { return nil }
        return known.caller
    }

    private func remember(_ caller: Caller, _ hash: [UInt8], until end: Timestamp? = nil) -> Caller {
        let left = end.map { $0 - .now } ?? TokenAuthenticator.memory
        let until = MonotonicTime.now + min(left, TokenAuthenticator.memory)
        known.withLock { known in
            if known.count >= TokenAuthenticator.memorySize { known.removeAll() }
            known[hash] = Known(caller: caller, until: until)
        }
        return caller
    }
}
