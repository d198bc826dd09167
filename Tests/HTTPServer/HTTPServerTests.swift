import Core
import EventLoop
import HTTPClient
import HTTPMessage
import HTTPServer
import Synchronization
import Testing

@Suite struct HTTPServerTests {
    @Test func answersSynchronousAndAsynchronousRoutes() async throws {
        try await withServer { router, loop in
            router.get("/sync/{name}") { _, parameters in .text("hello \(parameters["name"])") }
            router.get("/async/{name}") { _, parameters in
                try await loop.sleep(for: .milliseconds(1))
                return .text("hello \(parameters["name"])")
            }
        } _: { server in
            let first = try await server.get("/sync/a%20b")
            #expect(first.status == 200)
            #expect(first.text == "hello a b")
            #expect(first.fields["content-length"] == "9")
            #expect(first.fields["date"]?.hasSuffix(" GMT") == true)
            #expect(first.fields["x-request-id"]?.count == 22)
            let second = try await server.get("/async/x")
            #expect(second.text == "hello x")
            let head = try await server.call(.head, "/sync/abc")
            #expect(head.fields["content-length"] == "9")
            #expect(head.text.isEmpty)
        }
    }

    @Test func aSlashAtTheEndMeansTheSameUnlessARouteSaysOtherwise() async throws {
        try await withServer { router, _ in
            router.get("/jobs") { _, _ in .text("list") }
            router.post("/jobs") { _, _ in .text("make") }
            router.post("/jobs/") { _, _ in .text("submit") }
            router.get("/jobs/{id}") { _, parameters in .text("one \(parameters["id"])") }
            router.get("/files/{path...}") { _, parameters in .text("file \(parameters["path"])") }
        } _: { server in
            let list = try await server.get("/jobs/")
            #expect(list.text == "list")
            #expect(try await server.call(.post, "/jobs").text == "make")
            #expect(try await server.call(.post, "/jobs/").text == "submit")
            #expect(try await server.get("/jobs/7/").text == "one 7")
            #expect(try await server.get("/files/a/").text == "file a/")
            #expect(try await server.get("/nowhere/").status == 404)
        }
    }

    @Test func errorsFollowTheGrammar() async throws {
        try await withServer { router, _ in
            router.get("/missing") { _, _ in throw HarbourError(.notFound, "No such job.", detail: "secret") }
            router.get("/broken") { _, _ async throws in
                try await Task.sleep(for: .zero)
                throw Unexpected()
            }
            router.post("/only-post") { _, _ in .noContent }
            router.otherwise(where: { $0.path.hasPrefix("/lost") }) { request, _ in
                .json(Array("\"\(request.path)\"".utf8))
            }
        } _: { server in
            #expect(try await server.get("/lost/way").text == "\"/lost/way\"")
            #expect(try await server.call(.post, "/lost/way").text.contains("ENDPOINT_NOT_FOUND"))
            let missing = try await server.get("/missing", fields: ["x-request-id": "abc-1"])
            #expect(missing.status == 404)
            #expect(
                missing.text
                    == #"{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"No such job.","request_id":"abc-1"}"#)
            #expect(missing.fields["x-request-id"] == "abc-1")
            let broken = try await server.get("/broken")
            #expect(broken.status == 500)
            #expect(broken.text.contains("INTERNAL_ERROR"))
            #expect(!broken.text.contains("Unexpected"))
            #expect(try await server.get("/nowhere").text.contains("ENDPOINT_NOT_FOUND"))
            let wrong = try await server.get("/only-post")
            #expect(wrong.status == 405)
            #expect(wrong.text.contains("METHOD_NOT_ALLOWED"))
            #expect(try await server.call(.post, "/only-post").status == 204)
        }
    }

    @Test func bodiesArriveWholeForSynchronousRoutes() async throws {
        try await withServer { router, _ in
            router.post("/echo") { request, _ in .json(request.body.completeBytes ?? []) }
            router.post("/echo-async") { request, _ in .json(try await request.body.collect()) }
        } _: { server in
            let large = [UInt8](repeating: 7, count: 3_000_000)
            for path in ["/echo", "/echo-async"] {
                let response = try await server.client.send(
                    HTTPClientRequest(method: .post, origin: server.origin, target: path, body: .bytes(large)))
                #expect(try await response.collect() == large)
            }
        }
    }

