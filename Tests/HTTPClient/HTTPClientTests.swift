import Core
import EventLoop
import HTTPClient
import HTTPMessage
import HTTPServer
import Synchronization
import TestSupport
import Testing

@Suite struct HTTPOriginTests {
    @Test func originsAreRead() throws {
        #expect(try HTTPOrigin("http://a:81") == .http(host: "a", port: 81))
        #expect(try HTTPOrigin("http://a/") == .http(host: "a", port: 80))
        #expect(try HTTPOrigin("https://[::1]:8443") == .https(host: "[::1]", port: 8443))
        #expect(try HTTPOrigin("unix:/run/a.sock") == .unix(path: "/run/a.sock"))
        for bad in [
            "", "a", "ftp://a", "http://", "http://a:0", "http://a:x", "http://u@a", "http://a/b", "http://a b",
        ] {
            #expect(throws: HarbourError.self) { try HTTPOrigin(bad) }
        }
        let (origin, target) = try HTTPOrigin.split(url: "http://a:81/b?c=d")
        #expect(origin == .http(host: "a", port: 81))
        #expect(target == "/b?c=d")
        #expect(try HTTPOrigin.split(url: "http://a?c").1 == "/?c")
        #expect(throws: HarbourError.self) { try HTTPOrigin.split(url: "http://a/b#c") }
    }
}

@Suite struct HTTPClientTests {
    /// A server with the given limits and a client for it.
    private func withPair(
        limits: HTTPServerLimits = HTTPServerLimits(), configuration: HTTPClientConfiguration = .init(),
        routes: @escaping @Sendable (HTTPRouter, EventLoop) -> Void,
        _ body: @escaping @Sendable (HTTPClient, HTTPOrigin, HTTPServer) async throws -> Void
    ) async throws {
        try await withEventLoop { loop in
            let router = HTTPRouter()
            routes(router, loop)
            let server = HTTPServer(
                configuration: HTTPServerConfiguration(limits: limits), handler: router, loop: loop)
            let port = try await server.start()
            let client = HTTPClient(loop: loop, configuration: configuration)
            try await body(client, .http(host: "127.0.0.1", port: port), server)
            await client.close()
            await server.drain(budget: .seconds(5))
        }
    }

    @Test(.timeLimit(.minutes(15)))
    func aBodyThatDoesNotEndEndsWithTheDeadline() async throws {
        try await withPair { router, loop in
            router.get("/endless") { _, _ async throws -> HTTPResponse in
                .lines { writer in
                    try await writer.write("first\n")
                    try await loop.sleep(for: .seconds(3600))
                }
            }
        } _: { client, origin, _ in
            // Either side may be the first to see that the time is up; the reader must not wait on in either case. On a
            // busy machine there may be no answer yet: more time is given then.
            var (answered, milliseconds) = (0, 30)
            while answered < 10 {
                do {
                    let response = try await client.send(
                        HTTPClientRequest(method: .get, origin: origin, target: "/endless"),
                        deadline: .now + .milliseconds(milliseconds))
                    answered += 1
                    for try await chunk in response.body { #expect(chunk == Array("first\n".utf8)) }
                    Issue.record("A body without an end has ended.")
                } catch is HarbourError {
                    if answered == 0 { milliseconds *= 2 }
                }
            }
        }
    }

    @Test func manyCallsShareFewConnections() async throws {
        var limits = HTTPServerLimits()
        limits.maxConcurrentStreams = 10
        try await withPair(limits: limits) { router, loop in
            router.get("/{number}") { _, parameters in
                try await loop.sleep(for: .milliseconds(1))
                return .text(parameters["number"])
            }
        } _: { client, origin, server in
            let sum = try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<500 {
                    group.addTask {
                        let response = try await client.send(HTTPClientRequest(origin: origin, target: "/\(number)"))
                        let text = String(decoding: try await response.collect(), as: UTF8.self)
                        return try #require(Int(text))
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(sum == 500 * 499 / 2)
            #expect((1...4).contains(server.connectionCount))
        }
    }

    @Test func nobodyThereIsSaidPlainly() async throws {
        try await withPair { _, _ in
        } _: { client, _, _ in
            let error = await #expect(throws: HarbourError.self) {
                _ = try await client.send(
                    HTTPClientRequest(
                        origin: .http(host: "127.0.0.1", port: 1), serviceName: "The cluster service"))
            }
            #expect(error?.code == .unavailable)
            #expect(
                error?.message
                    == "The cluster service at http://127.0.0.1:1 does not answer: connection refused. "
                    + "Check that it is running and that the address is right.")
        }
    }

    @Test func aServerThatIsNotHTTP2IsSaidPlainly() async throws {
        try await withEventLoop { loop in
            let folder = try TemporaryDirectory()
            let path = folder.file("silent.sock")
            let peer = try SilentServer(path: path, loop: loop)
            var configuration = HTTPClientConfiguration()
            configuration.keepAliveInterval = .milliseconds(20)
            configuration.keepAliveTimeout = .milliseconds(20)
            let client = HTTPClient(loop: loop, configuration: configuration)
            // A peer that takes connections and then says nothing is noticed by the missing answer to a PING.
            let error = await #expect(throws: HarbourError.self) {
                _ = try await client.send(HTTPClientRequest(method: .post, origin: .unix(path: path)))
            }
            #expect(error?.code == .unavailable)
            await client.close()
            peer.close()
        }
    }

