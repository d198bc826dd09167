import Core
import EventLoop
import HTTPClient
import HTTPMessage
import HarbourProtocol
import Metrics
import ServiceClients
import ServiceKit
import Testing

/// A service on a real socket, asked by the client of the contract and by hand.
@Suite struct ServiceTests {
    @Test func endpointsAnswerTheirClients() async throws {
        try await SampleService.with { clients in
            let job = try await clients.client.call(SchedulerAPI.getJob, .init(jobID: 5))
            #expect(job.jobID == 5)
            #expect(job.settings.name == "system")
            let asUser = try await clients.client.call(
                SchedulerAPI.getJob, .init(jobID: 5), context: CallContext(user: "ada"))
            #expect(asUser.settings.name == "ada")
            var spec = SampleService.job(1).settings
            spec.name = "é \"quoted\" 😀"
            let made = try await clients.client.call(
                SchedulerAPI.createJob, .init(body: spec), context: CallContext(user: "bob"))
            #expect(made.settings == spec)
            #expect(made.creatorUserName == "bob")
            let list = try await clients.client.call(SchedulerAPI.listJobs, .init(pageSize: 10))
            #expect(list.jobs.map(\.jobID) == [1, 2])
        }
    }

    @Test func errorsComeBackWithCodeAndSentence() async throws {
        try await SampleService.with { clients in
            let error = await #expect(throws: HarbourError.self) {
                try await clients.client.call(
                    SchedulerAPI.getJob, .init(jobID: 1000), context: CallContext(requestID: "my-request"))
            }
            #expect(error?.code == .notFound)
            #expect(error?.message == "Job 1000 does not exist.")
            #expect(error?.detail == "answered by scheduler, request my-request")
            let answer = try await clients.send(.get, "/api/v1/jobs/1000")
            #expect(answer.status == 404)
            #expect(answer.json.object?.keys == ["error_code", "message", "request_id"])
            #expect(!answer.text.contains("private"))
            let surprise = try await clients.send(.post, "/api/v1/runs/1/cancel")
            #expect(surprise.status == 500)
            #expect(surprise.json["error_code"] == "INTERNAL_ERROR")
            #expect(!surprise.text.contains("Surprise"))
        }
    }

    @Test func badRequestsGetStatusCodeAndSentence() async throws {
        try await SampleService.with { clients in
            let json: HTTPFields = ["content-type": "application/json"]
            let cases: [(HTTPMethod, String, HTTPFields, String?, Int, String)] = [
                (.get, "/api/v1/nothing", [:], nil, 404, "ENDPOINT_NOT_FOUND"),
                (.put, "/api/v1/jobs", json, "{}", 405, "METHOD_NOT_ALLOWED"),
                (.get, "/api/v1/jobs/x", [:], nil, 400, "INVALID_PARAMETER_VALUE"),
                (.get, "/api/v1/jobs/1?verbose=true", [:], nil, 400, "INVALID_PARAMETER_VALUE"),
                (.get, "/api/v1/jobs?page_size=9999", [:], nil, 400, "INVALID_PARAMETER_VALUE"),
                (.post, "/api/v1/jobs", json, nil, 400, "MALFORMED_REQUEST"),
                (.post, "/api/v1/jobs", json, "{", 400, "MALFORMED_REQUEST"),
                (.post, "/api/v1/jobs", json, "{\"name\":\"\u{1}\"}", 400, "MALFORMED_REQUEST"),
                (.post, "/api/v1/jobs", json, #"{"name":7}"#, 400, "MALFORMED_REQUEST"),
                (.post, "/api/v1/jobs", json, #"{"name":"a","name":"b"}"#, 400, "MALFORMED_REQUEST"),
                (.post, "/api/v1/jobs", json, #"{"surprise":7}"#, 400, "MALFORMED_REQUEST"),
                (.post, "/api/v1/jobs", [:], "{}", 415, "UNSUPPORTED_MEDIA_TYPE"),
                (.post, "/api/v1/jobs", ["content-type": "text/plain"], "{}", 415, "UNSUPPORTED_MEDIA_TYPE"),
                (.post, "/api/v1/jobs", ["content-type": "application/jsonx"], "{}", 415, "UNSUPPORTED_MEDIA_TYPE"),
                (.get, "/api/v1/jobs/1", ["x-harbour-user": "a b"], nil, 400, "INVALID_PARAMETER_VALUE"),
            ]
            for (method, target, fields, body, status, code) in cases {
                let answer = try await clients.send(method, target, fields: fields, body: body)
                #expect(answer.status == status, "\(method) \(target) \(body ?? ""): \(answer.text)")
                #expect(answer.json["error_code"]?.string == code, "\(method) \(target) \(body ?? "")")
                #expect(answer.json["message"]?.string?.hasSuffix(".") == true)
                #expect(answer.json["request_id"]?.string == answer.fields["x-request-id"])
            }
            let oversize = try await clients.send(
                .post, "/api/v1/jobs", fields: json, body: String(repeating: " ", count: 5 << 20))
            #expect(oversize.status == 413)
            #expect(oversize.json["error_code"] == "REQUEST_TOO_LARGE")
            let charset: HTTPFields = ["content-type": "Application/JSON; charset=utf-8"]
            let body = SampleService.job(1).settings.jsonText()
            #expect(try await clients.send(.post, "/api/v1/jobs", fields: charset, body: body).status == 200)
        }
    }

    @Test func onlyTheTokenLetsIn() async throws {
        try await SampleService.with { clients in
            for token in [nil, "", "wrong", SampleService.token + "x", String(SampleService.token.dropLast())] {
                let answer = try await clients.send(.get, "/api/v1/jobs/1", token: token)
                #expect(answer.status == 401)
                #expect(answer.json["error_code"] == "UNAUTHENTICATED")
                let async = try await clients.send(.get, "/api/v1/jobs", token: token)
                #expect(async.status == 401)
            }
            let lower = try await clients.send(
                .get, "/api/v1/jobs/1", token: nil, fields: ["authorization": "bearer \(SampleService.token)"])
            #expect(lower.status == 200)
        }
    }

    @Test func theDeadlineEndsTheWork() async throws {
        try await SampleService.with { clients in
            let begin = MonotonicTime.now
            let error = await #expect(throws: HarbourError.self) {
                try await clients.client.call(
                    SchedulerAPI.deleteJob, .init(jobID: 1), context: .within(.milliseconds(100)))
            }
            #expect(error?.code == .deadlineExceeded)
            #expect(MonotonicTime.now - begin < .seconds(60))
        }
    }

    @Test func unreachableServicesAreSaidToBe() async throws {
        try await SampleService.with { clients in
            let gone = try ServiceClient(
                http: clients.http, baseURL: "http://127.0.0.1:1", token: "t", service: "cluster")
            let error = await #expect(throws: HarbourError.self) {
                try await gone.call(ClusterAPI.getCluster, .init(clusterID: "x"))
            }
            #expect(error?.code == .unavailable)
            #expect(error?.message.contains("cluster") == true)
        }
    }

    @Test func saysHowItIs() async throws {
        try await SampleService.with { clients in
            let alive = try await clients.send(.get, "/healthz", token: nil)
            #expect(alive.status == 200)
            #expect(alive.json["status"] == "ok")
            var ready = try await clients.send(.get, "/readyz", token: nil)
            #expect(ready.status == 200)
            #expect(ready.json == ["ready": true, "components": [["name": "server", "ready": true]]])
            clients.service.environment.readiness.set("database", notReadyBecause: "The database does not answer.")
            ready = try await clients.send(.get, "/readyz", token: nil)
            #expect(ready.status == 503)
            #expect(ready.json["ready"] == false)
            #expect(ready.json["components"]?[1]?["reason"] == "The database does not answer.")
            let document = try await clients.send(.get, "/openapi.json", token: nil)
            #expect(document.json["paths"]?["/api/v1/jobs"] != nil)
        }
    }

    @Test func countsItsRequests() async throws {
        try await SampleService.with { clients in
            for _ in 0..<3 { _ = try await clients.client.call(SchedulerAPI.getJob, .init(jobID: 1)) }
            _ = try await clients.send(.get, "/api/v1/jobs/1000")
            _ = try await clients.send(.get, "/nowhere")
            let text = try await clients.send(.get, "/metrics", token: nil)
            #expect(text.fields["content-type"]?.hasPrefix("text/plain") == true)
            for line in [
                #"harbour_http_requests_total{operation="getJob",status="200"} 3"#,
                #"harbour_http_requests_total{operation="getJob",status="404"} 1"#,
                #"harbour_http_requests_total{operation="unmatched",status="404"} 1"#,
                #"harbour_http_request_duration_seconds_count{operation="getJob"} 4"#,
                "harbour_http_requests_in_flight 0", "process_resident_memory_bytes",
            ] { #expect(text.text.contains(line), "\(line)\n\(text.text)") }
            let open = try await clients.send(
                .get, "/metrics", token: nil, fields: ["accept": "application/openmetrics-text;version=1.0.0"])
            #expect(open.text.hasSuffix("# EOF\n"))
        }
    }

    @Test func metricsCanHaveATokenOfTheirOwn() async throws {
        try await SampleService.with(arguments: ["--metrics-token", "scraper"]) { clients in
            for (token, status) in [(nil, 401), (SampleService.token, 401), ("scraper", 200)] as [(String?, Int)] {
                let answer = try await clients.send(.get, "/metrics", token: token)
                #expect(answer.status == status)
            }
        }
    }
}
