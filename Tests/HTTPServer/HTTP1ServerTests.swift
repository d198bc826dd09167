import Core
import EventLoop
import HTTPMessage
import HTTPServer
import TestSupport
import Testing

@Suite struct HTTP1ServerTests {
    @Test func answersPipelinedRequestsInOrder() async throws {
        try await withServer { router, loop in
            router.get("/slow") { _, _ in
                try await loop.sleep(for: .milliseconds(10))
                return .text("slow")
            }
            router.get("/fast") { _, _ in .text("fast") }
        } _: { server in
            let raw = try await RawConnection.open(server.loop, port: server.port)
            raw.send(
                "GET /slow HTTP/1.1\r\nhost: a\r\n\r\nGET /fast HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
            let text = try await raw.read()
            let slow = try #require(text.firstRange(of: "slow"))
            let fast = try #require(text.firstRange(of: "fast"))
            #expect(slow.lowerBound < fast.lowerBound)
            #expect(text.contains("connection: close"))
        }
    }

    @Test func takesBodiesWithLengthsAndInChunks() async throws {
        try await withServer { router, _ in
            router.post("/sync") { request, _ in .json(request.body.completeBytes ?? []) }
            router.post("/async") { request, _ in
                HTTPResponse.lines { writer in
                    for try await chunk in request.body { try await writer.write(chunk) }
                    try await writer.write("!")
                }
            }
            router.post("/collected") { request, _ in .json(try await request.body.collect()) }
        } _: { server in
            let raw = try await RawConnection.open(server.loop, port: server.port)
            for path in ["/sync", "/collected"] {
                raw.send("POST \(path) HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n")
                _ = try await raw.read(until: "100 Continue\r\n\r\n")
                raw.send("he")
                raw.send("llo")
                #expect(try await raw.read(until: "hello").contains("content-length: 5"))
                raw.send("POST \(path) HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n")
                raw.send("2\r\nde\r\n0\r\n\r\n")
                #expect(try await raw.read(until: "abcde").contains("200 OK"))
            }
            raw.send("POST /async HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc")
            #expect(try await raw.read(until: "0\r\n\r\n").contains("abc"))
            raw.close()
        }
    }

    @Test func refusesWhatIsNotHTTP() async throws {
        try await withServer { router, _ in
            router.get("/") { _, _ in .noContent }
        } _: { server in
            let raw = try await RawConnection.open(server.loop, port: server.port)
            raw.send("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n")
            let text = try await raw.read()
            #expect(text.hasPrefix("HTTP/1.1 400 "))
            #expect(text.contains("MALFORMED_REQUEST"))
            let large = try await RawConnection.open(server.loop, port: server.port)
            large.send("GET / HTTP/1.1\r\nhost: a\r\nx: \(String(repeating: "a", count: 40_000))\r\n\r\n")
            #expect(try await large.read().hasPrefix("HTTP/1.1 431 "))
        }
    }

    @Test func slowHeadsAndIdleConnectionsAreClosed() async throws {
        var limits = HTTPServerLimits()
        limits.headerTimeout = .milliseconds(500)
        limits.idleTimeout = .milliseconds(500)
        try await withServer(limits: limits) { router, _ in
            router.get("/") { _, _ in .noContent }
        } _: { server in
            let slow = try await RawConnection.open(server.loop, port: server.port)
            slow.send("GET / HTTP/1.1\r\nho")
            #expect(try await slow.read().isEmpty)
            let silent = try await RawConnection.open(server.loop, port: server.port)
            #expect(try await silent.read().isEmpty)
            let idle = try await RawConnection.open(server.loop, port: server.port)
            idle.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            #expect(try await idle.read().hasPrefix("HTTP/1.1 204 "))
        }
    }

    @Test func drainClosesAfterTheAnswer() async throws {
        let (begins, began) = AsyncStream.makeStream(of: Void.self)
        let (gates, gate) = AsyncStream.makeStream(of: Void.self)
        try await withServer { router, _ in
            router.get("/open") { _, _ in
                began.yield()
                for await _ in gates { break }
                return .text("done")
            }
        } _: { server in
            let raw = try await RawConnection.open(server.loop, port: server.port)
            raw.send("GET /open HTTP/1.1\r\nhost: a\r\n\r\n")
            for await _ in begins { break }
            async let drained: Void = server.server.drain(budget: .seconds(30))
            gate.yield()
            let text = try await raw.read()
            #expect(text.hasSuffix("done"))
            await drained
        }
    }
}

@Suite struct HTTP1PipeliningTests {
    @Test func aClientThatDoesNotReadIsNotAnsweredAhead() async throws {
        let answered = Counter()
        try await withServer { router, _ in
            router.get("/") { _, _ in
                answered.count += 1
                return .json([UInt8](repeating: 1, count: 100_000))
            }
        } _: { server in
            let raw = try await RawConnection.open(server.loop, port: server.port)
            raw.pauseReading()
            raw.send(String(repeating: "GET / HTTP/1.1\r\nhost: a\r\n\r\n", count: 1000))
            // Another connection shows that the server has had its turn.
            for _ in 0..<50 { #expect(try await server.get("/nowhere").status == 404) }
            #expect(answered.count < 500)
            raw.resumeReading()
            var total = 0
            while total < 1000 * 100_000, let bytes = try await raw.readBytes() { total += bytes.count }
            #expect(answered.count == 1000)
            raw.close()
        }
    }
}

@Suite struct HTTP1ReadingTests {
    /// Goal: who asks ahead and reads at the same time, on a processor of its own, is answered to the end. The system may take
    /// what was too much a moment ago, and says nothing then.
    @Test(.timeLimit(.minutes(5))) func whoAsksAheadAndReadsIsAnsweredToTheEnd() async throws {
        let count = isSanitized ? 300 : 1000
        try await withServer { router, _ in
            router.get("/") { _, _ in .json([UInt8](repeating: 1, count: 100_000)) }
        } _: { server in
            let port = server.port
            try await withEventLoop { loop in
                for _ in 0..<(isSanitized ? 3 : 30) {
                    let raw = try await RawConnection.open(loop, port: port)
                    raw.send(String(repeating: "GET / HTTP/1.1\r\nhost: a\r\n\r\n", count: count))
                    var total = 0
                    while total < count * 100_000, let bytes = try await raw.readBytes() { total += bytes.count }
                    #expect(total >= count * 100_000)
                    raw.close()
                }
            }
        }
    }
}

/// Touched on one loop only.
private final class Counter: @unchecked Sendable {
    var count = 0
}
