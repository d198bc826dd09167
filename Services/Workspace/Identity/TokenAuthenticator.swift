internal import Core
internal import Cryptography
internal import HTTPMessage
internal import ServiceKit
internal import Synchronization

/// Lets in users with a token of theirs or a browser's session, and the other services with their token.
final class TokenAuthenticator: Authenticator {
    private struct Known {
        let caller: Caller
        let until: MonotonicTime
    }

    /// For how long a revoked token may still be taken.
    private static let memory = Duration.seconds(15)
    private static let memorySize = 10_000

    private let services: ServiceTokenAuthenticator
    private let tokens: TokenStore
    /// What browsers' sessions are signed with.
    let keys: SessionCookie.Keys
    private let known = Mutex<[[UInt8]: Known]>([:])

    init(services: ServiceTokenAuthenticator, tokens: TokenStore, keys: SessionCookie.Keys) {
        self.services = services
        self.tokens = tokens
        self.keys = keys
    }

    /// The caller. A token that is shown counts alone; without one, the browser's session does.
    func authenticate(_ request: HTTPRequest) async throws(HarbourError) -> Caller {
        guard let shown = BearerToken.bytes(of: request) else {
            guard let session = SessionCookie.find(in: request, keys) else { throw BearerToken.missing }
            try session.checkChange(request, keys)
            guard let caller = try await caller(ofHash: session.tokenHash) else { throw BearerToken.refused }
            return caller
        }
        if services.accepts(shown) {
            return Caller(user: try ServiceTokenAuthenticator.user(of: request), isService: true)
        }
        guard let caller = try await caller(ofHash: Digest.sha256(shown)) else { throw BearerToken.refused }
        return caller
    }

    /// The browser's session, if it has one whose token is still valid.
    func session(of request: HTTPRequest) async throws(HarbourError) -> SessionCookie? {
        guard let session = SessionCookie.find(in: request, keys) else { return nil }
        return try await caller(ofHash: session.tokenHash) == nil ? nil : session
    }

    /// Whose token has this hash: from memory when it was seen a moment ago, so that a busy page does not ask the
    /// database for every request.
    func caller(ofHash hash: [UInt8]) async throws(HarbourError) -> Caller? {
        let now = MonotonicTime.now
        if let known = known.withLock({ $0[hash] }), known.until > now { return known.caller }
        guard let owner = try await tokens.owner(ofHash: hash) else {
            known.withLock { $0[hash] = nil }
            return nil
        }
        let caller = Caller(user: owner.user, tokenName: owner.tokenName)
        known.withLock { known in
            if known.count >= TokenAuthenticator.memorySize { known.removeAll() }
            known[hash] = Known(caller: caller, until: now + TokenAuthenticator.memory)
        }
        return caller
    }
}
