public import Core
public import Cryptography
public import HTTPMessage

/// A request to be sent.
public struct HTTPClientRequest: Sendable {
    /// What is to be done.
    public var method: HTTPMethod
    /// Who is asked.
    public var origin: HTTPOrigin
    /// Path and query, percent-encoded: `/a/b?c=d`.
    public var target: String
    /// The header fields. The client adds `content-length` and `x-harbour-deadline-ms`.
    public var fields: HTTPFields
    /// The body. A streamed one is written while the response is awaited.
    public var body: HTTPOutgoingBody
    /// Whether the request may be sent a second time when the connection broke before an answer came.
    public var isIdempotent: Bool
    /// How error messages call the other side: “The cluster service”.
    public var serviceName: String

    /// Makes a request; whether it may be repeated follows from the method (RFC 9110 section 9.2.2).
    public init(
        method: HTTPMethod = .get, origin: HTTPOrigin, target: String = "/", fields: HTTPFields = HTTPFields(),
        body: HTTPOutgoingBody = .empty, isIdempotent: Bool? = nil, serviceName: String = "The service"
    ) {
        self.method = method
        self.origin = origin
        self.target = target.isEmpty ? "/" : target
        self.fields = fields
        self.body = body
        self.isIdempotent = isIdempotent ?? method.isIdempotent
        self.serviceName = serviceName
    }

    /// The same from a URL, `http://host:port/path?query`.
    /// - Throws: `INVALID_PARAMETER_VALUE` for what is no such URL.
    public init(
        method: HTTPMethod = .get, url: String, fields: HTTPFields = HTTPFields(), body: HTTPOutgoingBody = .empty
    ) throws(HarbourError) {
        let (origin, target) = try HTTPOrigin.split(url: url)
        self.init(method: method, origin: origin, target: target, fields: fields, body: body)
    }
}

/// A response: its head is here, its body comes as it is read.
public struct HTTPClientResponse: Sendable {
    /// 200 to 599.
    public let status: Int
    /// The header fields.
    public let fields: HTTPFields
    /// The body, to be read once. Letting go of it unread breaks the stream off.
    public let body: HTTPBody

    /// Makes a response, for tests of callers.
    public init(status: Int, fields: HTTPFields = HTTPFields(), body: HTTPBody = .empty) {
        self.status = status
        self.fields = fields
        self.body = body
    }

    /// Reads the body to its end.
    /// - Throws: `REQUEST_TOO_LARGE` over the limit, and what `HTTPBody.collect` throws.
    public func collect(limit: Int = 64 << 20) async throws(HarbourError) -> [UInt8] {
        try await body.collect(limit: limit)
    }
}

/// How a client connects and what it allows.
public struct HTTPClientConfiguration: Sendable {
    /// Whom `https` origins are trusted by, and the client's own certificate; nil for the system's authorities.
    public var tls: TLSClientConfiguration?
    /// For the name, the connection and the TLS handshake together.
    public var connectTimeout = Duration.seconds(5)
    /// Connections to one origin; a second is opened when the first has as many streams as its peer allows.
    public var maxConnectionsPerOrigin = 4
    /// Calls that may wait for a free stream of one origin.
    public var maxWaitingCalls = 10_000
    /// A connection without calls is closed after this.
    public var idleTimeout = Duration.seconds(90)
    /// With calls open and nothing heard for this long, the peer is asked for a sign of life.
    public var keepAliveInterval = Duration.seconds(15)
    /// Without that sign for this long, the connection is given up.
    public var keepAliveTimeout = Duration.seconds(10)
    /// All header fields of a response.
    public var maxHeaderSize = 65_536

    /// The defaults.
    public init() {}
}
