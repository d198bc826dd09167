public import Core
public import HTTPMessage
internal import Synchronization

/// Routes by method and path template. Register everything before the server starts; checks and middlewares apply to
/// the routes that are registered after them.
///
///     router.get("/jobs/{id}") { request, parameters in try job(parameters["id"]) }
///
/// A closure without `await` is taken for a synchronous handler, which is called when the whole body has come. One that
/// only begins a stream and reads the body in there has to say so: `{ request, parameters async in ... }`.
///
/// `@unchecked Sendable`: the tree is only read once the server has started, which `route(for:)` notes and the
/// registering functions check.
public final class HTTPRouter: HTTPHandler, @unchecked Sendable {
    /// Answers without waiting; the body is complete in `request.body.completeBytes`.
    public typealias SyncHandler = @Sendable (HTTPRequest, HTTPParameters) throws -> HTTPResponse
    /// Answers in a task on the connection's loop.
    public typealias AsyncHandler = @Sendable (HTTPRequest, HTTPParameters) async throws -> HTTPResponse
    /// Looks at a request before its body is read; what it throws is the answer.
    public typealias Check = @Sendable (HTTPRequest) throws(HarbourError) -> Void
    /// Works around a handler; makes its route asynchronous.
    public typealias Middleware =
        @Sendable (HTTPRequest, _ next: @Sendable (HTTPRequest) async throws -> HTTPResponse) async throws ->
        HTTPResponse

    /// Every route by its method and path template, in the order in which they were registered. A WebSocket has two.
    public private(set) var served: [(method: HTTPMethod, template: String)] = []
    private let root = RouteNode()
    private var checks: [Check] = []
    private var middlewares: [Middleware] = []
    /// What answers a GET of an address that no route has.
    private var other: (isMeant: @Sendable (HTTPRequest) -> Bool, route: HTTPRoute)?
    private let isServing = Atomic<Bool>(false)

    /// Makes a router without routes.
    public init() {}

    // MARK: Registering

    /// Adds a check to the routes that follow.
    public func check(_ check: @escaping Check) {
        beforeServing()
        checks.append(check)
    }

    /// Adds a middleware around the routes that follow; the first one is the outermost.
    public func use(_ middleware: @escaping Middleware) {
        beforeServing()
        middlewares.append(middleware)
    }

    /// Registers a synchronous route.
    public func on(
        _ method: HTTPMethod, _ template: String, maxBodySize: Int? = nil, _ handler: @escaping SyncHandler
    ) {
        guard middlewares.isEmpty else {
            on(method, template, maxBodySize: maxBodySize) { request, parameters async throws -> HTTPResponse in
                // A body that is still coming is read first: the handler was promised all of it.
                if request.body.completeBytes == nil {
                    let bytes = try await request.body.collect(limit: .max)
                    request.body = HTTPBody(bytes)
                }
                return try handler(request, parameters)
            }
            return
        }
        add(method, template, maxBodySize, .sync { request in try handler(request, request.parameters) })
    }

    /// Registers an asynchronous route.
    public func on(
        _ method: HTTPMethod, _ template: String, maxBodySize: Int? = nil, _ handler: @escaping AsyncHandler
    ) {
        var chain: @Sendable (HTTPRequest) async throws -> HTTPResponse = { request in
            try await handler(request, request.parameters)
        }
        for middleware in middlewares.reversed() {
            let next = chain
            chain = { request in try await middleware(request, next) }
        }
        add(method, template, maxBodySize, .async(chain))
    }

    /// Registers a WebSocket route: GET with an upgrade over HTTP/1.1, extended CONNECT over HTTP/2 (RFC 8441). Checks
    /// apply, middlewares do not.
    public func webSocket(
        _ template: String, options: HTTPWebSocketOptions = HTTPWebSocketOptions(),
        _ handler: @escaping @Sendable (HTTPRequest, HTTPParameters, HTTPWebSocket) async throws -> Void
    ) {
        let action = HTTPAction.webSocket(options) { request, socket in
            try await handler(request, request.parameters, socket)
        }
        add(.get, template, nil, action)
        add(.connect, template, nil, action)
    }

    /// Registers what answers the GET of an address that no route has, where that is meant; middlewares do not apply.
    public func otherwise(where isMeant: @escaping @Sendable (HTTPRequest) -> Bool, _ handler: @escaping SyncHandler) {
        beforeServing()
        let action = HTTPAction.sync { request in try handler(request, request.parameters) }
        other = (isMeant, HTTPRoute(template: "/{path...}", maxBodySize: nil, checks: checks, action: action))
    }

    private func add(_ method: HTTPMethod, _ template: String, _ maxBodySize: Int?, _ action: HTTPAction) {
        beforeServing()
        let route = HTTPRoute(template: template, maxBodySize: maxBodySize, checks: checks, action: action)
        root.insert(RouteTemplate.parts(template)[...], method, route)
        served.append((method, template))
    }

    private func beforeServing() {
        precondition(!isServing.load(ordering: .relaxed), "routes are registered before the server starts")
    }

    // MARK: Routing

