public import Core

/// Where the pieces of a streamed body go. Implemented by servers and clients.
public protocol HTTPBodySink: AnyObject, Sendable {
    /// Sends the bytes before the loop sleeps again; returns when there is room for more.
    /// - Throws: `CANCELLED` when the peer wants no more, `TEMPORARILY_UNAVAILABLE` when the connection broke.
    func write(_ bytes: [UInt8]) async throws(HarbourError)
}

/// Writes a streamed body with back-pressure. The body ends when the closure that got the writer returns; when it
/// throws, the peer sees the stream broken off and not a short body.
public struct HTTPBodyWriter: Sendable {
    private let sink: any HTTPBodySink

    /// Makes a writer into that sink.
    public init(_ sink: any HTTPBodySink) { self.sink = sink }

    /// Sends the bytes before the loop sleeps again, and returns at once or, when much waits for the peer already, as
    /// soon as it has taken most of it.
    /// - Throws: `CANCELLED` when the peer wants no more, `TEMPORARILY_UNAVAILABLE` when the connection broke.
    public func write(_ bytes: [UInt8]) async throws(HarbourError) {
        if !bytes.isEmpty { try await sink.write(bytes) }
    }

    /// The same for text.
    public func write(_ text: String) async throws(HarbourError) { try await write(Array(text.utf8)) }
}

/// The body of a message to be sent.
public enum HTTPOutgoingBody: Sendable {
    /// None.
    case empty
    /// These bytes.
    case bytes([UInt8])
    /// What the closure writes, as fast as the peer takes it.
    case stream(@Sendable (HTTPBodyWriter) async throws -> Void)
    /// A part of an open file.
    case file(HTTPFile)

    /// The length when it is known before sending.
    public var length: Int? {
        switch self {
        case .empty: 0
        case .bytes(let bytes): bytes.count
        case .stream: nil
        case .file(let file): file.length
        }
    }
}
