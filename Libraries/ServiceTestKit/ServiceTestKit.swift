public import EventLoop
public import HTTPClient
public import ServiceClients
public import ServiceKit
public import TestSupport

/// A service that runs for one test, on a free port and with a database of its own, and what a test asks it with.
public struct ServiceUnderTest: Sendable {
    /// The token between the services of a test.
    public static let token = "token-between-services-in-tests"

    /// The loop that the service and the test's body run on.
    public let loop: EventLoop
    /// The running service.
    public let service: RunningService
    /// Where it listens: `http://127.0.0.1:40123`.
    public let baseURL: String
    /// The shared connections, for more clients.
    public let http: HTTPClient
    /// Calls the service as another service would.
    public let client: ServiceClient
    /// Its database; nil when it has none.
    public let database: PostgresTestDatabase?

    /// A client with another token, such as a user's, or none.
    public func client(token: String?) throws -> ServiceClient {
        try ServiceClient(http: http, baseURL: baseURL, token: token, service: service.environment.name)
    }
}

/// Starts the service on port 0, runs the body on its loop, and ends the service and its database, however the body
/// ends.
/// - Parameters:
///   - definition: the service.
///   - arguments: more settings, as flags.
///   - hasDatabase: whether it gets a new, empty database.
///   - body: asks the service.
/// - Throws: what the service throws when it starts or ends, and what the body throws.
public func withService(
    _ definition: ServiceDefinition, arguments: [String] = [], hasDatabase: Bool = true,
    _ body: @escaping @Sendable (ServiceUnderTest) async throws -> Void
) async throws {
    guard hasDatabase else { return try await run(definition, arguments, nil, body) }
    try await withDatabase { database in
        try await run(definition, arguments + ["--database-url", database.url], database, body)
    }
}

private func run(
    _ definition: ServiceDefinition, _ arguments: [String], _ database: PostgresTestDatabase?,
    _ body: @escaping @Sendable (ServiceUnderTest) async throws -> Void
) async throws {
    try await withEventLoop { loop in
        let service = try await ServiceRuntime.start(
            definition,
            arguments: ["--listen", "127.0.0.1:0", "--service-token", ServiceUnderTest.token] + arguments, loop: loop)
        let http = HTTPClient(loop: loop)
        let outcome: Result<Void, any Error>
        do {
            let baseURL = try await service.baseURL
            let client = try ServiceClient(
                http: http, baseURL: baseURL, token: ServiceUnderTest.token, service: service.environment.name)
            let underTest = ServiceUnderTest(
                loop: loop, service: service, baseURL: baseURL, http: http, client: client, database: database)
            outcome = .success(try await body(underTest))
        } catch {
            outcome = .failure(error)
        }
        await http.close()
        try await service.stop()
        try outcome.get()
    }
}
