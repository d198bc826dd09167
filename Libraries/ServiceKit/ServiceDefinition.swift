public import Configuration
public import Core
public import EventLoop
public import HarbourProtocol
public import Lifecycle
public import Metrics

/// What makes one service different from the others: its name, its settings, and how its parts are put together.
public struct ServiceDefinition: Sendable {
    /// The name of the executable and of the service in logs, tokens and addresses.
    public let name: String
    /// What it is, in one sentence, for `--help`.
    public let summary: String
    /// The settings it shares with the others.
    public let options: ServiceOptions
    /// Its own settings.
    public let ownOptions: [any AnyOption]
    /// Its contract, served at `/openapi.json`.
    public let document: ContractDocument?
    /// Who may call it; services only when nil.
    public let authenticator: (@Sendable (ServiceEnvironment) async throws -> any Authenticator)?
    /// Registers the routes, and makes the parts that have a life of their own, in the order of their start. The service
    /// serves its contract after they have started, and drains before them.
    public let build: @Sendable (ServiceEnvironment, ServiceRouter) async throws -> [LifecycleComponent]

    /// Defines a service.
    public init(
        name: String, summary: String, defaultPort: Int, hasDatabase: Bool = true, ownOptions: [any AnyOption] = [],
        document: ContractDocument? = nil,
        authenticator: (@Sendable (ServiceEnvironment) async throws -> any Authenticator)? = nil,
        build: @escaping @Sendable (ServiceEnvironment, ServiceRouter) async throws -> [LifecycleComponent]
    ) {
        self.name = name
        self.summary = summary
        options = ServiceOptions(service: name, defaultPort: defaultPort, hasDatabase: hasDatabase)
        self.ownOptions = ownOptions
        self.document = document
        self.authenticator = authenticator
        self.build = build
    }

    /// All settings. Those of the other services are let through, because one file may serve all of them.
    public var schema: ConfigurationSchema {
        let others = ["workspace", "scheduler", "cluster", "monitoring", "driver"].filter { $0 != name }
        let known = [
            "HARBOUR_DATA", "HARBOUR_PORT", "HARBOUR_URL", "HARBOUR_TOKEN", "HARBOUR_ADMIN_TOKEN_FILE",
            "HARBOUR_SECRET_KEY", "HARBOUR_SCHEMA_FOLDER", "HARBOUR_METRICS_TOKEN", "HARBOUR_DATABASE_",
            "HARBOUR_BACKEND_", "HARBOUR_INSTALLATION", "HARBOUR_CLUSTER_ID",
        ]
        let mine = (options.all + ownOptions).map(\.declaration.environment)
        return ConfigurationSchema(
            program: name, summary: summary, options: options.all + ownOptions,
            foreignPrefixes: others.map { "HARBOUR_\($0.uppercased())_" }
                + known.filter { key in
                    !mine.contains { $0 == key || key.hasSuffix("_") && $0.hasPrefix(key) }
                })
    }
}

/// What the parts of a service are built from.
public struct ServiceEnvironment: Sendable {
    /// The service's name.
    public let name: String
    /// The settings, those of `options` and the service's own.
    public let configuration: Configuration
    /// The shared settings, to look them up with.
    public let options: ServiceOptions
    /// The loop that everything runs on.
    public let loop: EventLoop
    /// Where metrics are registered.
    public let metrics: MetricsRegistry
    /// What `/readyz` answers.
    public let readiness: Readiness

    /// The token between services.
    public var serviceToken: String { configuration[options.serviceToken] }
    /// The database's address; only for services that have one.
    public var databaseURL: String {
        get throws(HarbourError) { try options.database.address(configuration) }
    }
    /// Lets only the other services in.
    public var serviceAuthenticator: ServiceTokenAuthenticator { ServiceTokenAuthenticator(token: serviceToken) }
    /// A logger of the service's.
    public var logger: Logger { Logger(name) }
}
