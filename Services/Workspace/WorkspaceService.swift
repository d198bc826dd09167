internal import Configuration
internal import Core
internal import Cryptography
internal import EventLoop
internal import HTTPClient
internal import HarbourProtocol
internal import Lifecycle
internal import ServiceClients
public import ServiceKit
internal import Synchronization

/// The service that owns folders, notebooks and their revisions, and is the front door to all others.
public enum WorkspaceService {
    private static let schedulerURL = Option<String>.string(
        "scheduler-url", environment: "HARBOUR_WORKSPACE_SCHEDULER_URL", default: "http://127.0.0.1:8001",
        help: "Where the scheduler service is.")
    private static let clusterURL = Option<String>.string(
        "cluster-url", environment: "HARBOUR_WORKSPACE_CLUSTER_URL", default: "http://127.0.0.1:8002",
        help: "Where the cluster service is.")
    private static let monitoringURL = Option<String>.string(
        "monitoring-url", environment: "HARBOUR_WORKSPACE_MONITORING_URL", default: "http://127.0.0.1:8003",
        help: "Where the monitoring service is.")
    private static let adminTokenFile = Option<String>.path(
        "admin-token-file", environment: "HARBOUR_WORKSPACE_ADMIN_TOKEN_FILE", aliases: ["HARBOUR_ADMIN_TOKEN_FILE"],
        help: "A file with the token that signs the user admin in."
    ).optional()
    private static let pageFolder = Option<String>.path(
        "page-folder", environment: "HARBOUR_WORKSPACE_PAGE_FOLDER",
        help: "The folder of the built web page; without it there is only the API."
    ).optional()

    private static let accessTokenMinutes = Option<Int>.integer(
        "access-token-expire-minutes", in: 1...525_600, environment: "HARBOUR_WORKSPACE_ACCESS_TOKEN_EXPIRE_MINUTES",
        aliases: ["ACCESS_TOKEN_EXPIRE_MINUTES"], default: "30",
        help: "How long an access token (JWT) is valid.")
    private static let callsPerSecond = Option<Int>.integer(
        "calls-per-second", in: 0...1_000_000, environment: "HARBOUR_WORKSPACE_CALLS_PER_SECOND", default: "500",
        help: "How many requests each user may make, on average; 0 is without limit.")
    private static let socketsPerUser = Option<Int>.integer(
        "sockets-per-user", in: 0...1_000_000, environment: "HARBOUR_WORKSPACE_SOCKETS_PER_USER", default: "100",
        help: "How many live connections (pages in browsers) each user may have open; 0 is without limit.")
    private static let socketsPerNetwork = Option<Int>.integer(
        "sockets-per-network", in: 0...1_000_000, environment: "HARBOUR_WORKSPACE_SOCKETS_PER_NETWORK",
        default: "1000",
        help: "How many live connections may come from one address (of IPv6 from one /64); 0 is without limit.")
    private static let corsOrigins = Option<[String]>.list(
        "cors-origins", environment: "HARBOUR_WORKSPACE_CORS_ORIGINS", aliases: ["CORS_ORIGINS"],
        help:
            "Origins of other pages that may ask the API with a token, such as https://app.example.com; none when empty."
    )
    private static let auditDays = Option<Int>.integer(
        "audit-days", in: 0...36_500, environment: "HARBOUR_WORKSPACE_AUDIT_DAYS", default: "365",
        help: "For how many days the audit log is kept; 0 is for ever.")
    private static let trashDays = Option<Int>.integer(
        "trash-days", in: 0...36_500, environment: "HARBOUR_WORKSPACE_TRASH_DAYS", default: "30",
        help: "For how many days what was deleted can be restored; 0 is for ever.")
    private static let secretKey = Option<String>.string(
        "secret-key", environment: "HARBOUR_WORKSPACE_SECRET_KEY", aliases: ["HARBOUR_SECRET_KEY", "SECRET_KEY"],
        secret: true,
        help:
            "What users' secrets are encrypted with and, if it has 32 bytes, access tokens are signed with. Keep it: without it they cannot be read."
    ).optional()

    private static let executionLease = Option<Int>.integer(
        "execution-lease", in: 1...600, environment: "HARBOUR_WORKSPACE_EXECUTION_LEASE", default: "12",
        help: "For how many seconds a notebook's queue is one process's before another may take it over.")

    /// What is made before the routes, because it decides who may call them.
    private struct Foundation: Sendable {
        let database: ServiceDatabase
        let tokens: TokenStore
        let people: PeopleStore
        let directory: Directory
        let access: AccessTokens
        let authenticator: TokenAuthenticator

