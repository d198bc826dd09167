internal import Configuration
internal import Core
internal import EventLoop
internal import HTTPClient
internal import HTTPMessage
internal import HTTPServer
internal import HarbourProtocol
internal import Lifecycle
internal import Postgres
internal import ServiceClients
public import ServiceKit
internal import WebClient

/// The service that looks at all others: metrics, their history, and who is well.
public enum MonitoringService {
    private static let workspace = url("workspace", 8000)
    private static let scheduler = url("scheduler", 8001)
    private static let cluster = url("cluster", 8002)
    private static let targets = Option<[String]>.list(
        "targets", environment: "HARBOUR_MONITORING_TARGETS", default: "",
        help: "More to scrape: name=http://host:port, separated by commas.")
    private static let interval = Option<Duration>.duration(
        "scrape-interval", environment: "HARBOUR_MONITORING_SCRAPE_INTERVAL", default: "15s",
        help: "How often each target is scraped.")
    private static let startup = Option<Duration>.duration(
        "startup-time", environment: "HARBOUR_MONITORING_STARTUP_TIME", default: "15s",
        help: "How long a target that has not answered yet counts as starting, before it counts as down.")
    private static let retention = Option<Duration>.duration(
        "retention", environment: "HARBOUR_MONITORING_RETENTION", default: "7d",
        help: "How long the history is kept.")
    private static let maximumSeries = Option<Int>.integer(
        "max-series", in: 100...10_000_000, environment: "HARBOUR_MONITORING_MAX_SERIES", default: "50000",
        help: "How many series the history may have.")

    private static let data = Option<String>.path(
        "data", environment: "HARBOUR_DATA", help: "The platform's folder; the logs of its services are in it."
    ).optional()

    private static func url(_ service: String, _ port: Int) -> Option<String> {
        .string(
            "\(service)-url", environment: "HARBOUR_MONITORING_\(service.uppercased())_URL",
            default: "http://127.0.0.1:\(port)", help: "Where the \(service) service is.")
    }

    /// What its executable and its tests start.
    public static let definition = ServiceDefinition(
        name: "monitoring", summary: "Scrapes everything, keeps the history of metrics, and shows it.",
        defaultPort: 8003,
        ownOptions: [workspace, scheduler, cluster, targets, interval, startup, retention, maximumSeries, data],
        document: MonitoringAPI.document, build: build)

    private static func build(
        _ environment: ServiceEnvironment, _ router: ServiceRouter
    ) async throws -> [LifecycleComponent] {
        let settings = environment.configuration
        let loop = environment.loop
        let database = try environment.makeDatabase(maxConnections: 4)
        let store = HistoryStore(pool: database.pool)
        let clusters = try ServiceClient(
            http: HTTPClient(loop: loop), baseURL: settings[cluster], token: environment.serviceToken,
            service: "cluster")
        let monitor = Monitor(
            loop: loop,
            settings: MonitorSettings(
                targets: try scrapeTargets(environment), interval: settings[interval],
                timeout: min(settings[interval], .seconds(10)), startup: settings[startup],
                retention: settings[retention],
                metricsToken: settings[environment.options.metricsToken]),
            web: try WebClient(loop: loop), clusters: clusters, store: store,
            catalog: SeriesCatalog(store: store, loop: loop, limit: settings[maximumSeries]))
        SystemMetrics.register(in: environment.metrics)
        MonitoringHandlers(
            monitor: monitor, query: MetricQuery(store: store),
            logs: ServiceLogs(
                data: settings[data],
                secrets: [environment.serviceToken, settings[environment.options.metricsToken]].compactMap(\.self)),
            metricsToken: settings[environment.options.metricsToken]
        ).register(on: router)
        return [
            database.component,
            LifecycleComponent(
                "monitor", start: { try await monitor.start() }, drain: { _ in await monitor.stop() }),
        ]
    }

    private static func scrapeTargets(_ environment: ServiceEnvironment) throws(HarbourError) -> [ScrapeTarget] {
        let settings = environment.configuration
        var found = [("workspace", workspace), ("scheduler", scheduler), ("cluster", cluster)].map { job, option in
            ScrapeTarget(job: job, instance: address(settings[option]), url: settings[option], isOurs: true)
        }
        let own = settings[environment.options.listen].description
        found.append(ScrapeTarget(job: "monitoring", instance: own, url: "http://\(own)", isOurs: true))
        for text in settings[targets] where !text.isEmpty {
            let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2, parts[1].hasPrefix("http://") || parts[1].hasPrefix("https://") else {
                throw HarbourError(
                    .invalidConfiguration, "--targets has to be name=http://host:port; \(text) is not.")
            }
            found.append(ScrapeTarget(job: parts[0], instance: address(parts[1]), url: parts[1]))
        }
        return found
    }

    private static func address(_ url: String) -> String {
        String(url.drop { $0 != ":" }.dropFirst(3))
    }
}
