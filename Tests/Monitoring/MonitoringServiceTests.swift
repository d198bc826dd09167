import Core
import EventLoop
import HTTPClient
import HTTPMessage
import HTTPServer
import HarbourProtocol
import ServiceClients
import ServiceTestKit
import TestSupport
import Testing

@testable import MonitoringService

/// Monitoring with a real PostgreSQL and real targets.
@Suite(.timeLimit(.minutes(15))) struct MonitoringServiceTests {
    @Test func targetsAreScrapedKeptAndFederated() async throws {
        try await withEventLoop { loop in
            let router = HTTPRouter()
            let count = Count()
            router.get("/metrics") { _, _ throws -> HTTPResponse in
                count.value += 1
                return .text("work_total{kind=\"a\"} \(count.value)\nwork_total{kind=\"b\"} 7\nharbour_ready 1\n")
            }
            let others = Count()
            router.get("/readyz") { _, _ throws -> HTTPResponse in
                others.value += 1
                return .text("")
            }
            let server = HTTPServer(configuration: .init(), handler: router, loop: loop)
            let port = try await server.start()
            let away = "http://127.0.0.1:1"
            try await withService(
                MonitoringService.definition,
                arguments: [
                    "--targets", "worker=http://127.0.0.1:\(port)", "--scrape-interval", "200ms",
                    "--startup-time", "1ms", "--workspace-url", away, "--scheduler-url", away, "--cluster-url", away,
                ]
            ) { service in
                let series = try await waitForSamples(service, atLeast: 2)
                #expect(series.labels["job"] == "worker")
                #expect(series.samples.map(\.value) == series.samples.map(\.value).sorted())

                // A scrape that takes longer than 200 ms is one that failed.
                var targets = try await targetsThatAreKnown(service)
                try await eventually("the worker is up") {
                    targets = try await targetsThatAreKnown(service)
                    let worker = try #require(targets.first { $0.job == "worker" })
                    return worker.health == .up && worker.samples == 3 && worker.ready == true
                }
                #expect(others.value == 0, "one request a scrape says all")
                let scheduler = try #require(targets.first { $0.job == "scheduler" })
                #expect(scheduler.health == .down)
                #expect(scheduler.message?.isEmpty == false)

                var overview = try await service.client.call(MonitoringAPI.getMonitoringOverview, .init())
                try await eventually("the worker is counted") {
                    overview = try await service.client.call(MonitoringAPI.getMonitoringOverview, .init())
                    return overview.up >= 1
                }
                #expect(overview.services.count == targets.count && overview.down >= 3)
                let system = overview.system
                #expect(system.processors > 0 && system.memoryTotalBytes > system.memoryAvailableBytes)
                #expect(system.memoryAvailableBytes > 0 && system.diskTotalBytes >= system.diskAvailableBytes)

                let names = try await service.client.call(MonitoringAPI.listMetricNames, .init()).names
                #expect(names.contains("up") && names.contains("work_total"))
                let federated = try await federate(service, "?match%5B%5D=work_total%7Bkind%3D%22b%22%7D")
                #expect(federated.count == 1)
                #expect(federated.first?.value == 7)
            }
            await server.drain(budget: .seconds(1))
        }
    }

    /// Goal: the machine has a history as everything has, and it is what one gets who asks for none by name.
    @Test func theMachineHasAHistory() async throws {
        try await withEventLoop { loop in
            let about = ExposedMachine()
            let router = HTTPRouter()
            router.get("/metrics") { _, _ throws -> HTTPResponse in .text("other 1\n\(about.text)") }
            let server = HTTPServer(configuration: .init(), handler: router, loop: loop)
            let port = try await server.start()
            try await withService(
                MonitoringService.definition,
                arguments: ["--targets", "machine=http://127.0.0.1:\(port)", "--scrape-interval", "200ms"]
            ) { service in
                let own = String(decoding: try await get("/metrics", of: service), as: UTF8.self)
                about.text =
                    own.split(separator: "\n").filter { $0.hasPrefix("harbour_machine_") }
                    .joined(separator: "\n") + "\n"
                try await eventually("all of it is there") {
                    let series = try await service.client.call(MonitoringAPI.queryMetrics, .init()).series
                    let sizes = series.filter { $0.name.hasSuffix("_bytes") }.flatMap(\.samples)
                    return Set(series.map(\.name)) == Set(SystemMetrics.names) && sizes.allSatisfy { $0.value > 0 }
                }
            }
            await server.drain(budget: .seconds(1))
        }
    }

    /// What comes late is up when it is there, and has never been down meanwhile: not for whom `up` alarms either.
    @Test func whatIsStartingIsNotDown() async throws {
        try await withEventLoop { loop in
            let router = HTTPRouter()
            let count = Count()
            router.get("/metrics") { _, _ throws -> HTTPResponse in
                count.value += 1
                // As long as it does not serve, whoever is in front of it says so.
                if count.value < 4 { throw HarbourError(.unavailable, "It is starting.") }
                return .text("work_total 1\n")
            }
            let server = HTTPServer(configuration: .init(), handler: router, loop: loop)
            let port = try await server.start()
            try await withService(
                MonitoringService.definition,
                arguments: [
                    "--targets", "late=http://127.0.0.1:\(port)", "--scrape-interval", "50ms", "--startup-time", "1h",
                ]
            ) { service in
                var seen: Set<TargetHealth> = []
                while !seen.contains(.up) {
                    let targets = try await service.client.call(MonitoringAPI.listTargets, .init()).targets
                    seen.insert(try #require(targets.first { $0.job == "late" }).health)
                    #expect(targets.allSatisfy { $0.health != .down })
                    try await service.loop.sleep(for: .milliseconds(5))
                }
                let history = try await service.client.call(
                    MonitoringAPI.queryMetrics, .init(name: "up", start: .now + .seconds(-600), stepMilliseconds: 1000))
                #expect(history.series.flatMap(\.samples).allSatisfy { $0.value == 1 })
                #expect(try await federate(service, "?match%5B%5D=up").allSatisfy { $0.value == 1 })
            }
            await server.drain(budget: .seconds(1))
        }
    }

    @Test func badQuestionsAreRefused() async throws {
        try await withService(MonitoringService.definition) { service in
            for input in [
                MonitoringAPI.QueryMetricsInput(name: "up", match: "job"),
                .init(name: "up", start: Timestamp(milliseconds: 5), end: Timestamp(milliseconds: 4)),
                .init(name: "up", start: Timestamp(milliseconds: 0), end: .now, stepMilliseconds: 1000),
            ] {
                await #expect(throws: HarbourError.self) {
                    try await service.client.call(MonitoringAPI.queryMetrics, input)
                }
            }
        }
    }

    /// The targets, when of each it is known whether it is there.
    private func targetsThatAreKnown(_ service: ServiceUnderTest) async throws -> [Target] {
        while true {
            let targets = try await service.client.call(MonitoringAPI.listTargets, .init()).targets
            if targets.allSatisfy({ $0.health != .unknown }) { return targets }
            try await service.loop.sleep(for: .milliseconds(20))
        }
    }

    private func waitForSamples(_ service: ServiceUnderTest, atLeast: Int) async throws -> Series {
        while true {
            let list = try await service.client.call(
                MonitoringAPI.queryMetrics,
                .init(name: "work_total", match: "kind=a", start: .now + .seconds(-600), stepMilliseconds: 1000))
            if let series = list.series.first, series.samples.count >= atLeast { return series }
            try await service.loop.sleep(for: .milliseconds(50))
        }
    }

    private func federate(_ service: ServiceUnderTest, _ query: String) async throws -> [ExposedSample] {
        try PrometheusText.parse(try await get("/federate" + query, of: service))
    }

    private func get(_ target: String, of service: ServiceUnderTest) async throws -> [UInt8] {
        let request = HTTPClientRequest(method: .get, origin: try HTTPOrigin(service.baseURL), target: target)
        let response = try await service.http.send(request, deadline: .now + .seconds(60))
        #expect(response.status == 200)
        return try await response.collect()
    }
}

/// `@unchecked Sendable`: touched on the loop only.
private final class ExposedMachine: @unchecked Sendable {
    var text = ""
}

/// `@unchecked Sendable`: touched on the loop only.
private final class Count: @unchecked Sendable {
    var value = 0
}
