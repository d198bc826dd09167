internal import Core
internal import HTTPClient
internal import HTTPMessage
internal import HTTPServer
internal import HarbourProtocol
internal import ServiceKit

/// The front door: every public route of the other services, under one origin and one sign-in.
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
    let serviceToken: String

    /// How long an answer may take to begin when the caller does not say.
    private static let patience = Duration.seconds(120)
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

    private func forward(
        _ request: HTTPRequest, _ route: EndpointRoute, to upstream: Upstream
    ) async throws(HarbourError) -> HTTPResponse {
        let caller = try await authenticator.authenticate(request)
        let target = request.query.map { "\(request.path)?\($0)" } ?? request.path
        let outgoing = HTTPClientRequest(
            method: request.method, origin: upstream.origin, target: target, fields: fields(of: request, caller),
            body: Gateway.body(of: request), isIdempotent: route.isIdempotent,
            serviceName: "The \(upstream.name) service")
        let deadline = request.deadline ?? (route.isStream ? nil : .now + Gateway.patience)
        let response = try await http.send(outgoing, deadline: deadline)
        guard response.status != 401 else {
            throw HarbourError(
                .badGateway,
                "The \(upstream.name) service does not know the token of the workspace service. Give both the same "
                    + "HARBOUR_SERVICE_TOKEN.")
        }
        return try await Gateway.answer(response)
    }

    // MARK: Pages

    /// Spark's own pages, live and of clusters that have ended. They are no part of the contract: what is below is Spark's.
    func registerSparkPages(_ upstream: Upstream, on router: ServiceRouter) {
        for pages in ["spark-ui", "spark-history"] {
            for method in [HTTPMethod.get, .post] {
                let route = EndpointRoute(
                    service: upstream.name, operationID: method == .get ? "getSparkPage" : "postSparkPage",
                    method: method, path: "/api/v1/clusters/{cluster_id}/\(pages)/{path...}",
                    isIdempotent: method == .get, maximumBodyBytes: 65_536)
                router.name(route)
                router.http.on(method, route.path, maxBodySize: route.maximumBodyBytes) {
                    (request, _) async throws -> HTTPResponse in
                    try await forward(request, route, to: upstream)
                }
            }
        }
    }

    // MARK: There

    private func fields(of request: HTTPRequest, _ caller: Caller) -> HTTPFields {
        var fields = HTTPFields()
        for (name, value) in request.fields where !Gateway.isOwn(name) { fields.append(name, value) }
        fields[CallHeader.authorization] = "Bearer \(serviceToken)"
        fields[CallHeader.requestID] = request.requestID
        fields[CallHeader.trace] = request.trace.child().traceparent
        if let user = caller.user { fields[CallHeader.user] = user }
        return fields
    }

    private static func body(of request: HTTPRequest) -> HTTPOutgoingBody {
        if let bytes = request.body.completeBytes { return bytes.isEmpty ? .empty : .bytes(bytes) }
        return .stream { writer in
            for try await chunk in request.body { try await writer.write(chunk) }
        }
    }

    // MARK: Back

    private static func answer(_ response: HTTPClientResponse) async throws(HarbourError) -> HTTPResponse {
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
            CallHeader.trace,
            CallHeader.user:
            true
        default: false
        }
    }
}
