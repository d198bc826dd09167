public import Core
internal import EventLoop
public import HTTPClient
public import HTTPMessage
public import HarbourProtocol

/// Calls the endpoints of one service.
///
///     let cluster = try ServiceClient(http: http, baseURL: "http://127.0.0.1:8082", token: token, service: "cluster")
///     let info = try await cluster.call(ClusterAPI.getCluster, .init(clusterID: id), context: context.call())
public struct ServiceClient: Sendable {
    /// How long a call may take when its context has no deadline: a service that hangs must not hang its callers.
    public static let defaultTimeout = Duration.seconds(30)
    /// The largest answer, and the largest line of a stream, in bytes.
    public static let maximumAnswerBytes = 128 << 20

    private let http: HTTPClient
    private let origin: HTTPOrigin
    private let authorization: String?
    private let service: String

    /// Makes a client; nothing is connected before the first call.
    /// - Parameters:
    ///   - http: the client that all services share, which keeps the connections.
    ///   - baseURL: `http://host:port`, `https://host:port` or `unix:/path`.
    ///   - token: shown with each call: the services' token, or a user's.
    ///   - service: how error messages call the other side: `cluster`.
    /// - Throws: `INVALID_PARAMETER_VALUE` when the URL is not one.
    public init(http: HTTPClient, baseURL: String, token: String?, service: String) throws(HarbourError) {
        self.http = http
        origin = try HTTPOrigin(baseURL)
        authorization = token.map { "Bearer \($0)" }
        self.service = service
    }

    /// Asks and waits for the answer.
    /// - Throws: the error the service answered with, its code kept; `TEMPORARILY_UNAVAILABLE`, `DEADLINE_EXCEEDED` or
    ///   `CANCELLED` when there was none; `BAD_UPSTREAM_RESPONSE` when the answer is not the contract's.
    public func call<Input, Output>(
        _ endpoint: Endpoint<Input, Output>, _ input: Input, context: CallContext = CallContext()
    ) async throws(HarbourError) -> Output {
        let deadline = context.deadline ?? .now + ServiceClient.defaultTimeout
        let response = try await http.send(request(endpoint.route, input, context), deadline: deadline)
        let body = try await response.collect(limit: ServiceClient.maximumAnswerBytes)
        guard response.status == endpoint.route.successStatus else {
            throw failure(response.status, body)
        }
        return try Output(json: body, subject: "answer of the service \(service)", code: .badGateway)
    }

    /// The same, tried again while the service cannot be reached, until the context's deadline: for callers that have
    /// nothing better to do than to wait for a restart. Endpoints that are not idempotent are asked once.
    public func callPatiently<Input, Output>(
        _ endpoint: Endpoint<Input, Output>, _ input: Input, context: CallContext = CallContext()
    ) async throws(HarbourError) -> Output {
        var backoff = Backoff(until: context.deadline ?? .now + ServiceClient.defaultTimeout)
        var context = context
        context.deadline = backoff.end
        while true {
            do throws(HarbourError) {
                return try await call(endpoint, input, context: context)
            } catch {
                guard endpoint.route.isIdempotent, error.code.status == ErrorCode.unavailable.status,
                    await backoff.wait()
                else { throw error }
            }
        }
    }

    // It must give way to the one that resumes, over which its lack of a default argument would win.
    /// Opens a stream and waits until the service has accepted it. The elements come as they are read; letting go of
    /// the stream ends it at the service too. The context's deadline is for the whole stream.
    /// - Throws: like `call`.
    @_disfavoredOverload
    public func stream<Input, Element>(
        _ endpoint: StreamEndpoint<Input, Element>, _ input: Input, context: CallContext = CallContext()
    ) async throws(HarbourError) -> ElementStream<Element> {
        ElementStream(try await open(endpoint, input, context), service: service)
    }

