internal import Core
internal import EventLoop
internal import HTTPMessage

/// One request and its answer, whatever protocol carries them. Used again for the next request; tasks of an earlier
/// use are told by the generation.
///
/// `@unchecked Sendable`: handlers' tasks carry it, but its state is touched on the loop only.
final class Exchange: @unchecked Sendable {
    enum Phase {
        /// No request.
        case idle
        /// A synchronous action waits for the body: to `running` or `finished`.
        case collecting
        /// The action works: to `streaming` or `finished`.
        case running
        /// The head is sent, the body follows: to `finished`.
        case streaming
        /// The answer is complete or broken off; the protocol may still be sending it.
        case finished
    }

    let context: ServerContext
    unowned(unsafe) let channel: any ExchangeChannel
    @exclusivity(unchecked) private(set) var phase = Phase.idle
    @exclusivity(unchecked) private(set) var generation: UInt32 = 0
    /// Owned by the protocol until it has been told of the end; tasks hold their own reference.
    @exclusivity(unchecked) private(set) unowned(unsafe) var request: HTTPRequest
    @exclusivity(unchecked) private var route: HTTPRoute?
    @exclusivity(unchecked) private var task: Task<Void, Never>?
    @exclusivity(unchecked) private var deadlineTimer: LoopTimer?
    @exclusivity(unchecked) private var startTime = MonotonicTime(nanoseconds: 0)
    @exclusivity(unchecked) private(set) var status: Int?
    @exclusivity(unchecked) private var file: FileCursor?

    // Inbound
    @exclusivity(unchecked) private(set) var inboundEnded = false
    @exclusivity(unchecked) private(set) var receivedBytes = 0
    @exclusivity(unchecked) private var bodyLimit = 0
    /// What has been taken of a body that is collected for a synchronous action.
    @exclusivity(unchecked) private var collected: [UInt8] = []
    @exclusivity(unchecked) var inboundFailure: HarbourError?
    @exclusivity(unchecked) var reader: InboundReader?
    // Outbound
    @exclusivity(unchecked) var writers: [OutboundWriter] = []
    /// Bytes flow both ways without an end of their own; slow ones are the handler's business.
    @exclusivity(unchecked) private(set) var isTunnel = false
    /// Told when the server wants to end.
    @exclusivity(unchecked) var onDrain: (() -> Void)?
    // For the protocol's slow-peer check.
    @exclusivity(unchecked) var stall = StallMark()
    // For the protocol: the object on its side, which outlives every use of the exchange.
    unowned(unsafe) var counterpart: AnyObject?

    init(context: ServerContext, channel: any ExchangeChannel) {
        self.context = context
        self.channel = channel
        request = context.placeholder
    }

    // MARK: From the protocol

    /// A head has come. `ended` means that it has no body.
    func begin(_ request: HTTPRequest, remote: HTTPPeer, contentLength: Int?, ended: Bool, inboundHere: Int) {
        self.request = request
        if let proxies = context.trustedProxies {
            request.remote = proxies.client(of: request, over: remote)
        } else if request.remote !== remote {
            request.remote = remote
        }
        startTime = context.loop.now
        status = nil
        inboundEnded = ended
        receivedBytes = inboundHere
        phase = .running
        context.prepare(request, now: startTime)
        do throws(HarbourError) {
            let route = try context.handler.route(for: request)
            bodyLimit = route.maxBodySize ?? context.limits.maxBodySize
            if let contentLength, contentLength > bodyLimit { throw HTTPBody.tooLarge(bodyLimit) }
            if let deadline = request.deadline, deadline <= startTime { throw Exchange.deadlinePassed }
            try start(route, contentLength)
        } catch {
            respond(with: error)
        }
    }

    /// Answers a head that is not to be routed, such as one that is too large.
    func refuse(_ request: HTTPRequest, remote: HTTPPeer, _ error: HarbourError) {
        self.request = request
        if request.remote !== remote { request.remote = remote }
        startTime = context.loop.now
        status = nil
        phase = .running
        context.prepare(request, now: startTime)
        respond(with: error)
    }

