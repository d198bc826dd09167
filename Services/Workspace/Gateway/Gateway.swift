internal import Core
internal import HTTPClient
internal import HTTPMessage
internal import HTTPServer
internal import HarbourProtocol
internal import ServiceKit

/// The front door: every public route of the other services, under one origin, one sign-in and one gate.
///
/// A request goes on with its method, path, query and body, the service token in place of the user's, and the user's
/// name. Bodies stream both ways, each side as fast as the other takes it.
struct Gateway: Sendable {
    /// A service behind the gateway.
    struct Upstream: Sendable {
        let name: String
        let origin: HTTPOrigin
        let routes: [EndpointRoute]
    }

    let http: HTTPClient
    let authenticator: any Authenticator
    let gate: AccessGate
    let serviceToken: String

    /// How long an answer may take to begin when the caller does not say.
    static let patience = Duration.seconds(120)
    /// Up to this size an answer is sent whole, with its length.
    private static let wholeBytes = 256 << 10

    /// Registers the public routes of a service.
    func register(_ upstream: Upstream, on router: ServiceRouter) {
        for route in upstream.routes where !route.isInternal && route.path.utf8.starts(with: "/api/v1/".utf8) {
            router.name(route)
            router.http.on(route.method, route.path, maxBodySize: route.maximumBodyBytes) {
                (request, _) async throws -> HTTPResponse in
                try await forward(request, route, to: upstream)
            }
        }
    }

    /// Sends a request on to the service whose route it is, if its caller may ask for that.
    func forward(
        _ request: HTTPRequest, _ route: EndpointRoute, to upstream: Upstream
    ) async throws(HarbourError) -> HTTPResponse {
        let caller = try await authenticator.authenticate(request)
        let body = RequestBody(request, route)
        try await gate.admit(caller, to: route, request, body: body)
        let target = request.query.map { "\(request.path)?\($0)" } ?? request.path
        if let filter = ListFilter(of: route), let principal = try await gate.principal(caller),
            !principal.isAdministrator
        {
            return try await list(filter, principal, target, request, route, to: upstream, caller)
        }
        if route == ClusterAPI.createCluster.route, !caller.isService { try await gate.checkNewCluster(body) }
        let response = try await ask(upstream, route, target, request, body, caller)
        if route == ClusterAPI.deleteCluster.route, response.status == 200 {
            // A later cluster of that id is another one.
            let id = request.parameters["cluster_id"]
            gate.owners.forget(cluster: id)
            try await gate.permissions.forget(id, .cluster)
        }
        return try await Gateway.answer(response)
    }

    private func ask(
        _ upstream: Upstream, _ route: EndpointRoute, _ target: String, _ request: HTTPRequest, _ body: RequestBody,
        _ caller: Caller
    ) async throws(HarbourError) -> HTTPClientResponse {
        let outgoing = HTTPClientRequest(
            method: request.method, origin: upstream.origin, target: target, fields: fields(of: request, caller),
            body: Gateway.body(of: request, body), isIdempotent: route.isIdempotent,
            serviceName: "The \(upstream.name) service")
        return try await send(outgoing, deadline: request.deadline ?? (route.isStream ? nil : .now + Gateway.patience))
    }

    /// Asks a service, with the service token among the fields.
    func send(
        _ outgoing: HTTPClientRequest, deadline: MonotonicTime?
    ) async throws(HarbourError) -> HTTPClientResponse {
        let response = try await http.send(outgoing, deadline: deadline)
        guard response.status != 401 else {
            throw HarbourError(
                .badGateway,
                "\(outgoing.serviceName) does not know the token of the workspace service. Give both the same "
                    + "HARBOUR_SERVICE_TOKEN.")
        }
        return response
    }

    // MARK: Lists

    /// How many pages of others' things are passed over for one answer; a longer way goes on with the token.
    private static let pagesPassed = 10

