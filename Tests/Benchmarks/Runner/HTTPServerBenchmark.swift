import Core
import EventLoop
import Glibc
import HTTPMessage
import HTTPServer

/// A server to be put under load by `h2load`: `benchmarks http-server <port> [body size]`.
///
/// `/sync` answers in a closure, `/async` in a task that does not suspend, `/wait` in one that suspends once.
func httpServerBenchmark(_ arguments: [String]) throws {
    guard let port = arguments.first.flatMap({ Int($0) }) else {
        print("usage: benchmarks http-server <port> [body size]")
        exit(2)
    }
    let size = arguments.dropFirst().first.flatMap { Int($0) } ?? 100
    let loop = try EventLoop()
    let router = makeRouter(body: [UInt8](repeating: UInt8(ascii: "a"), count: size))
    let server = HTTPServer(
        configuration: HTTPServerConfiguration(address: .tcp(host: "127.0.0.1", port: port)), handler: router,
        loop: loop)
    loop.submit {
        loop.spawn {
            do { try await server.start() } catch {
                print(error)
                exit(1)
            }
        }
    }
    loop.run()
}

private func makeRouter(body: [UInt8]) -> HTTPRouter {
    let router = HTTPRouter()
    router.get("/sync") { _, _ in .json(body) }
    router.get("/async") { _, _ async in .json(body) }
    router.get("/wait") { _, _ async in
        await Task.yield()
        return .json(body)
    }
    router.post("/echo") { request, _ async throws in .json(try await request.body.collect()) }
    return router
}
