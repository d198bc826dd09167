/// Which end of a connection we are.
public enum HTTP2Role: Sendable {
    /// Answers requests.
    case server
    /// Makes them.
    case client
}

/// What we allow the peer, and what we tell it (RFC 9113 section 6.5.2).
public struct HTTP2Settings: Sendable {
    /// How many streams the peer may have open at once.
    public var maxConcurrentStreams = 256
    /// Names, values and 32 bytes a field: the size of one message's fields (RFC 9113 section 6.5.2).
    public var maxHeaderListSize = 32_768
    /// How many bytes of one stream may be on the way or unread.
    public var streamWindow = 262_144
    /// How many bytes of all streams together may be on the way or unread.
    public var connectionWindow = 4_194_304
    /// Frames that do no work (PING, SETTINGS, PRIORITY, empty DATA): how many may come at once. libnghttp2 drops
    /// frames of unknown types without a word, which costs no more than reading them.
    public var idleFrameBurst = 4000
    /// How many such frames may come each second in the long run.
    public var idleFrameRate = 400
    /// Streams that the peer resets: how many at once, and how many each second (CVE-2023-44487).
    public var resetBurst = 1000
    /// How many streams may be reset each second in the long run.
    public var resetRate = 33
    /// How many CONTINUATION frames a header block may have (CVE-2024-27316).
    public var maxContinuations = 8
    /// Outbound bytes of a stream below which a waiting writer goes on.
    public var outboundLowWater = 16_384
    /// Outbound bytes of a stream from which on writers have to wait.
    public var outboundHighWater = 65_536

    /// The defaults.
    public init() {}
}

/// Why a connection cannot go on. It is to be closed after what `produce` still gives has been sent.
public struct HTTP2Failure: Error, Sendable, CustomStringConvertible {
    /// What kind of failure it is.
    public enum Reason: Sendable {
        /// The peer does not speak HTTP/2.
        case notHTTP2
        /// The peer sent more of something than a well-meaning one would.
        case flooded
        /// Everything else: a defect, or no memory.
        case internalError
    }
    /// What programs decide on.
    public let reason: Reason
    /// For the log.
    public let description: String

    /// The peer keeps us waiting.
    public static func tooSlow(_ text: String) -> HTTP2Failure { HTTP2Failure(reason: .flooded, description: text) }
}

/// Error codes of RST_STREAM and GOAWAY (RFC 9113 section 7).
public struct HTTP2ErrorCode: Sendable, Hashable, RawRepresentable {
    /// The number on the wire.
    public let rawValue: UInt32
    /// Makes a code from its number.
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Nothing is wrong.
    public static let noError = HTTP2ErrorCode(rawValue: 0)
    /// The peer broke the protocol.
    public static let protocolError = HTTP2ErrorCode(rawValue: 1)
    /// A defect of the sender's.
    public static let internalError = HTTP2ErrorCode(rawValue: 2)
    /// The request has not been looked at and may be sent again.
    public static let refusedStream = HTTP2ErrorCode(rawValue: 7)
    /// The sender wants no more of this stream.
    public static let cancel = HTTP2ErrorCode(rawValue: 8)
    /// The peer asks for too much.
    public static let enhanceYourCalm = HTTP2ErrorCode(rawValue: 11)
}

/// What happened on a connection, in order. Read with `nextEvent()` after `receive` and after `produce`.
public enum HTTP2Event {
    /// All header fields of a request (server) or of a final response (client) are in the stream.
    case head(HTTP2Stream)
    /// The stream has more inbound bytes, or its inbound side ended.
    case data(HTTP2Stream)
    /// A writer that waited may go on.
    case writable(HTTP2Stream)
    /// The last byte of our body has been produced while the peer still sends its own.
    case sentFirst(HTTP2Stream)
    /// The stream is over; give it to `recycle` when nothing needs it any more.
    case closed(HTTP2Stream, HTTP2ErrorCode)
    /// The peer has told its settings.
    case settings
    /// The peer will take no streams above that number.
    case goAway(lastStreamID: Int32, HTTP2ErrorCode)
    /// The peer answered our PING.
    case pong(UInt64)
}
