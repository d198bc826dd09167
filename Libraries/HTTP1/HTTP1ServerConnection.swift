public import Core
public import HTTPMessage

/// What happened on a connection, in the order in which it must be handled.
public enum HTTP1Event {
    /// The head of a request is complete: method, target, authority and fields are set. One answer is owed now.
    case request(HTTPRequest)
    /// The next piece of the request's body.
    case body([UInt8])
    /// The request is complete.
    case end
    /// The request breaks the protocol or a limit. An answer with that status may be given, unless one has begun;
    /// the connection closes after it.
    case failed(HarbourError)
    /// Everything is said: send the output, then close.
    case close
}

/// The server's side of one HTTP/1.1 connection (RFC 9112) as a state machine without I/O, clock or socket.
///
/// The owner calls `receive` with what it reads, takes events until there is none, and sends what `takeOutput` gives
/// after each call. Requests that a client sends ahead (pipelining) wait in here until the answer before theirs is
/// complete, so there is never more than one request in work.
///
/// It is strict where leniency lets two servers see different requests in the same bytes (smuggling): bare CR or LF,
/// folded fields, spaces before colons, a length together with chunks, repeated lengths, other transfer codings.
public struct HTTP1ServerConnection: ~Copyable {
    enum Reading: Equatable {
        /// Between requests, or inside a request line. One empty line is allowed before it (RFC 9112 section 2.2).
        case requestLine(skippedEmptyLine: Bool)
        case fields
        case body(remaining: Int)
        case chunkSize
        case chunkData(remaining: Int)
        case chunkEnd
        case trailers
        /// Everything has been read; the event is due.
        case end
        /// Waits for the answer to be complete. Next: requestLine, or the close.
        case complete
        /// Nothing is read any more.
        case stopped
    }

    enum Writing: Equatable {
        case idle
        case owed
        case length(remaining: Int)
        case chunks
        case untilClose
        case bodiless
        case done
    }

    let limits: HTTP1Limits
    var input = InputBuffer()
    var output: [UInt8] = []
    var reading = Reading.requestLine(skippedEmptyLine: false)
    var writing = Writing.idle
    var keepAlive = true
    var needsContinue = false
    var isHead = false
    var isVersion11 = true
    private var request: HTTPRequest?
    private var fields = RequestFields()
    private var target: RequestLineTarget?
    private var bodyCount = 0
    private var discarding = false
    private var discarded = 0
    private var inputEnded = false
    private var draining = false
    private var closed = false

    /// The length of the current request's body; nil while it is unknown (chunked).
    public private(set) var bodyLength: Int? = 0

    /// A new connection.
    public init(limits: HTTP1Limits = HTTP1Limits()) { self.limits = limits }

    // MARK: The owner's questions

    /// What the connection is waiting for, so that the owner can set the right timeout.
    public enum Phase: Sendable, Hashable {
        /// The client's next request, of which nothing has come.
        case idle
        /// The rest of a request's head.
        case head
        /// The rest of a request's body; the answer may be under way.
        case body
        /// The owner's answer.
        case response
        /// Nothing: it is to be closed, or another protocol has taken over.
        case over
    }

    /// What the connection is waiting for.
    public var phase: Phase {
        switch reading {
        case .requestLine: input.isEmpty ? .idle : .head
        case .fields: .head
        case .body, .chunkSize, .chunkData, .chunkEnd, .trailers: .body
        case .end, .complete: .response
        case .stopped: writing == .idle || writing == .done ? .over : .response
        }
    }

    /// Whether more bytes are welcome; the owner stops reading when not.
    public var wantsInput: Bool {
        !inputEnded && !closed && reading != .stopped && input.count < limits.buffered
    }

    /// Whether the client waits for a go-ahead before it sends its body (`Expect: 100-continue`).
    public var awaitsContinue: Bool { needsContinue }

    /// Whether the connection stays open after the current answer, as far as is known.
    public var staysOpen: Bool { keepAlive && !draining }

    // MARK: Input

    /// Takes what the client sent. Afterwards take events until there is none.
    public mutating func receive(_ bytes: UnsafeRawBufferPointer) {
        guard !closed, reading != .stopped else { return }
        input.append(bytes)
    }

    /// Takes what the client sent; see the other overload.
    public mutating func receive(_ bytes: [UInt8]) { bytes.withUnsafeBytes { receive($0) } }

    /// The client will send no more. It may still want the answer.
    public mutating func receiveEnd() { inputEnded = true }

