public import Core

/// How much a client may send before it is refused.
public struct HTTP1Limits: Sendable, Hashable {
    /// The request line in bytes; more is 414.
    public var requestLine = 8192
    /// All header fields of a request in bytes, lines' ends included; more is 431. Trailers count by themselves.
    public var fieldBytes = 64 << 10
    /// The number of header fields; more is 431.
    public var fieldCount = 100
    /// A body in bytes, declared or counted; more is 413.
    public var body = 5 << 30
    /// A chunk's size line with its extensions in bytes; more is 400.
    public var chunkLine = 256
    /// How much of a body that nobody reads is taken in to save the connection for the next request, in bytes.
    public var discardedBody = 256 << 10
    /// Received bytes that are kept while nobody takes them: `wantsInput` is false above it.
    public var buffered = 64 << 10

    /// The defaults, which fit browsers and our own services.
    public init() {}
}

extension ErrorCode {
    /// The request line is over its limit.
    public static let targetTooLong = ErrorCode("REQUEST_TARGET_TOO_LONG", status: 414)
    /// `Expect` asks for something other than `100-continue`.
    public static let expectationFailed = ErrorCode("EXPECTATION_FAILED", status: 417)
    /// The header fields are over their limit.
    public static let fieldsTooLarge = ErrorCode("REQUEST_HEADER_FIELDS_TOO_LARGE", status: 431)
    /// A major version of HTTP that this parser does not speak.
    public static let versionNotSupported = ErrorCode("HTTP_VERSION_NOT_SUPPORTED", status: 505)
}

extension HarbourError {
    /// A request that breaks RFC 9112; `what` says how.
    static func malformed(_ what: String) -> HarbourError {
        HarbourError(.malformedRequest, "The request is not valid HTTP/1.1: \(what).")
    }
}
