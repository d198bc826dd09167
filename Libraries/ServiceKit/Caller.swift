public import Core
internal import Cryptography
public import HTTPMessage
internal import HarbourProtocol

/// Who makes a request.
public struct Caller: Sendable, Hashable {
    /// The user who asks, or on whose behalf a service asks; nil when a service asks for itself.
    public var user: String?
    /// Whether the request came from one of our services, with their token.
    public var isService: Bool
    /// The name of the personal token that was shown, if it was one.
    public var tokenName: String?

    /// Describes a caller.
    public init(user: String?, isService: Bool = false, tokenName: String? = nil) {
        self.user = user
        self.isService = isService
        self.tokenName = tokenName
    }
}

/// Finds out who makes a request, asking a database if need be.
public protocol Authenticator: Sendable {
    /// The caller.
    /// - Throws: `UNAUTHENTICATED` when there is no valid token.
    func authenticate(_ request: HTTPRequest) async throws(HarbourError) -> Caller
}

/// An authenticator that never waits, so that synchronous routes can use it.
public protocol ImmediateAuthenticator: Authenticator {
    /// The caller.
    /// - Throws: `UNAUTHENTICATED` when there is no valid token.
    func authenticateNow(_ request: HTTPRequest) throws(HarbourError) -> Caller
}

extension ImmediateAuthenticator {
    /// The caller, at once.
    public func authenticate(_ request: HTTPRequest) async throws(HarbourError) -> Caller {
        try authenticateNow(request)
    }
}

/// Lets our own services in, and nobody else: they show the token that all of them were configured with. Only they may
/// say, in `x-harbour-user`, on whose behalf they ask.
public struct ServiceTokenAuthenticator: ImmediateAuthenticator {
    private let token: [UInt8]

    /// Takes the token; an empty one lets nobody in.
    public init(token: String) { self.token = Array(token.utf8) }

    /// The service, and the user it speaks for.
    public func authenticateNow(_ request: HTTPRequest) throws(HarbourError) -> Caller {
        guard let shown = BearerToken.bytes(of: request) else { throw BearerToken.missing }
        guard accepts(shown) else { throw BearerToken.refused }
        return Caller(user: try ServiceTokenAuthenticator.user(of: request), isService: true)
    }

    /// Whether this is the services' token; compared in constant time.
    public func accepts(_ shown: [UInt8]) -> Bool { !token.isEmpty && constantTimeEquals(shown, token) }

    /// The user in `x-harbour-user`, to be asked for only when the service token was shown.
    public static func user(of request: HTTPRequest) throws(HarbourError) -> String? {
        guard let user = request.fields[CallHeader.user], !user.isEmpty else { return nil }
        guard user.utf8.count <= 256, user.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f }) else {
            throw HarbourError(
                .invalidParameter, "The header field \(CallHeader.user) must be a user name of at most 256 bytes.")
        }
        return user
    }
}

/// The token of `authorization: Bearer ...` (RFC 6750 section 2.1).
public enum BearerToken {
    /// The token's bytes; nil when the request has none.
    public static func bytes(of request: HTTPRequest) -> [UInt8]? {
        request.fields.withValue("authorization") { value in
            let scheme = "bearer ".utf8
            guard value.count > scheme.count, value.count <= 4096,
                zip(value, scheme).allSatisfy({ ($0 < 0x41 || $0 > 0x5a ? $0 : $0 | 0x20) == $1 })
            else { return nil }
            return Array(value.dropFirst(scheme.count).drop { $0 == 0x20 })
        } ?? nil
    }

    /// Lets a scraper in that shows the token of `--metrics-token`, and everybody when there is none.
    /// - Throws: `UNAUTHENTICATED`.
    public static func check(_ request: HTTPRequest, for token: String?) throws(HarbourError) {
        guard let token else { return }
        guard let shown = bytes(of: request) else { throw missing }
        guard constantTimeEquals(shown, Array(token.utf8)) else { throw refused }
    }

    /// The answer to a request without a token.
    public static let missing = HarbourError(
        .unauthenticated, "This needs a token. Send it as `authorization: Bearer <token>`.")

    /// The answer to a request with a token that is not valid.
    public static let refused = HarbourError(
        .unauthenticated, "The token is not valid. Sign in again, or ask for a new one.")
}
