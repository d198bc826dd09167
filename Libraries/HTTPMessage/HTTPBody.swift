public import Core

/// Where the body of a received message comes from, piece by piece. Implemented by servers and clients.
public protocol HTTPBodySource: AnyObject, Sendable {
    /// Waits for the next piece; nil at the end. One reader at a time. What has been returned is granted to the peer
    /// again as window, so that a reader that stops stops the sender.
    /// - Throws: `CANCELLED` when the peer gave up, `REQUEST_TOO_LARGE` over the limit, `TEMPORARILY_UNAVAILABLE` when
    ///   the connection broke.
    func next() async throws(HarbourError) -> [UInt8]?

    /// The reader wants no more: the rest is thrown away or the sender stopped.
    func discard()
}

/// The body of a received message: an asynchronous sequence of byte chunks with back-pressure, to be read once.
public struct HTTPBody: Sendable, AsyncSequence {
    /// The chunks.
    public typealias Element = [UInt8]
    /// What reading can throw.
    public typealias Failure = HarbourError

    private enum Storage {
        case bytes([UInt8])
        case source(any HTTPBodySource, length: Int?)
    }
    private let storage: Storage

    /// No body.
    public static let empty = HTTPBody([])

    /// A body that is here already.
    public init(_ bytes: [UInt8]) { storage = .bytes(bytes) }

    /// A body that is still coming. `length` is what the sender announced, if it did.
    public init(source: any HTTPBodySource, length: Int? = nil) { storage = .source(source, length: length) }

    /// The length in bytes when it is known before reading.
    public var length: Int? {
        switch storage {
        case .bytes(let bytes): bytes.count
        case .source(_, let length): length
        }
    }

    /// The whole body when it is here already, as it always is for synchronous handlers.
    public var completeBytes: [UInt8]? {
        guard case .bytes(let bytes) = storage else { return nil }
        return bytes
    }

    /// Reads to the end.
    /// - Throws: `REQUEST_TOO_LARGE` when there are more than `limit` bytes; the rest is discarded.
    public func collect(limit: Int = 16 << 20) async throws(HarbourError) -> [UInt8] {
        switch storage {
        case .bytes(let bytes):
            guard bytes.count <= limit else { throw HTTPBody.tooLarge(limit) }
            return bytes
        case .source(let source, let length):
            if let length, length > limit {
                source.discard()
                throw HTTPBody.tooLarge(limit)
            }
            var whole: [UInt8] = []
            while let chunk = try await source.next() {
                guard whole.count + chunk.count <= limit else {
                    source.discard()
                    throw HTTPBody.tooLarge(limit)
                }
                if whole.isEmpty { whole = chunk } else { whole.append(contentsOf: chunk) }
            }
            return whole
        }
    }

    /// Says that the rest will not be read.
    public func discard() {
        if case .source(let source, _) = storage { source.discard() }
    }

    package static func tooLarge(_ limit: Int) -> HarbourError {
        HarbourError(.tooLarge, "The body is larger than the \(limit) bytes that are accepted here. Send less at once.")
    }

    /// Reads chunk by chunk.
    public struct AsyncIterator: AsyncIteratorProtocol {
        private var rest: [UInt8]?
        private let source: (any HTTPBodySource)?

        fileprivate init(rest: [UInt8]?, source: (any HTTPBodySource)?) {
            self.rest = rest
            self.source = source
        }

        /// The next chunk, never an empty one; nil at the end.
        public mutating func next() async throws(HarbourError) -> [UInt8]? {
            if let source { return try await source.next() }
            defer { rest = nil }
            return rest
        }

        /// The next chunk; which actor asks makes no difference.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(HarbourError) -> [UInt8]? {
            if let source { return try await source.next() }
            defer { rest = nil }
            return rest
        }
    }

    /// Begins reading; a second reader of the same body would get what the first has left.
    public func makeAsyncIterator() -> AsyncIterator {
        switch storage {
        case .bytes(let bytes): AsyncIterator(rest: bytes.isEmpty ? nil : bytes, source: nil)
        case .source(let source, _): AsyncIterator(rest: nil, source: source)
        }
    }
}
