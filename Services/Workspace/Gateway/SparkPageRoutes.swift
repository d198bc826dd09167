internal import Core
internal import HTTPClient
internal import HTTPMessage
internal import HTTPServer
internal import HarbourProtocol
internal import ServiceKit

/// Spark's own pages, live and of clusters that have ended. They are no part of the contract: what is below is Spark's.
///
/// `/api/v1/clusters/{id}/spark-ui/` answers programs with a token. A browser with a session is sent on to
/// `/spark/{ticket}/spark-ui/`, where the pages run in an origin of their own: there the ticket counts and nothing else,
/// neither the session nor a token, and Spark can only be read.
struct SparkPageRoutes: Sendable {
    let gateway: Gateway
    let authenticator: TokenAuthenticator
    let clusters: Gateway.Upstream
    let tickets: SparkTickets
    /// Apart from the reader's own: what a stranger's page asks for must not keep its reader from working.
    let limits: CallerLimits

    /// Tells a service where the reader sees the pages of a cluster; nobody else may say so.
    static let placeField = "x-forwarded-context"
    private static let kinds = ["spark-ui", "spark-history"]

    func register(on router: ServiceRouter) {
        for kind in SparkPageRoutes.kinds {
            for method in [HTTPMethod.get, .post] {
                let route = EndpointRoute(
                    service: clusters.name, operationID: method == .get ? "getSparkPage" : "postSparkPage",
                    method: method, path: "/api/v1/clusters/{cluster_id}/\(kind)/{path...}",
                    isIdempotent: method == .get, maximumBodyBytes: 65_536)
                router.name(route)
                router.http.on(method, route.path, maxBodySize: route.maximumBodyBytes) {
                    (request, _) async throws -> HTTPResponse in try await enter(request, route)
                }
            }
            let template = "/spark/{ticket}/\(kind)/{path...}"
            let route = EndpointRoute(
                service: clusters.name, operationID: "getSparkPage", method: .get, path: template, isIdempotent: true)
            router.name(route)
            router.http.get(template) { (request, _) async throws -> HTTPResponse in
                try await page(request, kind, route)
            }
            router.http.on(.options, template) { (_, _) throws -> HTTPResponse in SparkPageRoutes.preflight }
        }
    }

    /// What follows a number of parts of the path: as it came, its escapes included, and the query.
    private static func rest(of request: HTTPRequest, after count: Int) -> String {
        let parts = request.path.split(separator: "/", maxSplits: count + 1, omittingEmptySubsequences: false)
        return (parts.count > count + 1 ? String(parts[count + 1]) : "") + (request.query.map { "?\($0)" } ?? "")
    }

    // MARK: With a session or a token

    private func enter(_ request: HTTPRequest, _ route: EndpointRoute) async throws(HarbourError) -> HTTPResponse {
        guard SparkPagePolicy.isPlain(request.path) else { throw SparkPageRoutes.bentPath }
        if BearerToken.bytes(of: request) == nil { return try await giveTicket(request, route) }
        var response = try await gateway.forward(request, route, to: clusters)
        let parts = request.path.split(separator: "/", omittingEmptySubsequences: false)
        let place = parts.prefix(5).joined(separator: "/")
        try SparkPagePolicy(places: SparkPageRoutes.kinds.map { "\(place)/\($0)/" }, answersPages: false)
            .apply(to: &response, of: request)
        return response
    }

    private func giveTicket(_ request: HTTPRequest, _ route: EndpointRoute) async throws(HarbourError) -> HTTPResponse {
        guard let session = try await authenticator.session(of: request) else { throw BearerToken.missing }
        guard request.method != .post else {
            throw HarbourError(.permissionDenied, "Spark takes changes with a token only.")
        }
        try await gateway.gate.admit(
            Caller(user: session.user), to: route, request, body: RequestBody(request, route))
        let ticket = SparkTicket(session, cluster: request.parameters["cluster_id"])
        let kind = request.path.split(separator: "/")[4]
        let rest = SparkPageRoutes.rest(of: request, after: 5)
        return HTTPResponse(
            status: 303,
            fields: [
                "location": "/spark/\(tickets.text(ticket))/\(kind)/\(rest)", "cache-control": "no-store",
                "referrer-policy": "no-referrer",
            ])
    }

    // MARK: With a ticket

    private func page(
        _ request: HTTPRequest, _ kind: String, _ route: EndpointRoute
    ) async throws(HarbourError) -> HTTPResponse {
        guard SparkPagePolicy.isPlain(request.path) else { throw SparkPageRoutes.bentPath }
        let text = request.parameters["ticket"]
        guard let ticket = tickets.read(text) else { return SparkPageNotice.unknown }
        let rest = SparkPageRoutes.rest(of: request, after: 3)
        let cluster = PercentEncoding.encode(ticket.cluster)
        let target = "/api/v1/clusters/\(cluster)/\(kind)/\(rest)"
        guard ticket.expires > .now, let caller = try await authenticator.caller(of: ticket.session),
            let user = caller.user
        else { return SparkPageNotice.ended(again: target) }
        try limits.take(user, request)
        request.attributes[AuditNote.self] = AuditNote(
            route: route, caller: caller, objects: [Securable.cluster(ticket.cluster).description])
        do throws(HarbourError) {
            guard let principal = try await gateway.gate.people.principal(user) else {
                return SparkPageNotice.ended(again: target)
            }
            try await gateway.gate.require(.run, on: .cluster(ticket.cluster), principal)
        } catch {
            guard [.permissionDenied, .notFound].contains(error.code) else { throw error }
            return SparkPageNotice.refused(error)
        }
        let place = "/spark/\(text)"
        var fields = ProxiedFields.request(request.fields)
        // Pages get something of ours on their way. What is below `static` is none.
        if !rest.hasPrefix("static/") { fields.removeAll("accept-encoding") }
        fields.append(SparkPageRoutes.placeField, place)
        gateway.sign(&fields, for: request, caller)
        let outgoing = HTTPClientRequest(
            method: request.method, origin: clusters.origin, target: target, fields: fields, isIdempotent: true,
            serviceName: "The \(clusters.name) service")
        var response = try await Gateway.answer(
            try await gateway.send(outgoing, deadline: request.deadline ?? .now + Gateway.patience))
        try SparkPagePolicy(places: ["\(place)/"], answersPages: true).apply(to: &response, of: request)
        SparkPageShim.add(to: &response)
        return response
    }

    private static var bentPath: HarbourError {
        HarbourError(.invalidParameter, "An address of Spark's pages has no empty part and none that leads up.")
    }

    /// What a browser is told before a script of a page asks for more: jQuery says of its requests that they are its own.
    private static var preflight: HTTPResponse {
        HTTPResponse(
            status: 204,
            fields: [
                "access-control-allow-origin": "*", "access-control-allow-methods": "GET, HEAD",
                "access-control-allow-headers": "x-requested-with", "access-control-max-age": "600",
            ])
    }
}
