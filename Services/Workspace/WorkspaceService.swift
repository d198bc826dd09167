internal import Configuration
internal import Core
internal import Cryptography
internal import HTTPClient
internal import HarbourProtocol
internal import Lifecycle
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

    private static let secretKey = Option<String>.string(
        "secret-key", environment: "HARBOUR_WORKSPACE_SECRET_KEY", aliases: ["HARBOUR_SECRET_KEY", "SECRET_KEY"],
        secret: true, help: "What users' secrets are encrypted with. Keep it: without it they cannot be read."
    ).optional()

    /// What is made before the routes, because it decides who may call them.
    private struct Foundation: Sendable {
        let database: ServiceDatabase
        let tokens: TokenStore
        let authenticator: TokenAuthenticator

        init(_ environment: ServiceEnvironment) throws(HarbourError) {
            database = try environment.makeDatabase()
            tokens = TokenStore(pool: database.pool)
            authenticator = TokenAuthenticator(
                services: environment.serviceAuthenticator, tokens: tokens,
                keys: SessionCookie.Keys(secret: environment.serviceToken))
        }
    }

    /// What its executable and its tests start.
    public static var definition: ServiceDefinition {
        let foundation = Mutex<Foundation?>(nil)
        return ServiceDefinition(
            name: "workspace", summary: "Keeps folders, notebooks and their revisions; the front door to the platform.",
            defaultPort: 8000,
            ownOptions: [schedulerURL, clusterURL, monitoringURL, adminTokenFile, secretKey, pageFolder],
            document: WorkspaceAPI.document,
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
        WorkspaceHandlers(tree: WorkspaceTree(pool: foundation.database.pool)).register(on: router)
        SecretHandlers(store: SecretStore(pool: foundation.database.pool), key: settings[secretKey])
            .register(on: router)
        SessionHandlers(authenticator: foundation.authenticator).register(on: router)
        if let folder = settings[pageFolder] {
            // The API is worth having without the page, as in an image that was made where nothing builds it.
            do { try PageRoutes(folder: folder).register(on: router.http) } catch {
                environment.logger.warning("there is no web page: its folder cannot be opened", ["folder": folder])
            }
        }
        let http = HTTPClient(loop: environment.loop)
        let gateway = Gateway(
            http: http, authenticator: foundation.authenticator, serviceToken: environment.serviceToken)
        for (name, url, routes) in [
            ("scheduler", settings[schedulerURL], SchedulerAPI.routes),
            ("cluster", settings[clusterURL], ClusterAPI.routes),
            ("monitoring", settings[monitoringURL], MonitoringAPI.routes),
        ] {
            gateway.register(.init(name: name, origin: try HTTPOrigin(url), routes: routes), on: router)
        }
        gateway.registerSparkPages(
            .init(name: "cluster", origin: try HTTPOrigin(settings[clusterURL]), routes: []), on: router)
        let adminToken = settings[adminTokenFile]
        return [
            foundation.database.component,
            LifecycleComponent(
                "sign-in",
                start: {
                    guard let adminToken else {
                        environment.logger.warning("no administrator's token is configured: only services can sign in")
                        return
                    }
                    let token = try AdminToken.read(adminToken)
                    try await foundation.tokens.setAdminToken(hash: Digest.sha256(token))
                }),
            LifecycleComponent("gateway", drain: { _ in await http.close() }),
        ]
    }
}
