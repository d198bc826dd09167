public import Core
public import EventLoop
public import HTTPMessage
public import HTTPServer
public import HarbourProtocol

/// Serves the endpoints of the contract: authenticates, reads the input, calls the handler, and writes the output or
/// the error. What the contract does not cover is registered with `http`.
///
/// `@unchecked Sendable`: what changes while it serves is touched on the server's loop only.
public final class ServiceRouter: HTTPHandler, @unchecked Sendable {
    /// The router below, for pages and gateways. Its routes are not authenticated.
    public let http = HTTPRouter()
    /// The loop that handlers run on.
    public let loop: EventLoop
    private let authenticator: any Authenticator
    private let immediate: (any ImmediateAuthenticator)?
    /// Decides who may call what; everybody whom the authenticator knows when nil. Set it before routes are registered.
    public var gatekeeper: (any Gatekeeper)?
    /// Why only the service's own state is told for now; nil while everything is served.
    var closedBecause: HarbourError?
    /// Requests that were routed and have not ended.
    private(set) var inFlight = 0
    /// The operations by method and template, for metrics.
    private(set) var operations: [OperationKey: EndpointRoute] = [:]

    private struct OpenStream { weak var stream: ResponseStream? }
    private var openStreams: [OpenStream] = []

    /// Most answers are written without growing the buffer.
    private static let answerCapacity = 2048

    struct OperationKey: Hashable {
        let method: HTTPMethod
        let template: String
    }

    /// Makes a router without routes.
    public init(loop: EventLoop, authenticator: any Authenticator) {
        self.loop = loop
        self.authenticator = authenticator
        immediate = authenticator as? any ImmediateAuthenticator
    }

    // MARK: Registering

    /// Serves an endpoint in a task on the loop.
    public func on<Input, Output>(
        _ endpoint: Endpoint<Input, Output>,
        _ handler: @escaping @Sendable (Input, RequestContext) async throws -> Output
    ) {
        onEncoded(endpoint) { input, context in
            try await handler(input, context).encodedJSON(capacity: ServiceRouter.answerCapacity)
        }
    }

    /// Serves an endpoint without a task, which is quicker: for handlers that never wait. They must not block.
    public func onSync<Input, Output>(
        _ endpoint: Endpoint<Input, Output>, _ handler: @escaping @Sendable (Input, RequestContext) throws -> Output
    ) {
        guard let immediate, gatekeeper == nil else {
            return on(endpoint) { input, context async throws -> Output in try handler(input, context) }
        }
        let route = register(endpoint.route)
        http.on(route.method, route.path, maxBodySize: route.maximumBodyBytes) {
            [loop] (request, _) throws -> HTTPResponse in
            let context = try ServiceRouter.context(try immediate.authenticateNow(request), request, route, loop)
            let body = request.body.completeBytes ?? []
            let output = try handler(try ServiceRouter.input(request, body), context)
            return .json(output.encodedJSON(capacity: ServiceRouter.answerCapacity), status: route.successStatus)
        }
    }

    /// Serves an endpoint whose output has been encoded already, as hot lists of cached rows have it.
    public func onEncoded<Input, Output>(
        _ endpoint: Endpoint<Input, Output>,
        _ handler: @escaping @Sendable (Input, RequestContext) async throws -> [UInt8]
    ) {
        let route = register(endpoint.route)
        http.on(route.method, route.path, maxBodySize: route.maximumBodyBytes) {
            [loop, self] (request, _) async throws -> HTTPResponse in
            let (context, body) = try await admit(request, to: route, loop)
            return .json(
                try await handler(try ServiceRouter.input(request, body), context), status: route.successStatus)
        }
    }

    /// Serves a stream. The handler sends elements until it returns; the client sees the stream end there. What it
    /// throws before the first element, and not too late, is answered with its status; afterwards it is the last line
    /// of the stream, and the client throws it.
    public func on<Input, Element>(
        _ endpoint: StreamEndpoint<Input, Element>,
        _ handler: @escaping @Sendable (Input, RequestContext, StreamSender<Element>) async throws -> Void
    ) {
        let route = register(endpoint.route)
        http.on(route.method, route.path, maxBodySize: route.maximumBodyBytes) {
            [loop, self] (request, _) async throws -> HTTPResponse in
            let (context, body) = try await admit(request, to: route, loop)
            let input: Input = try ServiceRouter.input(request, body)
            let stream = ResponseStream(loop: loop, requestID: request.requestID)
            openStreams.removeAll { $0.stream == nil }
            openStreams.append(OpenStream(stream: stream))
            return try await stream.response { try await handler(input, context, StreamSender(stream)) }
        }
    }

