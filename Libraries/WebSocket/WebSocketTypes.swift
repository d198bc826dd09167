public import Core

extension ErrorCode {
    /// The other side broke RFC 6455.
    public static let webSocketProtocol = ErrorCode("WEBSOCKET_PROTOCOL_ERROR", status: 400)
    /// A WebSocket of version 13 is wanted on this path, and the request asks for none.
    public static let upgradeRequired = ErrorCode("UPGRADE_REQUIRED", status: 426)
}

/// Which end of the connection this is: a client masks what it sends, a server must not (RFC 6455 section 5.1).
public enum WebSocketRole: Sendable, Hashable {
    case client
    case server
}

/// Why a connection is closed (RFC 6455 section 7.4).
public struct WebSocketCloseCode: Sendable, Hashable, RawRepresentable {
    /// The number on the wire.
    public let rawValue: UInt16
    /// Any number.
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// The purpose is fulfilled.
    public static let normal = WebSocketCloseCode(rawValue: 1000)
    /// The server stops or the page is left.
    public static let goingAway = WebSocketCloseCode(rawValue: 1001)
    /// A frame broke the protocol.
    public static let protocolError = WebSocketCloseCode(rawValue: 1002)
    /// A kind of message that is not taken.
    public static let unsupportedData = WebSocketCloseCode(rawValue: 1003)
    /// The close frame had no code; never on the wire.
    public static let noStatus = WebSocketCloseCode(rawValue: 1005)
    /// The connection was lost without a close frame; never on the wire.
    public static let abnormal = WebSocketCloseCode(rawValue: 1006)
    /// Text that is not UTF-8.
    public static let invalidData = WebSocketCloseCode(rawValue: 1007)
    /// The message breaks a rule of the application.
    public static let policyViolation = WebSocketCloseCode(rawValue: 1008)
    /// The message is over its limit.
    public static let messageTooBig = WebSocketCloseCode(rawValue: 1009)
    /// A defect of the server.
    public static let internalError = WebSocketCloseCode(rawValue: 1011)
    /// The server restarts; come back soon (IANA registry).
    public static let serviceRestart = WebSocketCloseCode(rawValue: 1012)
    /// The server has too much to do; come back later (IANA registry).
    public static let tryAgainLater = WebSocketCloseCode(rawValue: 1013)

    /// Whether it may be in a close frame (RFC 6455 section 7.4.2 and the IANA registry).
    public var isSendable: Bool {
        switch rawValue {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }
}

/// How much the other side may send before the connection is closed.
public struct WebSocketLimits: Sendable, Hashable {
    /// The payload of one frame in bytes.
    public var frame = 4 << 20
    /// A message of any number of frames in bytes.
    public var message = 16 << 20
    /// Frames of one message.
    public var fragments = 4096
    /// Unsent output above which only the newest ping is answered (RFC 6455 section 5.5.3), in bytes.
    public var outputForPongs = 64 << 10

    /// The defaults.
    public init() {}
}

/// How a connection ended.
public struct WebSocketClosure: Sendable {
    /// The code: the other side's, or ours when it broke the protocol, or `abnormal`.
    public var code: WebSocketCloseCode
    /// The text that came with the code, from outside.
    public var reason: String
    /// What went wrong, when something did.
    public var error: HarbourError?

    /// Whether both sides said goodbye.
    public var isClean: Bool { error == nil }
}

/// What happened on a connection, in order.
public enum WebSocketEvent: Sendable {
    /// A text message.
    case text(String)
    /// A binary message.
    case binary([UInt8])
    /// The other side answered a ping, or sent a pong of its own accord.
    case pong([UInt8])
    /// The protocol is over, once: send the output, then close the transport; a client may let the server close first.
    case closed(WebSocketClosure)
}
