internal import Core
internal import Cryptography
internal import HTTPMessage
internal import ServiceKit
internal import Synchronization

/// Lets in users with a token of theirs, and the other services with theirs.
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
    private let known = Mutex<[[UInt8]: Known]>([:])

    init(services: ServiceTokenAuthenticator, tokens: TokenStore) {
        self.services = services
        self.tokens = tokens
    }

    /// The caller: from memory when the token was seen a moment ago, so that a busy page does not ask the database for
    /// every request.
    func authenticate(_ request: HTTPRequest) async throws(HarbourError) -> Caller {
        guard let shown = BearerToken.bytes(of: request) else { throw BearerToken.missing }
        if services.accepts(shown) {
            return Caller(user: try ServiceTokenAuthenticator.user(of: request), isService: true)
        }
        let hash = Digest.sha256(shown)
        let now = MonotonicTime.now
        if let known = known.withLock({ $0[hash] }), known.until > now { return known.caller }
        guard let owner = try await tokens.owner(ofHash: hash) else {
            known.withLock { $0[hash] = nil }
            throw BearerToken.refused
        }
        let caller = Caller(user: owner.user, tokenName: owner.tokenName)
        known.withLock { known in
            if known.count >= TokenAuthenticator.memorySize { known.removeAll() }
            known[hash] = Known(caller: caller, until: now + TokenAuthenticator.memory)
        }
        return caller
    }
}
