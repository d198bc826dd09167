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

/// The error of a call that must fail.
func failure(_ work: () async throws -> some Any) async -> HarbourError? {
    do {
        _ = try await work()
        return nil
    } catch {
        return error as? HarbourError
    }
}
