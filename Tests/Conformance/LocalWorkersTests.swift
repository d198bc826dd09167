import ClusterBackend
import ClusterBackendConformance
import Core
import EventLoop
import Glibc
import TestSupport
import Testing

@testable import DriverProcesses
@testable import LocalBackend

/// The workers of local clusters as their driver tells of them, with a small program in the driver's stead. With real
/// ones: `LocalClusterTests` in `Tests/Integration`.
@Suite struct LocalWorkersTests {
    @Test func aWorkerThatIsLostIsToldOnceAllWereThere() {
        var machine = WorkerMachine()
        #expect(machine.status(planned: 2) == .running(workers: 2))
        machine.see(ExecutorReport(running: 1), planned: 2)
        #expect(machine.status(planned: 2) == .running(workers: 2), "one that is late is not lost")
        machine.see(ExecutorReport(running: 2), planned: 2)
        machine.see(report("0", status: 137), planned: 2)
        let killed = "worker-0 was ended by signal 9 and is being replaced."
        #expect(machine.status(planned: 2) == .degraded(workers: 1, message: killed))
        machine.see(ExecutorReport(running: 1), planned: 2)
        #expect(machine.status(planned: 2) == .degraded(workers: 1, message: killed), "why is not forgotten")
        machine.see(ExecutorReport(running: 2), planned: 2)
        #expect(machine.status(planned: 2) == .running(workers: 2))
    }

    @Test func whatALossIsCalled() {
        let expected: [(ExecutorReport, String)] = [
            (report("3", status: 1), "worker-3 ended with status 1 and is being replaced."),
            (
                report("3", status: nil, reason: "No heartbeat"),
                "worker-3 was lost (No heartbeat) and is being replaced."
            ),
            (report("3", status: nil), "worker-3 was lost and is being replaced."),
            (
                report("3", status: 137, memory: true),
                "worker-3 ran out of memory and is being replaced. Give the workers more memory."
            ),
        ]
        for (report, message) in expected {
            var machine = WorkerMachine()
            machine.see(ExecutorReport(running: 2), planned: 2)
            machine.see(report, planned: 2)
            #expect(machine.status(planned: 2) == .degraded(workers: 1, message: message))
        }
    }

    @Test func oneThatLeavesBecauseFewerAreWantedIsNotLost() {
        var machine = WorkerMachine()
        machine.see(ExecutorReport(running: 3), planned: 3)
        machine.see(ExecutorReport(running: 1, leaving: 2), planned: 1)
        #expect(machine.status(planned: 1) == .running(workers: 1))
        machine.see(ExecutorReport(running: 1), planned: 4)
        #expect(machine.status(planned: 4) == .running(workers: 4), "those that were asked for are on their way")
    }

    @Test func linesOfADriver() throws {
        let line = #"{"running":1,"leaving":2,"lost":[{"id":"0","status":137,"out_of_memory":true,"reason":"x"}]}"#
        let lost = ExecutorReport.Lost(id: "0", status: 137, ranOutOfMemory: true, reason: "x")
        #expect(ExecutorReport(line: line.utf8) == ExecutorReport(running: 1, leaving: 2, lost: [lost]))
        for line in ["", "{}", "[1]", #"{"running":-1,"leaving":0}"#, #"{"running":1"#] {
            #expect(ExecutorReport(line: line.utf8) == nil, "\(line)")
        }
    }

    private func report(_ id: String, status: Int?, memory: Bool = false, reason: String = "") -> ExecutorReport {
        ExecutorReport(
            running: 1, lost: [ExecutorReport.Lost(id: id, status: status, ranOutOfMemory: memory, reason: reason)])
    }

    private func withCluster(
        workers: Int,
        _ body:
            @escaping @Sendable (
                _ subject: LocalSubject, _ installation: String, _ backend: any ClusterBackend,
                _ cluster: ProvisionedCluster
            ) async throws -> Void
    ) async throws {
        try await withEventLoop { loop in
            let subject = try LocalSubject(loop: loop)
            let id = try #require(ClusterIdentifier("w" + Identifier.make()))
            let installation = Identifier.make()
            let backend = try await subject.backend(installation: installation)
            let cluster = try await backend.provision(subject.request(id, workers: workers)) { _ in }
            let outcome: Result<Void, any Error>
            do {
                outcome = .success(try await body(subject, installation, backend, cluster))
            } catch { outcome = .failure(error) }
            try await backend.terminate(id, handle: nil, grace: .seconds(1))
            try outcome.get()
            #expect(try await subject.remains(of: id) == [])
            subject.removeFolder()
        }
    }

