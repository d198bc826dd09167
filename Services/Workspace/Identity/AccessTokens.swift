internal import Core
internal import Cryptography
internal import HarbourProtocol

/// Access tokens: JSON Web Tokens (RFC 7519) signed with HS256 by `SECRET_KEY`, so that other programs with that key can
/// read them too. They are kept nowhere and end by themselves; what ends them earlier is the user's credentials version.
struct AccessTokens: Sendable {
    /// What a token says.
    struct Claims: Sendable, Hashable {
        var user: String
        var credentialsVersion: Int64
        var expires: Timestamp
        /// Tells one token from another.
        var id: String
    }

    private static let issuer = "dataharbour"
    /// Shorter keys can be guessed by whoever has a token.
    static let leastKeyBytes = 32
    /// Clocks of two machines may differ by this.
    private static let leeway = Duration.seconds(30)

    /// Nil without a key, or with one that is too short: then there are none.
    private let key: [UInt8]?
    /// Why there are none, though a key was set.
    let complaint: String?
    let lifetime: Duration

    init(key: String?, lifetime: Duration) {
        let bytes = key.map { Array($0.utf8) } ?? []
        let isLongEnough = bytes.count >= AccessTokens.leastKeyBytes
        self.key = isLongEnough ? bytes : nil
        complaint = isLongEnough || bytes.isEmpty ? nil : AccessTokens.complaint(onKeyOf: bytes.count)
        self.lifetime = lifetime
    }

    private static func complaint(onKeyOf bytes: Int) -> String {
        "Access tokens cannot be signed: SECRET_KEY has \(bytes) bytes, and less than \(leastKeyBytes) can be guessed. Set a "
            + "longer one for the workspace service, such as `openssl rand -hex 32` makes; users' secrets that were "
            + "encrypted with this one have to be put again then."
    }

    /// Makes a token that begins now.
    /// - Throws: `INVALID_STATE` without a key, or with one that is too short.
    func make(user: String, credentialsVersion: Int64, now: Timestamp = .now) throws(HarbourError) -> AccessToken {
        guard let key else {
            throw HarbourError(
                .invalidState,
                complaint
                    ?? "Access tokens cannot be signed without a key. Set SECRET_KEY for the workspace service, to at "
                    + "least \(AccessTokens.leastKeyBytes) bytes.")
        }
        let seconds = lifetime.milliseconds / 1000
        let claims: JSONValue = [
            "sub": .string(user), "iss": .string(AccessTokens.issuer), "iat": .integer(now.milliseconds / 1000),
            "exp": .integer(now.milliseconds / 1000 + seconds), "ver": .integer(credentialsVersion),
            "jti": .string(SystemRandom.token(bytes: 12)),
        ]
        let header: JSONValue = ["alg": "HS256", "typ": "JWT"]
        let signed = Base64.encode(header.encodedJSON(), .url) + "." + Base64.encode(claims.encodedJSON(), .url)
        let signature = HMAC.sha256(key: key, Array(signed.utf8))
        return AccessToken(
            accessToken: signed + "." + Base64.encode(signature, .url), tokenType: "bearer", expiresIn: seconds)
    }

    /// Whether the text looks like such a token, so that it is not looked up as another kind.
    static func isOne(_ shown: [UInt8]) -> Bool { shown.starts(with: "eyJ".utf8) && shown.count { $0 == 0x2e } == 2 }

    /// Reads a token; nil when it was not signed by us, says another algorithm, has ended or has not begun.
    func read(_ shown: [UInt8], now: Timestamp = .now) -> Claims? {
        guard let key, let text = String(validating: shown, as: UTF8.self) else { return nil }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        // The signature is looked at before anything that it signs is read.
        guard parts.count == 3, let signature = Base64.decode(parts[2], .url),
            constantTimeEquals(signature, HMAC.sha256(key: key, Array("\(parts[0]).\(parts[1])".utf8))),
            let headerBytes = Base64.decode(parts[0], .url), let header = try? JSONValue(json: headerBytes),
            header["alg"]?.string == "HS256", header["crit"] == nil,
            let claimBytes = Base64.decode(parts[1], .url), let claims = try? JSONValue(json: claimBytes),
            claims["iss"]?.string == AccessTokens.issuer, let user = claims["sub"]?.string,
            let version = claims["ver"]?.int64, let expires = claims["exp"]?.int64, let id = claims["jti"]?.string,
            // Far beyond any lifetime; it also keeps the arithmetic below from overflowing.
            (0...253_402_300_799).contains(expires)
        else { return nil }
        let end = Timestamp(milliseconds: expires * 1000)
        guard end > now else { return nil }
        if let begin = claims["nbf"] {
            guard let begin = begin.int64, (0...253_402_300_799).contains(begin),
                Timestamp(milliseconds: begin * 1000) < now + AccessTokens.leeway
            else { return nil }
        }
        return Claims(user: user, credentialsVersion: version, expires: end, id: id)
    }
}