    /// Serves an endpoint of bytes: the handler reads the body of its request itself, as fast as it can use it.
    public func on<Input>(
        _ endpoint: RawEndpoint<Input>,
        _ handler: @escaping @Sendable (Input, RequestContext) async throws -> HTTPResponse
    ) {
        let route = register(endpoint.route)
        http.on(route.method, route.path, maxBodySize: route.maximumBodyBytes) {
            [loop, self] (request, _) async throws -> HTTPResponse in
            let context = try ServiceRouter.context(try await authenticate(request), request, route, loop)
            if let gatekeeper {
                try await gatekeeper.admit(context.caller, to: route, request, body: RequestBody(request, route))
            }
            return try await handler(try Input(from: RequestParts(request, body: [])), context)
        }
    }

    /// Ends the streams that are open: they follow what has no end, and a service could not stop for them.
    func stopStreams() {
        for open in openStreams { open.stream?.stop() }
        openStreams = []
    }

    /// Says which operation a route is that `http` serves, as a gateway does: metrics and logs then call it by its name.
    public func name(_ route: EndpointRoute) {
        operations[OperationKey(method: route.method, template: route.path)] = route
    }

    private func register(_ route: EndpointRoute) -> EndpointRoute {
        name(route)
        return route
    }

    // MARK: Routing

    /// Finds the route of a request; called by the server.
    public func route(for request: HTTPRequest) throws(HarbourError) -> HTTPRoute {
        // The server reports the end of each request that has a template, also when it is refused from here on.
        defer { if !request.routeTemplate.isEmpty { inFlight += 1 } }
        let route = try http.route(for: request)
        if let closedBecause, !OperationalRoutes.paths.contains(route.template) { throw closedBecause }
        return route
    }

    func ended(_ request: HTTPRequest) {
        if !request.routeTemplate.isEmpty { inFlight -= 1 }
    }

    // MARK: Steps of a request

    private func authenticate(_ request: HTTPRequest) async throws(HarbourError) -> Caller {
        if let immediate { return try immediate.authenticateNow(request) }
        return try await authenticator.authenticate(request)
    }

    /// Finds out who asks, whether they may, and with what.
    private func admit(
        _ request: HTTPRequest, to route: EndpointRoute, _ loop: EventLoop
    ) async throws(HarbourError) -> (RequestContext, [UInt8]) {
        let context = try ServiceRouter.context(try await authenticate(request), request, route, loop)
        let body = RequestBody(request, route)
        if let gatekeeper { try await gatekeeper.admit(context.caller, to: route, request, body: body) }
        return (context, try await body.bytes())
    }

    private static func context(
        _ caller: Caller, _ request: HTTPRequest, _ route: EndpointRoute, _ loop: EventLoop
    ) throws(HarbourError) -> RequestContext {
        if route.isInternal && !caller.isService {
            throw HarbourError(.permissionDenied, "Only the services of the platform may call this.")
        }
        return RequestContext(caller: caller, loop: loop, request: request)
    }

    private static func input<Input: EndpointInput>(
        _ request: HTTPRequest, _ body: [UInt8]
    ) throws(HarbourError) -> Input {
        if !body.isEmpty { try checkContentType(request) }
        return try Input(from: RequestParts(request, body: body))
    }

    /// A body must say that it is JSON: a page of another origin cannot make a browser send that without asking.
    private static func checkContentType(_ request: HTTPRequest) throws(HarbourError) {
        let isJSON = request.fields.withValue("content-type") { value in
            let wanted = "application/json".utf8
            guard value.count >= wanted.count,
                zip(value, wanted).allSatisfy({ ($0 < 0x41 || $0 > 0x5a ? $0 : $0 | 0x20) == $1 })
            else { return false }
            let next = value.dropFirst(wanted.count).first
            return next == nil || next == UInt8(ascii: ";") || next == 0x20
        }
        guard isJSON == true else {
            throw HarbourError(
                .unsupportedMediaType, "The body must be JSON. Send it with `content-type: application/json`.")
        }
    }
}
