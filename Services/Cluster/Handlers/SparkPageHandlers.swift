internal import ClusterBackend
internal import Core
internal import EventLoop
internal import HTTPClient
internal import HTTPMessage
internal import HTTPServer
internal import HarbourProtocol
internal import ServiceKit

/// Spark's own pages: those of a running cluster through its driver, those of one that has ended from what was kept.
///
/// `/api/v1/clusters/{id}/spark-ui/` is the address for both: it leads to the history when nothing runs.
struct SparkPageHandlers: Sendable {
    let engine: ClusterEngine
    let authenticator: ServiceTokenAuthenticator

    /// Where the live pages of a cluster are, without the slash at the end.
    static func live(_ cluster: String) -> String { "/api/v1/clusters/\(cluster)/spark-ui" }

    /// Where the pages of its earlier starts are.
    static func history(_ cluster: String) -> String { "/api/v1/clusters/\(cluster)/spark-history" }

    func register(on router: ServiceRouter) {
        for method in [HTTPMethod.get, .post] {
            router.http.on(method, "/api/v1/clusters/{cluster_id}/spark-ui/{path...}", maxBodySize: 65_536) {
                (request, parameters) async throws -> HTTPResponse in
                _ = try authenticator.authenticateNow(request)
                return try await livePage(request, parameters["cluster_id"])
            }
        }
    }

    private func livePage(_ request: HTTPRequest, _ cluster: String) async throws -> HTTPResponse {
        let controller = try await engine.controller(cluster)
        let link = try await controller.runningLink()
        let base = SparkPageHandlers.live(cluster)
        var fields = ProxiedFields.request(request.fields)
        fields.append("x-forwarded-context", base)
        fields.append(CallHeader.requestID, request.requestID)
        let body: HTTPOutgoingBody =
            request.method == .post ? .bytes(try await request.body.collect(limit: 65_536)) : .empty
        // The path as it came, its escapes included.
        let rest = request.path.dropFirst(base.utf8.count).drop { $0 == "/" }
        let response = try await link.send(
            request.method, "/driver/v1/spark-ui/\(rest)\(request.query.map { "?\($0)" } ?? "")", fields: fields,
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
