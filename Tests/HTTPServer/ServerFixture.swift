import Core
import EventLoop
import HTTPClient
import HTTPMessage
import HTTPServer
import TestSupport
import Testing

/// A server on a free port and a client for it, both on one loop.
struct ServerFixture: Sendable {
    let loop: EventLoop
    let server: HTTPServer
    let client: HTTPClient
    let port: Int

    var origin: HTTPOrigin { .http(host: "127.0.0.1", port: port) }

    func get(_ target: String, fields: HTTPFields = [:], deadline: MonotonicTime? = nil) async throws
        -> (status: Int, fields: HTTPFields, text: String)
    {
        try await call(.get, target, fields: fields, deadline: deadline)
    }

    func call(
        _ method: HTTPMethod, _ target: String, fields: HTTPFields = [:], body: HTTPOutgoingBody = .empty,
        deadline: MonotonicTime? = nil
    ) async throws -> (status: Int, fields: HTTPFields, text: String) {
        let response = try await client.send(
            HTTPClientRequest(method: method, origin: origin, target: target, fields: fields, body: body),
            deadline: deadline)
        let bytes = try await response.collect()
        return (response.status, response.fields, String(decoding: bytes, as: UTF8.self))
    }
}

/// Serves what `routes` registers while the body runs.
func withServer(
    limits: HTTPServerLimits = HTTPServerLimits(),
    observer: (@Sendable (HTTPRequest, HTTPOutcome) -> Void)? = nil,
    routes: @escaping @Sendable (HTTPRouter, EventLoop) -> Void,
    _ body: @escaping @Sendable (ServerFixture) async throws -> Void
) async throws {
    try await withEventLoop { loop in
        let router = HTTPRouter()
        routes(router, loop)
        let server = HTTPServer(
            configuration: HTTPServerConfiguration(limits: limits, observer: observer), handler: router, loop: loop)
        let port = try await server.start()
        let client = HTTPClient(loop: loop)
        let result: Result<Void, any Error>
        do {
            try await body(ServerFixture(loop: loop, server: server, client: client, port: port))
            result = .success(())
        } catch {
            result = .failure(error)
        }
        await client.close()
        await server.drain(budget: .seconds(5))
        try result.get()
    }
}
