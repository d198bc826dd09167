import Core
import EventLoop
import Glibc
import HTTPClient
import HarbourProtocol
import ServiceClients
import TestSupport
import Testing

extension PlaceTests {
    /// The whole way with real Spark: our service, the real driver and runtime, and workers that are lost in the middle of a
    /// job. Spark runs their tasks again, and the cluster's events say what happened.
    @Suite(.enabled(if: StandaloneSpark.python != nil, "Spark is not there."), .serialized)
    struct SparkClusterTests {
        private func withCluster(
            _ loop: EventLoop, _ settings: [String: String],
            _ body: @escaping @Sendable (ClusterProcess, ServiceClient) async throws -> Void
        ) async throws {
            var settings = settings
            let python: String = try #require(StandaloneSpark.python)
            settings["HARBOUR_DRIVER_PYTHON"] = python
            settings["HARBOUR_DRIVER_RUNTIME_FOLDER"] = "\(TestDocker.top)/Libraries/Runtime"
            try await withDatabase { [settings] database in
                let cluster = try ClusterProcess(loop: loop, database: database, settings: settings)
                let (process, client) = try await cluster.start()
                let outcome: Result<Void, any Error>
                do { outcome = .success(try await body(cluster, client)) } catch { outcome = .failure(error) }
                try await cluster.end(process)
                await cluster.http.close()
                try outcome.get()
                cluster.removeFolder()
            }
        }

        /// Runs tasks of half a second each; `middle` comes when two of them have ended. Then it is waited for, unless
        /// it is to be cancelled.
        func runJob(
            _ client: ServiceClient, _ id: String, tasks: Int, isCancelled: Bool = false,
            middle: () async throws -> Void = {}
        ) async throws {
            _ = try await client.call(
                ClusterAPI.createContext, .init(clusterID: id, body: ContextSpec(contextID: "c", language: "python")))
            let source = """
                import threading, time
                def work(number):
                    time.sleep(0.5)
                    return number
                found = []
                job = threading.Thread(
                    target=lambda: found.extend(sc.parallelize(range(\(tasks)), \(tasks)).map(work).collect()))
                job.start()
                tracker = sc.statusTracker()
                def ended():
                    infos = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
                    return max([info.numCompletedTasks for info in infos if info], default=0)
                # Spark tells of what ended together late: a short job may be over before two are seen.
                while job.is_alive() and ended() < 2:
                    time.sleep(0.02)
                print("begun", flush=True)
                job.join()
                print("all there:", sorted(found) == list(range(\(tasks))))
                """
            var text = ""
            let command = Identifier.make()
            let stream = try await client.stream(
                ClusterAPI.runCommand,
                .init(clusterID: id, contextID: "c", commandID: command, body: CommandRun(source: source)),
                context: .within(.seconds(600)))
            for try await event in stream {
                text += event.text ?? event.error?.message ?? ""
                guard event.type == .stream, event.text?.contains("begun") == true else { continue }
                try await middle()
                if isCancelled { try await cancel(client, id, command) }
            }
            #expect(isCancelled || text.contains("all there: True"), "\(text)")
        }

        private func cancel(_ client: ServiceClient, _ id: String, _ command: String) async throws {
            _ = try await client.call(
                ClusterAPI.cancelCommand, .init(clusterID: id, contextID: "c", commandID: command))
        }

        /// Runs the body while a command runs that does nothing: what waits is looked at more often then.
        private func whileBusy(_ client: ServiceClient, _ id: String, _ body: () async throws -> Void) async throws {
            let command = Identifier.make()
            let spec = CommandSpec(commandID: command, source: "import time; time.sleep(600)")
            _ = try await client.call(
                ClusterAPI.executeCommand, .init(clusterID: id, contextID: "c", body: spec))
            try await body()
            try await cancel(client, id, command)
        }

