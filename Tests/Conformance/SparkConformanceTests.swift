import ClusterBackend
import ClusterBackendConformance
import Core
import EventLoop
import Glibc
import SparkBackend
import TestSupport
import Testing

/// The spark backend on a real master with two real workers: the exam, then a real application.
@Suite(.enabled(if: StandaloneSpark.python != nil), .serialized, .timeLimit(.minutes(15)))
struct SparkConformanceTests {
    /// One test, because a master and its workers take ten seconds to start.
    @Test func passesOnARealMaster() async throws {
        try await withEventLoop { loop in
            try await withStandaloneSpark(workers: 2, loop) { spark in
                let subject = try SparkSubject(loop: loop, settings: spark.settings, folder: spark.folder)
                // The one that needs both workers for itself.
                do { try await Examiner(subject).run(.capabilityHonesty) } catch { Issue.record("\(error)") }
                // The others at once, for an application's start is mostly waiting.
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for area in ConformanceArea.allCases where area != .capabilityHonesty {
                        group.addTask {
                            do { try await Examiner(subject).run(area) } catch { Issue.record("\(area): \(error)") }
                        }
                    }
                    group.addTask { try await runsAnApplication(spark, subject) }
                    try await group.waitForAll()
                }
                try await tellsOfALostMaster(spark, subject)
                subject.local.removeFolder()
            }
        }
    }

    private func runsAnApplication(_ spark: StandaloneSpark, _ subject: SparkSubject) async throws {
        let backend = try await subject.backend(installation: "real")
        let report = await backend.preflight()
        #expect(report.passed, "\(report.advice)")
        #expect(report.checks.contains { $0.message.contains("The driver is Spark") })
        #expect(report.checks.contains { $0.message.hasPrefix("The workers are Spark 4.") }, "\(report.checks)")
        let id = try #require(ClusterIdentifier("s" + Identifier.make()))
        let request = subject.request(id, workers: 2)
        let cluster = try await backend.provision(request) { _ in }
        let seen = Statuses()
        let watching = Task { try await backend.watch(cluster.handle) { await seen.add($0) } }
        try await seen.wait("both executors run", within: .seconds(120)) { $0 == .running(workers: 2) }
        #expect(try await backend.status(of: cluster.handle) == .running(workers: 2))

        // Forty tasks of a quarter second on two cores, of which one goes in the middle.
        let token = request.launch.token
        try await eventually("the driver listens") {
            (try? await LocalSubject.ask("done", cluster.driver, token)) == "0"
        }
        let job = Task { try await LocalSubject.ask("count 40", cluster.driver, token) }
        #expect(try await spark.applications() == ["dataharbour-\(id)-real"])
        try await eventually("some tasks are done") {
            try await Int(LocalSubject.ask("done", cluster.driver, token)) ?? 0 > 3
        }
        spark.workers[0].kill()
        try await seen.wait("the loss is told", within: .seconds(60)) { status in
            guard case .degraded(workers: 1, let message) = status else { return false }
            return message.contains("1 of 2 executors")
        }
        try await spark.startWorker()
        try await seen.wait("the executor is replaced", within: .seconds(120)) { $0 == .running(workers: 2) }
        #expect(try await job.value == "400")

        // And fewer, while a job runs: its tasks run again where there still is an executor.
        let shrunk = Task { try await LocalSubject.ask("count 20", cluster.driver, token) }
        try await eventually("some tasks of it are done") {
            try await Int(LocalSubject.ask("done", cluster.driver, token)) ?? 0 > 43
        }
        let smaller = try await backend.resize(cluster.handle, workers: 1) { _ in }
        #expect(smaller.workers == 1)
        #expect(try await backend.status(of: smaller.handle) == .running(workers: 1))
        #expect(try await shrunk.value == "200")
        let restarted = try await subject.backend(installation: "real")
        #expect(try await restarted.status(of: smaller.handle) == .running(workers: 1))
        await restarted.close()

        try await backend.terminate(id, handle: cluster.handle, grace: .seconds(3))
        #expect(try await spark.applications() == [])
        // An executor that its worker was just starting ends by itself, since its driver is gone.
        try await eventually("nothing is left") { try await subject.remains(of: id) == [] }
        try await watching.value
        guard case .ended? = await seen.last else {
            Issue.record("the watch should end with the end")
            return
        }
        await backend.close()
    }

    private func tellsOfALostMaster(_ spark: StandaloneSpark, _ subject: SparkSubject) async throws {
        try await spark.stop()
        let backend = try await subject.backend(installation: "real")
        let report = await backend.preflight()
        #expect(report.advice.contains("cannot be reached"), "\(report.advice)")
        let id = try #require(ClusterIdentifier("s" + Identifier.make()))
        let request = subject.request(id, workers: 1)
        do {
            _ = try await backend.provision(request) { _ in }
            Issue.record("a start without a master should fail")
        } catch {
            #expect(error.code == .backendUnavailable, "\(error.describeChain())")
        }
        try await backend.terminate(id, handle: nil, grace: .seconds(1))
        #expect(try await subject.remains(of: id) == [])
        await backend.close()
    }
}

/// What a watch has sent.
private actor Statuses {
    private(set) var last: ClusterStatus?
    private var seen: [ClusterStatus] = []
    private var cursor = 0

    func add(_ status: ClusterStatus) {
        last = status
        seen.append(status)
    }

    /// Waits for such a status after those that were waited for before.
    func wait(_ what: String, within limit: Duration, _ isIt: (ClusterStatus) -> Bool) async throws {
        let end = MonotonicTime.now + limit
        while true {
            while cursor < seen.count {
                cursor += 1
                if isIt(seen[cursor - 1]) { return }
            }
            try #require(.now < end, "\(what), but there came \(seen)")
            try await Task.sleep(for: .milliseconds(50))
        }
    }
}
