internal import Core
public import Cryptography
public import HTTPMessage

/// Where a server listens and what it allows.
public struct HTTPServerConfiguration: Sendable {
    /// Where a server listens.
    public enum Address: Sendable {
        /// A host or interface (`127.0.0.1`, `::1`, `0.0.0.0`, a name) and a port; port 0 lets the system choose.
        case tcp(host: String, port: Int)
        /// A socket in the file system, for the same user only.
        case unix(path: String)
    }

    /// Where it listens.
    public var address: Address
    /// The certificate and what is asked of clients; nil for plain connections.
    public var tls: TLSServerConfiguration?
    /// What it allows its clients.
    public var limits: HTTPServerLimits
    /// The reverse proxies that are believed when they say who asks.
    public var trustedProxies = TrustedProxies()
    /// Is told of every finished request, on the loop; must be quick.
    public var observer: (@Sendable (HTTPRequest, HTTPOutcome) -> Void)?

    /// Makes a configuration; by default any free port of the loopback interface.
    public init(
        address: Address = .tcp(host: "127.0.0.1", port: 0), tls: TLSServerConfiguration? = nil,
        limits: HTTPServerLimits = HTTPServerLimits(),
        observer: (@Sendable (HTTPRequest, HTTPOutcome) -> Void)? = nil
    ) {
        self.address = address
        self.tls = tls
        self.limits = limits
        self.observer = observer
    }
}

/// How a request ended.
public struct HTTPOutcome: Sendable {
    /// The status that was sent; nil when the client was gone before.
    public let status: Int?
    /// From the head of the request to the end of the exchange.
    public let duration: Duration
    /// Whether the exchange was broken off by either side.
    public let wasCancelled: Bool
    /// The bytes of the body that came.
    public let receivedBytes: Int
    /// The bytes of the body that the client's window let through.
    public let sentBytes: Int
}

/// What a server allows its clients. Every number from outside has a limit here.
public struct HTTPServerLimits: Sendable {
    /// Connections at once; more wait in the system's queue.
    public var maxConnections = 4096
    /// Requests at once on one HTTP/2 connection.
    public var maxConcurrentStreams = 256
    /// All header fields of a request: names, values and 32 bytes each. More is answered with 431.
    public var maxHeaderSize = 32_768
    /// A request's body where the route says nothing else. More is answered with 413.
    public var maxBodySize = 64 << 20
    /// From the connection, or the first byte of a head, to its last.
    public var headerTimeout = Duration.seconds(15)
    /// A connection without requests is closed after this.
    public var idleTimeout = Duration.seconds(120)
    /// How long a client that sends a body may send nothing of it.
    public var bodyTimeout = Duration.seconds(60)
    /// How long a client may take nothing of what it is sent.
    public var writeTimeout = Duration.seconds(60)
    /// How many streams a client may reset at once, and each second in the long run, before it is sent away.
    public var resetBurst = 1000
    /// How many streams a client may reset each second in the long run.
    public var resetRate = 33

    /// The defaults.
    public init() {}
}
