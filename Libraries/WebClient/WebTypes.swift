public import Core
public import Cryptography
public import HTTPMessage

/// How a `WebClient` reaches the outside world.
public struct WebClientConfiguration: Sendable {
    /// Which proxy is used; none for unix sockets.
    public enum Proxy: Sendable, Hashable {
        /// As `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy` say.
        case environment
        /// Straight to the host.
        case none
        /// This one, such as `http://proxy.example:3128`.
        case url(String)
    }

    /// The authorities that servers' certificates must come from.
    public var trust = TLSClientConfiguration.Trust.system
    /// Shown to servers that ask for a certificate.
    public var certificate: TLSCertificateFiles?
    /// The way out.
    public var proxy = Proxy.environment
    /// Which addresses are connected to. Through a proxy it is the proxy that connects: then only hosts that are
    /// written as addresses, and this machine's own names, can be refused here.
    public var addresses = AddressPolicy.any
    /// How long a connection may take to be made, TLS included.
    public var connectTimeout = Duration.seconds(10)
    /// Connections to one host at a time; more requests wait.
    public var connectionsPerHost = 16
    /// Open connections at a time, idle ones included.
    public var connections = 64
    /// Bytes of a body that are held for a reader, or from a writer, before the other side has to wait.
    public var buffer = 256 << 10
    /// The `user-agent` field.
    public var userAgent = "DataHarbour"

    /// The defaults.
    public init() {}
}

/// A request to the outside world.
public struct WebRequest: Sendable {
    /// What is wanted done.
    public var method: HTTPMethod
    /// `http://` or `https://`, host, path and query, percent-encoded. With a unix socket the host is only a name.
    public var url: String
    /// The header fields; `host` and the framing are added.
    public var fields: HTTPFields
    /// The body; a stream is sent in chunks, as fast as the server takes it.
    public var body: HTTPOutgoingBody
    /// The path of a unix socket to speak through, such as Docker's.
    public var unixSocket: String?
    /// Signs the request for AWS and whatever speaks like it (S3).
    public var signature: AWSSigner?
    /// How many redirects are followed. With some, the answer's head comes only with its body.
    public var redirects = 0
    /// Set when it is no request but a message for a mail server.
    var mail: MailEnvelope?
    /// The body of the answer in bytes; more is an error.
    public var responseLimit = 5 << 30

    /// Makes a request that follows no redirects.
    public init(
        method: HTTPMethod = .get, url: String, fields: HTTPFields = HTTPFields(), body: HTTPOutgoingBody = .empty
    ) {
        self.method = method
        self.url = url
        self.fields = fields
        self.body = body
    }
}

/// An answer from the outside world: untrusted like everything that comes from there.
public struct WebResponse: Sendable {
    /// The status code.
    public var status: Int
    /// The header fields.
    public var fields: HTTPFields
    /// The body, which comes as fast as it is read. Dropping it ends the transfer.
    public var body: HTTPBody

    /// Reads the body to its end.
    /// - Throws: `REQUEST_TOO_LARGE` when there are more than `limit` bytes; else what reading throws.
    public func collect(limit: Int = 16 << 20) async throws(HarbourError) -> [UInt8] {
        try await body.collect(limit: limit)
    }
}