    @Test func bodiesOverTheLimitAreRefused() async throws {
        var limits = HTTPServerLimits()
        limits.maxBodySize = 1000
        try await withServer(limits: limits) { router, _ in
            router.post("/sync") { _, _ in .noContent }
            router.post("/async") { request, _ in
                _ = try await request.body.collect()
                return .noContent
            }
            router.post("/large", maxBodySize: 1_000_000) { _, _ in .noContent }
        } _: { server in
            for path in ["/sync", "/async"] {
                let announced = try await server.call(.post, path, body: .bytes([UInt8](repeating: 1, count: 1001)))
                #expect(announced.status == 413)
                #expect(announced.text.contains("REQUEST_TOO_LARGE"))
                let streamed = try await server.call(
                    .post, path,
                    body: .stream { writer in
                        for _ in 0..<1000 { try await writer.write([UInt8](repeating: 1, count: 1000)) }
                    })
                #expect(streamed.status == 413)
            }
            let large = try await server.call(.post, "/large", body: .bytes([UInt8](repeating: 1, count: 100_000)))
            #expect(large.status == 204)
        }
    }

    /// A stream whose length is known says it, and one that is of another length is broken off.
    @Test func streamsMaySayTheirLength() async throws {
        try await withServer { router, _ in
            router.get("/{count}") { _, parameters in
                var response = HTTPResponse(
                    body: .stream { writer in
                        for _ in 0..<(Int(parameters["count"]) ?? 0) { try await writer.write("abcd") }
                        if parameters["count"] == "1" { throw HarbourError(.internalError, "Broken in the middle.") }
                    })
                response.streamLength = 8
                return response
            }
        } _: { server in
            let whole = try await server.get("/2")
            #expect(whole.fields["content-length"] == "8")
            #expect(whole.text == "abcdabcd")
            let head = try await server.call(.head, "/2")
            #expect(head.fields["content-length"] == "8")
            await #expect(throws: (any Error).self) { _ = try await server.get("/1") }
        }
    }

    @Test func headersOverTheLimitAreRefused() async throws {
        var limits = HTTPServerLimits()
        limits.maxHeaderSize = 2000
        try await withServer(limits: limits) { router, _ in
            router.get("/") { _, _ in .noContent }
        } _: { server in
            let response = try await server.get("/", fields: ["x-large": String(repeating: "a", count: 3000)])
            #expect(response.status == 431)
            #expect(response.text.contains("REQUEST_HEADER_FIELDS_TOO_LARGE"))
            #expect(try await server.get("/").status == 204)
        }
    }

    @Test func deadlinesAreEnforced() async throws {
        let cancelled = Mutex(false)
        try await withServer { router, loop in
            router.get("/slow") { _, _ in
                do { try await loop.sleep(for: .seconds(3600)) } catch {
                    cancelled.withLock { $0 = true }
                    throw error
                }
                return .noContent
            }
            router.get("/remaining") { request, _ in
                .text("\((request.deadline.map { ($0 - .now).milliseconds }) ?? -1)")
            }
        } _: { server in
            let late = try await server.get("/slow", fields: ["x-harbour-deadline-ms": "20"])
            #expect(late.status == 504)
            #expect(late.text.contains("DEADLINE_EXCEEDED"))
            #expect(cancelled.withLock { $0 })
            let left = try await server.get("/remaining", deadline: .now + .seconds(10))
            #expect((1...10_000).contains(Int(left.text) ?? -1))
            // Either end may be the first to notice.
            do throws(HarbourError) {
                let response = try await server.client.send(
                    HTTPClientRequest(origin: server.origin, target: "/slow"), deadline: .now + .milliseconds(30))
                #expect(response.status == 504)
            } catch {
                #expect(error.code == .deadlineExceeded)
            }
        }
    }

    @Test func streamsFlowInBothDirections() async throws {
        try await withServer { router, _ in
            router.post("/double") { request, _ async in
                HTTPResponse.lines { writer in
                    for try await chunk in request.body { try await writer.write(chunk + chunk) }
                }
            }
        } _: { server in
            let (lines, feed) = AsyncStream.makeStream(of: String.self)
            let response = try await server.client.send(
                HTTPClientRequest(
                    method: .post, origin: server.origin, target: "/double",
                    body: .stream { writer in
                        for await line in lines { try await writer.write(line) }
                    }))
            #expect(response.fields["content-type"] == "application/x-ndjson")
            var body = response.body.makeAsyncIterator()
            for word in ["one", "two", "three"] {
                feed.yield(word)
                // Each line comes back before the next is sent: nothing waits in a buffer.
                let chunk = try await body.next() ?? []
                #expect(String(decoding: chunk, as: UTF8.self) == word + word)
            }
            feed.finish()
            #expect(try await body.next() == nil)
        }
    }