        /// Waits for so many events of a type, and gives the newest of them.
        func wait(
            _ client: ServiceClient, _ id: String, for type: String, saying text: String = "", after: Int64 = 0,
            times: Int = 1, within limit: Duration = .seconds(120)
        ) async throws -> ClusterEvent {
            var found: ClusterEvent?
            let end = MonotonicTime.now + limit
            while found == nil {
                let events = try await client.call(ClusterAPI.listClusterEvents, .init(clusterID: id)).events
                let all = events.filter {
                    $0.type == type && $0.eventID > after && (text.isEmpty || $0.message?.contains(text) == true)
                }
                found = all.count < times ? nil : all.max { $0.eventID < $1.eventID }
                try #require(found != nil || MonotonicTime.now < end, "\(type) should come after \(events.map(\.type))")
                if found == nil { try await Task.sleep(for: .milliseconds(100)) }
            }
            return try #require(found)
        }

        func create(
            _ cluster: ClusterProcess, _ client: ServiceClient, _ spec: ClusterSpec, _ id: String
        ) async throws {
            let begin = MonotonicTime.now
            _ = try await client.call(ClusterAPI.createCluster, .init(body: CreateCluster(spec: spec, clusterID: id)))
            let info = try await cluster.wait(client, id, for: [.running, .terminated, .error])
            try #require(info.state == .running, "\(info.stateMessage)")
            print("\(spec.backend ?? "") with real Spark is RUNNING after", MonotonicTime.now - begin)
        }

        func resize(
            _ cluster: ClusterProcess, _ client: ServiceClient, _ id: String, to workers: Int
        ) async throws {
            _ = try await client.call(
                ClusterAPI.resizeCluster, .init(clusterID: id, body: ResizeCluster(numWorkers: workers)))
            let info = try await cluster.wait(client, id, for: [.running, .terminated, .error])
            #expect(info.state == .running && info.workers == workers, "\(info.stateMessage)")
            let unmet = info.notes?.filter { $0.contains("executors run") } ?? []
            #expect(unmet.isEmpty, "Spark has another number of executors: \(unmet)")
        }

        @Test(.timeLimit(.minutes(15))) func onAStandaloneMaster() async throws {
            try await withEventLoop { loop in
                try await withStandaloneSpark(workers: 2, loop) { spark in
                    let settings = spark.settings
                    let variables = [
                        "HARBOUR_BACKEND_SPARK_MASTER": settings["master"] ?? "",
                        "HARBOUR_BACKEND_SPARK_MASTER_UI": settings["master_ui"] ?? "",
                        "HARBOUR_BACKEND_SPARK_MASTER_REST": settings["master_rest"] ?? "",
                    ]
                    try await withCluster(loop, variables) { cluster, client in
                        try await onMaster(spark, cluster, client)
                    }
                }
            }
        }

        private func onMaster(
            _ spark: StandaloneSpark, _ cluster: ClusterProcess, _ client: ServiceClient
        ) async throws {
            let id = "m-\(Identifier.make())"
            var spec = ClusterSpec(clusterName: "on a master")
            spec.backend = "spark"
            spec.numWorkers = 2
            (spec.driverMemoryMB, spec.workerMemoryMB, spec.workerCores) = (1024, 512, 1)
            try await create(cluster, client, spec, id)
            #expect(try await spark.applications().count == 1)
            try await eventually("both executors run") {
                try await client.call(ClusterAPI.getCluster, .init(clusterID: id)).workers == 2
            }
            try await runJob(client, id, tasks: 16) { spark.workers[0].kill() }
            // A master that is slow to answer is told of as well.
            let lost = try await wait(client, id, for: "NODES_LOST", saying: "1 of 2 executors")
            try await spark.startWorker()
            _ = try await wait(client, id, for: "NODES_RECOVERED", after: lost.eventID)

            try await resize(cluster, client, id, to: 1)
            _ = try await wait(client, id, for: "DOWNSIZE_COMPLETED")
            try await runJob(client, id, tasks: 4)
            try await resize(cluster, client, id, to: 2)
            _ = try await wait(client, id, for: "UPSIZE_COMPLETED")
            try await runJob(client, id, tasks: 4)

            _ = try await client.call(ClusterAPI.terminateCluster, .init(clusterID: id, body: TerminateCluster()))
            _ = try await cluster.wait(client, id, for: [.terminated])
            #expect(try await spark.applications().isEmpty)
            try await eventually("the executors are gone") { cluster.processes(of: id).all.isEmpty }
            #expect(try cluster.files().isEmpty)
        }