    @Test func aRestartedServerIsFoundAgain() async throws {
        try await withEventLoop { loop in
            let folder = try TemporaryDirectory()
            let path = folder.file("service.sock")
            let client = HTTPClient(loop: loop)
            for round in 0..<3 {
                let router = HTTPRouter()
                router.post("/") { _, _ in .text("\(round)") }
                let server = HTTPServer(
                    configuration: HTTPServerConfiguration(address: .unix(path: path)), handler: router, loop: loop)
                try await server.start()
                let response = try await client.send(HTTPClientRequest(method: .post, origin: .unix(path: path)))
                #expect(String(decoding: try await response.collect(), as: UTF8.self) == "\(round)")
                await server.drain(budget: .seconds(5))
            }
            await client.close()
        }
    }

    @Test func idempotentCallsSurviveALostConnectionOnce() async throws {
        let seen = Mutex(0)
        try await withPair { router, loop in
            router.on(.put, "/") { _, _ async throws in
                let isFirst = seen.withLock { count in
                    count += 1
                    return count == 1
                }
                if isFirst { try await loop.sleep(for: .seconds(3600)) }
                return .text("second")
            }
        } _: { client, origin, server in
            async let response = client.send(HTTPClientRequest(method: .put, origin: origin))
            while seen.withLock({ $0 }) == 0 { try await client.loop.sleep(for: .milliseconds(1)) }
            server.closeConnections()
            let body = try await response.collect()
            #expect(String(decoding: body, as: UTF8.self) == "second")
            #expect(seen.withLock { $0 } == 2)
        }
    }

    @Test func otherCallsAreNotRepeated() async throws {
        let seen = Mutex(0)
        try await withPair { router, loop in
            router.on(.post, "/") { _, _ async throws in
                seen.withLock { $0 += 1 }
                try await loop.sleep(for: .seconds(3600))
                return .noContent
            }
        } _: { client, origin, server in
            async let response = client.send(HTTPClientRequest(method: .post, origin: origin))
            while seen.withLock({ $0 }) == 0 { try await client.loop.sleep(for: .milliseconds(1)) }
            server.closeConnections()
            do {
                _ = try await response
                Issue.record("the call had an answer")
            } catch {
                #expect((error as? HarbourError)?.code == .unavailable)
            }
            #expect(seen.withLock { $0 } == 1)
        }
    }

    @Test func aResponseThatNobodyReadsIsBrokenOff() async throws {
        let (ends, ended) = AsyncStream.makeStream(of: Void.self)
        try await withPair { router, _ in
            router.get("/endless") { _, _ in
                HTTPResponse(
                    body: .stream { writer in
                        defer { ended.yield() }
                        while true { try await writer.write([UInt8](repeating: 1, count: 50_000)) }
                    })
            }
        } _: { client, origin, _ in
            do {
                let response = try await client.send(HTTPClientRequest(origin: origin, target: "/endless"))
                #expect(response.status == 200)
            }
            for await _ in ends { break }
        }
    }

    @Test func largeBodiesFlowBothWays() async throws {
        try await withPair { router, _ in
            router.post("/echo") { request, _ async in
                HTTPResponse(
                    body: .stream { writer in for try await chunk in request.body { try await writer.write(chunk) } })
            }
        } _: { client, origin, _ in
            let piece = (0..<100_000).map { UInt8(truncatingIfNeeded: $0) }
            let response = try await client.send(
                HTTPClientRequest(
                    method: .post, origin: origin, target: "/echo",
                    body: .stream { writer in for _ in 0..<50 { try await writer.write(piece) } }))
            var total = 0
            for try await chunk in response.body {
                #expect(chunk.first == UInt8(truncatingIfNeeded: total % 100_000))
                total += chunk.count
            }
            #expect(total == 5_000_000)
        }
    }

    @Test func callsWorkFromOutsideTheLoop() async throws {
        try await withPair { router, _ in
            router.post("/") { request, _ in .json(request.body.completeBytes ?? []) }
        } _: { client, origin, _ in
            let text = try await Task.detached {
                let response = try await client.send(
                    HTTPClientRequest(
                        method: .post, origin: origin, target: "/",
                        body: .stream { writer in try await writer.write("from afar") }))
                var bytes: [UInt8] = []
                for try await chunk in response.body { bytes += chunk }
                return String(decoding: bytes, as: UTF8.self)
            }.value
            #expect(text == "from afar")
        }
    }

    @Test func anIdleConnectionDoesNotWakeTheLoop() async throws {
        try await withPair { router, _ in
            router.get("/") { _, _ in .noContent }
        } _: { client, origin, _ in
            _ = try await client.send(HTTPClientRequest(origin: origin))
            let wakeUps = try await fewestWakeUps(of: client.loop, in: .milliseconds(200), enough: 2)
            #expect(wakeUps <= 2)
        }
    }
}
