import Core
import Glibc
import HarbourProtocol
import ServiceClients
import ServiceTestKit
import TestSupport
import Testing

@testable import MonitoringService

@Suite("Logs of the services", .timeLimit(.minutes(5)))
struct ServiceLogTests {
    private static func logs(
        _ folder: TemporaryDirectory, _ body: @escaping @Sendable (ServiceUnderTest) async throws -> Void
    ) async throws {
        _ = try runCommand(["mkdir", "-p", folder.file("logs"), folder.file("secrets")])
        try await withService(MonitoringService.definition, arguments: ["--data", folder.path], body)
    }

    private static func code(
        _ service: ServiceUnderTest, _ name: String
    ) async -> (code: ErrorCode, message: String)? {
        do throws(HarbourError) {
            _ = try await service.client.call(MonitoringAPI.getServiceLog, .init(serviceName: name))
            return nil
        } catch { return (error.code, error.message) }
    }

    @Test func theLastLinesAreShown() async throws {
        let folder = try TemporaryDirectory()
        try await ServiceLogTests.logs(folder) { service in
            let lines = (1...1000).map { "line \($0)" }
            try folder.write("logs/scheduler.log", Array((lines.joined(separator: "\n") + "\n").utf8))
            func end(_ count: Int?) async throws -> ServiceLog {
                try await service.client.call(
                    MonitoringAPI.getServiceLog, .init(serviceName: "scheduler", lines: count))
            }
            let some = try await end(3)
            #expect(some.lines == ["line 998", "line 999", "line 1000"] && !some.isComplete)
            #expect(some.serviceName == "scheduler")
            #expect(try await end(nil).lines == Array(lines.suffix(200)))
            let all = try await end(1000)
            #expect(all.lines == lines && all.isComplete)
            await #expect(throws: HarbourError.self) { try await end(0) }
            await #expect(throws: HarbourError.self) { try await end(5001) }
            // One that is being written, and one without anything.
            try folder.write("logs/scheduler.log", Array("a\n\nb".utf8))
            #expect(try await end(10).lines == ["a", "", "b"])
            try folder.write("logs/scheduler.log", [])
            let empty = try await end(10)
            #expect(empty.lines == [] && empty.isComplete)
        }
    }

    /// Goal: of a log without end only so much is read, and it begins with a whole line.
    @Test func aLongLogIsReadFromItsEnd() async throws {
        let folder = try TemporaryDirectory()
        try await ServiceLogTests.logs(folder) { service in
            let line = String(repeating: "é", count: 499)
            let count = 3 * ServiceLogs.byteLimit / 1000
            try folder.write("logs/cluster.log", Array(String(repeating: line + "\n", count: count).utf8))
            let log = try await service.client.call(
                MonitoringAPI.getServiceLog, .init(serviceName: "cluster", lines: 5000))
            #expect(!log.isComplete && log.lines.allSatisfy { $0 == line })
            #expect((1000...1100).contains(log.lines.count), "\(log.lines.count)")
        }
    }

    @Test func namesAreNoPathsAndMissingLogsAreExplained() async throws {
        let folder = try TemporaryDirectory()
        try await ServiceLogTests.logs(folder) { service in
            try folder.write("secret.log", Array("nobody's".utf8))
            try folder.write("logs/other.log", Array("nobody's".utf8))
            for name in ["other", "../secret", "..%2Fsecret", "scheduler.log", "Scheduler"] {
                let error = try #require(await ServiceLogTests.code(service, name))
                #expect(error.code == .notFound, "\(name)")
            }
            let missing = try #require(await ServiceLogTests.code(service, "workspace"))
            #expect(missing.code == .unsupported && missing.message.contains("docker compose logs workspace"))
            // A link leads elsewhere.
            try #require(symlink(folder.file("secret.log"), folder.file("logs/workspace.log")) == 0)
            #expect(await ServiceLogTests.code(service, "workspace")?.code == .unsupported)
        }
        try await withService(MonitoringService.definition) { service in
            #expect(await ServiceLogTests.code(service, "workspace")?.code == .unsupported)
        }
    }

    @Test func secretsAreTakenOut() async throws {
        let folder = try TemporaryDirectory()
        try await ServiceLogTests.logs(folder) { service in
            try folder.write("secrets/admin-token", Array("the-administrators-token\n".utf8))
            let lines = [
                "before \(ServiceUnderTest.token) after", "t=the-administrators-token", "a hbr_AbC-1_2 token",
                "authorization: Bearer abc.def-1, next",
                "url=postgresql://ada:pass:w@rd@host:5432/db and http://h:1/a@b:c",
            ]
            try folder.write("logs/monitoring.log", Array(lines.joined(separator: "\n").utf8))
            let log = try await service.client.call(
                MonitoringAPI.getServiceLog, .init(serviceName: "monitoring"))
            #expect(
                log.lines == [
                    "before [REDACTED] after", "t=[REDACTED]", "a hbr_[REDACTED] token",
                    "authorization: Bearer [REDACTED], next",
                    "url=postgresql://ada:[REDACTED]@host:5432/db and http://h:1/a@b:c",
                ])
        }
    }
}
