internal import Core
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
        metrics.computedGauge(
            "harbour_ready", help: "Whether every part of the service can do its work, as /readyz says: 1 or 0."
        ) { [readiness] in [MetricSample(value: readiness.isReady ? 1 : 0)] }
        router.get("/metrics") { [metrics, metricsToken, readiness] (request, _) async throws -> HTTPResponse in
            try BearerToken.check(request, for: metricsToken)
            // Asked anew for `harbour_ready`, so that a scraper need not ask for /readyz as well.
            _ = await readiness.report()
            let format = MetricsFormat(accept: request.fields.combined("accept"))
            let fields: HTTPFields = ["content-type": format.contentType, "vary": "accept"]
            return HTTPResponse(fields: fields, body: .bytes(metrics.exposition(format)))
        }
        if let document {
            router.get("/openapi.json") { (_, _) throws -> HTTPResponse in .json(try document.json()) }
        }
    }
}
