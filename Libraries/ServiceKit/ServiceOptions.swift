public import Configuration
public import Core

/// The settings that all services share.
public struct ServiceOptions: Sendable {
    /// Where the service listens.
    public let listen: Option<HostPort>
    /// Listens on this unix socket instead.
    public let listenSocket: Option<String?>
    /// The token between services.
    public let serviceToken: Option<String>
    /// The database; only for services that have one.
    public let database = DatabaseOptions()
    /// The folder `schemas/sql`, where the program cannot find it; only for services that have a database.
    public let schemaFolder: Option<String?>
    /// How log lines look.
    public let logFormat: Option<String>
    /// Which log lines are written.
    public let logLevel: Option<String>
    /// Which requests get a line in the log.
    public let requestLog: Option<String>
    /// The certificate that the service shows.
    public let tlsCertificate: Option<String?>
    /// The key to the certificate.
    public let tlsKey: Option<String?>
    /// The authority that clients' certificates must come from.
    public let tlsClientAuthority: Option<String?>
    /// The reverse proxies that are believed when they say who asks.
    public let trustedProxies: Option<[IPNetwork]>
    /// How long the end may take.
    public let drainBudget: Option<Duration>
    /// The token that scrapers must show.
    public let metricsToken: Option<String?>
    /// Where the address is written once the service serves.
    public let addressFile: Option<String?>

    private let hasDatabase: Bool

    /// Declares the settings of the service of that name.
    public init(service: String, defaultPort: Int, hasDatabase: Bool) {
        self.hasDatabase = hasDatabase
        let prefix = "HARBOUR_\(service.uppercased())"
        listen = .hostPort(
            "listen", environment: "\(prefix)_LISTEN", default: "127.0.0.1:\(defaultPort)",
            help: "Where to listen; port 0 takes any free one. Other machines can only reach what is not loopback.")
        listenSocket = Option<String>.path(
            "listen-socket", environment: "\(prefix)_LISTEN_SOCKET",
            help: "A unix socket to listen on, instead of --listen."
        ).optional()
        serviceToken = .string(
            "service-token", environment: "HARBOUR_SERVICE_TOKEN", secret: true,
            help: "The secret that the services show each other; the same in all of them.")
        schemaFolder = Option<String>.path(
            "schema-folder", help: "The folder schemas/sql of this version, where the program does not find it itself."
        ).optional()
        logFormat = .choice(
            "log-format", of: ["human", "json"], default: "human", help: "How log lines look.")
        logLevel = .choice(
            "log-level", of: LogLevel.allCases.map(\.name), default: "info", help: "Less important lines are dropped.")
        requestLog = .choice(
            "request-log", of: RequestLog.allCases.map(\.rawValue), default: "errors",
            help: "Which requests get a line in the log.")
        tlsCertificate = Option<String>.path(
            "tls-certificate", environment: "\(prefix)_TLS_CERTIFICATE",
            help: "A PEM file with the certificate and its chain; with it the service speaks TLS only."
        ).optional()
        tlsKey = Option<String>.path(
            "tls-key", environment: "\(prefix)_TLS_KEY", help: "A PEM file with the certificate's private key."
        ).optional()
        tlsClientAuthority = Option<String>.path(
            "tls-client-ca", environment: "\(prefix)_TLS_CLIENT_CA",
            help: "A PEM file of authorities; with it clients must show a certificate from one of them."
        ).optional()
        trustedProxies = .networks(
            "trusted-proxies", environment: "\(prefix)_TRUSTED_PROXIES",
            help:
                "Reverse proxies, as networks between commas, whose x-forwarded-for and x-forwarded-proto say who asks; none when empty."
        )
        drainBudget = .duration(
            "drain-budget", default: "20s", help: "How long open requests may take to finish when the service ends.")
        metricsToken = Option<String>.string(
            "metrics-token", secret: true, help: "What scrapers of /metrics must send as a bearer token."
        ).optional()
        addressFile = Option<String>.path(
            "address-file", environment: "\(prefix)_ADDRESS_FILE",
            help: "A file to write the address into once the service serves."
        ).optional()
    }

    /// The declarations in the order of the help text.
    public var all: [any AnyOption] {
        let database: [any AnyOption] = hasDatabase ? database.all + [schemaFolder] : []
        return [listen, listenSocket, serviceToken] + database + [
            logFormat, logLevel, requestLog, tlsCertificate, tlsKey, tlsClientAuthority, trustedProxies, drainBudget,
            metricsToken, addressFile,
        ]
    }
}
