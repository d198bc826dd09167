import ClusterBackend
import Core
import DockerBackend
import EventLoop
import HTTPClient
import HarbourProtocol
import ServiceClients
import Synchronization
import TestSupport
import Testing

/// Spark, with its driver and each worker in a container of its own, on a real engine.
@Suite(.enabled(if: TestDocker.socket != nil, "There is no Docker engine: see Tests/README.md."), .serialized)
struct SparkInContainersTests {
    /// What happens to a job whose worker's container is killed in the middle of it: Spark runs the lost tasks again, and
    /// the worker comes back.
    @Test(
        .enabled(if: TestDocker.python != nil && TestDocker.driver != nil, "Spark or the driver is not there."),
        .timeLimit(.minutes(10)))
    func aKilledWorkerCostsTheJobNothing() async throws {
        let (python, driver) = (try #require(TestDocker.python), try #require(TestDocker.driver))
        let spec = BackendSpec(
            driver: NodeSize(cores: 2, memoryMiB: 1536), worker: NodeSize(cores: 1, memoryMiB: 1024), workers: 2,
            sparkConf: ["spark.ui.enabled": "false"])
        let mounts = [TestDocker.folder(of: driver), TestDocker.folder(of: python) + "/.."]
        try await withEventLoop { loop in
            try await withDockerCluster(
                spec, driver: driver, mounts: mounts, python: python, loop: loop
            ) { cluster in
                let statuses = Mutex<[ClusterStatus]>([])
                let watching = Task {
                    try await cluster.backend.watch(cluster.cluster.handle) { status in
                        statuses.withLock { $0.append(status) }
                    }
                }
                let http = HTTPClient(loop: loop)
                let client = try ServiceClient(
                    http: http, baseURL: cluster.cluster.driver.url, token: cluster.request.launch.token.reveal(),
                    service: "driver")
                try await runJob(client, cluster)
                // The death of the worker is seen, and then its return.
                while !statuses.withLock({ $0.count > 1 && $0.last == .running(workers: 2) }) {
                    try await loop.sleep(for: .milliseconds(20))
                }
                let seen = statuses.withLock { $0 }
                #expect(seen.count == 3, "running, degraded, and running again: \(seen)")
                guard case .degraded(workers: 1, let message) = seen[1] else {
                    Issue.record("the death of a worker should be seen: \(seen)")
                    return
                }
                #expect(message.hasPrefix("worker-0 ended"))
                try await checkLimits(cluster)
                watching.cancel()
                _ = await watching.result
                await http.close()
            }
        }
    }

    private func runJob(_ client: ServiceClient, _ cluster: DockerCluster) async throws {
        let status = try await ready(client, cluster)
        #expect(status.spark?.master == "spark://driver:7077")
        _ = try await client.call(
            DriverAPI.createContext, .init(body: ContextSpec(contextID: "c", language: "python")))
        // Eight tasks of a second each, by their number and the host that they ran on. Two have ended when it says so.
        let source = """
            import socket, threading, time
            def work(number):
                time.sleep(1)
                return (number, socket.gethostname())
            found = []
            job = threading.Thread(target=lambda: found.extend(sc.parallelize(range(8), 8).map(work).collect()))
            job.start()
            tracker = sc.statusTracker()
            def ended():
                infos = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
                return max([info.numCompletedTasks for info in infos if info and info.numTasks == 8], default=0)
            while job.is_alive() and ended() < 2:
                time.sleep(0.02)
            print("begun", flush=True)
            job.join()
            print(sorted(number for number, _ in found), {host for _, host in found} <= {"worker-0", "worker-1"})
            """
        let begun = MonotonicTime.now
        var text = ""
        var isKilled = false
        let stream = try await client.stream(
            DriverAPI.runCommand, .init(contextID: "c", commandID: "1", body: CommandRun(source: source)))
        for try await event in stream {
            text += event.text ?? event.error?.message ?? ""
            // Warnings may stand before it.
            if !isKilled, text.contains("begun\n") {
                isKilled = true
                try TestDocker.eyes(["kill", cluster.id, "worker-0"])
            }
        }
        try #require(isKilled, "the job should begin: \(text)")
        #expect(text.contains("[0, 1, 2, 3, 4, 5, 6, 7] True"), "the job should have its result: \(text)")
        print("a job of 8 tasks, with a worker killed in the middle:", MonotonicTime.now - begun)
    }

    /// Waits until Spark runs, with both workers' executors.
    private func ready(_ client: ServiceClient, _ cluster: DockerCluster) async throws -> DriverStatus {
        let begun = MonotonicTime.now
        while true {
            if let status = try? await client.call(DriverAPI.getStatus, .init()) {
                if let code = status.errorCode { throw HarbourError(.invalidState, "\(code): \(status.message ?? "")") }
                if status.phase == .running, (status.executors ?? 0) == 2 {
                    print("Spark in containers, two workers:", MonotonicTime.now - begun)
                    return status
                }
            }
            try await cluster.loop.sleep(for: .milliseconds(100))
        }
    }

    private func checkLimits(_ cluster: DockerCluster) async throws {
        struct Enough: Error {}
        let limits = Mutex<[String: Int64]>([:])
        await #expect(throws: Enough.self) {
            try await cluster.backend.stats(of: cluster.cluster.handle, after: 0, every: .milliseconds(100)) { sample in
                limits.withLock { $0[sample.node] = sample.memoryLimitBytes }
                if limits.withLock({ $0.count == 3 }) { throw Enough() }
            }
        }
        #expect(limits.withLock { $0 } == ["driver": 1536 << 20, "worker-0": 1024 << 20, "worker-1": 1024 << 20])
    }

    /// The end of a driver that runs out of its node's memory says so.
    @Test(.timeLimit(.minutes(10))) func aDriverWithoutMemoryEndsAsSuch() async throws {
        try await withEventLoop { loop in
            try await withDockerCluster(
                BackendSpec(driver: NodeSize(cores: 1, memoryMiB: 1024)),
                driver: "\(TestDocker.top)/Tests/DockerBackend/hungry_driver.py", mounts: [], loop: loop
            ) { cluster in
                let last = Mutex<ClusterStatus?>(nil)
                try await cluster.backend.watch(cluster.cluster.handle) { status in last.withLock { $0 = status } }
                guard case .ended(let end) = last.withLock({ $0 }) else {
                    Issue.record("the end should be seen")
                    return
                }
                #expect(end.kind == .outOfMemory)
                #expect(end.message.contains("1024 MiB"))
            }
        }
    }
}
