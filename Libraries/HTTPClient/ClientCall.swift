internal import Core
internal import EventLoop
internal import HTTP2
internal import HTTPMessage

/// One call: from `send` to the end of the response's body, over one connection after another when it may be repeated.
///
/// `@unchecked Sendable`: its state is touched on the loop only.
final class ClientCall: @unchecked Sendable {
    let loop: EventLoop
    let request: HTTPClientRequest
    let deadline: MonotonicTime?
    private weak var pool: OriginPool?
    private var waiter: CheckedContinuation<Result<HTTPClientResponse, HarbourError>, Never>?
    private var deadlineTimer: LoopTimer?
    private(set) var connection: ClientConnection?
    private(set) var stream: HTTP2Stream?
    private var uploadTask: Task<Void, Never>?
    private var uploadStarted = false
    private var reader: CheckedContinuation<Result<[UInt8]?, HarbourError>, Never>?
    private var writer: CheckedContinuation<HarbourError?, Never>?
    /// What came and was not read when the stream closed.
    private var rest: [UInt8] = []
    private var ended = false
    private var failure: HarbourError?
    private(set) var isOver = false
    private var refusals = 0
    private var losses = 0

    init(_ request: HTTPClientRequest, deadline: MonotonicTime?, loop: EventLoop) {
        self.request = request
        self.deadline = deadline
        self.loop = loop
    }

    // MARK: Begin

    func start(
        _ waiter: CheckedContinuation<Result<HTTPClientResponse, HarbourError>, Never>, in pool: OriginPool
    ) {
        self.waiter = waiter
        self.pool = pool
        // The task may have been cancelled before the call got here.
        if isOver {
            answer(.failure(failure ?? ClientCall.cancelledError))
            return
        }
        if let deadline {
            deadlineTimer = loop.schedule(at: deadline) { [weak self] in
                guard let self else { return }
                end(
                    HarbourError(
                        .deadlineExceeded, "\(self.request.serviceName) did not answer in the time allowed.",
                        detail: self.request.origin.description))
            }
        }
        pool.submit(self)
    }

    static let cancelledError = HarbourError(.cancelled, "The request was cancelled.")

    /// The connection has room: opens the stream. False when the connection takes none after all.
    func open(on connection: ClientConnection) -> Bool {
        var fields = request.fields
        if let deadline {
            let left = max(0, (deadline - .now).milliseconds)
            fields["x-harbour-deadline-ms"] = "\(left)"
        }
        var whole: [UInt8]?
        switch request.body {
        case .empty: whole = []
        case .bytes(let bytes): whole = bytes
        case .stream, .file: break
        }
        if let length = request.body.length, length > 0 || !request.method.isSafe {
            fields["content-length"] = "\(length)"
        }
        guard
            let stream = connection.session.request(
                method: request.method, scheme: request.origin.scheme, authority: request.origin.authority,
                path: request.target, fields: fields, body: whole)
        else { return false }
        stream.context = self
        self.stream = stream
        self.connection = connection
        if whole == nil { startUpload() }
        return true
    }

    // MARK: Upload

    private func startUpload() {
        uploadStarted = true
        let body = request.body
        uploadTask = Task.immediate(executorPreference: loop) { [self] in
            do {
                let writer = HTTPBodyWriter(CallSink(self))
                switch body {
                case .stream(let write): try await write(writer)
                case .file(let file):
                    var position = 0
                    while position < file.length {
                        let piece = try file.read(at: position, upTo: 65_536)
                        position += piece.count
                        try await writer.write(piece)
                    }
                case .empty, .bytes: break
                }
                uploadEnded(nil)
            } catch {
                uploadEnded(HarbourError.wrap(error))
            }
        }
    }

    private func uploadEnded(_ error: HarbourError?) {
        guard let stream, let connection, !isOver else { return }
        if let error {
            // A server that has answered and stopped reading is no failure of the call.
            if !(stream.headComplete || stream.isClosed) || error.code != .cancelled { end(error) }
        } else {
            connection.session.write(stream, [], end: true)
            connection.markDirty()
        }
    }

    /// Sends a piece; true when there is room for more.
    func upload(_ bytes: [UInt8]) -> Result<Bool, HarbourError> {
        guard let stream, let connection, !isOver, !stream.isClosed else {
            return .failure(failure ?? HarbourError(.cancelled, "The other side wants no more of the body."))
        }
        let room = connection.session.write(stream, bytes)
        connection.markDirty()
        return .success(room)
    }

    func park(writer continuation: CheckedContinuation<HarbourError?, Never>) {
        guard stream != nil, !isOver else {
            continuation.resume(returning: failure ?? ClientCall.cancelledError)
            return
        }
        writer?.resume(returning: HarbourError(.internalError, "A body has one writer at a time."))
        writer = continuation
    }

    func writable() {
        writer?.resume(returning: nil)
        writer = nil
    }

    // MARK: Response

