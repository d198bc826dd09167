import Core
import EventLoop
import Glibc
import HTTPClient
import HarbourProtocol
import ServiceClients
import TestSupport
import Testing

extension PlaceTests {
    /// `cluster` is killed while a local cluster with real workers starts, is resized and ends. The moments are those that a bystander sees
    /// in the machine's processes; the steps in between are `CrashTests`'.
    @Suite(.enabled(if: StandaloneSpark.python != nil, "Spark is not there."), .serialized)
    struct LocalWorkersKillTests {
        /// What is there of a cluster, by its processes' command lines.
        private struct Sight: Sendable {
            var all: Int
            var drivers: Int
            var java: Int
            var executors: Int

            init(_ cluster: ClusterProcess, _ id: String) {
                let found = cluster.processes(of: id)
                let commands = found.all.map { cluster.command(of: $0) }
                all = found.all.count
                drivers = found.drivers.count
                java = commands.count { $0.contains("PythonGatewayServer") }
                executors = commands.count { $0.contains("CoarseGrainedExecutorBackend") }
            }
        }

        private typealias Moment = (name: String, has: @Sendable (Sight) -> Bool)
        private let starts: [Moment] = [
            ("its Java is there", { $0.java == 1 }), ("a worker is there", { $0.executors > 0 }),
        ]
        private let ends: [Moment] = [
            ("a worker has left", { $0.executors < 2 }), ("Java has left", { $0.java == 0 }),
        ]

        @Test(.timeLimit(.minutes(15))) func killedInTheMiddleOfAStartAndOfAnEnd() async throws {
            let settings = [
                "HARBOUR_DRIVER_PYTHON": try #require(StandaloneSpark.python),
                "HARBOUR_DRIVER_RUNTIME_FOLDER": "\(TestDocker.top)/Libraries/Runtime",
            ]
            try await withEventLoop { [starts, ends] loop in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for (start, end) in zip(starts, ends) {
                        group.addTask {
                            try await withDatabase { database in
                                let cluster = try ClusterProcess(loop: loop, database: database, settings: settings)
                                try await live(cluster, killed: start, and: end)
                                await cluster.http.close()
                                cluster.removeFolder()
                            }
                        }
                    }
                    try await group.waitForAll()
                }
            }
        }

        /// Up, when a new worker has just been made and when nothing has been done yet; down, when one has left.
        private let resizes: [(workers: Int, moment: Moment)] = [
            (3, ("a third worker is there", { $0.executors == 3 })), (1, ("a worker has left", { $0.executors < 3 })),
            (2, ("it was only asked for", { _ in true })),
        ]

        @Test(.timeLimit(.minutes(15))) func killedInTheMiddleOfAResize() async throws {
            let settings = [
                "HARBOUR_DRIVER_PYTHON": try #require(StandaloneSpark.python),
                "HARBOUR_DRIVER_RUNTIME_FOLDER": "\(TestDocker.top)/Libraries/Runtime",
            ]
            try await withDatabase { database in
                try await withEventLoop { loop in
                    let cluster = try ClusterProcess(loop: loop, database: database, settings: settings)
                    try await resize(cluster)
                    await cluster.http.close()
                    cluster.removeFolder()
                }
            }
        }

        private func resize(_ cluster: ClusterProcess) async throws {
            let id = "r-\(Identifier.make())"
            var spec = ClusterSpec(clusterName: id)
            spec.numWorkers = 2
            (spec.driverMemoryMB, spec.workerMemoryMB, spec.workerCores) = (512, 512, 1)
            var (service, client) = try await cluster.start()
            _ = try await client.call(ClusterAPI.createCluster, .init(body: CreateCluster(spec: spec, clusterID: id)))
            let running = try await cluster.wait(client, id, for: [.running, .terminated, .error])
            try #require(running.state == .running, "\(running.stateMessage)")
            try await eventually("both workers run") { Sight(cluster, id).executors == 2 }
            for (workers, moment) in resizes {
                _ = try await client.call(
                    ClusterAPI.resizeCluster, .init(clusterID: id, body: ResizeCluster(numWorkers: workers)))
                try await eventually(moment.name) { moment.has(Sight(cluster, id)) }
                try await cluster.end(service)
                (service, client) = try await cluster.start()
                let info = try await cluster.wait(client, id, for: [.running, .terminated, .error])
                #expect(info.state == .running && info.workers == workers, "killed when \(moment.name)")
                try await eventually("\(workers) workers, killed when \(moment.name)") {
                    Sight(cluster, id).executors == workers
                }
                let sight = Sight(cluster, id)
                #expect(sight.drivers == 1 && sight.java == 1, "killed when \(moment.name): \(sight)")
            }
            _ = try await client.call(ClusterAPI.terminateCluster, .init(clusterID: id, body: TerminateCluster()))
            _ = try await cluster.wait(client, id, for: [.terminated, .error])
            #expect(Sight(cluster, id).all == 0)
            #expect(try cluster.files().isEmpty)
            #expect(try runCommand(["find", "/sys/fs/cgroup", "-name", "harbour-*-\(id)"]).isEmpty)
            let events = try await client.call(ClusterAPI.listClusterEvents, .init(clusterID: id)).events.map(\.type)
            let expected = [
                "UPSIZE_COMPLETED": 2, "DOWNSIZE_COMPLETED": 1, "RESIZING": 3, "NODES_LOST": 0, "RESIZE_FAILED": 0,
            ]
            for (type, count) in expected {
                #expect(events.count { $0 == type } == count, "\(type) in \(events)")
            }
            try await cluster.end(service)
        }

        private func live(_ cluster: ClusterProcess, killed start: Moment, and end: Moment) async throws {
            let id = "w-\(Identifier.make())"
            var spec = ClusterSpec(clusterName: id)
            spec.numWorkers = 2
            (spec.driverMemoryMB, spec.workerMemoryMB, spec.workerCores) = (512, 512, 1)
            let (first, client) = try await cluster.start()
            _ = try await client.call(ClusterAPI.createCluster, .init(body: CreateCluster(spec: spec, clusterID: id)))
            try await eventually(start.name) { start.has(Sight(cluster, id)) }
            try await cluster.end(first)

            let (second, again) = try await cluster.start()
            let running = try await cluster.wait(again, id, for: [.running, .terminated, .error])
            try #require(running.state == .running, "killed when \(start.name): \(running.stateMessage)")
            try await eventually("both workers run, killed when \(start.name)") { Sight(cluster, id).executors == 2 }
            let sight = Sight(cluster, id)
            #expect(sight.drivers == 1 && sight.java == 1, "killed when \(start.name): \(sight)")
            _ = try await again.call(ClusterAPI.terminateCluster, .init(clusterID: id, body: TerminateCluster()))
            try await eventually(end.name) { end.has(Sight(cluster, id)) }
            try await cluster.end(second)

            let (third, last) = try await cluster.start()
            let ended = try await cluster.wait(last, id, for: [.terminated, .error])
            #expect(ended.state == .terminated && ended.terminationReason?.code == "USER_REQUEST")
            #expect(Sight(cluster, id).all == 0, "killed when \(end.name)")
            #expect(try cluster.files().isEmpty, "killed when \(end.name)")
            #expect(try runCommand(["find", "/sys/fs/cgroup", "-name", "harbour-*-\(id)"]).isEmpty)
            let events = try await last.call(ClusterAPI.listClusterEvents, .init(clusterID: id)).events.map(\.type)
            for type in ["CREATING", "RUNNING", "TERMINATED"] {
                #expect(events.count { $0 == type } == 1, "\(events)")
            }
            try await cluster.end(third)
        }
    }
}
