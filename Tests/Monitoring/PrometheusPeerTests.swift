import Core
import EventLoop
import Glibc
import HTTPClient
import HTTPMessage
import HarbourProtocol
import ServiceTestKit
import TestSupport
import Testing

@testable import MonitoringService

/// What monitoring shows, read by a real Prometheus and judged by its `promtool`.
@Suite(.timeLimit(.minutes(15)), .enabled(if: PeerPrometheus.isThere, Comment(rawValue: PeerPrometheus.reason)))
struct PrometheusPeerTests {
    private static let root = String(#filePath.dropLast("/Tests/Monitoring/PrometheusPeerTests.swift".count))

    @Test func theExampleIsAConfiguration() throws {
        try runCommand([
            PeerPrometheus.tool, "check", "config", "\(PrometheusPeerTests.root)/deploy/prometheus/prometheus.yml",
        ])
    }

    @Test func prometheusScrapesUsWithOurToken() async throws {
        let token = "token-of-scrapers"
        try await withService(
            MonitoringService.definition,
            arguments: ["--metrics-token", token, "--scrape-interval", "200ms", "--startup-time", "1ms"]
        ) { service in
            for path in ["/metrics", "/federate"] {
                #expect(try await get(service, path, token: nil).status == 401)
                #expect(try await get(service, path, token: "another").status == 401)
                #expect(try await get(service, path, token: token).status == 200)
            }
            try PeerPrometheus.check(metrics: try await get(service, "/metrics", token: token).body)

            let folder = try TemporaryDirectory()
            let server = try await start(scraping: service.baseURL, token: token, in: folder, loop: service.loop)
            // What Prometheus itself scrapes of us, and what it takes over from us of others.
            try await wait(for: "harbour_ready{job=\"monitoring\"} == 1", at: server.url, service)
            try await wait(for: "up{job=\"scheduler\"} == 0", at: server.url, service)
            try await wait(for: "up{job=\"federation\"} == 1", at: server.url, service)
            _ = await server.process.terminate(grace: .seconds(10))
        }
    }

    /// Starts Prometheus on a free port, which it writes into its log.
    private func start(
        scraping url: String, token: String, in folder: TemporaryDirectory, loop: EventLoop
    ) async throws -> (process: ChildProcess, url: String) {
        let address = url.dropFirst("http://".count)
        let configuration = """
            global: { scrape_interval: 1s, scrape_timeout: 1s }
            scrape_configs:
              - job_name: monitoring
                authorization: { credentials: \(token) }
                static_configs: [{ targets: ["\(address)"] }]
              - job_name: federation
                metrics_path: /federate
                honor_labels: true
                params: { "match[]": ['{job!="monitoring"}'] }
                authorization: { credentials: \(token) }
                static_configs: [{ targets: ["\(address)"] }]
            """
        let path = try folder.write("prometheus.yml", Array(configuration.utf8))
        var specification = ProcessSpecification(
            PeerPrometheus.server,
            [
                "--config.file=\(path)", "--storage.tsdb.path=\(folder.file("data"))",
                "--web.listen-address=127.0.0.1:0",
            ])
        specification.output = .null
        specification.errors = .pipe
        specification.parentDeathSignal = SIGKILL
        let process = try await ChildProcess.start(specification, loop: loop)
        let log = try #require(process.errors)
        while let line = try await log.readLine() {
            guard line.contains("Listening on"), let place = line.firstRange(of: "address=") else { continue }
            // Nobody reads on: it must not wait for room in the pipe.
            loop.spawn { while (try? await log.read()) ?? nil != nil {} }
            return (process, "http://" + line[place.upperBound...].prefix { $0 != " " })
        }
        throw HarbourError(.invalidState, "Prometheus ended before it listened.")
    }

    private func get(
        _ service: ServiceUnderTest, _ path: String, token: String?
    ) async throws -> (status: Int, body: [UInt8]) {
        var request = HTTPClientRequest(method: .get, origin: try HTTPOrigin(service.baseURL), target: path)
        if let token { request.fields["authorization"] = "Bearer \(token)" }
        let response = try await service.http.send(request, deadline: .now + .seconds(60))
        return (response.status, try await response.collect())
    }

    /// Waits until the expression has a result.
    private func wait(for expression: String, at url: String, _ service: ServiceUnderTest) async throws {
        while true {
            let answer = try await BlockingPool.shared.run {
                try runCommand(["curl", "-sG", "--data-urlencode", "query=\(expression)", "\(url)/api/v1/query"])
            }
            // Until it has opened its storage it answers with a sentence instead.
            let isOpen = answer.hasPrefix("{")
            let result = isOpen ? try JSONValue(json: Array(answer.utf8))["data"]?["result"]?.array : nil
            if result?.isEmpty == false { return }
            try await service.loop.sleep(for: .milliseconds(100))
        }
    }
}