    /// Tells the client to send the body it holds back; call it when somebody wants to read it.
    public mutating func sendContinue() {
        guard needsContinue, writing == .owed else { return }
        needsContinue = false
        output += "HTTP/1.1 100 Continue\r\n\r\n".utf8
    }

    /// Nobody will read the rest of the current body: it is taken in without events, within its limit.
    public mutating func discardBody() { discarding = true }

    /// No request after the current one: its answer says so, and an idle connection closes at once.
    public mutating func drain() { draining = true }

    var closesAfterResponse: Bool { !keepAlive || draining }

    // MARK: Events

    /// The next thing that happened, or nil when more input or an answer must come first.
    public mutating func nextEvent() -> HTTP1Event? {
        do throws(HarbourError) {
            while !closed {
                if writing == .done, closesAfterResponse { return close() }
                switch reading {
                case .requestLine, .fields:
                    if draining, phase == .idle, writing == .idle { return close() }
                    switch try readHeadLine() {
                    case .blocked: return inputEnded ? close() : nil
                    case .again: continue
                    case .event(let event): return event
                    }
                case .body, .chunkSize, .chunkData, .chunkEnd, .trailers:
                    switch try readBody() {
                    case .blocked:
                        if inputEnded { throw .malformed("it ends before its body does") }
                        return nil
                    case .again: continue
                    case .event(let event): return event
                    }
                case .end:
                    reading = .complete
                    if !discarding, writing != .done { return .end }
                case .complete:
                    guard writing == .done else { return nil }
                    beginNextRequest()
                case .stopped: return nil
                }
            }
            return nil
        } catch {
            return fail(error)
        }
    }

    private enum Step {
        case blocked
        case again
        case event(HTTP1Event)
    }

    private mutating func close() -> HTTP1Event {
        closed = true
        reading = .stopped
        return .close
    }

    private mutating func fail(_ error: HarbourError) -> HTTP1Event? {
        reading = .stopped
        keepAlive = false
        needsContinue = false
        input.removeAll()
        // After the answer nobody is left to tell: the next call closes.
        if writing == .done { return close() }
        if writing == .idle { writing = .owed }
        return .failed(error)
    }

    private mutating func beginNextRequest() {
        reading = .requestLine(skippedEmptyLine: false)
        writing = .idle
        request = nil
        isHead = false
        discarding = false
        discarded = 0
        bodyCount = 0
        bodyLength = 0
    }

    // MARK: Head

    private mutating func readHeadLine() throws(HarbourError) -> Step {
        let isRequestLine = reading != .fields
        let limit = isRequestLine ? limits.requestLine : limits.fieldBytes - fields.bytes + 2
        switch input.takeLine(limit: limit) {
        case .incomplete: return .blocked
        case .bareLineFeed: throw .malformed("a line ends without a carriage return")
        case .tooLong:
            throw isRequestLine
                ? HarbourError(.targetTooLong, "The request's first line is too long.") : RequestFields.tooLarge
        case .complete(let range):
            if isRequestLine { return try readRequestLine(range) }
            if range.isEmpty { return .event(.request(try completeHead())) }
            guard let request else { return .blocked }
            try input.withBytes(range) { (line) throws(HarbourError) in
                try fields.add(line, to: request.fields.storage, limits)
            }
            return .again
        }
    }

    private mutating func readRequestLine(_ range: Range<Int>) throws(HarbourError) -> Step {
        if range.isEmpty {
            guard case .requestLine(false) = reading else { throw .malformed("it begins with empty lines") }
            reading = .requestLine(skippedEmptyLine: true)
            return .again
        }
        let request = HTTPRequest(forServer: ())
        let line = try input.withBytes(range) { (bytes) throws(HarbourError) in
            let line = try RequestLine(bytes)
            line.store(bytes, in: request)
            return line
        }
        request.method = line.method
        isVersion11 = line.isVersion11
        isHead = line.method == .head
        target = line.namesAuthority ? .absolute : .origin
        fields = RequestFields()
        self.request = request
        reading = .fields
        return .again
    }

