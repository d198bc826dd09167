internal import Core
internal import HTTPMessage
internal import HTTPServer
internal import HarbourProtocol
internal import ServiceKit

/// The routes of monitoring.
struct MonitoringHandlers: Sendable {
    let monitor: Monitor
    let query: MetricQuery
    let logs: ServiceLogs
    /// What scrapers must show, if anything.
    let metricsToken: String?

    func register(on router: ServiceRouter) {
        let (monitor, query, metricsToken) = (monitor, query, metricsToken)
        router.on(MonitoringAPI.listTargets) { _, _ in TargetList(targets: await monitor.targets) }
        router.on(MonitoringAPI.listMetricNames) { _, _ in
            MetricNameList(names: try await query.store.names(), system: SystemMetrics.now())
        }
        router.on(MonitoringAPI.getMonitoringOverview) { _, _ in
            let targets = await monitor.targets
            return MonitoringOverview(
                system: SystemMetrics.now(), services: targets, up: targets.count { $0.health == .up },
                down: targets.count { $0.health == .down })
        }
        router.on(MonitoringAPI.queryMetrics) { input, _ in
            try await query.run(
                name: input.name, match: input.match, start: input.start?.milliseconds, end: input.end?.milliseconds,
                step: input.stepMilliseconds, now: .now)
        }
        router.on(MonitoringAPI.getServiceLog) { [logs] input, _ in
            try await logs.end(of: input.serviceName, lines: input.lines ?? 200)
        }
        // Open to whom /metrics is open to.
        router.http.get("/federate") { request, _ async throws -> HTTPResponse in
            try BearerToken.check(request, for: metricsToken)
            let federation = try Federation(matches: try MonitoringHandlers.matches(request))
            var text = ""
            for (_, newest) in await monitor.newest.sorted(by: { $0.key.instance < $1.key.instance }) {
                for (key, value) in newest.samples where federation.accepts(key) {
                    text += Federation.line(key, value, newest.time)
                }
            }
            var response = HTTPResponse.text(text)
            response.fields["content-type"] = "text/plain; version=0.0.4; charset=utf-8"
            return response
        }
    }

    /// The values of `match[]` in the query.
    private static func matches(_ request: HTTPRequest) throws(HarbourError) -> [String] {
        var matches: [String] = []
        for pair in (request.query ?? "").split(separator: "&") {
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard sides.count == 2, let name = PercentEncoding.decode(String(sides[0])), name == "match[]" else {
                continue
            }
            guard let value = PercentEncoding.decode(String(sides[1])) else {
                throw HarbourError(.invalidParameter, "`match[]` is not percent-encoded UTF-8.")
            }
            matches.append(value)
        }
        return matches
    }
}