        init(_ environment: ServiceEnvironment) throws(HarbourError) {
            let settings = environment.configuration
            database = try environment.makeDatabase()
            tokens = TokenStore(pool: database.pool)
            people = PeopleStore(pool: database.pool)
            directory = Directory(store: people)
            access = AccessTokens(
                key: settings[secretKey], lifetime: .seconds(60 * settings[accessTokenMinutes]))
            authenticator = TokenAuthenticator(
                services: environment.serviceAuthenticator, tokens: tokens, people: people, access: access,
                keys: SessionCookie.Keys(secret: environment.serviceToken))
        }

        func changes(on loop: EventLoop) -> AccessChanges {
            AccessChanges(pool: database.pool, loop: loop) { [directory, authenticator] in
                directory.forget()
                authenticator.forget()
            }
        }
    }

    /// What its executable and its tests start.
    public static var definition: ServiceDefinition {
        let foundation = Mutex<Foundation?>(nil)
        return ServiceDefinition(
            name: "workspace", summary: "Keeps folders, notebooks and their revisions; the front door to the platform.",
            defaultPort: 8000,
            ownOptions: [schedulerURL, clusterURL, monitoringURL, adminTokenFile, secretKey, pageFolder]
                + [accessTokenMinutes, callsPerSecond, socketsPerUser, socketsPerNetwork, corsOrigins, auditDays]
                + [trashDays, executionLease] + StorageSettings.all,
            document: ContractDocument(
                service: "workspace",
                andPublicOf: [SchedulerAPI.document, ClusterAPI.document, MonitoringAPI.document]),
            authenticator: { environment in
                let made = try Foundation(environment)
                foundation.withLock { $0 = made }
                return made.authenticator
            },
            build: { environment, router in
                guard let foundation = foundation.withLock({ $0 }) else {
                    throw HarbourError(.internalError, "The service was put together in the wrong order.")
                }
                return try build(environment, router, foundation)
            })
    }

    private static func build(
        _ environment: ServiceEnvironment, _ router: ServiceRouter, _ foundation: Foundation
    ) throws(HarbourError) -> [LifecycleComponent] {
        let settings = environment.configuration
        let pool = foundation.database.pool
        let http = HTTPClient(loop: environment.loop)
        let gate = try makeGate(environment, foundation, http)
        router.gatekeeper = gate
        let audit = AuditStore(pool: pool)
        let door = FrontDoor(
            origins: try AllowedOrigins(settings[corsOrigins]), audit: AuditLog(store: audit, loop: environment.loop))
        door.register(on: router.http)
        let running = try makeRunning(environment, foundation, gate, http)
        running.register(on: router)
        let uploads = UploadService(
            store: UploadStore(pool: pool), tree: WorkspaceTree(pool: pool),
            storage: try StorageSettings.storage(settings, environment.loop, environment.logger),
            limit: StorageSettings.limit(settings), lifetime: StorageSettings.lifetime(settings))
        let reader = FileReader(tree: uploads.tree, store: uploads.store, storage: uploads.storage)
        let emptier = registerTrash(on: router, uploads, gate, days: settings[trashDays])
        registerFiles(on: router, environment, uploads, reader, running.service, gate)
        registerOwn(router, foundation, gate, audit, running.service, reader, secretKey: settings[secretKey])
        running.registerShortcuts(on: router, gate, reader)
        if let folder = settings[pageFolder] { registerPage(folder, on: router, environment.logger) }
        let gateway = Gateway(
            http: http, authenticator: foundation.authenticator, gate: gate, serviceToken: environment.serviceToken)
        for (name, url, routes) in [
            ("scheduler", settings[schedulerURL], SchedulerAPI.routes),
            ("cluster", settings[clusterURL], ClusterAPI.routes),
            ("monitoring", settings[monitoringURL], MonitoringAPI.routes),
        ] {
            gateway.register(.init(name: name, origin: try HTTPOrigin(url), routes: routes), on: router)
        }
        SparkPageRoutes(
            gateway: gateway, authenticator: foundation.authenticator,
            clusters: .init(name: "cluster", origin: try HTTPOrigin(settings[clusterURL]), routes: []),
            tickets: SparkTickets(secret: environment.serviceToken),
            limits: CallerLimits(perSecond: settings[callsPerSecond])
        ).register(on: router)
        door.registerPreflights(
            of: (WorkspaceAPI.routes + SchedulerAPI.routes + ClusterAPI.routes + MonitoringAPI.routes)
                .filter { !$0.isInternal }, on: router.http)
        return [
            foundation.database.component,
            LifecycleComponent(
                "sign-in",
                start: {
                    if let complaint = foundation.access.complaint { environment.logger.warning(complaint) }
                    guard let adminToken = settings[adminTokenFile] else {
                        environment.logger.warning("no administrator's token is configured: only services can sign in")
                        return
                    }
                    let token = try AdminToken.read(adminToken)
                    try await foundation.tokens.setAdminToken(hash: Digest.sha256(token))
                }),
            Housekeeping(
                audit: audit, tokens: foundation.tokens, uploads: uploads, trash: emptier,
                retentionDays: settings[auditDays], loop: environment.loop
            ).component,
            emptier.component,
            SearchReader(tree: uploads.tree, files: reader).component,
            LifecycleComponent("gateway", drain: { _ in await http.close() }),
            running.component,
        ]
    }