    /// The same for streams of numbered elements: when the stream breaks, it is asked for again from the last element
    /// on, so that none is missed and none comes twice. While the service cannot be reached, it is tried again.
    /// - Parameters:
    ///   - patience: how long the service may be away after an element has come.
    ///   - opening: how long it may be away at first; `patience` when nil. Endpoints that are not idempotent are asked
    ///     once.
    /// - Throws: like `call`.
    public func stream<Input: ResumableInput, Element: SequencedElement>(
        _ endpoint: StreamEndpoint<Input, Element>, _ input: Input, context: CallContext = CallContext(),
        patience: Duration = .seconds(60), opening: Duration? = nil
    ) async throws(HarbourError) -> ElementStream<Element> {
        let resumption = ElementStream<Element>.Resumption(
            last: input.resumeAfter ?? 0, patience: patience, sequence: { $0.sequence },
            reopen: { last throws(HarbourError) in
                var next = input
                next.resumeAfter = last
                return try await self.open(endpoint, next, context)
            })
        let limit = MonotonicTime.now + (opening ?? patience)
        var backoff = Backoff(until: min(limit, context.deadline ?? limit))
        while true {
            do throws(HarbourError) {
                return ElementStream(try await open(endpoint, input, context), service: service, resumption)
            } catch {
                // Not every 503 passes: a kernel that does not start, say, is an answer.
                guard endpoint.route.isIdempotent, error.code == .unavailable, await backoff.wait() else { throw error }
            }
        }
    }

    /// Sends bytes that are no JSON, or asks for some, and returns when the head of the answer is here: the body comes as it
    /// is read. The context's deadline is for all of it.
    /// - Throws: like `call`, for every status of 400 and more.
    public func send<Input>(
        _ endpoint: RawEndpoint<Input>, _ input: Input, fields: HTTPFields = [:], body: HTTPOutgoingBody = .empty,
        context: CallContext = CallContext()
    ) async throws(HarbourError) -> HTTPClientResponse {
        var outgoing = request(endpoint.route, input, context)
        outgoing.fields["accept"] = "*/*"
        for (name, value) in fields { outgoing.fields[name] = value }
        outgoing.body = body
        let response = try await http.send(outgoing, deadline: context.deadline)
        guard response.status < 400 else {
            throw failure(response.status, try await response.collect(limit: 1 << 20))
        }
        return response
    }

    private func open<Input, Element>(
        _ endpoint: StreamEndpoint<Input, Element>, _ input: Input, _ context: CallContext
    ) async throws(HarbourError) -> HTTPBody {
        let response = try await http.send(request(endpoint.route, input, context), deadline: context.deadline)
        guard response.status == endpoint.route.successStatus else {
            throw failure(response.status, try await response.collect(limit: 1 << 20))
        }
        return response.body
    }

    private func request(
        _ route: EndpointRoute, _ input: some EndpointInput, _ context: CallContext
    ) -> HTTPClientRequest {
        var builder = RequestBuilder()
        input.encode(to: &builder)
        var fields = builder.fields
        fields["accept"] = route.isStream ? "application/x-ndjson" : "application/json"
        if let authorization { fields[CallHeader.authorization] = authorization }
        context.encode(to: &fields)
        var body = HTTPOutgoingBody.empty
        if let bytes = builder.body {
            fields["content-type"] = "application/json"
            body = .bytes(bytes)
        }
        return HTTPClientRequest(
            method: route.method, origin: origin, target: builder.target, fields: fields, body: body,
            isIdempotent: route.isIdempotent, serviceName: "The \(service) service")
    }

    private func failure(_ status: Int, _ body: [UInt8]) -> HarbourError {
        // A success that is not the one of the contract is no success.
        guard status >= 400 else {
            return HarbourError(
                .badGateway, "The \(service) service gave an answer that is not in the contract.",
                detail: "status \(status)")
        }
        return HarbourError(status: status, body: body, service: service)
    }
}

/// Waits between attempts, longer each time, until an end.
struct Backoff {
    let end: MonotonicTime
    private var pause = Duration.milliseconds(50)
    private var generator = SystemRandomNumberGenerator()

    init(until end: MonotonicTime) { self.end = end }

    /// Waits; false when there is no time left or the task is cancelled.
    mutating func wait() async -> Bool {
        // A random part keeps callers of a restarted service from coming all at once.
        let factor = Double.random(in: 0.7...1.3, using: &generator)
        let delay = pause * factor
        pause = min(pause * 2, .seconds(3))
        guard MonotonicTime.now + delay < end else { return false }
        do {
            if let loop = EventLoop.current {
                try await loop.sleep(for: delay)
            } else {
                try await Task.sleep(for: delay)
            }
            return true
        } catch {
            return false
        }
    }
}
