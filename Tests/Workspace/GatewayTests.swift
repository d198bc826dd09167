import Core
import EventLoop
import HTTPClient
import HTTPMessage
import HTTPServer
import HarbourProtocol
import ServiceClients
import ServiceKit
import ServiceTestKit
import Synchronization
import TestSupport
import Testing

/// What the service behind the gateway saw and did.
private final class Upstream: Sendable {
    let written = Atomic<Int>(0)
    /// Tells how the endless log ended.
    let ends: AsyncStream<String>
    private let endsInput: AsyncStream<String>.Continuation

    /// Lets the breaking stream break.
    let breaks: AsyncStream<Void>
    let breaksInput: AsyncStream<Void>.Continuation

    init() {
        (ends, endsInput) = AsyncStream.makeStream()
        (breaks, breaksInput) = AsyncStream.makeStream()
    }

    /// A cluster service on a free port whose routes show what they were asked.
    func definition() -> ServiceDefinition {
        ServiceDefinition(name: "cluster", summary: "A sample.", defaultPort: 0, hasDatabase: false) {
            [self] environment, router in
            let http = router.http
            http.on(.get, "/api/v1/clusters/{cluster_id}") { (request, parameters) async throws -> HTTPResponse in
                let seen = JSONValue.object([
                    "id": .string(parameters["cluster_id"]), "query": .string(request.query ?? "-"),
                    "authorization": .string(request.fields["authorization"] ?? "-"),
                    "user": .string(request.fields["x-harbour-user"] ?? "-"),
                    "request_id": .string(request.requestID), "trace": .string(request.trace.traceID),
                    "cookie": .string(request.fields["cookie"] ?? "-"),
                    "custom": .string(request.fields["x-custom"] ?? "-"),
                    "has_deadline": .bool(request.deadline != nil),
                ])
                return HTTPResponse(
                    status: 203, fields: ["x-answer": "yes", "set-cookie": "a=b"], body: .bytes(seen.encodedJSON()))
            }
            http.on(.post, "/api/v1/clusters/{cluster_id}/contexts/{context_id}/commands") {
                (request, _) async throws -> HTTPResponse in
                var total = 0
                for try await chunk in request.body { total += chunk.count }
                return .json(Array("\(total)".utf8))
            }
            router.on(ClusterAPI.deleteCluster) { _, _ in
                throw HarbourError(ErrorCode("CLUSTER_IS_BUSY", status: 409), "It is busy.")
            }
            router.on(ClusterAPI.streamCommandEvents) { input, _, send in
                for sequence in (input.resumeAfter ?? 0) + 1...5 {
                    try await send(
                        CommandEvent(sequence: sequence, timestamp: .now, type: .stream, text: "\(sequence)"))
                }
            }
            http.on(.get, "/api/v1/clusters/{cluster_id}/logs") { (_, _) async throws -> HTTPResponse in
                HTTPResponse(
                    body: .stream { [self] writer in
                        do {
                            for _ in 0..<100_000 {
                                try await writer.write([UInt8](repeating: 0x61, count: 16_384))
                                written.add(16_384, ordering: .relaxed)
                            }
                        } catch {
                            endsInput.yield((error as? HarbourError)?.code.name ?? "\(error)")
                            throw error
                        }
                    })
            }
            http.on(.get, "/api/v1/clusters/{cluster_id}/watch") { (_, _) async throws -> HTTPResponse in
                HTTPResponse(
                    body: .stream { [self] writer in
                        try await writer.write("first\n")
                        for await _ in breaks { break }
                        throw HarbourError(.internalError, "Broken in the middle.")
                    })
            }
            return []
        }
    }

    /// Runs the body with a workspace in front of this service.
    func run(_ body: @escaping @Sendable (Workspace) async throws -> Void) async throws {
        try await withService(definition(), hasDatabase: false) { cluster in
            try await Workspace.run(upstreams: ["cluster": cluster.baseURL]) { try await body($0) }
        }
    }
}

@Suite("The gateway to the other services")
struct GatewayTests {
    @Test func passesRequestsOn() async throws {
        try await Upstream().run { workspace in
            let trace = TraceContext.make()
            let response = try await workspace.send(
                .get, "/api/v1/clusters/a%20b?x=1%2F2&y",
                fields: [
                    "x-request-id": "my-request", "cookie": "c=d", "x-custom": "kept", "x-harbour-user": "mallory",
                    "traceparent": trace.traceparent,
                ])
            #expect(response.status == 203)
            #expect(response.fields["x-answer"] == "yes")
            #expect(response.fields["set-cookie"] == nil)
            #expect(response.fields.values("x-request-id") == ["my-request"])
            #expect(response.fields.values("date").count == 1)
            let seen = try JSONValue(json: try await response.collect())
            #expect(seen["id"] == "a b")
            #expect(seen["query"] == "x=1%2F2&y")
            #expect(seen["authorization"] == .string("Bearer \(ServiceUnderTest.token)"))
            #expect(seen["user"] == "admin")
            #expect(seen["request_id"] == "my-request")
            #expect(seen["trace"] == .string(trace.traceID))
            #expect(seen["cookie"] == "-")
            #expect(seen["custom"] == "kept")
            #expect(seen["has_deadline"] == true)
            // Metrics know the operation by its name.
            let metrics = try await workspace.send(.get, "/metrics").collect()
            let line = "harbour_http_requests_total{operation=\"getCluster\",status=\"203\"} 1"
            #expect(String(decoding: metrics, as: UTF8.self).contains(line))
        }
    }

