internal import Core
internal import Cryptography
internal import HTTPMessage
internal import HTTPServer
internal import HarbourProtocol
internal import Metrics

/// What every service answers besides its contract. None of it needs a token, because what asks for it (supervisors,
/// load balancers, scrapers) has none; metrics may be given one of their own. They answer from the moment the service
/// listens on, while its parts are still starting or wait for the database.
struct OperationalRoutes {
    static let paths: Set<String> = ["/healthz", "/readyz", "/metrics", "/openapi.json"]

    let readiness: Readiness
    let metrics: MetricsRegistry
    let metricsToken: String?
    let document: ContractDocument?

    func register(on router: HTTPRouter) {
        let healthy = HTTPResponse.json(Array(#"{"status":"ok"}"#.utf8))
        router.get("/healthz") { (_, _) throws -> HTTPResponse in healthy }
        router.get("/readyz") { [readiness] (_, _) async throws -> HTTPResponse in
            let report = await readiness.report()
            return .json(report.json, status: report.isReady ? 200 : 503)
        }
        router.get("/metrics") { [metrics, metricsToken] (request, _) throws -> HTTPResponse in
            if let metricsToken {
                guard let shown = BearerToken.bytes(of: request) else { throw BearerToken.missing }
                guard constantTimeEquals(shown, Array(metricsToken.utf8)) else { throw BearerToken.refused }
            }
            let format = MetricsFormat(accept: request.fields.combined("accept"))
            let fields: HTTPFields = ["content-type": format.contentType, "vary": "accept"]
            return HTTPResponse(fields: fields, body: .bytes(metrics.exposition(format)))
        }
        if let document {
            router.get("/openapi.json") { (_, _) throws -> HTTPResponse in .json(try document.json()) }
        }
    }
}
