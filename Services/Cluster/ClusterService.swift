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

    private static let scaleDownAfter = Option<Duration>.duration(
        "scale-down-after", environment: "HARBOUR_CLUSTER_SCALE_DOWN_AFTER", default: "2m",
        help: "How long workers must have been too many before an autoscaled cluster lets some go.")

    private static let workspaceURL = Option<String>.string(
        "workspace-url", environment: "HARBOUR_CLUSTER_WORKSPACE_URL", default: "http://127.0.0.1:8000",
        help: "Where the workspace service is, which keeps secrets and scripts.")
    private static let keptFolder = Option<String>.path(
        "kept-folder", environment: "HARBOUR_CLUSTER_KEPT_FOLDER",
        help: "Where logs and Spark's events are kept after a cluster's end; kept in the platform's folder when absent."
    ).optional()
    private static let logDays = Option<Int>.integer(
        "log-days", in: 1...3650, environment: "HARBOUR_CLUSTER_LOG_DAYS", default: "30",
        help: "Days after which kept logs are removed.")
    private static let logSize = Option<Int>.size(
        "log-size", environment: "HARBOUR_CLUSTER_LOG_SIZE", default: "64MiB",
        help: "How much is kept of the log of one start of a cluster, compressed; the newest.")
    private static let logTotal = Option<Int>.size(
        "log-total", environment: "HARBOUR_CLUSTER_LOG_TOTAL", default: "10GiB",
        help: "How much is kept of all logs together.")
    private static let outputDays = Option<Int>.integer(
        "output-days", in: 1...3650, environment: "HARBOUR_CLUSTER_OUTPUT_DAYS", default: "14",
        help: "Days after which outputs are removed that nobody had read when their cluster ended.")
    private static let outputTotal = Option<Int>.size(
        "output-total", environment: "HARBOUR_CLUSTER_OUTPUT_TOTAL", default: "4GiB",
        help: "How much of such outputs is kept, compressed; the oldest goes first.")
    private static let nodeTypes = Option<String>.string(
        "node-types", environment: "HARBOUR_CLUSTER_NODE_TYPES", default: NodeTypes.usual,
        help: "Named sizes of nodes, NAME:CORES:MEMORY_MIB with commas between.")
    private static let mostWorkers = Option<Int>.integer(
        "most-workers", in: 0...10_000, environment: "HARBOUR_CLUSTER_MOST_WORKERS", default: "256",
        help: "The most workers of one cluster; a backend may allow fewer.")
    private static let mostCores = Option<Int>.integer(
        "most-cores", in: 1...1024, environment: "HARBOUR_CLUSTER_MOST_CORES", default: "128",
        help: "The most cores of one node; a backend may allow fewer.")
    private static let mostMemory = Option<Int>.integer(
        "most-memory", in: 512...16_777_216, environment: "HARBOUR_CLUSTER_MOST_MEMORY", default: "1048576",
        help: "The most memory of one node in MiB; a backend may allow less.")

    private static let defaultBackend = Option<String>.string(
        "default-backend", environment: "HARBOUR_CLUSTER_DEFAULT_BACKEND",
        help: "The backend of clusters that name none, such as docker; local when absent."
    ).optional()

    private static let driverOptions = DriverOptions()

    /// What the executable and the tests start, with the backends it shall have. The first one is the default.
    public static func definition(backends: [BackendFactory]) -> ServiceDefinition {
        definition(backends: backends, limits: EngineLimits())
    }

    static func definition(
        backends: [BackendFactory], limits: EngineLimits, boundary: EngineContext.Boundary? = nil
    ) -> ServiceDefinition {
        ServiceDefinition(
            name: "cluster", summary: "Keeps clusters, and the contexts and commands that run on them.",
            defaultPort: 8002,
            ownOptions: [
                driver, folder, defaultBackend, startTimeout, idleMinutes, scaleDownAfter, nodeTypes, workspaceURL,
                keptFolder, logDays, logSize, logTotal, outputDays, outputTotal, mostWorkers, mostCores, mostMemory,
            ]
                + driverOptions.all
                + backends.flatMap(\.options),
            document: ClusterAPI.document
        ) { environment, router in
            try build(environment, router, backends, limits, boundary)
        }
    }

    private static func build(
        _ environment: ServiceEnvironment, _ router: ServiceRouter, _ backends: [BackendFactory],
        _ limits: EngineLimits, _ boundary: EngineContext.Boundary?
    ) throws -> [LifecycleComponent] {
        let settings = environment.configuration
        // One connection more, which holds the lock of the active instance.
        let database = try environment.makeDatabase(maxConnections: 11, queryTimeout: limits.query)
        let fence = Fence()
        let active = ActiveInstance(pool: database.pool, loop: environment.loop, fence: fence)
        var limits = limits
        limits.start = settings[startTimeout]
        limits.idleMinutes = settings[idleMinutes]
        limits.autoscaling.down = settings[scaleDownAfter]
        limits.sizes = SizeLimits(
            workers: settings[mostWorkers], cores: settings[mostCores], memoryMiB: settings[mostMemory])
        let logs = LogKeeper(
            root: settings[keptFolder] ?? driverOptions.dataFolder(settings).map { "\($0)/kept" },
            limits: LogLimits(
                start: settings[logSize], total: settings[logTotal], age: .seconds(86_400) * settings[logDays]),
            loop: environment.loop)
        let outputs = OutputKeeper(
            store: KeptEventStore(pool: database.pool, fence: fence),
            limits: OutputLimits(total: settings[outputTotal], age: .seconds(86_400) * settings[outputDays]),
            loop: environment.loop)
        let workspace = try WorkspaceLink(
            url: settings[workspaceURL], token: environment.serviceToken, loop: environment.loop)
        let engine = ClusterEngine(
            context: EngineContext(
                loop: environment.loop, clusters: ClusterStore(pool: database.pool, fence: fence),
                commands: CommandStore(pool: database.pool, fence: fence), policies: PolicyStore(pool: database.pool),
                pools: PoolStore(pool: database.pool),
                nodeTypes: try NodeTypes(settings[nodeTypes]),
                launch: DriverLaunchSettings(
                    executable: settings[driver], environment: driverOptions.environment(settings)),
                limits: limits, metrics: ClusterMetrics(environment.metrics), logs: logs, outputs: outputs,
                libraries: LibraryStore(pool: database.pool), news: ChangeNews(loop: environment.loop),
                workspace: workspace, boundary: boundary),
            factories: try ordered(backends, first: settings[defaultBackend])
        ) { [root = settings[folder], forBackends = driverOptions.forBackends(settings)] factory, installation in
            BackendContext(
                installation: installation, folder: "\(root)/\(factory.name)",
                settings: forBackends.merging(factory.values(settings)) { $1 })
        }
        ClusterHandlers(engine: engine).register(on: router)
        LibraryHandlers(engine: engine).register(on: router)
        let history = SparkHistory(keeper: logs, settings: driverOptions.history(settings), loop: environment.loop)
        try SparkPageHandlers(engine: engine, authenticator: environment.serviceAuthenticator, history: history)
            .register(on: router)
        return [
            database.component,
            LifecycleComponent(
                "active instance",
                start: { [readiness = environment.readiness] in
                    readiness.set("active", notReadyBecause: "Another instance is active, and this one waits for it.")
                    try await active.acquire()
                    readiness.set("active", notReadyBecause: nil)
                }, run: { try await active.keep() }, drain: { _ in await active.release() }),
            LifecycleComponent("logs", start: { await logs.start() }, drain: { _ in await logs.stop() }),
            LifecycleComponent("outputs", start: { await outputs.start() }, drain: { _ in await outputs.stop() }),
            LifecycleComponent("history", drain: { _ in await history.stop() }),
            LifecycleComponent("engine", start: { try await engine.start() }, drain: { _ in await engine.stop() }),
        ]
    }

    /// The backends with the default one in front.
    private static func ordered(
        _ backends: [BackendFactory], first name: String?
    ) throws(HarbourError) -> [BackendFactory] {
        guard let name else { return backends }
        guard let chosen = backends.first(where: { $0.name == name }) else {
            let known = backends.map(\.name).joined(separator: ", ")
            throw HarbourError(
                .invalidConfiguration, "There is no backend \(name). Set the default backend to one of \(known).")
        }
        return [chosen] + backends.filter { $0.name != name }
    }
}
