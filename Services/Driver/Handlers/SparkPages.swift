internal import Core
internal import EventLoop
internal import HTTPMessage
internal import HTTPServer
internal import ServiceKit
internal import WebClient

/// Spark's own pages, for the platform's services to pass on: `/driver/v1/spark-ui/...`.
///
/// Links stay under the address that the reader sees, because Spark is told of it in `x-forwarded-context`.
struct SparkPages: Sendable {
    private let driver: Driver
    private let authenticator: ServiceTokenAuthenticator
    private let client: WebClient

    init(driver: Driver, authenticator: ServiceTokenAuthenticator, loop: EventLoop) throws(HarbourError) {
        self.driver = driver
        self.authenticator = authenticator
        var configuration = WebClientConfiguration()
        configuration.proxy = .none
        configuration.connectionsPerHost = 8
        client = try WebClient(loop: loop, configuration: configuration)
    }

    func register(on router: ServiceRouter) {
        // Posts end a job or a stage.
        for method in [HTTPMethod.get, .post] {
            router.http.on(method, "/driver/v1/spark-ui/{path...}", maxBodySize: 65_536) {
                (request, _) async throws -> HTTPResponse in
                _ = try authenticator.authenticateNow(request)
                return try await answer(request)
            }
        }
    }

    private func answer(_ request: HTTPRequest) async throws(HarbourError) -> HTTPResponse {
        guard let address = driver.sparkPages else {
            throw HarbourError(
                .unavailable,
                "Spark shows no pages: it is not ready, or spark.ui.enabled is false. Look again when it runs.")
        }
        let base =
            request.fields["x-forwarded-context"] ?? "/api/v1/clusters/\(driver.configuration.clusterID)/spark-ui"
        let path = request.path.dropFirst("/driver/v1/spark-ui".count)
        var outgoing = WebRequest(
            method: request.method, url: "\(address)\(path)\(request.query.map { "?\($0)" } ?? "")",
            fields: ProxiedFields.request(request.fields))
        outgoing.fields.append("x-forwarded-context", base)
        outgoing.fields.append("authorization", driver.pages.authorization())
        if request.method == .post { outgoing.body = .bytes(try await request.body.collect(limit: 65_536)) }
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
}
