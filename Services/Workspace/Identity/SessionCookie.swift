internal import Core
internal import Cryptography
internal import HTTPMessage

/// A browser that was signed in with a token: whose it is and until when, signed by us and kept by the browser alone.
///
/// The cookie names the token by its hash, so that the session ends when the token is revoked. It is signed with a key
/// made from the services' secret, so that it outlives a restart and is the same for every replica.
struct SessionCookie: Sendable, Hashable {
    var user: String
    var tokenHash: [UInt8]
    var expires: Timestamp
    /// What makes two sessions of a token differ, and their CSRF tokens with them.
    var nonce: [UInt8]

    /// How long a browser stays signed in.
    static let lifetime = Duration.seconds(7 * 86_400)
    /// What the page sends with everything that changes something.
    static let csrfField = "x-csrf-token"
    private static let version = "v1"

    /// Signs and checks the cookies of one platform.
    struct Keys: Sendable {
        fileprivate let cookie: [UInt8]
        fileprivate let csrf: [UInt8]

        init(secret: String) {
            // A key of its own for each purpose: what one signs proves nothing to another.
            cookie = HMAC.sha256(key: Array(secret.utf8), Array("dataharbour session cookie".utf8))
            csrf = HMAC.sha256(key: Array(secret.utf8), Array("dataharbour session csrf".utf8))
        }
    }

    /// A session that begins now.
    init(user: String, tokenHash: [UInt8], now: Timestamp = .now) {
        self.user = user
        self.tokenHash = tokenHash
        expires = now + SessionCookie.lifetime
        nonce = SystemRandom.bytes(16)
    }

    /// A session whose parts were kept elsewhere.
    init(user: String, tokenHash: [UInt8], expires: Timestamp, nonce: [UInt8]) {
        self.user = user
        self.tokenHash = tokenHash
        self.expires = expires
        self.nonce = nonce
    }

    /// What this session is known by, and no other of its token; it tells nothing of either.
    var mark: [UInt8] { Digest.sha256(Array("dataharbour session".utf8) + tokenHash + nonce) }

    // MARK: Text

    /// What the browser keeps.
    func text(_ keys: Keys) -> String {
        let parts = [
            SessionCookie.version, Base64.encode(Array(user.utf8), .url), Base64.encode(tokenHash, .url),
            "\(expires.milliseconds)", Base64.encode(nonce, .url),
        ]
        let signed = parts.joined(separator: ".")
        return signed + "." + Base64.encode(HMAC.sha256(key: keys.cookie, Array(signed.utf8)), .url)
    }

    /// Reads a cookie; nil when it is not one of ours, was changed, or has expired.
    init?(_ text: String, _ keys: Keys, now: Timestamp = .now) {
        guard text.utf8.count <= 2048, let dot = text.lastIndex(of: "."),
            let signature = Base64.decode(String(text[text.index(after: dot)...]), .url),
            constantTimeEquals(signature, HMAC.sha256(key: keys.cookie, Array(text[..<dot].utf8)))
        else { return nil }
        let parts = text[..<dot].split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 5, parts[0] == SessionCookie.version, let user = Base64.decode(parts[1], .url),
            let hash = Base64.decode(parts[2], .url), let expires = Int64(parts[3]),
            let nonce = Base64.decode(parts[4], .url)
        else { return nil }
        self.user = String(decoding: user, as: UTF8.self)
        tokenHash = hash
        self.expires = Timestamp(milliseconds: expires)
        self.nonce = nonce
        guard self.expires > now else { return nil }
    }

    /// What the page has to send with every change. Another origin cannot read it, and `SameSite` alone is not enough:
    /// what another program serves on another port of this host is the same site.
    func csrfToken(_ keys: Keys) -> String { Base64.encode(HMAC.sha256(key: keys.csrf, nonce), .url) }

    // MARK: Fields

    /// The name of the cookie. Cookies do not know ports, so that each platform of a host needs a name of its own.
    static func name(for request: HTTPRequest) -> String {
        let authority = request.authority
        guard let colon = authority.lastIndex(of: ":"), let port = UInt16(authority[authority.index(after: colon)...])
        else { return "harbour-session" }
        return "harbour-session-\(port)"
    }

    /// The session in the request's cookies. Two of its name are none: another program of this host may have put one
    /// of somebody else before ours, and what is done would be done as that.
    static func find(in request: HTTPRequest, _ keys: Keys) -> SessionCookie? {
        let found = values(in: request)
        return found.count == 1 ? SessionCookie(found[0], keys) : nil
    }

    /// Whether the request has a session's cookie, whatever it is worth.
    static func isShown(by request: HTTPRequest) -> Bool { !values(in: request).isEmpty }

    private static func values(in request: HTTPRequest) -> [String] {
        let prefix = name(for: request) + "="
        var found: [String] = []
        for field in request.fields.values("cookie") {
            for pair in field.split(separator: ";") {
                let trimmed = pair.drop { $0 == " " }
                if trimmed.hasPrefix(prefix) { found.append(String(trimmed.dropFirst(prefix.count))) }
            }
        }
        return found
    }

    /// The `set-cookie` field that keeps the session (RFC 6265 section 4.1).
    func setField(for request: HTTPRequest, _ keys: Keys) -> String {
        let seconds = max(0, (expires.milliseconds - Timestamp.now.milliseconds) / 1000)
        return SessionCookie.field(text(keys), seconds: seconds, for: request)
    }

    /// The `set-cookie` field that ends it.
    static func clearField(for request: HTTPRequest) -> String { field("", seconds: 0, for: request) }

    private static func field(_ value: String, seconds: Int64, for request: HTTPRequest) -> String {
        let secure = request.isSecure ? "; Secure" : ""
        return "\(name(for: request))=\(value); Path=/; Max-Age=\(seconds); HttpOnly; SameSite=Strict\(secure)"
    }

    /// Refuses a change that the page did not ask for itself.
    /// - Throws: `PERMISSION_DENIED`.
    func checkChange(_ request: HTTPRequest, _ keys: Keys) throws(HarbourError) {
        switch request.method {
        // A WebSocket over HTTP/2 begins with CONNECT; its handshake looks at the page's origin instead.
        case .get, .head, .options, .connect: return
        default: break
        }
        guard let shown = request.fields[SessionCookie.csrfField], constantTimeEquals(shown, csrfToken(keys)) else {
            throw HarbourError(
                .permissionDenied,
                "A change with the browser's session needs its `\(SessionCookie.csrfField)`. Reload the page.")
        }
    }
}
