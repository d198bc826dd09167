internal import CellExecution
internal import Configuration
internal import Core
internal import EventLoop
internal import HTTPClient
internal import HarbourProtocol
internal import Lifecycle
internal import Postgres
internal import ServiceClients
public import ServiceKit
internal import WebClient

/// The service that owns jobs, their schedules and their runs.
public enum SchedulerService {
    private static let clusterURL = Option<String>.string(
        "cluster-url", environment: "HARBOUR_SCHEDULER_CLUSTER_URL", default: "http://127.0.0.1:8002",
        help: "Where the cluster service is.")
    private static let workspaceURL = Option<String>.string(
        "workspace-url", environment: "HARBOUR_SCHEDULER_WORKSPACE_URL", default: "http://127.0.0.1:8000",
        help: "Where the workspace service is.")
    private static let activeRuns = Option<Int>.integer(
        "max-active-runs", in: 1...100_000, environment: "HARBOUR_SCHEDULER_MAX_ACTIVE_RUNS", default: "500",
        help: "How many runs this scheduler decides for at a time; more wait.")
    private static let webhookSecret = Option<String>.string(
        "webhook-secret", environment: "HARBOUR_SCHEDULER_WEBHOOK_SECRET", secret: true,
        help: "What calls to other people's addresses are signed with; without it they are not signed."
    ).optional()
    private static let webhookNetworks = Option<String>.string(
        "webhook-networks", environment: "HARBOUR_SCHEDULER_WEBHOOK_NETWORKS", default: "",
        help: "Inside networks that webhooks may call: 127.0.0.0/8,10.1.0.0/16. Those of the internet always, others "
            + "never.")
    private static let airflowURL = Option<String>.string(
        "airflow-base-url", environment: "HARBOUR_SCHEDULER_AIRFLOW_BASE_URL", aliases: ["AIRFLOW_BASE_URL"],
        help: "Where the Airflow of Airflow tasks is."
    ).optional()
    private static let airflowUser = Option<String>.string(
        "airflow-username", environment: "HARBOUR_SCHEDULER_AIRFLOW_USERNAME", aliases: ["AIRFLOW_USERNAME"],
        default: "airflow", help: "Who we are in Airflow.")
    private static let airflowPassword = Option<String>.string(
        "airflow-password", environment: "HARBOUR_SCHEDULER_AIRFLOW_PASSWORD", aliases: ["AIRFLOW_PASSWORD"],
        default: "", secret: true,
        help: "Our password in Airflow.")
    private static let lease = Option<Int>.integer(
        "lease-seconds", in: 1...300, environment: "HARBOUR_SCHEDULER_LEASE_SECONDS", default: "12",
        help: "How long a scheduler that says nothing keeps its runs; then another one takes them over.")
    private static let historyDays = Option<Int>.integer(
        "history-days", in: 1...36_500, environment: "HARBOUR_SCHEDULER_HISTORY_DAYS", default: "60",
        help: "How many days runs are kept after their end, with their events and notebooks.")
    private static let instance = Option<String>.string(
        "instance", environment: "HARBOUR_SCHEDULER_INSTANCE",
        help: "A name that no other scheduler of the platform has; the address it listens on when absent."
    ).optional()

    /// What its executable and its tests start.
    public static let definition = ServiceDefinition(
        name: "scheduler", summary: "Keeps jobs and their schedules, and runs them on clusters.", defaultPort: 8001,
        ownOptions: [
            clusterURL, workspaceURL, activeRuns, lease, historyDays, instance, webhookSecret, webhookNetworks,
            airflowURL, airflowUser, airflowPassword,
        ] + MailSettings.all + ObjectStorageSettings.all, document: SchedulerAPI.document,
        build: build)

    private static func build(
        _ environment: ServiceEnvironment, _ router: ServiceRouter
    ) async throws -> [LifecycleComponent] {
        let loop = environment.loop
        let database = try environment.makeDatabase(maxConnections: 20)
        let pool = database.pool
        let http = HTTPClient(loop: loop)
        func client(_ url: Option<String>, _ service: String) throws(HarbourError) -> ServiceClient {
            try ServiceClient(
                http: http, baseURL: environment.configuration[url], token: environment.serviceToken, service: service)
        }
        let configuration = environment.configuration
        // What the operator has set may be anywhere; what users name may not be inside.
        let web = try WebClient(loop: loop)
        var outside = WebClientConfiguration()
        // As many calls as there are tasks: each holds a connection until it is answered.
        (outside.connections, outside.connectionsPerHost) = (1024, 256)
        outside.addresses = .outside(allowing: try IPNetwork.list(configuration[webhookNetworks]))
        let workspace = try client(workspaceURL, "workspace")
        let clusters = try client(clusterURL, "cluster")
        var context = EngineContext(
            loop: loop, pool: pool, writer: RunWriter(pool: pool), clusters: clusters,
            confirmer: CommandConfirmer(clusters: clusters, loop: loop, label: "scheduler"),
            workspace: workspace, admission: RunAdmission(loop: loop, workspace: workspace),
            signals: RunSignals(loop: loop), jobNews: ChangeNews(loop: loop),
            web: try WebClient(loop: loop, configuration: outside),
            signer: configuration[webhookSecret].map { WebhookSigner(secret: $0) },
            airflow: configuration[airflowURL].map {
                AirflowClient(
                    web: web, baseURL: $0, user: configuration[airflowUser], password: configuration[airflowPassword])
            })
        context.mailer = try MailSettings.mailer(configuration, web)
        ObjectStorageSettings.apply(configuration, web, to: &context)
        let owner = configuration[instance] ?? configuration[environment.options.listen].description
        let engine = SchedulerEngine(
            context: context, owner: owner,
            limits: .init(
                activeRuns: configuration[activeRuns], lease: .seconds(configuration[lease]),
                historyDays: configuration[historyDays]))
        JobHandlers(
            service: JobService(
                store: JobStore(pool: pool), statistics: JobStatsStore(pool: pool),
                deleted: DeletedJobStore(pool: pool, days: configuration[historyDays]), news: context.jobNews)
        ).register(on: router)
        RunHandlers(
            service: RunService(
                jobs: JobStore(pool: pool), runs: RunStore(pool: pool), events: RunEventStore(pool: pool),
                signals: context.signals)
        ).register(on: router)
        BackfillHandlers(
            service: BackfillService(
                jobs: JobStore(pool: pool), backfills: BackfillStore(pool: pool, runs: RunStore(pool: pool)))
        ).register(on: router)
        return [
            database.component,
            LifecycleComponent("engine", start: { try await engine.start() }, drain: { _ in await engine.stop() }),
        ]
    }
}
