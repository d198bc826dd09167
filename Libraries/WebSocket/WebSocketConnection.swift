public import Core

/// One side of a WebSocket connection (RFC 6455) after its handshake, without I/O or clock; no extensions.
///
/// The owner calls `receive` with what it reads, takes events until there is none, and sends what `takeOutput` gives
/// after each call. Pings are answered in here.
public struct WebSocketConnection: ~Copyable {
    /// What may still be said. It only moves forward.
    public enum State: Sendable, Hashable {
        /// Messages flow. Next: either of the others.
        case open
        /// We said goodbye and wait for the answer; messages that still come are dropped. Next: closed.
        case closing
        /// Nothing goes in or out any more, but for output that has been made.
        case closed
    }

    /// Where the connection is.
    public private(set) var state = State.open

    private let role: WebSocketRole
    private let limits: WebSocketLimits
    private var generator: any RandomNumberGenerator & Sendable
    private var input: [UInt8] = []
    private var head = 0
    private var output: [UInt8] = []
    private var pendingPong: [UInt8]?
    private var frame: WebSocketFrameHeader?
    private var frameRead = 0
    private var control: [UInt8] = []
    private var message: [UInt8] = []
    private var messageKind: WebSocketOpcode?
    private var fragments = 0
    private var validator = UTF8Validator()
    private var inputEnded = false

    /// A connection whose handshake is done.
    /// - Parameters:
    ///   - role: which end we are.
    ///   - limits: what the other side may send.
    ///   - generator: makes a client's masks, which must not be guessable outside tests (RFC 6455 section 10.3).
    public init(
        role: WebSocketRole, limits: WebSocketLimits = WebSocketLimits(),
        generator: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()
    ) {
        self.role = role
        self.limits = limits
        self.generator = generator
    }

    // MARK: Sending

    /// Sends a text message.
    /// - Throws: `INVALID_STATE` when the connection is not open.
    public mutating func send(text: String) throws(HarbourError) { try send(.text, Array(text.utf8)) }

    /// Sends a binary message.
    /// - Throws: `INVALID_STATE` when the connection is not open.
    public mutating func send(binary: [UInt8]) throws(HarbourError) { try send(.binary, binary) }

    /// Asks the other side for a sign of life: a `pong` with the same payload, of which 125 bytes are sent at most.
    /// - Throws: `INVALID_STATE` when the connection is not open.
    public mutating func ping(_ payload: [UInt8] = []) throws(HarbourError) {
        try send(.ping, Array(payload.prefix(125)))
    }

    private mutating func send(_ opcode: WebSocketOpcode, _ payload: [UInt8]) throws(HarbourError) {
        guard state == .open else { throw HarbourError(.invalidState, "The WebSocket connection is closing.") }
        append(opcode, payload)
    }

    /// Says goodbye; the event `closed` follows when the other side has answered or is gone. The owner waits for that
    /// with a time limit. A second call does nothing.
    /// - Parameters:
    ///   - code: the reason; `normal` is sent in place of one that may not be sent.
    ///   - reason: a text for the other side's log, cut at 123 bytes.
    public mutating func close(_ code: WebSocketCloseCode = .normal, reason: String = "") {
        guard state == .open else { return }
        state = .closing
        appendClose(code.isSendable ? code : .normal, reason)
    }

    private mutating func appendClose(_ code: WebSocketCloseCode, _ reason: String) {
        var payload = [UInt8(code.rawValue >> 8), UInt8(code.rawValue & 0xff)]
        for character in reason.unicodeScalars {
            let bytes = Array(String(character).utf8)
            if payload.count + bytes.count > 125 { break }
            payload += bytes
        }
        append(.close, payload)
    }

    private mutating func append(_ opcode: WebSocketOpcode, _ payload: [UInt8]) {
        var mask: (UInt8, UInt8, UInt8, UInt8)?
        if role == .client {
            let random = UInt32(truncatingIfNeeded: generator.next())
            mask = (
                UInt8(random & 0xff), UInt8(random >> 8 & 0xff), UInt8(random >> 16 & 0xff), UInt8(random >> 24)
            )
        }
        WebSocketFrameHeader.encode(opcode, payload, mask: mask, to: &output)
    }

    /// How many bytes wait to be sent.
    public var outputCount: Int { output.count + (pendingPong.map { $0.count + 6 } ?? 0) }

    /// Takes the bytes to send.
    public mutating func takeOutput() -> [UInt8] {
        flushPong()
        let bytes = output
        output = []
        return bytes
    }

    /// Appends the bytes to send and keeps the memory for the next ones.
    public mutating func moveOutput(into buffer: inout [UInt8]) {
        flushPong()
        buffer += output
        output.removeAll(keepingCapacity: true)
    }

    private mutating func flushPong() {
        guard let payload = pendingPong else { return }
        pendingPong = nil
        if state == .open { append(.pong, payload) }
    }

    // MARK: Receiving

    /// Takes what the other side sent. Afterwards take events until there is none.
    public mutating func receive(_ bytes: UnsafeRawBufferPointer) {
        guard state != .closed else { return }
        if head == input.count {
            input.removeAll(keepingCapacity: input.capacity <= 65_536)
            head = 0
        } else if head > 65_536 {
            input.removeFirst(head)
            head = 0
        }
        input.append(contentsOf: bytes)
    }

    /// Takes what the other side sent; see the other overload.
    public mutating func receive(_ bytes: [UInt8]) { bytes.withUnsafeBytes { receive($0) } }

    /// The transport has ended.
    public mutating func receiveEnd() { inputEnded = true }

