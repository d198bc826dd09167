internal import Core
internal import EventLoop
internal import HTTPMessage

/// A task that waits for the next piece of a request's body.
final class InboundReader: Sendable {
    private let continuation: CheckedContinuation<Result<[UInt8]?, HarbourError>, Never>
    init(_ continuation: CheckedContinuation<Result<[UInt8]?, HarbourError>, Never>) {
        self.continuation = continuation
    }
    /// Called once: whoever calls has taken the reader out of the exchange.
    func resume(_ result: Result<[UInt8]?, HarbourError>) { continuation.resume(returning: result) }
}

/// A task that waits for room.
final class OutboundWriter: Sendable {
    private let continuation: CheckedContinuation<HarbourError?, Never>
    init(_ continuation: CheckedContinuation<HarbourError?, Never>) { self.continuation = continuation }
    func resume(_ error: HarbourError?) { continuation.resume(returning: error) }
}

extension Exchange {
    /// The next piece when it is here; nil when one has to wait.
    fileprivate func takeReady(_ generation: UInt32) -> Result<[UInt8]?, HarbourError>? {
        guard self.generation == generation else {
            return .failure(HarbourError(.cancelled, "The client gave the request up."))
        }
        if let inboundFailure { return .failure(inboundFailure) }
        let bytes = channel.takeInbound(self)
        if !bytes.isEmpty { return .success(bytes) }
        return inboundEnded ? .success(nil) : nil
    }

    fileprivate func park(_ reader: InboundReader, _ generation: UInt32) {
        if let ready = takeReady(generation) {
            reader.resume(ready)
        } else if self.reader != nil {
            reader.resume(.failure(HarbourError(.internalError, "A request's body has one reader at a time.")))
        } else {
            self.reader = reader
            channel.watchPeer()
        }
    }

    func wakeReader() {
        guard let reader, let ready = takeReady(generation) else { return }
        self.reader = nil
        reader.resume(ready)
    }

    fileprivate func cancelReader(_ generation: UInt32) {
        guard self.generation == generation, let reader else { return }
        self.reader = nil
        reader.resume(.failure(HarbourError(.cancelled, "Reading the request's body was cancelled.")))
    }

    fileprivate func discard(_ generation: UInt32) {
        guard self.generation == generation else { return }
        channel.discardInbound(self)
    }

    /// nil: sent, and there is room for more. Otherwise the writer has to wait.
    fileprivate func send(_ bytes: [UInt8], _ generation: UInt32) -> Result<Bool, HarbourError> {
        guard self.generation == generation, phase == .streaming else {
            return .failure(HarbourError(.cancelled, "The client wants no more of the answer."))
        }
        return .success(channel.sendBody(self, bytes, end: false))
    }

    fileprivate func park(_ writer: OutboundWriter, _ generation: UInt32) {
        guard self.generation == generation, phase == .streaming else {
            writer.resume(HarbourError(.cancelled, "The client wants no more of the answer."))
            return
        }
        writers.append(writer)
    }

    fileprivate func cancel(_ writer: OutboundWriter, _ generation: UInt32) {
        guard self.generation == generation, let index = writers.firstIndex(where: { $0 === writer }) else { return }
        writers.remove(at: index).resume(HarbourError(.cancelled, "Writing the answer's body was cancelled."))
    }
}

/// Reads a request's body as it comes.
final class InboundSource: HTTPBodySource {
    private let exchange: Exchange
    private let generation: UInt32

    init(_ exchange: Exchange, _ generation: UInt32) {
        self.exchange = exchange
        self.generation = generation
    }

    func next() async throws(HarbourError) -> [UInt8]? {
        let loop = exchange.context.loop
        if loop.isCurrent, let ready = exchange.takeReady(generation) { return try ready.get() }
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let reader = InboundReader(continuation)
                loop.onLoop { [exchange, generation] in
                    exchange.park(reader, generation)
                    if Task.isCancelled { exchange.cancelReader(generation) }
                }
            }
        } onCancel: { [exchange, generation] in
            loop.submit { exchange.cancelReader(generation) }
        }
        return try result.get()
    }

    func discard() {
        exchange.context.loop.onLoop { [exchange, generation] in exchange.discard(generation) }
    }
}

/// Writes a response's body as the client takes it.
final class OutboundSink: HTTPBodySink {
    private let exchange: Exchange
    private let generation: UInt32

    init(_ exchange: Exchange, _ generation: UInt32) {
        self.exchange = exchange
        self.generation = generation
    }

    func write(_ bytes: [UInt8]) async throws(HarbourError) {
        let loop = exchange.context.loop
        if loop.isCurrent {
            if try exchange.send(bytes, generation).get() { return }
            try await wait(loop, bytes: nil)
        } else {
            try await wait(loop, bytes: bytes)
        }
    }

    /// Sends the bytes, when they have not been sent yet, and waits for room.
    private func wait(_ loop: EventLoop, bytes: [UInt8]?) async throws(HarbourError) {
        let ticket = WriteTicket()
        let failure = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<HarbourError?, Never>) in
                let writer = OutboundWriter(continuation)
                loop.onLoop { [exchange, generation] in
                    if let bytes {
                        switch exchange.send(bytes, generation) {
                        case .success(true):
                            writer.resume(nil)
                            return
                        case .success(false): break
                        case .failure(let error):
                            writer.resume(error)
                            return
                        }
                    }
                    exchange.park(writer, generation)
                    ticket.writer = writer
                }
            }
        } onCancel: { [exchange, generation] in
            loop.submit { if let writer = ticket.writer { exchange.cancel(writer, generation) } }
        }
        if let failure { throw failure }
    }
}

/// Which of the waiting writers a cancelled task is; touched on the loop only.
private final class WriteTicket: @unchecked Sendable {
    var writer: OutboundWriter?
}