    private func refusal(_ body: () async throws -> ProvisionedCluster) async throws -> HarbourError {
        do {
            _ = try await body()
        } catch let error as HarbourError { return error }
        throw HarbourError(.internalError, "It should have been refused.")
    }

    /// What the kernel holds the cluster to follows its workers.
    @Test func limitsFollowAResize() async throws {
        try await withCluster(workers: 1) { subject, installation, backend, cluster in
            let name = "harbour-\(installation)-\(cluster.handle.cluster)"
            // A driver and so many workers of half a GiB each, half as much again, and a GiB for Python.
            func limit(_ workers: Int64) -> String { "\(((512 + 512 * workers) * 3 / 2 + 1024) << 20)" }
            for count in [3, 1, 2] {
                let resized = try await backend.resize(cluster.handle, workers: count) { _ in }
                #expect(resized.workers == count)
                guard let groups = ControlGroups.find() else { continue }
                let file = groups.isUnified ? "memory.max" : "memory.limit_in_bytes"
                let text = String(decoding: contents("\(groups.memory)/\(name)/\(file)"), as: UTF8.self)
                #expect(text == limit(Int64(count)) + "\n", "with \(count) workers")
            }
        }
    }

    @Test func aNewServiceGoesOnWithTheNumberOfTheLastResize() async throws {
        try await withCluster(workers: 2) { subject, installation, backend, cluster in
            let smaller = try await backend.resize(cluster.handle, workers: 1) { _ in }
            let restarted = try await subject.backend(installation: installation)
            let id = cluster.handle.cluster
            let found = try await restarted.recover([RecoveryEntry(id: id, handle: cluster.handle)], asOf: .now)
            #expect(found.clusters[id] == .running(smaller))
            #expect(try await restarted.status(of: cluster.handle) == .running(workers: 1))
            // Asked again, as after a crash in the middle, it is what it is.
            #expect(try await restarted.resize(cluster.handle, workers: 1) { _ in }.workers == 1)
            await restarted.close()
        }
    }

    @Test func whatNeedsANewStartIsRefusedAndSaidSo() async throws {
        try await withCluster(workers: 0) { _, _, backend, cluster in
            let error = try await refusal { try await backend.resize(cluster.handle, workers: 1) { _ in } }
            #expect(error.code == .invalidState && error.message.contains("Edit it"), "\(error.message)")
        }
        try await withCluster(workers: 1) { subject, _, backend, cluster in
            let none = try await refusal { try await backend.resize(cluster.handle, workers: 0) { _ in } }
            #expect(none.code == .invalidParameter && none.message.contains("edit it"), "\(none.message)")
            // A driver of before there was a file that it follows.
            unlink("\(subject.folder)/c/\(cluster.handle.cluster)/executors-seen")
            let old = try await refusal { try await backend.resize(cluster.handle, workers: 2) { _ in } }
            #expect(old.code == .invalidState && old.message.contains("Restart it"), "\(old.message)")
            #expect(try await backend.status(of: cluster.handle) == .running(workers: 1))
        }
    }

    @Test func propertiesThatFollowFromTheNumberOfWorkersAreRefused() async throws {
        try await withEventLoop { loop in
            let backend = LocalBackend(context: BackendContext(installation: "i", folder: "/nowhere"), loop: loop)
            var spec = BackendSpec(worker: NodeSize(memoryMiB: 512), workers: 1)
            spec.sparkConf = [
                "spark.dynamicAllocation.maxExecutors": "3", "spark.cores.max": "2", "spark.ui.port": "0",
            ]
            #expect(backend.validate(spec).map(\.field) == ["spark_conf", "spark_conf"])
            spec.workers = 0
            #expect(backend.validate(spec).isEmpty)
        }
    }
}
