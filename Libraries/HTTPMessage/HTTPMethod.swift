/// A request method (RFC 9110 section 9). Methods are case-sensitive.
public enum HTTPMethod: Sendable, Hashable {
    case get
    case head
    case post
    case put
    case patch
    case delete
    case options
    case connect
    case trace
    /// Any other token.
    case other(String)

    /// The method of that name.
    public init(_ name: String) {
        var name = name
        self = name.withUTF8 { HTTPMethod(bytes: $0) }
    }

    /// The method written as these bytes; the parser has made sure that they are a token.
    package init(bytes: UnsafeBufferPointer<UInt8>) {
        for method in HTTPMethod.common where method.token.matches(bytes) {
            self = method
            return
        }
        self = .other(String(decoding: bytes, as: UTF8.self))
    }

    /// The name on the wire.
    public var name: String {
        if case .other(let name) = self { return name }
        return token.description
    }

    /// Whether a repetition of the same request has the same effect as one (RFC 9110 section 9.2.2).
    public var isIdempotent: Bool {
        switch self {
        case .get, .head, .put, .delete, .options, .trace: true
        case .post, .patch, .connect, .other: false
        }
    }

    /// Whether the request asks for no change (RFC 9110 section 9.2.1).
    public var isSafe: Bool {
        switch self {
        case .get, .head, .options, .trace: true
        case .post, .put, .patch, .delete, .connect, .other: false
        }
    }

    private static let common: [HTTPMethod] = [
        .get, .post, .put, .delete, .head, .patch, .options, .connect, .trace,
    ]

    private var token: StaticString {
        switch self {
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .patch: "PATCH"
        case .delete: "DELETE"
        case .options: "OPTIONS"
        case .connect: "CONNECT"
        case .trace: "TRACE"
        case .other: ""
        }
    }
}

extension HTTPMethod: CustomStringConvertible {
    /// The name on the wire.
    public var description: String { name }
}

extension StaticString {
    /// Whether the bytes are exactly this text.
    @inline(__always)
    package func matches(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard bytes.count == utf8CodeUnitCount else { return false }
        for index in 0..<bytes.count where bytes[index] != utf8Start[index] { return false }
        return true
    }
}