    /// The next thing that happened, or nil when more input must come first.
    public mutating func nextEvent() -> WebSocketEvent? {
        while state != .closed {
            if frame == nil {
                switch nextHeader() {
                case .header(let header): if let problem = begin(header) { return fail(problem) }
                case .invalid(let rule): return fail((.protocolError, rule))
                case .incomplete: return inputEnded ? lost() : nil
                }
            }
            guard let header = frame else { return nil }
            if let problem = takePayload(header) { return fail(problem) }
            guard frameRead == header.length else { return inputEnded ? lost() : nil }
            frame = nil
            switch endFrame(header) {
            case .event(let event): return event
            case .problem(let problem): return fail(problem)
            case .nothing: continue
            }
        }
        return nil
    }

    // MARK: Frames

    private typealias Problem = (code: WebSocketCloseCode, rule: String)

    private enum FrameEnd {
        case nothing
        case event(WebSocketEvent)
        case problem(Problem)
    }

    private func nextHeader() -> WebSocketFrameHeader.Parsed {
        input.withUnsafeBufferPointer { bytes in
            WebSocketFrameHeader.parse(
                UnsafeBufferPointer(rebasing: bytes[head...]), from: role == .server ? .client : .server)
        }
    }

    /// Checks the frame against those before it and against the limits, before any of its payload is kept.
    private mutating func begin(_ header: WebSocketFrameHeader) -> Problem? {
        head += header.size
        frameRead = 0
        if header.opcode.isControl {
            control.removeAll(keepingCapacity: true)
        } else {
            if header.opcode == .continuation {
                guard messageKind != nil else { return (.protocolError, "a message goes on that was not begun") }
            } else {
                guard messageKind == nil else { return (.protocolError, "a message begins inside another") }
                messageKind = header.opcode
                fragments = 0
                validator = UTF8Validator()
            }
            fragments += 1
            guard header.length <= limits.frame, header.length <= limits.message - message.count,
                fragments <= limits.fragments
            else { return (.messageTooBig, "the message is too large") }
        }
        frame = header
        return nil
    }

    private mutating func takePayload(_ header: WebSocketFrameHeader) -> Problem? {
        let count = min(header.length - frameRead, input.count - head)
        guard count > 0 else { return nil }
        let range = head..<(head + count)
        head += count
        let offset = frameRead
        frameRead += count
        if header.opcode.isControl {
            WebSocketConnection.append(input[range], header.mask, offset, to: &control)
            return nil
        }
        if state == .closing { return nil }
        let start = message.count
        // Once for what comes, and never for what is only announced.
        if start == 0 { message.reserveCapacity(min(header.length, 65_536)) }
        WebSocketConnection.append(input[range], header.mask, offset, to: &message)
        if messageKind == .text {
            let isValid = message.withUnsafeBufferPointer {
                validator.accept(UnsafeBufferPointer(rebasing: $0[start...]))
            }
            if !isValid { return (.invalidData, "a text is not UTF-8") }
        }
        return nil
    }

    private static func append(
        _ bytes: ArraySlice<UInt8>, _ mask: (UInt8, UInt8, UInt8, UInt8)?, _ offset: Int, to target: inout [UInt8]
    ) {
        let start = target.count
        target += bytes
        if let mask { WebSocketMask.apply(mask, offset: offset, to: &target, from: start) }
    }

    private mutating func endFrame(_ header: WebSocketFrameHeader) -> FrameEnd {
        switch header.opcode {
        case .ping:
            answerPing()
            return .nothing
        case .pong: return .event(.pong(control))
        case .close: return endConnection()
        case .text, .binary, .continuation:
            guard header.isFinal, let kind = messageKind else { return .nothing }
            messageKind = nil
            let bytes = message
            message = []
            if state == .closing { return .nothing }
            if kind == .binary { return .event(.binary(bytes)) }
            guard validator.isComplete else { return .problem((.invalidData, "a text ends inside a character")) }
            return .event(.text(String(decoding: bytes, as: UTF8.self)))
        }
    }

    private mutating func answerPing() {
        guard state == .open else { return }
        if output.count < limits.outputForPongs { append(.pong, control) } else { pendingPong = control }
    }

    // MARK: The end

    private mutating func endConnection() -> FrameEnd {
        var code = WebSocketCloseCode.noStatus
        var reason = ""
        if control.count == 1 { return .problem((.protocolError, "a close frame has half a code")) }
        if control.count >= 2 {
            code = WebSocketCloseCode(rawValue: UInt16(control[0]) << 8 | UInt16(control[1]))
            guard code.isSendable else {
                return .problem((.protocolError, "a close frame has a code it must not have"))
            }
            guard let text = String(validating: control[2...], as: UTF8.self) else {
                return .problem((.invalidData, "the reason of a close frame is not UTF-8"))
            }
            reason = text
        }
        if state == .open {
            if code == .noStatus { append(.close, []) } else { appendClose(code, "") }
        }
        return .event(end(WebSocketClosure(code: code, reason: reason, error: nil)))
    }

    private mutating func fail(_ problem: Problem) -> WebSocketEvent {
        if state == .open { appendClose(problem.code, problem.rule) }
        let error = HarbourError(.webSocketProtocol, "The WebSocket connection was closed: \(problem.rule).")
        return end(WebSocketClosure(code: problem.code, reason: problem.rule, error: error))
    }

    private mutating func lost() -> WebSocketEvent {
        let error = HarbourError(.unavailable, "The WebSocket connection was lost.")
        return end(WebSocketClosure(code: .abnormal, reason: "", error: error))
    }

    private mutating func end(_ closure: WebSocketClosure) -> WebSocketEvent {
        pendingPong = nil
        state = .closed
        input = []
        head = 0
        message = []
        frame = nil
        return .closed(closure)
    }
}