    @Test func aSlowReaderHoldsTheWriterBack() async throws {
        let written = Mutex(0)
        try await withServer { router, _ in
            router.get("/endless") { _, _ in
                HTTPResponse(
                    body: .stream { writer in
                        while true {
                            try await writer.write([UInt8](repeating: 1, count: 10_000))
                            written.withLock { $0 += 10_000 }
                        }
                    })
            }
        } _: { server in
            let response = try await server.client.send(HTTPClientRequest(origin: server.origin, target: "/endless"))
            // Other calls work while that stream is held back, which also gives it time to run away if it could.
            for _ in 0..<20 { _ = try await server.get("/nothing") }
            let ahead = written.withLock { $0 }
            #expect(ahead < 1_000_000)
            var taken = 0
            for try await chunk in response.body {
                taken += chunk.count
                if taken > 2_000_000 { break }
            }
            #expect(written.withLock { $0 } > ahead)
            response.body.discard()
        }
    }

    @Test func theHandlerIsCancelledWhenTheClientGoesAway() async throws {
        let (ends, ended) = AsyncStream.makeStream(of: Bool.self)
        let (begins, began) = AsyncStream.makeStream(of: Void.self)
        try await withServer { router, loop in
            router.get("/wait") { _, _ in
                began.yield()
                do { try await loop.sleep(for: .seconds(3600)) } catch {
                    ended.yield(Task.isCancelled)
                    throw error
                }
                return .noContent
            }
        } _: { server in
            var end = ends.makeAsyncIterator()
            var begin = begins.makeAsyncIterator()
            let call = Task { try await server.get("/wait") }
            await begin.next()
            call.cancel()
            let error = await #expect(throws: HarbourError.self) { _ = try await call.value }
            #expect(error?.code == .cancelled)
            #expect(await end.next() == true)
            let other = HTTPClient(loop: server.loop)
            let lost = Task { try await other.send(HTTPClientRequest(origin: server.origin, target: "/wait")) }
            await begin.next()
            await other.close()
            #expect(await end.next() == true)
            await #expect(throws: HarbourError.self) { _ = try await lost.value }
        }
    }

    @Test func drainLetsOpenRequestsFinish() async throws {
        let (gates, gate) = AsyncStream.makeStream(of: Void.self)
        let (begins, began) = AsyncStream.makeStream(of: Void.self)
        try await withServer { router, _ in
            router.get("/open") { _, _ in
                began.yield()
                for await _ in gates { break }
                return .text("done")
            }
        } _: { server in
            let open = Task { try await server.get("/open") }
            for await _ in begins { break }
            async let drained: Void = server.server.drain(budget: .seconds(30))
            try await waitUntil(server.loop) {
                let late = HTTPClient(loop: server.loop)
                let answer = try? await late.send(HTTPClientRequest(origin: server.origin, target: "/other"))
                await late.close()
                return answer == nil
            }
            gate.yield()
            #expect(try await open.value.text == "done")
            await drained
        }
    }

    @Test func drainBreaksOffWhatOutlivesTheBudget() async throws {
        let (begins, began) = AsyncStream.makeStream(of: Void.self)
        try await withServer { router, loop in
            router.get("/open") { _, _ in
                began.yield()
                try await loop.sleep(for: .seconds(3600))
                return .noContent
            }
        } _: { server in
            let open = Task { try await server.get("/open") }
            for await _ in begins { break }
            await server.server.drain(budget: .milliseconds(20))
            let error = await #expect(throws: HarbourError.self) { _ = try await open.value }
            #expect(error?.code == .unavailable)
        }
    }

    @Test func outcomesAreObserved() async throws {
        let (outcomes, observed) = AsyncStream.makeStream(of: (String, HTTPOutcome).self)
        try await withServer { request, outcome in
            observed.yield((request.routeTemplate, outcome))
        } routes: { router, _ in
            router.post("/jobs/{id}") { request, _ in .json(request.body.completeBytes ?? []) }
        } _: { server in
            _ = try await server.call(.post, "/jobs/1", body: .bytes([1, 2, 3]))
            var iterator = outcomes.makeAsyncIterator()
            let (route, outcome) = try #require(await iterator.next())
            #expect(route == "/jobs/{id}")
            #expect(outcome.status == 200)
            #expect(outcome.receivedBytes == 3)
            #expect(outcome.sentBytes == 3)
            #expect(!outcome.wasCancelled)
        }
    }
}

private struct Unexpected: Error {}

/// Waits until the condition holds, looking again after a short while; gives up after a long one.
func waitUntil(_ loop: EventLoop, _ condition: () async -> Bool) async throws {
    let end = MonotonicTime.now + .seconds(120)
    while !(await condition()) {
        try #require(MonotonicTime.now < end, "the condition was not met in 120 s")
        try await loop.sleep(for: .milliseconds(5))
    }
}
