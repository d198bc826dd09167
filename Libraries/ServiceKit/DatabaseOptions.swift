public import Configuration
public import Core
internal import Postgres

/// Where the database is: one address, or its parts under the names that compose files use.
public struct DatabaseOptions: Sendable {
    /// The whole address; it wins over the parts.
    public let url: Option<String?>
    /// The host, or the folder of a unix socket.
    public let host: Option<String?>
    /// The port.
    public let port: Option<Int>
    /// The user.
    public let user: Option<String?>
    /// The user's password.
    public let password: Option<String?>
    /// The database's name.
    public let name: Option<String>

    init() {
        url = Option<String>.string(
            "database-url", environment: "HARBOUR_DATABASE_URL", aliases: ["DATABASE_URL"], secret: true,
            help: "The PostgreSQL database, as postgresql://user:password@host:port/name or host=/socket/folder."
        ).optional()
        host = Option<String>.string(
            "database-host", aliases: ["POSTGRES_HOST", "PGHOST"],
            help: "The database's host, or the folder of its unix socket, where --database-url is not given."
        ).optional()
        port = .integer(
            "database-port", in: 1...65_535, aliases: ["POSTGRES_PORT", "PGPORT"], default: "5432",
            help: "The database's port.")
        user = Option<String>.string(
            "database-user", aliases: ["POSTGRES_USER", "PGUSER"], help: "The user of the database."
        ).optional()
        password = Option<String>.string(
            "database-password", aliases: ["POSTGRES_PASSWORD", "PGPASSWORD"], secret: true,
            help: "The password of the user of the database."
        ).optional()
        name = .string(
            "database-name", aliases: ["POSTGRES_DB", "PGDATABASE"], default: "harbour",
            help: "The name of the database on its server.")
    }

    var all: [any AnyOption] { [url, host, port, user, password, name] }

    /// The address that the settings give. Throws `INVALID_CONFIGURATION` when they give none.
    public func address(_ configuration: Configuration) throws(HarbourError) -> String {
        if let url = configuration[url] { return url }
        guard let host = configuration[host] else {
            throw HarbourError(
                .invalidConfiguration,
                "The database must be named: --database-url (or HARBOUR_DATABASE_URL, DATABASE_URL), or "
                    + "--database-host (or POSTGRES_HOST) and its companions.")
        }
        return PostgresConfiguration.url(
            host: host, port: configuration[port], user: configuration[user], password: configuration[password],
            database: configuration[name])
    }
}