    /// Finds the route of the request and runs its checks.
    /// - Throws: `ENDPOINT_NOT_FOUND`, `METHOD_NOT_ALLOWED`, `INVALID_PARAMETER_VALUE` for a path that does not decode,
    ///   and whatever a check throws.
    public func route(for request: HTTPRequest) throws(HarbourError) -> HTTPRoute {
        if !isServing.load(ordering: .relaxed) { isServing.store(true, ordering: .relaxed) }
        var ranges: [Range<Int>] = []
        let node = request.withPath { path in find(path, request.method, &ranges) }
        guard let node else {
            if let other, request.method == .get, other.isMeant(request) {
                request.route = other.route.template
                for check in other.route.checks { try check(request) }
                return other.route
            }
            throw HarbourError(
                .endpointNotFound,
                "There is no endpoint \(HTTPRouter.shown(request.path)). Look it up in /openapi.json.")
        }
        guard let route = node.route(request.method) else { throw HTTPRouter.notAllowed(request, node) }
        request.route = route.template
        if !ranges.isEmpty { try HTTPRouter.setParameters(request, route, ranges) }
        for check in route.checks { try check(request) }
        return route
    }

    private func find(
        _ path: UnsafeBufferPointer<UInt8>, _ method: HTTPMethod, _ ranges: inout [Range<Int>]
    ) -> RouteNode? {
        guard path.first == UInt8(ascii: "/") else { return nil }
        let node = root.find(path, path.count == 1 ? 2 : 1, &ranges)
        // A slash at the end means the same, unless a route of this method says otherwise.
        guard node?.route(method) == nil, path.count > 2, path.last == UInt8(ascii: "/") else { return node }
        var others: [Range<Int>] = []
        guard let other = root.find(UnsafeBufferPointer(rebasing: path.dropLast()), 1, &others) else { return node }
        ranges = others
        return other
    }

    private static func setParameters(
        _ request: HTTPRequest, _ route: HTTPRoute, _ ranges: [Range<Int>]
    ) throws(HarbourError) {
        let start = request.pathRange.start
        request.parameterNames = route.parameterNames
        for range in ranges {
            let part = ByteRange(offset: start + range.lowerBound, count: range.count)
            guard PercentEncoding.decode(request.fields.storage.bytes(part)) != nil else {
                throw HarbourError(
                    .invalidParameter, "A part of the path \(shown(request.path)) is not valid percent-encoded UTF-8.")
            }
            request.parameterRanges.append(part)
        }
    }

    private static func notAllowed(_ request: HTTPRequest, _ node: RouteNode) -> HarbourError {
        let allowed = node.routes.map { $0.method.name }.joined(separator: ", ")
        return HarbourError(
            .methodNotAllowed,
            "\(shown(request.method.name)) is not allowed for \(shown(request.path)). Use \(allowed).",
            detail: allowed)
    }

    /// Text of the client's in a message: not more than a line of it.
    private static func shown(_ text: String) -> String { text.count <= 200 ? text : text.prefix(200) + "…" }
}

extension HTTPRouter {
    /// Registers a synchronous GET route, which answers HEAD too.
    public func get(_ template: String, _ handler: @escaping SyncHandler) { on(.get, template, handler) }
    /// Registers an asynchronous GET route, which answers HEAD too.
    public func get(_ template: String, _ handler: @escaping AsyncHandler) { on(.get, template, handler) }
    /// Registers a synchronous POST route.
    public func post(_ template: String, maxBodySize: Int? = nil, _ handler: @escaping SyncHandler) {
        on(.post, template, maxBodySize: maxBodySize, handler)
    }
    /// Registers an asynchronous POST route.
    public func post(_ template: String, maxBodySize: Int? = nil, _ handler: @escaping AsyncHandler) {
        on(.post, template, maxBodySize: maxBodySize, handler)
    }
    /// Registers a synchronous PUT route.
    public func put(_ template: String, maxBodySize: Int? = nil, _ handler: @escaping SyncHandler) {
        on(.put, template, maxBodySize: maxBodySize, handler)
    }
    /// Registers an asynchronous PUT route.
    public func put(_ template: String, maxBodySize: Int? = nil, _ handler: @escaping AsyncHandler) {
        on(.put, template, maxBodySize: maxBodySize, handler)
    }
    /// Registers a synchronous PATCH route.
    public func patch(_ template: String, maxBodySize: Int? = nil, _ handler: @escaping SyncHandler) {
        on(.patch, template, maxBodySize: maxBodySize, handler)
    }
    /// Registers an asynchronous PATCH route.
    public func patch(_ template: String, maxBodySize: Int? = nil, _ handler: @escaping AsyncHandler) {
        on(.patch, template, maxBodySize: maxBodySize, handler)
    }
    /// Registers a synchronous DELETE route.
    public func delete(_ template: String, _ handler: @escaping SyncHandler) { on(.delete, template, handler) }
    /// Registers an asynchronous DELETE route.
    public func delete(_ template: String, _ handler: @escaping AsyncHandler) { on(.delete, template, handler) }
}
