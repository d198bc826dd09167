import ClusterBackend
import Core
import EventLoop
import Glibc
import HarbourProtocol
import ServiceClients
import SimulatedBackend
import TestSupport
import Testing

@testable import ClusterService

/// A folder of the test's own.
private func withFolder<Value: Sendable>(
    _ body: @escaping @Sendable (String) async throws -> Value
) async throws -> Value {
    var template = Array("/tmp/kept-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer { KeptFiles.remove(folder) }
    return try await body(folder)
}

private func line(_ number: Int64, _ text: String, source: String = "driver", at time: Int64 = 0) -> LogLine {
    LogLine(sequence: number, timestamp: Timestamp(milliseconds: time), source: source, text: text)
}

/// Collects lines from wherever they come.
private actor Collected {
    var lines: [LogLine] = []
    func add(_ line: LogLine) { lines.append(line) }
}

extension KeptLog {
    fileprivate func all(after: Int64 = 0, _ filter: LogFilter? = nil) async throws -> [LogLine] {
        let found = Collected()
        try await read(after: after, follow: false, try filter ?? LogFilter()) { await found.add($0) }
        return await found.lines
    }
}

@Suite(.timeLimit(.minutes(10))) struct KeptLogTests {
    @Test func levelsAreReadFromLinesOfManyKinds() throws {
        let lines: [(String, LogRank?)] = [
            ("2026-11-21T07:00:00.000Z WARN Executor: lost", .warning), ("[ERROR] no", .error), ("INFO: yes", .info),
            ("an error in a sentence", nil), ("2026-11-21 07:00:00,1 [main] DEBUG a.b - c", .debug), ("", nil),
            ("level=info msg", nil), ("<CRITICAL> x", .error),
        ]
        for (text, rank) in lines { #expect(LogRank(line: text) == rank, "\(text)") }
        var ranking = LogRanking()
        var trace = line(1, "07:00 ERROR x")
        ranking.rank(&trace)
        var next = line(2, "\tat a.b.c")
        ranking.rank(&next)
        #expect(next.level == "ERROR")
        #expect(throws: HarbourError.self) { try LogFilter(level: "LOUD") }
        #expect(try LogFilter(contains: "LoSt").admits(line(1, "executor lost")))
        #expect(try !LogFilter(contains: "lost", since: 5).admits(line(1, "executor lost", at: 4)))
        #expect(try !LogFilter(contains: "lost", until: 4).admits(line(1, "executor lost", at: 4)))
    }

    @Test func whatIsWrittenIsReadBackSealedBoundedAndAfterARestart() async throws {
        try await withFolder { folder in
            try await withEventLoop { loop in
                let path = "\(folder)/logs/c/1"
                let log = KeptLog(path: path, limit: 1 << 30, loop: loop)
                let text = String(repeating: "x", count: 1000)
                for number in 1...3000 { await log.append(line(Int64(number), "\(number) \(text)"), from: "place") }
                // Once more, as after a stream that broke off.
                await log.append(line(2999, "again"), from: "place")
                await log.append(line(1, "07:00 ERROR of the driver's", source: "spark"), from: "driver")
                await log.finish()
                #expect(KeptFiles.names(in: path).contains { $0.hasSuffix(".lz4") })
                let again = KeptLog(path: path, limit: 1 << 30, loop: loop)
                #expect(await again.position(of: "place") == 3000)
                #expect(await again.position(of: "driver") == 1)
                let all = try await again.all()
                #expect(all.map(\.sequence) == Array(1...3001))
                #expect(all.last?.level == "ERROR")
                for after in [0, 1, 1500, 2999, 3000, 3001] as [Int64] {
                    #expect(try await again.all(after: after).count == 3001 - Int(after))
                }
                #expect(try await again.all(LogFilter(contains: "2999 XXX")).count == 1)
                #expect(try await again.all(LogFilter(level: "error")).map(\.source) == ["spark"])
                let kept = KeptFiles.names(in: path).reduce(0) { $0 + KeptFiles.size("\(path)/\($1)") }
                #expect(kept < 1 << 20, "\(kept) bytes for 3 MB")
            }
        }
    }

    @Test func theOldestGoesWhenThereIsTooMuch() async throws {
        try await withFolder { folder in
            try await withEventLoop { loop in
                let log = KeptLog(path: "\(folder)/logs/c/1", limit: 400_000, loop: loop)
                var generator = SystemRandomNumberGenerator()
                for number in 1...4000 {
                    let noise = (0..<125).map { _ in String(generator.next(), radix: 16) }.joined().prefix(1000)
                    await log.append(line(Int64(number), String(noise)), from: "place")
                    if number % 500 == 0 { try await loop.sleep(for: .milliseconds(30)) }
                }
                await log.finish()
                let all = try await log.all()
                #expect(all.last?.sequence == 4000)
                #expect(all.first?.sequence ?? 0 > 1000)
                let keeper = LogKeeper(root: folder, limits: LogLimits(age: .seconds(-10)), loop: loop)
                await keeper.sweep()
                #expect(KeptFiles.names(in: "\(folder)/logs").isEmpty)
            }
        }
    }

    @Test func theLogStaysWhereItWasWhenTheClusterHasEnded() async throws {
        try await withFolder { folder in
            try await withService(arguments: ["--kept-folder", folder]) { fixture, _ in
                let client = try await fixture.runningCluster("c1")
                let id = try #require(ClusterIdentifier("c1"))
                fixture.world.say("2026-11-21 WARN a line of the place's", in: id)
                var live: [LogLine] = []
                for try await line in try await client.stream(
                    ClusterAPI.streamClusterLogs, .init(clusterID: "c1", follow: true))
                {
                    live.append(line)
                    if live.count == 2 { break }
                }
                #expect(Set(live.map(\.source)) == ["driver"])
                // One who follows sees the end of the log with the end of the cluster.
                async let followed: [LogLine] = {
                    var lines: [LogLine] = []
                    for try await line in try await client.stream(
                        ClusterAPI.streamClusterLogs, .init(clusterID: "c1", after: 1, follow: true))
                    { lines.append(line) }
                    return lines
                }()
                fixture.world.say("its last words", in: id)
                _ = try await client.call(
                    ClusterAPI.terminateCluster, .init(clusterID: "c1", body: TerminateCluster()))
                _ = try await fixture.wait("c1", for: .terminated)
                #expect(try await followed.contains { $0.text == "its last words" })
                var after: [LogLine] = []
                for try await line in try await client.stream(ClusterAPI.streamClusterLogs, .init(clusterID: "c1")) {
                    after.append(line)
                }
                #expect(Array(after.prefix(2)) == live)
                #expect(after.last?.text == "its last words")
                let warnings = try await client.stream(
                    ClusterAPI.streamClusterLogs, .init(clusterID: "c1", start: 1, contains: "PLACE", level: "WARN"))
                for try await line in warnings { #expect(line.text.hasSuffix("a line of the place's")) }
                let list = try await client.call(ClusterAPI.listClusterLogs, .init(clusterID: "c1"))
                #expect(list.starts.map(\.start) == [1])
                #expect(list.starts.first?.lines == 3)
            }
        }
    }

    @Test(.enabled(if: SparkRuntime.python != nil)) func sparksPagesAreThereAfterTheClustersEnd() async throws {
        try await withFolder { folder in
            let python = try #require(SparkRuntime.python)
            let arguments = [
                "--kept-folder", folder, "--driver-python", python, "--driver-runtime-folder", SparkRuntime.folder,
            ]
            try await withService(arguments: arguments) { fixture, _ in
                let client = try await fixture.runningCluster("c1")
                let id = try #require(ClusterIdentifier("c1"))
                let keeper = LogKeeper(root: folder, limits: LogLimits(), loop: fixture.loop)
                try await eventually("the events are on disk") {
                    try await keeper.starts(.events, of: id) == [1]
                        && KeptFiles.size("\(folder)/events/c1/1/active") > 300
                }
                _ = try await client.call(
                    ClusterAPI.terminateCluster, .init(clusterID: "c1", body: TerminateCluster()))
                _ = try await fixture.wait("c1", for: .terminated)
                #expect(try await fixture.page("/spark-ui/", token: "wrong").status == 401)
                #expect(try await fixture.page("/spark-history/", token: "wrong").status == 401)
                let front = try await fixture.page("/spark-ui/jobs/")
                #expect(front.status == 302)
                #expect(front.location == "/api/v1/clusters/c1/spark-history/")
                let list = try await fixture.page("/spark-history/api/v1/applications")
                #expect(list.text.contains("local-1"), "\(list)")
                // The first look loads the events and leads to the same page.
                var page = try await fixture.page("/spark-history/history/local-1/executors/")
                if page.status == 302 {
                    let base = "/api/v1/clusters/c1"
                    #expect(page.location?.hasPrefix("\(base)/spark-history/history/local-1") == true)
                    page = try await fixture.page(String(page.location?.dropFirst(base.utf8.count) ?? ""))
                }
                #expect(page.status == 200)
                #expect(page.text.contains("/api/v1/clusters/c1/spark-history/history/local-1"))
            }
        }
    }
}

/// The clusters' Python, where the machine has one.
enum SparkRuntime {
    static let python: String? = {
        let variables = ProcessSpecification.Environment.ours
        let data = variables["HARBOUR_DATA"] ?? variables["HOME"].map { "\($0)/.harbour" } ?? ""
        let path = variables["HARBOUR_DRIVER_PYTHON"] ?? "\(data)/runtime/current/bin/python"
        return access(path, X_OK) == 0 ? path : nil
    }()

    static let folder: String = {
        let parts = #filePath.split(separator: "/").dropLast(3)
        return "/" + parts.joined(separator: "/") + "/Libraries/Runtime"
    }()
}
