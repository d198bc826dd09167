import Core
import EventLoop
import Glibc
import HTTPClient
import HarbourProtocol
import ServiceClients
import TestSupport
import Testing

/// Tests on real places, which take the machine for themselves: one at a time.
@Suite(.serialized) enum PlaceTests {}

extension PlaceTests {
    /// `cluster` with the real `driver` in real containers. Between it and the engine stands `engine_proxy.py`, which kills it
    /// at a chosen step.
    @Suite(.enabled(if: TestDocker.socket != nil, "There is no Docker engine: see Tests/README.md."), .serialized)
    struct DockerKillTests {
        /// What the service is told, so that its clusters are containers in which Spark is a stand-in.
        static func settings(engine: String) throws -> [String: String] {
            let driver = try #require(TestDocker.program("driver"), "build the program driver first")
            return [
                "HARBOUR_BACKEND_DOCKER_HOST": "unix://\(engine)", "HARBOUR_BACKEND_DOCKER_REACH": "socket",
                "HARBOUR_BACKEND_DOCKER_IMAGE": TestDocker.image, "HARBOUR_BACKEND_DOCKER_IMAGE_DRIVER": driver,
                "HARBOUR_BACKEND_DOCKER_IMAGE_PYTHON": "/usr/bin/python3",
                "HARBOUR_BACKEND_DOCKER_IMAGE_RUNTIME_FOLDER": ClusterProcess.fakeRuntime,
                "HARBOUR_BACKEND_DOCKER_MOUNTS": TestDocker.mounts([TestDocker.folder(of: driver)]),
            ]
        }

        /// A small cluster on Docker.
        static func spec(_ name: String, workers: Int) -> ClusterSpec {
            var spec = ClusterSpec(clusterName: name)
            spec.backend = "docker"
            spec.numWorkers = workers
            (spec.driverCores, spec.workerCores) = (1, 1)
            (spec.driverMemoryMB, spec.workerMemoryMB) = (1024, 1024)
            return spec
        }

        /// Before and after each request that changes something on the engine; by four services at a time.
        @Test(.timeLimit(.minutes(10))) func killedAtEachStepOfALife() async throws {
            let lanes = 4
            try await withEventLoop { loop in
                let counts = try await withThrowingTaskGroup(of: Int.self) { group in
                    for lane in 1...lanes {
                        group.addTask {
                            try await withDatabase { database in
                                try await KillLane(loop, database).run(from: lane, by: lanes)
                            }
                        }
                    }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                let steps = counts.reduce(0, +)
                print("killed before and after each of \(steps) steps of a life on Docker")
                #expect(steps >= 15, "a life has more steps than that: \(counts)")
            }
        }

        /// Counted on both sides: what the service says, and what is on the engine and in the service's own hands.
        @Test(.timeLimit(.minutes(10))) func tenClustersByTenClientsLeakNothing() async throws {
            try await withDatabase { database in
                try await withEventLoop { loop in
                    let settings = try DockerKillTests.settings(engine: TestDocker.socket ?? "")
                    let cluster = try ClusterProcess(loop: loop, database: database, settings: settings)
                    let (process, client) = try await cluster.start()
                    let begin = MonotonicTime.now
                    let ids = (0..<10).map { "t\($0)-\(Identifier.make())" }
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for id in ids { group.addTask { try await live(cluster, id) } }
                        try await group.waitForAll()
                    }
                    print("ten clusters on Docker, started and ended at once:", MonotonicTime.now - begin)
                    let list = try await client.call(ClusterAPI.listClusters, .init(pageSize: 100)).clusters
                    #expect(list.count == 10 && list.allSatisfy { $0.state == .terminated })
                    for id in ids { #expect(try TestDocker.eyes(["remains", id]).isEmpty, "\(id)") }
                    #expect(try cluster.files().isEmpty)
                    // One more takes nothing that ten have not given back.
                    let descriptors = cluster.descriptors(of: process)
                    try await live(cluster, "t-\(Identifier.make())")
                    try await eventually("its descriptors are closed") {
                        cluster.descriptors(of: process) <= descriptors
                    }
                    try await cluster.end(process)
                    await cluster.http.close()
                    cluster.removeFolder()
                }
            }
        }

        /// One client's whole business.
        private func live(_ cluster: ClusterProcess, _ id: String) async throws {
            let http = HTTPClient(loop: cluster.loop)
            let client = try cluster.client(http)
            _ = try await client.call(
                ClusterAPI.createCluster,
                .init(body: CreateCluster(spec: DockerKillTests.spec(id, workers: 0), clusterID: id)))
            let info = try await cluster.wait(client, id, for: [.running, .terminated, .error])
            #expect(info.state == .running, "\(info.stateMessage)")
            _ = try await client.call(ClusterAPI.terminateCluster, .init(clusterID: id, body: TerminateCluster()))
            _ = try await cluster.wait(client, id, for: [.terminated, .error])
            await http.close()
        }
    }
}

/// Some of the steps, by a service of their own.
private final class KillLane: Sendable {
    private let cluster: ClusterProcess
    private let engine: String