    private func start(_ route: HTTPRoute, _ contentLength: Int?) throws(HarbourError) {
        switch route.action {
        case .sync(let action):
            if inboundEnded {
                runSync(action)
            } else {
                self.route = route
                phase = .collecting
                armDeadline()
                channel.watchPeer()
            }
        case .async(let action):
            request.body =
                inboundEnded
                ? receivedBytes == 0 ? .empty : HTTPBody(channel.takeInbound(self))
                : HTTPBody(source: InboundSource(self, generation), length: contentLength)
            runAsync(action)
        case .webSocket(let options, let action):
            try openWebSocket(options, action)
        }
    }

    /// More of the body is here: `received` bytes in all.
    func inboundChanged(received: Int, ended: Bool) {
        receivedBytes = received
        inboundEnded = ended
        if receivedBytes > bodyLimit && inboundFailure == nil && phase != .finished {
            inboundFailure = HTTPBody.tooLarge(bodyLimit)
            channel.discardInbound(self)
            if phase == .collecting { respond(with: HTTPBody.tooLarge(bodyLimit)) }
        }
        if phase == .collecting {
            collect()
            if ended, case .sync(let action)? = route?.action { runSync(action) }
        }
        wakeReader()
    }

    /// The client took what was waiting.
    func writable() {
        if file != nil { sendFile() }
        let woken = writers
        writers.removeAll(keepingCapacity: true)
        for writer in woken { writer.resume(nil) }
    }

    /// The client gave up, or the connection broke, or all is done: nothing of this exchange is used any more.
    func close(_ error: HarbourError?, sentBytes: Int) {
        guard phase != .idle else { return }
        let cancelled = phase != .finished
        let outcome = HTTPOutcome(
            status: status, duration: context.loop.now - startTime, wasCancelled: cancelled || error != nil,
            receivedBytes: receivedBytes, sentBytes: sentBytes)
        generation &+= 1
        if deadlineTimer != nil { complete() }
        phase = .idle
        if file != nil { file = nil }
        if route != nil { route = nil }
        if stall.since != nil { stall = StallMark() }
        isTunnel = false
        if reader != nil || !writers.isEmpty {
            failWaiting(error ?? HarbourError(.cancelled, "The client gave the request up."))
        }
        if onDrain != nil { onDrain = nil }
        if inboundFailure != nil { inboundFailure = nil }
        if !collected.isEmpty { collected = [] }
        if let task {
            task.cancel()
            self.task = nil
        }
        context.observer?(request, outcome)
        // Lets go of the request, so that the protocol can use the object again.
        request = context.placeholder
    }

    private func failWaiting(_ error: HarbourError) {
        reader?.resume(.failure(error))
        reader = nil
        for writer in writers { writer.resume(error) }
        writers.removeAll(keepingCapacity: true)
    }

    // MARK: Running the action

    /// Takes what is here, so that the client may send on.
    private func collect() {
        let bytes = channel.takeInbound(self)
        if collected.isEmpty { collected = bytes } else { collected += bytes }
    }

    private func runSync(_ action: @Sendable (HTTPRequest) throws -> HTTPResponse) {
        phase = .running
        if receivedBytes > 0 {
            collect()
            request.body = HTTPBody(collected)
            collected = []
        }
        do { respond(try action(request)) } catch { respond(with: HarbourError.wrap(error)) }
    }

    private func runAsync(_ action: @escaping @Sendable (HTTPRequest) async throws -> HTTPResponse) {
        let generation = generation
        let request = request
        let task = Task.immediate(executorPreference: context.loop) { [self] in
            do {
                let response = try await action(request)
                if case .stream = response.body {
                    await finish(response, generation)
                } else if self.generation == generation {
                    respond(response)
                }
            } catch {
                fail(error, generation)
            }
        }
        keep(task, generation)
    }

    /// A task that is done already needs no cancelling; one that goes on needs a deadline.
    func keep(_ task: Task<Void, Never>, _ generation: UInt32) {
        guard self.generation == generation, phase == .running || phase == .streaming else { return }
        self.task = task
        armDeadline()
    }

