internal import ClusterBackend
internal import Configuration
internal import Core
internal import EventLoop
internal import HarbourProtocol
internal import Lifecycle
public import ServiceKit

/// The service that owns clusters, their contexts and commands.
public enum ClusterService {
    private static let driver = Option<String>.path(
        "driver", environment: "HARBOUR_CLUSTER_DRIVER", default: "driver",
        help: "The program that runs inside each cluster.")
    private static let folder = Option<String>.path(
        "folder", environment: "HARBOUR_CLUSTER_FOLDER",
        help: "Where backends keep the files of their clusters; a short path, because sockets live below it.")
    private static let startTimeout = Option<Duration>.duration(
        "start-timeout", environment: "HARBOUR_CLUSTER_START_TIMEOUT", default: "5m",
        help: "How long a cluster may take from being asked for until it is RUNNING.")
    private static let idleMinutes = Option<Int>.integer(
        "idle-minutes", in: 0...10_000, environment: "HARBOUR_CLUSTER_IDLE_MINUTES", default: "60",
        help: "Minutes without use after which a cluster ends that does not say otherwise; 0 for never.")

    private static let driverOptions = DriverOptions()

    /// What the executable and the tests start, with the backends it shall have. The first one is the default.
    public static func definition(backends: [BackendFactory]) -> ServiceDefinition {
        definition(backends: backends, limits: EngineLimits())
    }

    static func definition(backends: [BackendFactory], limits: EngineLimits) -> ServiceDefinition {
        ServiceDefinition(
            name: "cluster", summary: "Keeps clusters, and the contexts and commands that run on them.",
            defaultPort: 8002,
            ownOptions: [driver, folder, startTimeout, idleMinutes] + driverOptions.all
                + backends.flatMap(\.options),
            document: ClusterAPI.document
        ) { environment, router in
            try build(environment, router, backends, limits)
        }
    }

    private static func build(
        _ environment: ServiceEnvironment, _ router: ServiceRouter, _ backends: [BackendFactory],
        _ limits: EngineLimits
    ) throws -> [LifecycleComponent] {
        let settings = environment.configuration
        let database = try environment.makeDatabase()
        var limits = limits
        limits.start = settings[startTimeout]
        limits.idleMinutes = settings[idleMinutes]
        let engine = ClusterEngine(
            context: EngineContext(
                loop: environment.loop, clusters: ClusterStore(pool: database.pool),
                commands: CommandStore(pool: database.pool),
                launch: DriverLaunchSettings(
                    executable: settings[driver], environment: driverOptions.environment(settings)),
                limits: limits, metrics: ClusterMetrics(environment.metrics)),
            factories: backends
        ) { [root = settings[folder], forBackends = driverOptions.forBackends(settings)] factory, installation in
            BackendContext(
                installation: installation, folder: "\(root)/\(factory.name)",
                settings: forBackends.merging(factory.values(settings)) { $1 })
        }
        ClusterHandlers(engine: engine).register(on: router)
        SparkPageHandlers(engine: engine, authenticator: environment.serviceAuthenticator).register(on: router)
        return [
            database.component,
            LifecycleComponent("engine", start: { try await engine.start() }, drain: { _ in await engine.stop() }),
        ]
    }
}