    @Test func passesErrorsAndStreamsOn() async throws {
        try await Upstream().run { workspace in
            #expect(
                await errorCode {
                    _ = try await workspace.user.call(ClusterAPI.deleteCluster, .init(clusterID: "c"))
                } == "CLUSTER_IS_BUSY")
            let stream = try await workspace.user.stream(
                ClusterAPI.streamCommandEvents, .init(clusterID: "c", contextID: "x", commandID: "m"))
            var texts: [String] = []
            for try await event in stream { texts.append(event.text ?? "") }
            #expect(texts == ["1", "2", "3", "4", "5"])
            // A body that comes in pieces, and one over the route's limit.
            let response = try await workspace.send(
                .post, "/api/v1/clusters/c/contexts/x/commands",
                body: .stream { writer in
                    for _ in 0..<50 { try await writer.write([UInt8](repeating: 0x20, count: 50_000)) }
                })
            #expect(try await response.collect() == Array("2500000".utf8))
            let large = try await workspace.send(
                .post, "/api/v1/clusters",
                body: .stream { writer in
                    for _ in 0..<200 { try await writer.write([UInt8](repeating: 0x20, count: 50_000)) }
                })
            #expect(large.status == 413)
        }
    }

    /// Goal: a reader that stops is felt by the service behind the gateway, and one that goes away ends its work.
    @Test func keepsBackPressureAndCancels() async throws {
        let upstream = Upstream()
        try await upstream.run { workspace in
            do {
                let response = try await workspace.send(.get, "/api/v1/clusters/c/logs")
                var chunks = response.body.makeAsyncIterator()
                _ = try await chunks.next()
                // Others are served meanwhile, which takes long enough for all buffers on the way to fill.
                for _ in 0..<200 {
                    _ = try await workspace.send(.get, "/api/v1/clusters/c").collect()
                }
                #expect(upstream.written.load(ordering: .relaxed) < 16 << 20)
            }
            var ends = upstream.ends.makeAsyncIterator()
            #expect(await ends.next() == "CANCELLED")
        }
    }

    /// Goal: a stream that breaks behind the gateway breaks before it, and does not look complete.
    @Test func passesBreaksOn() async throws {
        let upstream = Upstream()
        try await upstream.run { workspace in
            let response = try await workspace.send(.get, "/api/v1/clusters/c/watch")
            #expect(response.status == 200)
            var chunks = response.body.makeAsyncIterator()
            #expect(try await chunks.next() == Array("first\n".utf8))
            upstream.breaksInput.yield()
            let code = await errorCode { _ = try await chunks.next() }
            #expect(code == "BAD_UPSTREAM_RESPONSE")
        }
    }

    /// Goal: one document has all that may be called here, and nothing that may not.
    @Test func describesAllServices() async throws {
        try await Workspace.run { workspace in
            let answer = try await workspace.send(.get, "/openapi.json", fields: ["authorization": ""])
            #expect(answer.status == 200)
            let document = try JSONValue(json: try await answer.collect())
            let paths = document["paths"]?.object?.fields.map(\.key) ?? []
            #expect(!paths.contains { $0.hasPrefix("/internal/") })
            let routes = WorkspaceAPI.routes + SchedulerAPI.routes + ClusterAPI.routes + MonitoringAPI.routes
            #expect(Set(paths) == Set(routes.filter { !$0.isInternal }.map(\.path)))
            // Whatever is referred to is there.
            let text = document.jsonText()
            let schemas = document["components"]?["schemas"]
            for range in text.ranges(of: "#/components/schemas/") {
                let name = String(text[range.upperBound...].prefix { $0 != "\"" })
                #expect(schemas?[name] != nil, "\(name)")
            }
        }
    }

    @Test func saysWhichServiceIsNotThere() async throws {
        try await Workspace.run(upstreams: ["scheduler": "http://127.0.0.1:1"]) { workspace in
            do throws(HarbourError) {
                _ = try await workspace.user.call(SchedulerAPI.listJobs, .init())
                Issue.record("no error")
            } catch {
                #expect(error.code == .unavailable)
                #expect(error.code.status == 503)
                #expect(error.message.contains("The scheduler service at http://127.0.0.1:1"), "\(error.message)")
            }
            // Internal routes of other services are not behind the gateway.
            let response = try await workspace.send(.get, "/internal/v1/anything")
            #expect(response.status == 404)
        }
    }

    /// Goal: a service that does not take our token is said to be misconfigured, rather than the user unknown.
    @Test func saysWhenTokensDiffer() async throws {
        try await withEventLoop { loop in
            let other = try await ServiceRuntime.start(
                ServiceDefinition(name: "cluster", summary: "A sample.", defaultPort: 0, hasDatabase: false) {
                    _, router in
                    router.on(ClusterAPI.listBackends) { _, _ in BackendList(backends: []) }
                    return []
                }, arguments: ["--listen", "127.0.0.1:0", "--service-token", "another"], loop: loop)
            try await Workspace.run(upstreams: ["cluster": try await other.baseURL]) { workspace in
                #expect(
                    await errorCode { _ = try await workspace.user.call(ClusterAPI.listBackends, .init()) }
                        == "BAD_UPSTREAM_RESPONSE")
            }
            try await other.stop()
        }
    }
}
