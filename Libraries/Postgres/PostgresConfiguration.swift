internal import CPostgres
public import Core

/// Where the database is and how a pool uses it.
public struct PostgresConfiguration: Sendable {
    /// `postgresql://user:password@host:port/database?host=/socket/folder` or `host=... dbname=...`, as libpq takes it.
    public var url: String
    /// The service's own schema: it comes first in `search_path` of each connection. Lower-case letters, digits and
    /// underscores.
    public var schema: String?
    /// What the server's list of connections calls this process.
    public var applicationName: String
    /// The most connections of the pool, 1 to 1000.
    public var maxConnections: Int
    /// Connections that stay open though nobody uses them.
    public var minIdleConnections = 1
    /// How long a connection beyond those may be unused: between one and two times this.
    public var idleTimeout: Duration = .seconds(60)
    /// How long connecting may take.
    public var connectTimeout: Duration = .seconds(5)
    /// How long a query may take, waiting for a connection included, unless the call says otherwise.
    public var queryTimeout: Duration = .seconds(30)
    /// Reads under way at the same time on one connection.
    public var pipelineDepth = 64

    /// Makes a configuration.
    public init(
        url: String, schema: String? = nil, applicationName: String = "dataharbour", maxConnections: Int = 10
    ) {
        self.url = url
        self.schema = schema
        self.applicationName = applicationName
        self.maxConnections = maxConnections
    }

    /// The address from separate parts, as `POSTGRES_HOST` and its like give them. A host that begins with `/` is the
    /// folder of a unix socket.
    public static func url(
        host: String, port: Int = 5432, user: String?, password: String?, database: String
    ) -> String {
        var parts = ["host=\(quoted(host))", "port=\(port)", "dbname=\(quoted(database))"]
        if let user { parts.append("user=\(quoted(user))") }
        if let password { parts.append("password=\(quoted(password))") }
        return parts.joined(separator: " ")
    }

    /// Checks the address and the schema's name before anything connects.
    /// Throws `INVALID_PARAMETER_VALUE` without the address in its message, because it may hold a password.
    public func validate() throws(HarbourError) {
        var message: UnsafeMutablePointer<CChar>?
        guard let options = PQconninfoParse(url, &message) else {
            let detail = message.map { String(cString: $0) }
            PQfreemem(message)
            throw HarbourError(
                .invalidParameter,
                "The database's address is not one. Write for example postgresql://user@host:5432/database.",
                detail: detail)
        }
        PQconninfoFree(options)
        if let schema, !Self.isPlainName(schema) {
            throw HarbourError(
                .invalidParameter, "The schema's name may hold lower-case letters, digits and underscores only.")
        }
        guard (1...1000).contains(maxConnections) else {
            throw HarbourError(.invalidParameter, "A pool has between 1 and 1000 connections.")
        }
    }

    static func isPlainName(_ name: String) -> Bool {
        guard let first = name.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
            return false
        }
        return name.utf8.count <= 63
            && name.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "_")
            }
    }

    private static func quoted(_ value: String) -> String {
        var quoted = "'"
        for scalar in value.unicodeScalars {
            if scalar == "'" || scalar == "\\" { quoted += "\\" }
            quoted.unicodeScalars.append(scalar)
        }
        return quoted + "'"
    }

    /// What libpq is given. Later ones win over what the address says.
    var parameters: [(String, String)] {
        var list = [
            ("dbname", url), ("client_encoding", "UTF8"), ("fallback_application_name", applicationName),
            // A peer that vanished without a word is noticed within a minute.
            ("keepalives_idle", "30"), ("keepalives_interval", "10"), ("keepalives_count", "3"),
        ]
        if let schema { list.append(("options", "-c search_path=\(schema)")) }
        return list
    }
}