    private func finish(_ response: HTTPResponse, _ generation: UInt32) async {
        guard self.generation == generation, phase == .running else { return }
        guard case .stream(let write) = response.body, request.method != .head else {
            respond(response)
            return
        }
        beginStream(response)
        await stream(write, generation)
    }

    private func stream(
        _ write: @Sendable (HTTPBodyWriter) async throws -> Void, _ generation: UInt32
    ) async {
        do {
            try await write(HTTPBodyWriter(OutboundSink(self, generation)))
            guard self.generation == generation, phase == .streaming else { return }
            complete()
            _ = channel.sendBody(self, [], end: true)
        } catch {
            fail(error, generation)
        }
    }

    private func fail(_ error: any Error, _ generation: UInt32) {
        guard self.generation == generation, phase == .running || phase == .streaming else { return }
        respond(with: HarbourError.wrap(error))
    }

    // MARK: Answering

    func respond(_ response: HTTPResponse) {
        guard phase == .running || phase == .collecting else { return }
        let length = response.body.length
        let bodyless = request.method == .head || response.status == 204 || response.status == 304
        switch response.body {
        case .empty:
            answer(response, response.status == 204 || response.status == 304 ? nil : 0, [])
        case .bytes(let bytes):
            answer(response, length, bodyless ? [] : bytes)
        case .file(let file):
            if bodyless || file.length == 0 {
                answer(response, length, [])
            } else {
                status = response.status
                phase = .streaming
                channel.sendHead(self, response, length: length, body: nil)
                self.file = FileCursor(file: file)
                sendFile()
            }
        case .stream(let write):
            if bodyless {
                answer(response, response.streamLength, [])
            } else {
                beginStream(response)
                let generation = generation
                let task = Task.immediate(executorPreference: context.loop) { [self] in
                    await stream(write, generation)
                }
                keep(task, generation)
            }
        }
    }

    private func answer(_ response: HTTPResponse, _ length: Int?, _ body: [UInt8]) {
        status = response.status
        complete()
        channel.sendHead(self, response, length: length, body: body)
    }

    private func beginStream(_ response: HTTPResponse) {
        status = response.status
        phase = .streaming
        channel.sendHead(self, response, length: response.streamLength, body: nil)
    }

    func beginTunnel(status: Int) {
        self.status = status
        bodyLimit = .max
        // The request had its end; the tunnel has not.
        inboundEnded = false
        isTunnel = true
        phase = .streaming
    }

    func endTunnel(_ generation: UInt32) {
        guard self.generation == generation, phase == .streaming else { return }
        complete()
        _ = channel.sendBody(self, [], end: true)
    }

    /// The answer has all been handed to the protocol.
    private func complete() {
        phase = .finished
        if let deadlineTimer {
            deadlineTimer.cancel()
            self.deadlineTimer = nil
        }
    }

    /// Answers with the error; when the head has been sent already, breaks off.
    func respond(with error: HarbourError) {
        if error.code.status >= 500 || phase == .streaming { context.log(error, request) }
        guard phase != .streaming else {
            complete()
            channel.abort(self)
            return
        }
        respond(context.response(to: error, request))
    }

    private func sendFile() {
        guard var cursor = file else { return }
        do {
            var room = true
            while room && cursor.rest > 0 {
                let bytes = try cursor.next()
                let end = cursor.rest == 0
                if end {
                    file = nil
                    complete()
                } else {
                    file = cursor
                }
                room = channel.sendBody(self, bytes, end: end)
            }
        } catch {
            file = nil
            respond(with: error)
        }
    }

    // MARK: Deadline

    static let deadlinePassed = HarbourError(
        .deadlineExceeded, "The deadline of the request passed before the answer was ready. Allow more time.")

    private func armDeadline() {
        guard let deadline = request.deadline, deadlineTimer == nil else { return }
        deadlineTimer = context.loop.schedule(at: deadline) { [weak self] in
            guard let self else { return }
            deadlineTimer = nil
            let task = task
            self.task = nil
            respond(with: Exchange.deadlinePassed)
            // Parked readers and writers end with the cancellation.
            task?.cancel()
        }
    }
}