    /// A list as the caller may see it. Pages on which there is nothing to see are passed over.
    private func list(
        _ filter: ListFilter, _ principal: Principal, _ first: String, _ request: HTTPRequest,
        _ route: EndpointRoute, to upstream: Upstream, _ caller: Caller
    ) async throws(HarbourError) -> HTTPResponse {
        var target = first
        for page in 1... {
            let response = try await ask(upstream, route, target, request, RequestBody(request, route), caller)
            guard response.status == 200 else { return try await Gateway.answer(response) }
            let bytes = try await response.body.collect(limit: Gateway.listBytes)
            var document = try JSONValue(json: bytes, code: .badGateway)
            let visible = try await filter.visible(document[filter.field]?.array ?? [], to: principal, gate)
            document[filter.field] = .array(visible)
            guard visible.isEmpty, page < Gateway.pagesPassed, let next = document["next_page_token"]?.string else {
                return .json(document.encodedJSON())
            }
            target = Gateway.target(of: request, pageToken: next)
        }
        throw HarbourError(.internalError, "The list did not end.")
    }

    private static let listBytes = 64 << 20

    private static func target(of request: HTTPRequest, pageToken: String) -> String {
        let kept = (request.query ?? "").split(separator: "&").filter { !$0.hasPrefix("page_token=") }
        return "\(request.path)?" + (kept.map(String.init) + ["page_token=\(pageToken)"]).joined(separator: "&")
    }

    // MARK: There

    private func fields(of request: HTTPRequest, _ caller: Caller) -> HTTPFields {
        var fields = HTTPFields()
        for (name, value) in request.fields where !Gateway.isOwn(name) { fields.append(name, value) }
        sign(&fields, for: request, caller)
        return fields
    }

    /// Says for whom a service is asked, and that it may be believed.
    func sign(_ fields: inout HTTPFields, for request: HTTPRequest, _ caller: Caller) {
        fields[CallHeader.authorization] = "Bearer \(serviceToken)"
        fields[CallHeader.requestID] = request.requestID
        fields[CallHeader.trace] = request.trace.child().traceparent
        if let user = caller.user { fields[CallHeader.user] = user }
    }

    private static func body(of request: HTTPRequest, _ body: RequestBody) -> HTTPOutgoingBody {
        if let bytes = body.loaded { return bytes.isEmpty ? .empty : .bytes(bytes) }
        return .stream { writer in
            for try await chunk in request.body { try await writer.write(chunk) }
        }
    }

    // MARK: Back

    /// The answer of a service as it goes back.
    static func answer(_ response: HTTPClientResponse) async throws(HarbourError) -> HTTPResponse {
        var fields = HTTPFields()
        for (name, value) in response.fields where !isOwn(name) { fields.append(name, value) }
        if let length = response.body.length, length <= wholeBytes {
            let bytes = try await response.body.collect(limit: wholeBytes)
            return HTTPResponse(status: response.status, fields: fields, body: bytes.isEmpty ? .empty : .bytes(bytes))
        }
        return HTTPResponse(
            status: response.status, fields: fields,
            body: .stream { writer in
                for try await chunk in response.body { try await writer.write(chunk) }
            })
    }

    /// Fields that belong to one connection or one of its ends and do not go through: those of RFC 9110 section 7.6.1,
    /// what each end writes itself, and credentials, which are for the gateway alone.
    private static func isOwn(_ name: String) -> Bool {
        switch name.lowercased() {
        case "connection", "keep-alive", "proxy-connection", "proxy-authorization", "proxy-authenticate", "te",
            "trailer", "transfer-encoding", "upgrade", "host", "content-length", "expect", "date", "server",
            "authorization", "cookie", "set-cookie", SessionCookie.csrfField, CallHeader.requestID, CallHeader.deadline,
            CallHeader.trace, CallHeader.user, SparkPageRoutes.placeField:
            true
        default: false
        }
    }
}
