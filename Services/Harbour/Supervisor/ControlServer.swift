internal import Core
internal import EventLoop
internal import HTTPMessage
internal import HTTPServer

/// How commands speak to the supervisor: HTTP on a unix socket that only the platform's user reaches.
struct ControlServer: Sendable {
    let supervisor: Supervisor
    let loop: EventLoop
    /// Asks the supervisor to end everything.
    let stop: @Sendable () -> Void

    func start(socket: String) async throws -> HTTPServer {
        let router = HTTPRouter()
        let (supervisor, loop, stop) = (supervisor, loop, stop)
        router.get("/v1/status") { _, _ throws -> HTTPResponse in .json(supervisor.status.json.encodedJSON()) }
        router.get("/v1/status/stream") { _, _ async throws -> HTTPResponse in
            .lines { writer in
                for await status in ControlServer.changes(of: supervisor, loop: loop) {
                    try await writer.write(status.json.jsonText() + "\n")
                }
            }
        }
        router.post("/v1/stop") { _, _ throws -> HTTPResponse in
            stop()
            return .json(supervisor.status.json.encodedJSON())
        }
        var configuration = HTTPServerConfiguration(address: .unix(path: socket))
        configuration.limits.maxConnections = 64
        let server = HTTPServer(configuration: configuration, handler: router, loop: loop)
        try await server.start()
        return server
    }

    /// The present status and then each change, until the reader goes away; a slow reader sees the newest one.
    private static func changes(of supervisor: Supervisor, loop: EventLoop) -> AsyncStream<SupervisorStatus> {
        AsyncStream(bufferingPolicy: .bufferingNewest(16)) { continuation in
            loop.onLoop {
                let ticket = supervisor.observe { continuation.yield($0) }
                continuation.onTermination = { _ in loop.onLoop { supervisor.forget(ticket) } }
                continuation.yield(supervisor.status)
            }
        }
    }
}
