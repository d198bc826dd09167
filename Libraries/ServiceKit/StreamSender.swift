public import Core
internal import EventLoop
internal import HTTPMessage
internal import HarbourProtocol
internal import Synchronization

/// Sends the elements of a stream, each as a line of JSON, as fast as the client takes them.
public struct StreamSender<Element: JSONEncodable & Sendable>: Sendable {
    private let stream: ResponseStream

    init(_ stream: ResponseStream) { self.stream = stream }

    /// Sends an element; waits while the client is slower.
    /// - Throws: `CANCELLED` when the client has gone.
    public func callAsFunction(_ element: Element) async throws(HarbourError) {
        var writer = JSONWriter(capacity: 512)
        element.encode(to: &writer)
        writer.endLine()
        try await stream.write(writer.finish())
    }

    /// Sends elements at once.
    /// - Throws: `CANCELLED` when the client has gone.
    public func callAsFunction(_ elements: some Sequence<Element>) async throws(HarbourError) {
        var writer = JSONWriter(capacity: 4096)
        for element in elements {
            element.encode(to: &writer)
            writer.endLine()
        }
        try await stream.write(writer.finish())
    }

    /// Sends elements that are JSON already, as a journal keeps them: each is one value without a line feed.
    /// - Throws: `CANCELLED` when the client has gone.
    public func encoded(_ elements: some Sequence<[UInt8]>) async throws(HarbourError) {
        var lines: [UInt8] = []
        for element in elements {
            lines += element
            lines.append(0x0a)
        }
        try await stream.write(lines)
    }

    /// Answers now with status 200, before there is an element: from here on errors break the stream off.
    public func open() async throws(HarbourError) { try await stream.write([]) }
}

/// Holds the head of a stream's answer back until the handler has something to send, or has failed, so that an early
/// failure gets its own status. A handler that is silent for a while is taken to be waiting for news, and the head goes.
///
/// All on one loop; the mutex is there because handlers may send from other threads.
final class ResponseStream: Sendable {
    /// How long the head waits for a silent handler.
    private static let patience = Duration.milliseconds(200)

    private struct State {
        /// The answer's head may go (nil), or is an error.
        var decision: Result<Void, HarbourError>?
        var decisionWaiter: CheckedContinuation<Void, Never>?
        var writer: HTTPBodyWriter?
        var writerWaiter: CheckedContinuation<Void, Never>?
        var end: Result<Void, HarbourError>?
        var endWaiter: CheckedContinuation<Void, Never>?
        var task: Task<Void, Never>?
    }

    private let state = Mutex(State())
    private let loop: EventLoop
    private let requestID: String

    init(loop: EventLoop, requestID: String) {
        self.loop = loop
        self.requestID = requestID
    }

    /// Starts the handler and waits until it is known how to answer.
    func response(_ handler: @escaping @Sendable () async throws -> Void) async throws(HarbourError) -> HTTPResponse {
        let task = loop.spawn { [self] in
            do {
                try await handler()
                finish(.success(()))
            } catch {
                finish(.failure(HarbourError.wrap(error)))
            }
        }
        state.withLock { $0.task = task }
        await withTaskCancellationHandler {
            await decision()
        } onCancel: {
            task.cancel()
        }
        if case .failure(let error)? = state.withLock({ $0.decision }) { throw error }
        let abandonment = Abandonment(task)
        return HTTPResponse.lines { [self] writer in
            try await withTaskCancellationHandler {
                try await pump(writer)
            } onCancel: {
                abandonment.task.cancel()
            }
        }
    }

    /// Ends the handler when the answer is thrown away without having been sent: the client was gone by then.
    private final class Abandonment: Sendable {
        let task: Task<Void, Never>

        init(_ task: Task<Void, Never>) { self.task = task }

        deinit { task.cancel() }
    }

    private func decision() async {
        if state.withLock({ $0.decision != nil }) { return }
        let timer = Timer()
        loop.onLoop { [self] in
            timer.value = loop.schedule(after: ResponseStream.patience) { [weak self] in self?.decide(.success(())) }
        }
        await withCheckedContinuation { continuation in
            let isDecided = state.withLock { state in
                if state.decision == nil { state.decisionWaiter = continuation }
                return state.decision != nil
            }
            if isDecided { continuation.resume() }
        }
        loop.onLoop { timer.value?.cancel() }
    }

    /// `@unchecked Sendable`: touched on the loop only.
    private final class Timer: @unchecked Sendable { var value: LoopTimer? }

    private func decide(_ result: Result<Void, HarbourError>) {
        let waiter = state.withLock { state in
            guard state.decision == nil else { return nil as CheckedContinuation<Void, Never>? }
            state.decision = result
            defer { state.decisionWaiter = nil }
            return state.decisionWaiter
        }
        waiter?.resume()
    }

    /// The head has been sent: hands the writer to the handler and waits for its end.
    private func pump(_ writer: HTTPBodyWriter) async throws {
        let waiter = state.withLock { state in
            state.writer = writer
            defer { state.writerWaiter = nil }
            return state.writerWaiter
        }
        waiter?.resume()
        await withCheckedContinuation { continuation in
            let isEnded = state.withLock { state in
                if state.end == nil { state.endWaiter = continuation }
                return state.end != nil
            }
            if isEnded { continuation.resume() }
        }
        if case .failure(let error)? = state.withLock({ $0.end }) {
            if error.code.status >= 500 {
                Logger("http.stream").with("request_id", requestID).error(
                    "A stream failed.", ["error": error.describeChain()])
            }
            // Said in the stream and not by breaking it off, which would throw away what is still on its way.
            try await writer.write(StreamFailure.line(error, requestID: requestID))
        }
    }

    /// Ends the stream because the service stops: the client may ask another, or this one when it is back.
    func stop() {
        finish(.failure(HarbourError(.unavailable, "The service is stopping. Ask again in a moment.")))
        state.withLock { $0.task }?.cancel()
    }

    private func finish(_ result: Result<Void, HarbourError>) {
        decide(result)
        let waiters = state.withLock { state in
            if state.end == nil { state.end = result }
            defer {
                state.endWaiter = nil
                state.writerWaiter = nil
            }
            return [state.endWaiter, state.writerWaiter]
        }
        for waiter in waiters { waiter?.resume() }
    }

    func write(_ bytes: [UInt8]) async throws(HarbourError) {
        decide(.success(()))
        if let writer = state.withLock({ $0.writer }) { return try await writer.write(bytes) }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    if state.writer == nil && !Task.isCancelled { state.writerWaiter = continuation }
                    return state.writerWaiter == nil
                }
                if isReady { continuation.resume() }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                defer { state.writerWaiter = nil }
                return state.writerWaiter
            }
            waiter?.resume()
        }
        guard let writer = state.withLock({ $0.writer }) else {
            throw HarbourError(.cancelled, "The client wants no more of the stream.")
        }
        try await writer.write(bytes)
    }
}