        @Test(.enabled(if: TestDocker.socket != nil, "There is no Docker engine."), .timeLimit(.minutes(15)))
        func inContainersThatAreScaled() async throws {
            let python = try #require(StandaloneSpark.python)
            var settings = try DockerKillTests.settings(engine: TestDocker.socket ?? "")
            settings["HARBOUR_BACKEND_DOCKER_IMAGE_PYTHON"] = python
            settings["HARBOUR_CLUSTER_SCALE_DOWN_AFTER"] = "5s"
            settings["HARBOUR_BACKEND_DOCKER_IMAGE_RUNTIME_FOLDER"] = "\(TestDocker.top)/Libraries/Runtime"
            let driver = try #require(TestDocker.program("driver"))
            settings["HARBOUR_BACKEND_DOCKER_MOUNTS"] = TestDocker.mounts(
                [TestDocker.folder(of: driver), TestDocker.folder(of: TestDocker.folder(of: python))])
            try await withEventLoop { [settings] loop in
                try await withCluster(loop, settings) { cluster, client in
                    let id = "s-\(Identifier.make())"
                    var spec = DockerKillTests.spec("scaled", workers: 1)
                    spec.driverMemoryMB = 1536
                    try await create(cluster, client, spec, id)
                    try await runJob(client, id, tasks: 100) {
                        // Asked for while a command runs, or it would first look at what waits after half a minute.
                        let wish = ResizeCluster(autoscale: AutoScale(minWorkers: 1, maxWorkers: 2))
                        _ = try await client.call(ClusterAPI.resizeCluster, .init(clusterID: id, body: wish))
                        // The tasks that wait bring a second worker; then the first one is lost.
                        let more = try await wait(client, id, for: "UPSIZE_COMPLETED")
                        #expect(more.details?["to"] == "2")
                        try TestDocker.eyes(["kill", id, "worker-0"])
                        let lost = try await wait(client, id, for: "NODES_LOST")
                        #expect(lost.message?.hasPrefix("worker-0 ended") == true, "\(lost)")
                    }
                    let resizing = try await wait(client, id, for: "RESIZING")
                    #expect(resizing.details?["cause"] == "AUTOSCALE")
                    try await whileBusy(client, id) {
                        _ = try await wait(client, id, for: "NODES_RECOVERED")
                        // Nothing waits any more: the second worker goes.
                        let fewer = try await wait(client, id, for: "DOWNSIZE_COMPLETED")
                        #expect(fewer.details == ["from": "2", "to": "1"])
                    }
                    let shrinking = try await wait(client, id, for: "RESIZING", times: 2)
                    #expect(shrinking.details?["cause"] == "AUTOSCALE")
                    // From here on nobody adds one because a slow machine lets tasks wait.
                    try await resize(cluster, client, id, to: 1)
                    try await runJob(client, id, tasks: 4)
                    let there = try TestDocker.eyes(["remains", id]).split(separator: "\n")
                    #expect(there.count { $0.hasPrefix("container") } == 2, "the driver and a worker: \(there)")
                    _ = try await client.call(
                        ClusterAPI.terminateCluster, .init(clusterID: id, body: TerminateCluster()))
                    _ = try await cluster.wait(client, id, for: [.terminated])
                    #expect(try TestDocker.eyes(["remains", id]).isEmpty)
                    #expect(try cluster.files().isEmpty)
                }
            }
        }
    }
}
