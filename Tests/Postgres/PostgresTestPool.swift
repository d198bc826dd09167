import Core
import EventLoop
import Postgres
import TestSupport

/// Runs the body with a pool on a new, empty database, on the pool's own loop, and drains the pool afterwards.
func withPool<Value: Sendable>(
    connections: Int = 4, _ configure: @escaping @Sendable (inout PostgresConfiguration) -> Void = { _ in },
    _ body: @escaping @Sendable (PostgresPool) async throws -> Value
) async throws -> Value {
    try await withDatabase { database in
        var configuration = PostgresConfiguration(url: database.url, maxConnections: connections)
        configure(&configuration)
        return try await withPool(configuration, body)
    }
}

/// The same on a database of the caller's.
func withPool<Value: Sendable>(
    _ configuration: PostgresConfiguration, _ body: @escaping @Sendable (PostgresPool) async throws -> Value
) async throws -> Value {
    try await withEventLoop { loop in
        let pool = PostgresPool(configuration: configuration, loop: loop)
        let result: Result<Value, any Error>
        do { result = .success(try await body(pool)) } catch { result = .failure(error) }
        await pool.drain(budget: .seconds(10))
        return try result.get()
    }
}

/// A query that ends by being cancelled only, and a deadline that is no reason for it: on a busy machine a minute passes
/// before it is found running.
let endless: SQL = "SELECT pg_sleep(36000)"
let farOff = Duration.seconds(36_000)

/// Returns when an `endless` query of that pool runs on the server, which another connection is asked for.
func waitForSleeper(of pool: PostgresPool) async throws {
    try await withPool(pool.configuration) { other in
        try await eventually("the query sleeps on the server") {
            try await !other.query(
                "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
            ).isEmpty
        }
    }
}

/// The error of a call that must fail.
func failure(_ work: () async throws -> some Any) async -> HarbourError? {
    do {
        _ = try await work()
        return nil
    } catch {
        return error as? HarbourError
    }
}
