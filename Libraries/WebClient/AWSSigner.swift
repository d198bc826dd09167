public import Core
internal import Cryptography
public import HTTPMessage

/// Signs requests as AWS and the stores that speak like it ask for (Signature Version 4).
///
/// It is ours because that of Debian's libcurl (7.88) gets queries, bodies and encoded paths wrong.
public struct AWSSigner: Sendable, Hashable, CustomStringConvertible {
    /// The public half of the credentials.
    public var accessKeyID: String
    /// The secret half.
    public var secretAccessKey: String
    /// Comes with temporary credentials.
    public var sessionToken: String?
    /// Such as `eu-central-1`; stores that are not AWS mostly take `us-east-1`.
    public var region: String
    /// Such as `s3`.
    public var service: String

    /// Makes a signer.
    public init(
        accessKeyID: String, secretAccessKey: String, sessionToken: String? = nil, region: String = "us-east-1",
        service: String = "s3"
    ) {
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
        self.region = region
        self.service = service
    }

    /// Without the secrets.
    public var description: String { "AWSSigner(\(accessKeyID), \(region), \(service))" }

    private static let unsignedPayload = "UNSIGNED-PAYLOAD"

    // MARK: Fields

    /// Adds the fields that sign the request: all fields it has, and its body when that is here already. A streamed
    /// body is not signed, which S3 allows over TLS and its like allow everywhere.
    package func sign(_ request: WebRequest, _ fields: inout HTTPFields, at time: Timestamp) throws(HarbourError) {
        let payload =
            switch request.body {
            case .empty: hexadecimal(Digest.sha256([]))
            case .bytes(let bytes): hexadecimal(Digest.sha256(bytes))
            case .stream, .file: AWSSigner.unsignedPayload
            }
        let parts = try URLParts(request.url)
        let clock = AWSTime(time)
        fields["x-amz-date"] = clock.time
        fields["x-amz-content-sha256"] = payload
        if let sessionToken { fields["x-amz-security-token"] = sessionToken }
        // What proxies may change is left out.
        let skipped: Set<String> = ["user-agent", "authorization", "content-length", "transfer-encoding", "expect"]
        var signed = [(name: "host", value: fields["host"] ?? parts.authority)]
        for name in Set(fields.map(\.name)) where name != "host" && !skipped.contains(name) {
            signed.append((name, fields.values(name).map(AWSSigner.collapsed).joined(separator: ",")))
        }
        let (names, signature) = signature(
            method: request.method, parts: parts, query: parts.query, fields: signed, payload: payload, clock)
        fields["authorization"] =
            "AWS4-HMAC-SHA256 Credential=\(accessKeyID)/\(scope(clock)), SignedHeaders=\(names), Signature=\(signature)"
    }

    /// A URL that allows this one request to whoever has it.
    /// - Parameters:
    ///   - method: what the URL may be used for.
    ///   - url: without a signature.
    ///   - lifetime: at most seven days.
    ///   - time: from when it counts.
    /// - Returns: the URL with its signature in the query.
    /// - Throws: `INVALID_PARAMETER_VALUE` when the URL is none or the lifetime is out of range.
    public func presign(
        _ method: HTTPMethod, url: String, lifetime: Duration, at time: Timestamp = .now
    ) throws(HarbourError) -> String {
        let seconds = lifetime.milliseconds / 1000
        guard (1...604_800).contains(seconds) else {
            throw HarbourError(.invalidParameter, "A signed URL lasts between a second and seven days.")
        }
        let parts = try URLParts(url)
        let clock = AWSTime(time)
        var query = parts.query
        query.append(("X-Amz-Algorithm", "AWS4-HMAC-SHA256"))
        query.append(("X-Amz-Credential", "\(accessKeyID)/\(scope(clock))"))
        query.append(("X-Amz-Date", clock.time))
        query.append(("X-Amz-Expires", String(seconds)))
        query.append(("X-Amz-SignedHeaders", "host"))
        if let sessionToken { query.append(("X-Amz-Security-Token", sessionToken)) }
        let (_, signature) = signature(
            method: method, parts: parts, query: query, fields: [("host", parts.authority)],
            payload: AWSSigner.unsignedPayload, clock)
        let text = AWSSigner.canonical(query)
        return "\(parts.base)\(parts.path)?\(text)&X-Amz-Signature=\(signature)"
    }

