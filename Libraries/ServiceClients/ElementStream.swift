public import Core
internal import HTTPMessage
internal import HarbourProtocol

/// The elements of a stream, as they come: `for try await event in stream`. To be read once, by one task.
public struct ElementStream<Element: JSONDecodable & Sendable>: AsyncSequence, Sendable {
    /// What reading can throw.
    public typealias Failure = HarbourError

    /// How a broken stream goes on.
    struct Resumption: Sendable {
        /// The number of the last element that came.
        var last: Int64
        let patience: Duration
        let sequence: @Sendable (Element) -> Int64
        let reopen: @Sendable (Int64) async throws(HarbourError) -> HTTPBody
    }

    private let body: HTTPBody
    private let service: String
    private let resumption: Resumption?

    init(_ body: HTTPBody, service: String, _ resumption: Resumption? = nil) {
        self.body = body
        self.service = service
        self.resumption = resumption
    }

    /// Begins reading.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(body, service, resumption) }

    /// Says that the rest will not be read.
    public func discard() { body.discard() }

    /// Reads element by element.
    public struct AsyncIterator: AsyncIteratorProtocol {
        private var lines: LineReader
        private let service: String
        private var resumption: Resumption?
        /// When the stream was opened again last, and how often it has broken since something new came.
        private var trouble: (opened: MonotonicTime, pauses: Backoff)?

        /// A stream that was open for as long was well, whether or not anything came.
        private static var calm: Duration { .seconds(10) }

        init(_ body: HTTPBody, _ service: String, _ resumption: Resumption?) {
            lines = LineReader(body, service: service)
            self.service = service
            self.resumption = resumption
        }

        /// The next element; nil when the service has ended the stream.
        public mutating func next() async throws(HarbourError) -> Element? {
            try await next(isolation: nil)
        }

        /// The next element; which actor asks makes no difference.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(HarbourError) -> Element? {
            while true {
                do throws(HarbourError) {
                    guard let element: Element = try await lines.next(isolation: actor) else { return nil }
                    guard let sequence = resumption?.sequence(element) else { return element }
                    // A service may begin with elements that were seen already.
                    if sequence <= resumption?.last ?? 0 { continue }
                    resumption?.last = sequence
                    trouble = nil
                    return element
                } catch {
                    try await resume(after: error, isolation: actor)
                }
            }
        }

        /// Opens the stream again; throws when that is no use.
        ///
        /// At once the first time. A stream that opens and breaks again before anything new has come is asked for with
        /// pauses, within the same patience.
        private mutating func resume(
            after error: HarbourError, isolation actor: isolated (any Actor)?
        ) async throws(HarbourError) {
            guard let resumption, AsyncIterator.isBreak(error), !Task.isCancelled else { throw error }
            var failure = error
            var pauses = trouble.flatMap { $0.opened + AsyncIterator.calm < .now ? nil : $0.pauses }
            while true {
                if pauses == nil {
                    pauses = Backoff(until: .now + resumption.patience)
                } else if await pauses?.wait() != true {
                    throw failure
                }
                do throws(HarbourError) {
                    lines = LineReader(try await resumption.reopen(resumption.last), service: service)
                    trouble = pauses.map { (opened: .now, pauses: $0) }
                    return
                } catch {
                    guard AsyncIterator.isBreak(error), !Task.isCancelled else { throw error }
                    failure = error
                }
            }
        }

        /// Whether the connection or the service went away, rather than the service refused.
        private static func isBreak(_ error: HarbourError) -> Bool {
            error.code.status == ErrorCode.unavailable.status || error.code.status == ErrorCode.badGateway.status
        }
    }
}

/// Takes a body apart at its newlines and reads each line as a JSON value. Empty lines are signs of life.
struct LineReader {
    private var chunks: HTTPBody.AsyncIterator
    private var buffer: [UInt8] = []
    /// Where the next line begins.
    private var start = 0
    /// Up to where no newline was found.
    private var searched = 0

    private let service: String

    init(_ body: HTTPBody, service: String) {
        chunks = body.makeAsyncIterator()
        self.service = service
    }

    mutating func next<Element: JSONDecodable>(
        isolation actor: isolated (any Actor)?
    ) async throws(HarbourError) -> Element? {
        while true {
            if let end = buffer[searched...].firstIndex(of: 0x0a) {
                defer {
                    start = end + 1
                    searched = start
                }
                if end > start {
                    if let failure = StreamFailure.error(in: buffer[start..<end], service: service) { throw failure }
                    return try decode(start..<end)
                }
                continue
            }
            searched = buffer.count
            guard searched - start <= ServiceClient.maximumAnswerBytes else {
                throw HarbourError(.badGateway, "A service sent a line that is too long.")
            }
            guard let chunk = try await chunks.next(isolation: actor) else {
                guard start < buffer.count else { return nil }
                throw HarbourError(.badGateway, "A service ended its stream in the middle of a line.")
            }
            if start > 0 {
                buffer.removeFirst(start)
                searched -= start
                start = 0
            }
            buffer += chunk
        }
    }

    private func decode<Element: JSONDecodable>(_ range: Range<Int>) throws(HarbourError) -> Element {
        do throws(JSONError) {
            return try buffer.withUnsafeBufferPointer { bytes throws(JSONError) in
                try JSONReader.read(UnsafeBufferPointer(rebasing: bytes[range])) { reader throws(JSONError) in
                    try Element(from: &reader)
                }
            }
        } catch {
            throw error.harbourError(code: .badGateway, subject: "line of a stream")
        }
    }
}