    private static func registerFiles(
        on router: ServiceRouter, _ environment: ServiceEnvironment, _ uploads: UploadService, _ reader: FileReader,
        _ execution: ExecutionService, _ gate: AccessGate
    ) {
        let settings = environment.configuration
        let parquet = ParquetReader(python: StorageSettings.python(settings), loop: environment.loop)
        FileHandlers(uploads: uploads, reader: reader, parquet: parquet, execution: execution).register(on: router)
        StorageHandlers(
            uploads: uploads, settings: settings, trashDays: settings[trashDays], loop: environment.loop
        ).register(on: router)
        ArchiveHandlers(uploads: uploads, files: reader, execution: execution, gate: gate).register(on: router)
    }

    private static func makeRunning(
        _ environment: ServiceEnvironment, _ foundation: Foundation, _ gate: AccessGate, _ http: HTTPClient
    ) throws(HarbourError) -> RunningNotebooks {
        let settings = environment.configuration
        return try RunningNotebooks(
            environment, WorkspaceTree(pool: foundation.database.pool), foundation.authenticator, http: http,
            access: NotebookAccess(gate: gate), changes: foundation.changes(on: environment.loop),
            clusterURL: settings[clusterURL], schedulerURL: settings[schedulerURL],
            monitoringURL: settings[monitoringURL],
            lease: .seconds(settings[executionLease]),
            places: SocketPlaces(perUser: settings[socketsPerUser], perNetwork: settings[socketsPerNetwork]))
    }

    private static func makeGate(
        _ environment: ServiceEnvironment, _ foundation: Foundation, _ http: HTTPClient
    ) throws(HarbourError) -> AccessGate {
        let settings = environment.configuration
        let token = environment.serviceToken
        return AccessGate(
            people: foundation.directory, permissions: PermissionStore(pool: foundation.database.pool),
            owners: UpstreamOwners(
                clusters: try ServiceClient(
                    http: http, baseURL: settings[clusterURL], token: token, service: "cluster"),
                scheduler: try ServiceClient(
                    http: http, baseURL: settings[schedulerURL], token: token, service: "scheduler")),
            limits: CallerLimits(perSecond: settings[callsPerSecond]))
    }

    private static func registerPage(_ folder: String, on router: ServiceRouter, _ logger: Logger) {
        // The API is worth having without the page, as in an image that was made where nothing builds it.
        do { try PageRoutes(folder: folder).register(on: router.http) } catch {
            logger.warning("there is no web page: its folder cannot be opened", ["folder": folder])
        }
    }

    private static func registerTrash(
        on router: ServiceRouter, _ uploads: UploadService, _ gate: AccessGate, days: Int
    ) -> TrashEmptier {
        let retention: Duration? = days > 0 ? .seconds(days * 86_400) : nil
        let emptier = TrashEmptier(pool: uploads.tree.pool, storage: uploads.storage, retention: retention)
        TrashHandlers(
            trash: WorkspaceTrash(tree: uploads.tree, retention: retention), emptier: emptier, gate: gate, days: days
        ).register(on: router)
        return emptier
    }

    /// The routes that the service answers itself.
    private static func registerOwn(
        _ router: ServiceRouter, _ foundation: Foundation, _ gate: AccessGate, _ audit: AuditStore,
        _ execution: ExecutionService, _ reader: FileReader, secretKey: String?
    ) {
        let pool = foundation.database.pool
        let tree = WorkspaceTree(pool: pool)
        let passwords = PasswordSignIn(store: foundation.people)
        WorkspaceHandlers(
            tree: tree, gate: gate, execution: execution, files: reader, frozen: FrozenRevisions(pool: pool)
        ).register(on: router)
        SearchHandlers(tree: tree, gate: gate).register(on: router)
        SecretHandlers(store: SecretStore(pool: pool), gate: gate, key: secretKey).register(on: router)
        SessionHandlers(
            authenticator: foundation.authenticator, tokens: foundation.tokens, directory: foundation.directory,
            passwords: passwords
        ).register(on: router)
        PeopleHandlers(
            people: foundation.people, groups: GroupStore(pool: pool), directory: foundation.directory,
            authenticator: foundation.authenticator, passwords: passwords, tree: tree
        ).register(on: router)
        TokenHandlers(
            tokens: foundation.tokens, people: foundation.people, directory: foundation.directory,
            authenticator: foundation.authenticator, passwords: passwords, access: foundation.access
        ).register(on: router)
        PermissionHandlers(gate: gate).register(on: router)
        RunChecks(gate: gate).register(on: router)
        AuditHandlers(store: audit).register(on: router)
    }
}
