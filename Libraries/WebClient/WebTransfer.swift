internal import CCurl
internal import Core
internal import EventLoop
internal import HTTPMessage

typealias WebResult = Result<WebResponse, HarbourError>

/// One request and its answer. It lives from `start` until `end`, held by the multi handle, and ends exactly once.
///
/// `@unchecked Sendable`: everything but the constants is touched on the loop only.
final class WebTransfer: @unchecked Sendable {
    let multi: CurlMulti
    let request: WebRequest
    private let deadline: MonotonicTime?
    private var easy: CurlEasy?
    private var head: CheckedContinuation<WebResult, Never>?
    private var deadlineTimer: LoopTimer?
    private var ended = false
    private var failure: HarbourError?

    // The answer.
    private var status = 0
    private var fields = HTTPFields()
    private var fieldBytes = 0
    private var headDelivered = false
    private var received = 0
    private var inbound: [UInt8] = []
    private var reader: CheckedContinuation<Result<[UInt8]?, HarbourError>, Never>?
    private var receivingPaused = false

    // The request's body, when it is no array of bytes.
    private var outbound: [UInt8] = []
    private var outboundEnded = false
    private var filePosition = 0
    private var writer: CheckedContinuation<HarbourError?, Never>?
    private var sendingPaused = false
    private var upload: Task<Void, Never>?

    init(multi: CurlMulti, request: WebRequest, deadline: MonotonicTime?) {
        self.multi = multi
        self.request = request
        self.deadline = deadline
    }

    // MARK: Life

    func start(_ continuation: CheckedContinuation<WebResult, Never>) {
        if ended {
            continuation.resume(returning: .failure(failure ?? WebTransfer.cancelled))
            return
        }
        head = continuation
        do throws(HarbourError) {
            let easy = try CurlEasy(self)
            self.easy = easy
            guard multi.add(easy.handle, self) else {
                throw HarbourError(.cancelled, "The web client has been shut down.")
            }
        } catch {
            return end(error)
        }
        if let deadline {
            deadlineTimer = multi.loop.schedule(at: deadline) { [weak self] in
                self?.end(HarbourError(.deadlineExceeded, "The server did not answer in time."))
            }
        }
        if case .stream(let write) = request.body { startUpload(write) }
    }

    func cancel() { end(WebTransfer.cancelled) }

    static let cancelled = HarbourError(.cancelled, "The request was cancelled.")

    /// libcurl is done with it.
    func finish(_ result: CURLcode) {
        if result == CURLE_OK, deliverHead() {
            end(nil)
        } else {
            end(failure ?? easy?.error(result, request.url) ?? WebTransfer.cancelled)
        }
    }

    /// Ends it, once: with an answer that is complete, or with an error for whoever waits.
    private func end(_ error: HarbourError?) {
        guard !ended else { return }
        ended = true
        failure = error
        deadlineTimer?.cancel()
        upload?.cancel()
        if let easy { multi.remove(easy.handle) }
        easy = nil
        if let error {
            inbound = []
            head?.resume(returning: .failure(error))
            head = nil
        }
        writer?.resume(returning: error ?? WebTransfer.cancelled)
        writer = nil
        answerReader()
    }

    /// Whether a connection may be made to the address; the refusal is what the sender hears, unless another address of
    /// the host is taken.
    func mayConnect(to address: IPAddress) -> Bool {
        if multi.configuration.addresses.allows(address) { return true }
        failure = AddressPolicy.refusal(hostName(of: request.url))
        return false
    }

    // MARK: The answer

    /// One line of the head, of this answer or of one before it (100, a redirect).
    func receiveHeader(_ line: UnsafeBufferPointer<UInt8>) -> Bool {
        if headDelivered { return true }
        if request.mail != nil {
            easy?.noteMailReply(line[...])
            return true
        }
        var text = line[...]
        while text.last == 0x0a || text.last == 0x0d { text = text.dropLast() }
        if text.isEmpty {
            let mayBeFollowed = request.redirects > 0 && (300..<400).contains(status)
            return status < 200 || mayBeFollowed || deliverHead()
        }
        fieldBytes += line.count
        guard fieldBytes <= 256 << 10 else { return refuse(.badGateway, "The server's header fields are too large.") }
        if text.starts(with: "HTTP/".utf8) {
            // A new head: no field's name has a slash.
            status = easy?.status ?? 0
            fields = HTTPFields()
            fieldBytes = 0
            return true
        }
        guard let colon = text.firstIndex(of: UInt8(ascii: ":")) else { return true }
        fields.append(
            name: UnsafeBufferPointer(rebasing: text[..<colon]),
            value: UnsafeBufferPointer(rebasing: text[(colon + 1)...]))
        return true
    }

    /// Gives the head to the sender, once. False when the answer cannot be taken; libcurl is then told to stop, since
    /// inside its callbacks the transfer must not be taken down.
    private func deliverHead() -> Bool {
        guard !headDelivered, let head else { return !ended }
        status = easy?.status ?? status
        let length = fields["content-length"].flatMap { Int($0) }
        if request.method != .head, let length, length > request.responseLimit {
            failure = WebTransfer.tooLarge
            return false
        }
        headDelivered = true
        self.head = nil
        let body = HTTPBody(source: WebBodySource(self), length: length)
        head.resume(returning: .success(WebResponse(status: status, fields: fields, body: body)))
        return true
    }