    init(_ loop: EventLoop, _ database: PostgresTestDatabase) throws {
        // The folder's path is not known before there is one, and the socket lies in it.
        let folder = try TemporaryDirectory()
        engine = folder.file("engine.sock")
        keep = folder
        cluster = try ClusterProcess(
            loop: loop, database: database, settings: try PlaceTests.DockerKillTests.settings(engine: engine))
    }

    private let keep: TemporaryDirectory

    /// Kills the service at every so-manieth step, until a life has no more steps. Returns how many there were.
    func run(from first: Int, by stride: Int) async throws -> Int {
        let arguments = ["\(TestDocker.top)/Tests/Tools/engine_proxy.py", engine, TestDocker.socket ?? "", keep.path]
        var specification = ProcessSpecification("python3", arguments)
        specification.parentDeathSignal = SIGKILL
        let proxy = try await ChildProcess.start(specification, loop: cluster.loop)
        try await eventually("the proxy listens") { [engine] in access(engine, F_OK) == 0 }
        var (step, count) = (first, 0)
        while try await lives(killed: step, "before") {
            count += 1
            // One life may need a request more at its end than the next: then this one had no such step.
            guard try await lives(killed: step, "after") else { break }
            step += stride
        }
        proxy.kill()
        _ = try await proxy.wait()
        await cluster.http.close()
        cluster.removeFolder()
        return count
    }

    /// One life, with the service killed at that step. Returns false when there is no such step.
    private func lives(killed step: Int, _ when: String) async throws -> Bool {
        let id = "s\(step)-\(when)-\(Identifier.make())"
        let killed = keep.file("killed")
        unlink(killed)
        let (first, client) = try await cluster.start()
        try keep.write("arm", Array("\(step) \(when) \(first.pid)".utf8))
        do {
            try await live(client, id)
        } catch {
            #expect(access(killed, F_OK) == 0, "\(id): \(error)")
        }
        guard access(killed, F_OK) == 0 else {
            try await cluster.end(first)
            return false
        }
        _ = try await first.wait()
        let what = "killed at step \(step), \(try runCommand(["cat", killed]))"
        unlink(keep.file("arm"))
        let (second, again) = try await cluster.start()
        try await rest(again, id, what)
        try await cluster.end(second)
        return true
    }

    /// Everything happens once.
    private func live(_ client: ServiceClient, _ id: String) async throws {
        let wish = CreateCluster(spec: PlaceTests.DockerKillTests.spec(id, workers: 1), clusterID: id)
        _ = try await client.call(ClusterAPI.createCluster, .init(body: wish))
        _ = try await cluster.wait(client, id, for: [.running])
        for workers in [2, 1] {
            _ = try await client.call(
                ClusterAPI.resizeCluster, .init(clusterID: id, body: ResizeCluster(numWorkers: workers)))
            _ = try await cluster.wait(client, id, for: [.running])
        }
        _ = try await client.call(ClusterAPI.terminateCluster, .init(clusterID: id, body: TerminateCluster()))
        _ = try await cluster.wait(client, id, for: [.terminated])
    }

    /// It comes to rest, both sides agree, and its end leaves nothing.
    private func rest(_ client: ServiceClient, _ id: String, _ what: String) async throws {
        let info = try await cluster.wait(client, id, for: [.running, .terminated, .error])
        if info.state == .running {
            let seen = try TestDocker.eyes(["remains", id]).split(separator: "\n")
            #expect(info.workers == info.spec.numWorkers, "\(what)")
            #expect(seen.count { $0.hasPrefix("container") } == 1 + (info.workers ?? -1), "\(what): \(seen)")
            #expect(seen.count { $0.hasPrefix("network") } == 1, "\(what): \(seen)")
            _ = try await client.call(ClusterAPI.terminateCluster, .init(clusterID: id, body: TerminateCluster()))
            _ = try await cluster.wait(client, id, for: [.terminated, .error])
        }
        let last = try await client.call(ClusterAPI.getCluster, .init(clusterID: id))
        #expect(last.state == .terminated, "\(what): \(last.stateMessage)")
        #expect(last.terminationReason?.code == "USER_REQUEST", "\(what)")
        #expect(try TestDocker.eyes(["remains", id]).isEmpty, "\(what)")
        #expect(try cluster.files().isEmpty, "\(what)")
        let events = try await client.call(ClusterAPI.listClusterEvents, .init(clusterID: id)).events.map(\.type)
        for type in ["CREATING", "RUNNING", "TERMINATED"] {
            #expect(events.count { $0 == type } == 1, "\(what): \(events)")
        }
    }
}
