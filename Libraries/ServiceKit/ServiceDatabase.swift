internal import Configuration
public import Core
internal import EventLoop
internal import Glibc
public import Lifecycle
internal import Metrics
public import Postgres

/// A service's part of the database: its pool, its schema, and their life.
public struct ServiceDatabase: Sendable {
    /// The pool, with the service's schema first in the search path.
    public let pool: PostgresPool
    /// Waits for the database and brings the schema up to date; drains the pool. Put it first.
    public let component: LifecycleComponent

    /// Waits for the database as long as it takes: `/readyz` says so meanwhile, and ending the service would only begin
    /// the wait anew.
    fileprivate static func wait(for pool: PostgresPool, _ logger: Logger) async throws(HarbourError) {
        var patience = Duration.seconds(5)
        while true {
            do throws(HarbourError) {
                return try await pool.waitUntilReady(timeout: patience)
            } catch {
                guard error.code == .unavailable, !Task.isCancelled else { throw error }
                logger.warning("waiting for the database", ["error": error.describeChain()])
                patience = .seconds(60)
            }
        }
    }
}

extension ServiceEnvironment {
    /// Makes the pool for the schema of the service's name, counts it in the metrics, and adds it to the readiness.
    /// - Throws: `INVALID_PARAMETER_VALUE` when the address is not one.
    public func makeDatabase(
        maxConnections: Int = 10, queryTimeout: Duration = .seconds(30)
    ) throws(HarbourError) -> ServiceDatabase {
        var settings = PostgresConfiguration(
            url: try databaseURL, schema: name, applicationName: "dataharbour \(name)", maxConnections: maxConnections)
        settings.queryTimeout = queryTimeout
        try settings.validate()
        let folder = try SchemaFiles.folder(of: name, configured: configuration[options.schemaFolder])
        let pool = PostgresPool(configuration: settings, loop: loop)
        pool.registerMetrics(metrics)
        readiness.add("database") { () throws(HarbourError) in try await pool.waitUntilReady(timeout: .seconds(1)) }
        let component = LifecycleComponent(
            "database",
            start: { [name, logger] in
                try await ServiceDatabase.wait(for: pool, logger)
                try await PostgresMigrator(directory: folder, schema: name).run(pool)
            },
            drain: { budget in await pool.drain(budget: budget) })
        return ServiceDatabase(pool: pool, component: component)
    }
}

/// Finds the SQL files that belong to the program.
enum SchemaFiles {
    /// The configured folder, or the nearest `schemas/sql` above the executable: a checkout has it at its root, and an
    /// installation beside `bin`.
    static func folder(of service: String, configured: String?) throws(HarbourError) -> String {
        if let configured { return "\(configured)/\(service)" }
        var folder = executableFolder()
        while true {
            let candidate = "\(folder)/schemas/sql/\(service)"
            if access(candidate, R_OK | X_OK) == 0 { return candidate }
            guard let slash = folder.lastIndex(of: "/") else { break }
            folder = String(folder[..<slash])
        }
        throw HarbourError(
            .invalidConfiguration,
            "The folder schemas/sql/\(service) was not found above the program. Name schemas/sql with --schema-folder.")
    }

    private static func executableFolder() -> String {
        guard let resolved = realpath("/proc/self/exe", nil) else { return "" }
        defer { free(resolved) }
        let path = String(cString: resolved)
        return String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
    }
}