    /// The head is here, and everything else that came in the same turn.
    func headReady() {
        guard waiter != nil, let stream, let connection, !isOver else { return }
        if stream.headersTooLarge {
            end(HarbourError(.badGateway, "\(request.serviceName) answered with header fields that are too large."))
            return
        }
        let fields = stream.fields
        let status = stream.status
        if stream.inboundEnded {
            let bytes = connection.session.takeInbound(stream)
            ended = true
            answer(.success(HTTPClientResponse(status: status, fields: fields, body: HTTPBody(bytes))))
            return
        }
        let source = HTTPBody(source: CallSource(self), length: stream.contentLength)
        answer(.success(HTTPClientResponse(status: status, fields: fields, body: source)))
    }

    private func answer(_ result: Result<HTTPClientResponse, HarbourError>) {
        waiter?.resume(returning: result)
        waiter = nil
    }

    func takeReady() -> Result<[UInt8]?, HarbourError>? {
        if let stream, let connection {
            let bytes = connection.session.takeInbound(stream)
            if !bytes.isEmpty {
                connection.markDirty()
                return .success(bytes)
            }
            // A call that was given up has its stream until the reset has gone out.
            if isOver, let failure { return .failure(failure) }
            return stream.inboundEnded ? .success(nil) : nil
        }
        if !rest.isEmpty {
            defer { rest = [] }
            return .success(rest)
        }
        if let failure { return .failure(failure) }
        return ended || isOver ? .success(nil) : nil
    }

    func park(reader continuation: CheckedContinuation<Result<[UInt8]?, HarbourError>, Never>) {
        if let ready = takeReady() {
            continuation.resume(returning: ready)
        } else if reader != nil {
            continuation.resume(
                returning: .failure(HarbourError(.internalError, "A body has one reader at a time.")))
        } else {
            reader = continuation
        }
    }

    func inboundChanged() {
        guard let waiting = reader, let ready = takeReady() else { return }
        reader = nil
        waiting.resume(returning: ready)
    }

    // MARK: End

    /// The stream is over. Called before its object is used again.
    func streamClosed(_ code: HTTP2ErrorCode, lost: HarbourError?) {
        guard let stream, let connection else { return }
        if !isOver {
            rest = connection.session.takeInbound(stream)
            ended = stream.inboundEnded
        }
        let headWasComplete = stream.headComplete
        if headWasComplete && waiter != nil && ended {
            // Head, body and end came in one turn.
            answer(
                .success(
                    HTTPClientResponse(status: stream.status, fields: stream.fields, body: HTTPBody(rest))))
        }
        self.stream = nil
        self.connection = nil
        if ended {
            finish(nil)
        } else if !isOver {
            broken(code, lost, headWasComplete)
        }
    }

    private func broken(_ code: HTTP2ErrorCode, _ lost: HarbourError?, _ headWasComplete: Bool) {
        let mayRepeat = waiter != nil && !headWasComplete && !uploadStarted
        if mayRepeat, code == .refusedStream, refusals < 3, let pool {
            // The peer has not looked at it (RFC 9113 section 8.7).
            refusals += 1
            pool.submit(self)
            return
        }
        if mayRepeat, lost != nil, request.isIdempotent, losses == 0, let pool {
            losses += 1
            pool.submit(self)
            return
        }
        let name = request.serviceName
        let error =
            if let lost {
                HarbourError(
                    .unavailable,
                    "The connection to \(name.lowercasedFirst) at \(request.origin) broke before the answer was complete. Try again.",
                    cause: lost)
            } else if code == .refusedStream {
                HarbourError(.unavailable, "\(name) at \(request.origin) takes no requests now. Try again later.")
            } else {
                HarbourError(
                    .badGateway, "\(name) at \(request.origin) broke its answer off.",
                    detail: "HTTP/2 error code \(code.rawValue)")
            }
        finish(error)
    }

    /// Ends the call from our side: cancelled, too late, or given up by the reader.
    func end(_ error: HarbourError) {
        if isOver { return }
        if waiter == nil && stream == nil && pool == nil {
            // Cancelled before it began.
            failure = error
            isOver = true
            return
        }
        if let stream, let connection {
            connection.session.reset(stream, .cancel)
            connection.session.discardInbound(stream)
            connection.markDirty()
        }
        finish(error)
    }

    /// The pool gives the call up.
    func reject(_ error: HarbourError) { finish(error) }

    private func finish(_ error: HarbourError?) {
        if isOver { return }
        isOver = true
        failure = error
        deadlineTimer?.cancel()
        deadlineTimer = nil
        answer(.failure(error ?? ClientCall.cancelledError))
        uploadTask?.cancel()
        uploadTask = nil
        writer?.resume(returning: error ?? HarbourError(.cancelled, "The other side wants no more of the body."))
        writer = nil
        if let reader, let ready = takeReady() {
            self.reader = nil
            reader.resume(returning: ready)
        }
    }
}

extension String {
    /// “The service” inside a sentence.
    var lowercasedFirst: String { hasPrefix("The ") ? "the " + dropFirst(4) : self }
}