    /// Decides from the fields how long the body is and what becomes of the connection (RFC 9112 sections 3.2, 6, 9).
    private mutating func completeHead() throws(HarbourError) -> HTTPRequest {
        guard let request else { throw .malformed("it has no request line") }
        if isVersion11, fields.host == nil { throw .malformed("it has no Host field") }
        if target == .origin { request.authorityRange = fields.host ?? .empty }
        if fields.isChunked {
            guard isVersion11 else { throw .malformed("HTTP/1.0 has no Transfer-Encoding") }
            guard fields.contentLength == nil else {
                throw .malformed("it has both Content-Length and Transfer-Encoding")
            }
            bodyLength = nil
            reading = .chunkSize
        } else {
            let length = fields.contentLength ?? 0
            guard length <= limits.body else { throw HTTP1ServerConnection.bodyTooLarge }
            bodyLength = length
            reading = length == 0 ? .end : .body(remaining: length)
        }
        keepAlive = (isVersion11 || fields.asksToKeep) && !fields.asksToClose
        needsContinue = isVersion11 && fields.expectsContinue && reading != .end
        writing = .owed
        return request
    }

    /// Whether the client asks to speak another protocol from here on: `Connection: upgrade` with this `Upgrade`.
    public func asksToUpgrade(to name: String) -> Bool {
        guard writing == .owed, isVersion11, bodyLength == 0, fields.asksToUpgrade, let request else { return false }
        return request.fields.values("upgrade").contains { value in
            value.split(separator: ",").contains { $0.trimmingSpaces().lowercased() == name }
        }
    }

    /// Gives up HTTP on this connection, after the answer 101 has been written.
    mutating func finishUpgrade() {
        reading = .stopped
        writing = .done
        closed = true
    }

    /// What the client sent after its request, for the protocol that took over.
    public mutating func takeRemainder() -> [UInt8] { input.take(.max) }

    // MARK: Body

    private static let bodyTooLarge = HarbourError(.tooLarge, "The body of the request is too large.")

    private mutating func readBody() throws(HarbourError) -> Step {
        if needsContinue, !input.isEmpty { needsContinue = false }
        switch reading {
        case .body(let remaining):
            return takeData(remaining) { $0 == 0 ? .end : .body(remaining: $0) }
        case .chunkData(let remaining):
            return takeData(remaining) { $0 == 0 ? .chunkEnd : .chunkData(remaining: $0) }
        case .chunkSize: return try readChunkLine(limits.chunkLine, "a chunk's size line is too long")
        case .chunkEnd: return try readChunkLine(0, "a chunk is longer than its size")
        default: return try readTrailer()
        }
    }

    private mutating func takeData(_ remaining: Int, _ next: (Int) -> Reading) -> Step {
        if input.isEmpty { return .blocked }
        guard !discarding, writing != .done else {
            let dropped = input.drop(remaining)
            discarded += dropped
            reading = next(remaining - dropped)
            if discarded <= limits.discardedBody { return .again }
            reading = .stopped
            keepAlive = false
            return .again
        }
        let bytes = input.take(remaining)
        reading = next(remaining - bytes.count)
        return .event(.body(bytes))
    }

    private mutating func readChunkLine(_ limit: Int, _ complaint: String) throws(HarbourError) -> Step {
        // The limit counts the CR too.
        switch input.takeLine(limit: limit + 1) {
        case .incomplete: return .blocked
        case .bareLineFeed: throw .malformed("a line ends without a carriage return")
        case .tooLong: throw .malformed(complaint)
        case .complete(let range):
            if reading == .chunkEnd {
                reading = .chunkSize
                return .again
            }
            let size = try input.withBytes(range) { (line) throws(HarbourError) in try ChunkSize.parse(line) }
            bodyCount += size
            guard bodyCount <= limits.body else { throw HTTP1ServerConnection.bodyTooLarge }
            if size > 0 {
                reading = .chunkData(remaining: size)
            } else {
                fields = RequestFields()
                reading = .trailers
            }
            return .again
        }
    }

    /// Trailers are checked and dropped, as RFC 9110 section 6.5.1 allows: nothing here needs any.
    private mutating func readTrailer() throws(HarbourError) -> Step {
        switch input.takeLine(limit: limits.fieldBytes - fields.bytes + 2) {
        case .incomplete: return .blocked
        case .bareLineFeed: throw .malformed("a line ends without a carriage return")
        case .tooLong: throw RequestFields.tooLarge
        case .complete(let range):
            if range.isEmpty {
                reading = .end
            } else {
                try input.withBytes(range) { (line) throws(HarbourError) in try fields.add(line, to: nil, limits) }
            }
            return .again
        }
    }
}

enum RequestLineTarget { case origin, absolute }

extension Substring {
    func trimmingSpaces() -> Substring {
        let start = drop { $0 == " " || $0 == "\t" }
        return start.prefix(
            upTo: start.lastIndex { $0 != " " && $0 != "\t" }.map { start.index(after: $0) } ?? start.startIndex)
    }
}