    static let tooLarge = HarbourError(.tooLarge, "The server's answer is larger than is allowed here.")

    /// A piece of the body. Returns what libcurl wants to hear.
    func receiveBody(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
        guard !ended else { return 0 }
        if inbound.count >= multi.configuration.buffer {
            receivingPaused = true
            return Int(CURL_WRITEFUNC_PAUSE)
        }
        guard deliverHead() else { return 0 }
        received += bytes.count
        guard received <= request.responseLimit else {
            failure = WebTransfer.tooLarge
            return 0
        }
        inbound += bytes
        answerReader()
        return bytes.count
    }

    private func refuse(_ code: ErrorCode, _ message: String) -> Bool {
        failure = HarbourError(code, message)
        return false
    }

    func read(_ continuation: CheckedContinuation<Result<[UInt8]?, HarbourError>, Never>) {
        precondition(reader == nil, "a body has one reader at a time")
        reader = continuation
        answerReader()
    }

    private func answerReader() {
        guard let waiting = reader else { return }
        if !inbound.isEmpty {
            let bytes = inbound
            inbound = []
            reader = nil
            waiting.resume(returning: .success(bytes))
            if receivingPaused {
                receivingPaused = false
                unpause()
            }
        } else if ended {
            reader = nil
            waiting.resume(returning: failure.map { .failure($0) } ?? .success(nil))
        }
    }

    /// Lets libcurl go on; not from inside its callbacks, so at the end of this turn.
    private func unpause() {
        multi.loop.later { [self] in
            guard let easy else { return }
            let result = easy.pause(receiving: receivingPaused, sending: sendingPaused)
            if result != CURLE_OK { finish(result) }
        }
    }

    // MARK: The request's body

    private func startUpload(_ write: @escaping @Sendable (HTTPBodyWriter) async throws -> Void) {
        let sink = WebBodySink(self)
        upload = multi.loop.spawn { [self] in
            do {
                try await write(HTTPBodyWriter(sink))
                multi.loop.onLoop { self.endUpload() }
            } catch {
                multi.loop.onLoop { self.end(HarbourError.wrap(error)) }
            }
        }
    }

    private func endUpload() {
        outboundEnded = true
        resumeSending()
    }

    func write(_ bytes: [UInt8], _ continuation: CheckedContinuation<HarbourError?, Never>) {
        guard !ended else {
            continuation.resume(returning: failure ?? WebTransfer.cancelled)
            return
        }
        outbound += bytes
        if outbound.count > multi.configuration.buffer {
            precondition(writer == nil, "a body has one writer")
            writer = continuation
        } else {
            continuation.resume(returning: nil)
        }
        resumeSending()
    }

    private func resumeSending() {
        guard sendingPaused else { return }
        sendingPaused = false
        unpause()
    }

    /// Fills libcurl's buffer. Returns what it wants to hear.
    func supply(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
        if case .file(let file) = request.body { return supply(buffer, from: file) }
        if outbound.isEmpty {
            if outboundEnded { return 0 }
            sendingPaused = true
            return Int(CURL_READFUNC_PAUSE)
        }
        let count = min(buffer.count, outbound.count)
        outbound.withUnsafeBytes { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        outbound.removeFirst(count)
        if outbound.count <= multi.configuration.buffer / 2, let waiting = writer {
            writer = nil
            waiting.resume(returning: nil)
        }
        return count
    }

    private func supply(_ buffer: UnsafeMutableRawBufferPointer, from file: HTTPFile) -> Int {
        do throws(HarbourError) {
            let bytes = try file.read(at: filePosition, upTo: min(buffer.count, file.length - filePosition))
            buffer.copyBytes(from: bytes)
            filePosition += bytes.count
            return bytes.count
        } catch {
            failure = error
            return Int(CURL_READFUNC_ABORT)
        }
    }
}

/// The answer's body. When nobody holds it any more, nobody will read it, and the transfer ends.
final class WebBodySource: HTTPBodySource {
    private let transfer: WebTransfer

    init(_ transfer: WebTransfer) { self.transfer = transfer }

    deinit { discard() }

    func next() async throws(HarbourError) -> [UInt8]? {
        let transfer = transfer
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                transfer.multi.loop.onLoop { transfer.read(continuation) }
            }
        } onCancel: {
            transfer.multi.loop.submit { transfer.cancel() }
        }
        return try result.get()
    }

    func discard() {
        let transfer = transfer
        transfer.multi.loop.submit { transfer.cancel() }
    }
}

/// Where the request's body is written to.
private final class WebBodySink: HTTPBodySink {
    private let transfer: WebTransfer

    init(_ transfer: WebTransfer) { self.transfer = transfer }

    func write(_ bytes: [UInt8]) async throws(HarbourError) {
        let transfer = transfer
        let failure = await withCheckedContinuation { continuation in
            transfer.multi.loop.onLoop { transfer.write(bytes, continuation) }
        }
        if let failure { throw failure }
    }
}
