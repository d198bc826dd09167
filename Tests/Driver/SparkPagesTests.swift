import Core
import EventLoop
import HTTPClient
import HTTPMessage
import HarbourProtocol
import ServiceClients
import ServiceKit
import TestSupport
import Testing

@testable import DriverService

/// A whole driver service in this process, with Spark and one executor.
private func withDriverService(
    _ body: @escaping @Sendable (ServiceClient, HTTPClient, HTTPOrigin) async throws -> Void
) async throws {
    try await withScratch { scratch in
        try await withEventLoop { loop in
            let python = try #require(TestRuntime.python)
            var arguments = [
                "--listen", "127.0.0.1:0", "--service-token", "t", "--cluster-id", "c1", "--scratch", scratch,
                "--python", python, "--runtime-folder", TestRuntime.folder, "--spark-master",
                "local-cluster[1,1,512]", "--memory-mb", "512",
            ]
            if let archive = TestRuntime.archive { arguments += ["--spark-archive", archive] }
            let service = try await ServiceRuntime.start(
                DriverService.definition(shutDown: {}), arguments: arguments, loop: loop)
            let http = HTTPClient(loop: loop)
            do {
                let url = try await service.baseURL
                let client = try ServiceClient(http: http, baseURL: url, token: "t", service: "driver")
                for try await status in try await client.stream(DriverAPI.streamStatus, .init()) {
                    try #require(status.phase != .failed, "\(status.message ?? "")")
                    if status.phase == .running { break }
                }
                try await body(client, http, try HTTPOrigin(url))
            } catch {
                try await service.stop()
                throw error
            }
            await http.close()
            try await service.stop()
        }
    }
}

@Suite(.enabled(if: hasSpark), .serialized, .timeLimit(.minutes(10))) struct SparkPagesTests {
    @Test func sparksPagesEventsAndExecutorLogsCanBeRead() async throws {
        try await withDriverService { client, http, origin in
            _ = try await client.call(
                DriverAPI.createContext, .init(body: ContextSpec(contextID: "c", language: "python")))
            let source = """
                import urllib.request, urllib.error
                spark.range(100).repartition(2).count()
                try:
                    print(urllib.request.urlopen(sc.uiWebUrl + "/jobs/").status)
                except urllib.error.HTTPError as error:
                    print(error.code)
                """
            var text = ""
            for try await event in try await client.stream(
                DriverAPI.runCommand, .init(contextID: "c", commandID: "1", body: CommandRun(source: source)))
            { text += event.text ?? "" }
            // Whoever goes to Spark's own port without the driver is refused.
            #expect(text.contains("403"), "\(text)")
            try await pages(http, origin)
            try await logs(client)
        }
    }

    private func get(
        _ http: HTTPClient, _ origin: HTTPOrigin, _ path: String, token: String? = "t"
    ) async throws -> (status: Int, location: String?, text: String) {
        var fields: HTTPFields = ["x-forwarded-context": "/api/v1/clusters/c1/spark-ui"]
        if let token { fields.append("authorization", "Bearer \(token)") }
        let response = try await http.send(
            HTTPClientRequest(origin: origin, target: "/driver/v1/spark-ui\(path)", fields: fields),
            deadline: .now + .seconds(30))
        let text = String(decoding: try await response.collect(limit: 8 << 20), as: UTF8.self)
        return (response.status, response.fields["location"], text)
    }

    private func pages(_ http: HTTPClient, _ origin: HTTPOrigin) async throws {
        let base = "/api/v1/clusters/c1/spark-ui"
        #expect(try await get(http, origin, "/jobs/", token: nil).status == 401)
        #expect(try await get(http, origin, "/jobs/", token: "wrong").status == 401)
        let front = try await get(http, origin, "/")
        #expect(front.status == 302)
        #expect(front.location == "\(base)/jobs/")
        let jobs = try await get(http, origin, "/jobs/")
        #expect(jobs.status == 200)
        var links = 0
        let parts = jobs.text.split(whereSeparator: { "\"'".contains($0) })
        for part in parts where part.hasPrefix("/") && !part.hasPrefix("//") && part.count > 1 {
            // Text between two quotes that is no attribute.
            if part.contains(where: { " <>\n;".contains($0) }) { continue }
            #expect(part.hasPrefix(base), "\(part) leads out of the proxy")
            links += 1
        }
        #expect(links > 10)
        let script = try #require(
            jobs.text.split(separator: "\"").first {
                $0.hasPrefix(base) && $0.contains("/static/") && $0.hasSuffix(".js")
            })
        #expect(try await get(http, origin, String(script.dropFirst(base.count))).status == 200)
        #expect(try await get(http, origin, "/api/v1/applications").text.contains("dataharbour-c1"))
    }

    private func logs(_ client: ServiceClient) async throws {
        var names: Set<String> = []
        var last: Int64 = 0
        for try await line in try await client.stream(DriverAPI.streamSparkEvents, .init(follow: true)) {
            let event = try JSONObject(checkedJSON: Array(line.text.utf8))
            names.insert(event["Event"]?.string ?? "")
            if names.contains("SparkListenerJobEnd") { break }
            last = line.sequence
        }
        #expect(names.contains("SparkListenerApplicationStart"))
        // From a line in the middle on, the same line follows.
        for try await line in try await client.stream(DriverAPI.streamSparkEvents, .init(after: last, follow: false)) {
            #expect(line.text.contains("SparkListenerJobEnd"))
            break
        }
        var sources: Set<String> = []
        for try await line in try await client.stream(DriverAPI.streamLogs, .init(after: 0, follow: true)) {
            sources.insert(line.source)
            if sources.isSuperset(of: ["spark", "worker-0"]) { break }
        }
        #expect(sources.contains("worker-0"))
    }
}
