import Core
import EventLoop
import Glibc
import HTTPClient
import HTTPMessage
import HTTPServer
import TestSupport
import Testing

/// Other people's HTTP clients.
@Suite struct PeerToolTests {
    @Test func speaksToCurlByPriorKnowledge() async throws {
        try await withServer { router, _ in
            router.post("/echo") { request, _ in .json(request.body.completeBytes ?? []) }
        } _: { server in
            for version in ["--http2-prior-knowledge", "--http1.1"] {
                let output = try await run([
                    "curl", "-sS", version, "-w", " %{http_version}", "-d", #"{"a":1}"#,
                    "http://127.0.0.1:\(server.port)/echo",
                ])
                #expect(output.hasPrefix(#"{"a":1} "#))
            }
        }
    }

    @Test func servesH2loadWithoutAnError() async throws {
        try await withServer { router, loop in
            router.get("/sync") { _, _ in .text("hello") }
            router.get("/async") { _, _ in
                await Task.yield()
                return .text("hello")
            }
        } _: { server in
            for path in ["/sync", "/async"] {
                let output = try await run([
                    "h2load", "-n", "4000", "-c", "4", "-m", "32", "http://127.0.0.1:\(server.port)\(path)",
                ])
                #expect(output.contains("4000 succeeded, 0 failed, 0 errored, 0 timeout"))
            }
        }
    }

    @Test func speaksToNghttpWithAnUpload() async throws {
        try await withServer { router, _ in
            router.post("/count") { request, _ in
                var count = 0
                for try await chunk in request.body { count += chunk.count }
                return .text("received \(count)")
            }
        } _: { server in
            let folder = try TemporaryDirectory()
            let file = try folder.write("body", [UInt8](repeating: 1, count: 1_500_000))
            let output = try await run(["nghttp", "-d", file, "http://127.0.0.1:\(server.port)/count"])
            #expect(output.contains("received 1500000"))
        }
    }

    @Test func aUnixSocketCarriesBothVersions() async throws {
        try await withEventLoop { loop in
            let folder = try TemporaryDirectory()
            let path = folder.file("http.sock")
            let router = HTTPRouter()
            router.get("/") { request, _ in .text("from \(request.remote.description)") }
            let server = HTTPServer(
                configuration: HTTPServerConfiguration(address: .unix(path: path)), handler: router, loop: loop)
            try await server.start()
            var status = stat()
            #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600, "only its owner may connect")
            let client = HTTPClient(loop: loop)
            let response = try await client.send(HTTPClientRequest(origin: .unix(path: path)))
            #expect(String(decoding: try await response.collect(), as: UTF8.self) == "from unix")
            let output = try await run(["curl", "-sS", "--unix-socket", path, "http://localhost/"])
            #expect(output == "from unix")
            await client.close()
            await server.drain(budget: .seconds(5))
            let error = await #expect(throws: HarbourError.self) {
                let late = HTTPClient(loop: loop)
                _ = try await late.send(
                    HTTPClientRequest(origin: .unix(path: path), serviceName: "The cluster service"))
            }
            #expect(error?.message.hasPrefix("The cluster service at unix:\(path) does not answer: ") == true)
        }
    }

    private func run(_ command: [String]) async throws -> String {
        try await BlockingPool.shared.run { try runCommand(command) }
    }
}
