internal import ClusterBackend
internal import Core
internal import EventLoop
internal import HTTPClient
internal import HTTPMessage
internal import HTTPServer
internal import HarbourProtocol
internal import ServiceKit
internal import WebClient

/// Spark's own pages: those of a running cluster through its driver, those of one that has ended from what was kept.
///
/// `/api/v1/clusters/{id}/spark-ui/` is the address for both: it leads to the history when nothing runs. Readers may see
/// them at another address, which the front door then names in `x-forwarded-context`; links stay below it.
struct SparkPageHandlers: Sendable {
    let engine: ClusterEngine
    let authenticator: ServiceTokenAuthenticator
    let history: SparkHistory
    let client: WebClient

    init(
        engine: ClusterEngine, authenticator: ServiceTokenAuthenticator, history: SparkHistory
    ) throws(HarbourError) {
        self.engine = engine
        self.authenticator = authenticator
        self.history = history
        var configuration = WebClientConfiguration()
        configuration.proxy = .none
        client = try WebClient(loop: history.loop, configuration: configuration)
    }

    /// Where the live pages of a cluster are, without the slash at the end.
    static func live(_ cluster: String) -> String { "/api/v1/clusters/\(cluster)/spark-ui" }

    /// Where pages of a cluster are as the reader of this request sees them, without the slash at the end.
    private static func place(_ pages: String, of cluster: String, for request: HTTPRequest) -> String {
        "\(request.fields["x-forwarded-context"] ?? "/api/v1/clusters/\(cluster)")/\(pages)"
    }

    /// What follows the place of the pages: the path as it came, its escapes included, and the query.
    private static func rest(of request: HTTPRequest) -> String {
        let parts = request.path.split(separator: "/", maxSplits: 6, omittingEmptySubsequences: false)
        return (parts.count > 6 ? String(parts[6]) : "") + (request.query.map { "?\($0)" } ?? "")
    }

    func register(on router: ServiceRouter) {
        for method in [HTTPMethod.get, .post] {
            router.http.on(method, "/api/v1/clusters/{cluster_id}/spark-ui/{path...}", maxBodySize: 65_536) {
                (request, parameters) async throws -> HTTPResponse in
                _ = try authenticator.authenticateNow(request)
                return try await livePage(request, parameters["cluster_id"])
            }
        }
        router.http.on(.get, "/api/v1/clusters/{cluster_id}/spark-history/{path...}") {
            (request, parameters) async throws -> HTTPResponse in
            _ = try authenticator.authenticateNow(request)
            return try await historyPage(request, parameters["cluster_id"])
        }
    }

    private func historyPage(_ request: HTTPRequest, _ cluster: String) async throws -> HTTPResponse {
        let controller = try await engine.controller(cluster)
        let running = await controller.record.mayExist ? await controller.record.generation : nil
        let pages = try await history.pages(of: controller.id, but: running)
        let base = SparkPageHandlers.place("spark-history", of: cluster, for: request)
        var outgoing = WebRequest(
            method: request.method, url: "\(pages.address)/\(SparkPageHandlers.rest(of: request))",
            fields: ProxiedFields.request(request.fields))
        outgoing.fields.append("x-forwarded-context", base)
        outgoing.fields.append("authorization", pages.key.authorization())
        let response = try await client.send(outgoing, deadline: request.deadline ?? .now + .seconds(60))
        var fields = ProxiedFields.response(response.fields)
        if let location = response.fields["location"] {
            fields.removeAll("location")
            fields.append("location", ProxiedFields.location(location, base: base))
        }
        return HTTPResponse(
            status: response.status, fields: fields,
            body: .stream { writer in
                for try await chunk in response.body { try await writer.write(chunk) }
            })
    }

    private func livePage(_ request: HTTPRequest, _ cluster: String) async throws -> HTTPResponse {
        let controller = try await engine.controller(cluster)
        if await !controller.record.mayExist, request.method != .post {
            // The same address, live and after.
            let history = SparkPageHandlers.place("spark-history", of: cluster, for: request)
            return HTTPResponse(status: 302, fields: ["location": history + "/"])
        }
        let link = try await controller.runningLink()
        let base = SparkPageHandlers.place("spark-ui", of: cluster, for: request)
        var fields = ProxiedFields.request(request.fields)
        fields.append("x-forwarded-context", base)
        fields.append(CallHeader.requestID, request.requestID)
        let body: HTTPOutgoingBody =
            request.method == .post ? .bytes(try await request.body.collect(limit: 65_536)) : .empty
        let response = try await link.send(
            request.method, "/driver/v1/spark-ui/\(SparkPageHandlers.rest(of: request))", fields: fields,
            body: body, deadline: request.deadline ?? .now + .seconds(60))
        if response.status == 401 {
            throw HarbourError(.badGateway, "The cluster's driver does not know its token. Restart the cluster.")
        }
        return HTTPResponse(
            status: response.status, fields: ProxiedFields.response(response.fields),
            body: .stream { writer in
                for try await chunk in response.body { try await writer.write(chunk) }
            })
    }
}