    // MARK: Inside

    private func scope(_ clock: AWSTime) -> String { "\(clock.date)/\(region)/\(service)/aws4_request" }

    private func signature(
        method: HTTPMethod, parts: URLParts, query: [(name: String, value: String)],
        fields: [(name: String, value: String)], payload: String, _ clock: AWSTime
    ) -> (names: String, signature: String) {
        let sorted = fields.sorted { $0.name < $1.name }
        let names = sorted.map(\.name).joined(separator: ";")
        // S3 signs the path as it is sent; every other service wants it encoded once more.
        let path =
            service == "s3"
            ? AWSSigner.encode(parts.decodedPath, keepSlash: true)
            : AWSSigner.encode(
                AWSSigner.encode(parts.decodedPath, keepSlash: true), keepSlash: true)
        let request = [
            method.name, path, AWSSigner.canonical(query),
            sorted.map { "\($0.name):\($0.value)\n" }.joined(), names, payload,
        ].joined(separator: "\n")
        let text = [
            "AWS4-HMAC-SHA256", clock.time, scope(clock), hexadecimal(Digest.sha256(request)),
        ].joined(separator: "\n")
        var key = Array("AWS4\(secretAccessKey)".utf8)
        for part in [clock.date, region, service, "aws4_request"] { key = HMAC.sha256(key: key, Array(part.utf8)) }
        return (names, hexadecimal(HMAC.sha256(key: key, Array(text.utf8))))
    }

    private static func canonical(_ query: [(name: String, value: String)]) -> String {
        query.map { (encode($0.name, keepSlash: false), encode($0.value, keepSlash: false)) }
            .sorted { $0 < $1 }
            .map { "\($0)=\($1)" }
            .joined(separator: "&")
    }

    /// Everything but RFC 3986's unreserved characters, in upper-case hexadecimal.
    private static func encode(_ text: String, keepSlash: Bool) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x7e: bytes.append(byte)
            case 0x2f where keepSlash: bytes.append(byte)
            default: bytes += [0x25, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Runs of spaces as one.
    private static func collapsed(_ value: String) -> String {
        value.split(separator: " ").joined(separator: " ")
    }
}

/// The two forms in which a signature names its time.
private struct AWSTime {
    /// `20261121T063000Z`.
    let time: String
    /// `20261121`.
    let date: String

    init(_ time: Timestamp) {
        let text = ISO8601.format(time).filter { $0 != "-" && $0 != ":" }
        date = String(text.prefix(8))
        self.time = "\(text.prefix(15))Z"
    }
}

/// A URL in the parts that a signature needs.
private struct URLParts {
    /// Scheme and authority.
    let base: String
    let authority: String
    /// As it is sent.
    let path: String
    let decodedPath: String
    let query: [(name: String, value: String)]

    init(_ url: String) throws(HarbourError) {
        guard let scheme = url.firstRange(of: "://") else { throw URLParts.invalid }
        let rest = url[scheme.upperBound...].prefix { $0 != "#" }
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        let target = rest.dropFirst(authority.count)
        let pathPart = target.prefix { $0 != "?" }
        let path = pathPart.isEmpty ? "/" : String(pathPart)
        guard !authority.isEmpty, !authority.contains("@"), let decoded = PercentEncoding.decode(path) else {
            throw URLParts.invalid
        }
        base = String(url[..<scheme.upperBound] + authority)
        self.authority = URLParts.withoutUsualPort(String(authority), url[..<scheme.lowerBound].lowercased())
        self.path = path
        decodedPath = decoded
        var query: [(name: String, value: String)] = []
        for item in target.dropFirst(pathPart.count + 1).split(separator: "&") {
            let name = item.prefix { $0 != "=" }
            guard let decodedName = PercentEncoding.decode(String(name)),
                let value = PercentEncoding.decode(String(item.dropFirst(name.count + 1)))
            else { throw URLParts.invalid }
            query.append((decodedName, value))
        }
        self.query = query
    }

    /// libcurl leaves the scheme's own port out of the Host field.
    private static func withoutUsualPort(_ authority: String, _ scheme: String) -> String {
        let port = scheme == "https" ? ":443" : ":80"
        return authority.hasSuffix(port) ? String(authority.dropLast(port.count)) : authority
    }

    private static let invalid = HarbourError(.invalidParameter, "The URL cannot be signed: it is not valid.")
}
