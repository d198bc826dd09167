import ClusterBackend
import Core
import EventLoop
import HarbourProtocol
import Postgres
import ServiceClients
import SimulatedBackend
import TestSupport
import Testing

@testable import ClusterService

/// The life of clusters, through the service's own API.
@Suite struct LifeCycleTests {
    @Test func aClusterComesUpIsSeenAndEnds() async throws {
        try await withService { fixture, client in
            let wish = CreateCluster(
                spec: ClusterSpec(clusterName: "mine", sparkConf: ["spark.x": "y"]), clusterID: "c1", owner: "run/17")
            let made = try await client.call(
                ClusterAPI.createCluster, .init(body: wish), context: ServiceFixture.context)
            #expect(made.state == .pending)
            #expect(made.creatorUserName == "ada")
            #expect(made.owner == "run/17")
            let running = try await fixture.wait("c1", for: .running)
            #expect(running.spark?.version == "4.1.0")
            #expect(running.phases?.map(\.name) == ["prepare", "driver", "workers", "jvm"])
            #expect(running.autoTermination?.busyWith == ["run/17"], "its run ends it")
            let again = try await client.call(
                ClusterAPI.createCluster, .init(body: wish), context: ServiceFixture.context)
            #expect(again.startTime == made.startTime)
            let ending = try await client.call(
                ClusterAPI.terminateCluster, .init(clusterID: "c1", body: TerminateCluster(reason: "JOB_FINISHED")))
            #expect(ending.state == .terminating)
            let ended = try await fixture.wait("c1", for: .terminated)
            #expect(ended.terminationReason == TerminationReason(code: "JOB_FINISHED", type: .success))
            #expect(ended.terminatedTime != nil)
            #expect(fixture.world.clusters.isEmpty)
            #expect(fixture.drivers.count == 0)
            let events = try await client.call(ClusterAPI.listClusterEvents, .init(clusterID: "c1")).events
            #expect(
                events.reversed().map(\.type) == [
                    "CREATING", "STARTING", "DRIVER_STARTED", "RUNNING", "TERMINATING", "TERMINATED",
                ])
            #expect(events.map(\.eventID) == [6, 5, 4, 3, 2, 1])
            _ = try await client.call(ClusterAPI.startCluster, .init(clusterID: "c1"))
            _ = try await fixture.wait("c1", for: .running)
            _ = try await client.call(ClusterAPI.deleteCluster, .init(clusterID: "c1"))
            try await eventually("the cluster is forgotten") { fixture.world.clusters.isEmpty }
            try await eventually("the cluster is not found") {
                do throws(HarbourError) {
                    _ = try await client.call(ClusterAPI.getCluster, .init(clusterID: "c1"))
                    return false
                } catch {
                    return error.code == .notFound
                }
            }
        }
    }

    @Test func wrongWishesAreRefusedWithAllTheirProblems() async throws {
        try await withService { fixture, client in
            func create(_ spec: ClusterSpec, _ id: String? = nil) async throws -> ClusterInfo {
                try await client.call(
                    ClusterAPI.createCluster, .init(body: CreateCluster(spec: spec, clusterID: id)))
            }
            await expectCode(.invalidParameter) { try await create(ClusterSpec(clusterName: "a"), "../etc") }
            await expectCode(.invalidParameter) {
                try await create(ClusterSpec(clusterName: "a", backend: "elsewhere"))
            }
            do {
                _ = try await create(
                    ClusterSpec(
                        clusterName: "a", numWorkers: 500, driverCores: 1000, sparkEnvVars: ["HARBOUR_X": "y"]))
                Issue.record("should be refused")
            } catch let error as HarbourError {
                for field in ["num_workers", "driver_cores", "spark_env_vars"] {
                    #expect(error.message.contains(field))
                }
            }
            _ = try await create(ClusterSpec(clusterName: "a"), "c1")
            await expectCode(.alreadyExists) { try await create(ClusterSpec(clusterName: "b"), "c1") }
            await expectCode(.notFound) { try await client.call(ClusterAPI.getCluster, .init(clusterID: "c2")) }
            await expectCode(.notFound) { try await client.call(ClusterAPI.startCluster, .init(clusterID: "..")) }
            await expectCode(.invalidParameter) {
                try await client.call(ClusterAPI.listClusters, .init(pageToken: "nonsense"))
            }
            await expectCode(.invalidParameter) {
                try await client.call(
                    ClusterAPI.terminateCluster, .init(clusterID: "c1", body: TerminateCluster(reason: "no good")))
            }
        }
    }

    @Test func aStartThatFailsSaysWhyAndLeavesNothing() async throws {
        try await withService { fixture, client in
            fixture.world.edit {
                $0.plan(
                    .fail(HarbourError(.launchFailed, "There is no room. Try later.")), at: .phase(.driver))
            }
            _ = try await client.call(
                ClusterAPI.createCluster,
                .init(body: CreateCluster(spec: ClusterSpec(clusterName: "a"), clusterID: "c1")))
            let ended = try await fixture.wait("c1", for: .terminated)
            #expect(ended.terminationReason?.code == "CLOUD_PROVIDER_LAUNCH_FAILURE")
            #expect(ended.stateMessage == "There is no room. Try later.")
            #expect(fixture.world.clusters.isEmpty)
            _ = try await client.call(ClusterAPI.startCluster, .init(clusterID: "c1"))
            let running = try await fixture.wait("c1", for: .running)
            #expect(running.terminationReason == nil)
        }
    }

    @Test func sparkThatDoesNotComeUpEndsTheStart() async throws {
        try await withService { fixture, client in
            fixture.drivers.startSlowly()
            _ = try await client.call(
                ClusterAPI.createCluster,
                .init(body: CreateCluster(spec: ClusterSpec(clusterName: "a"), clusterID: "c1")))
            try await eventually("the driver is there") { fixture.drivers.count == 1 }
            try await fixture.drivers.get("c1").set(
                .failed, failure: ("JAVA_MISSING", "Java is missing. Install Java 17."))
            let ended = try await fixture.wait("c1", for: .terminated)
            #expect(ended.terminationReason?.code == "SPARK_STARTUP_FAILURE")
            #expect(ended.terminationReason?.parameters?["error_code"] == "JAVA_MISSING")
            #expect(ended.stateMessage == "Java is missing. Install Java 17.")
        }
    }

    @Test func aStartThatTakesTooLongEnds() async throws {
        try await withService(arguments: ["--start-timeout", "200ms"]) { fixture, client in
            fixture.drivers.startSlowly()
            _ = try await client.call(
                ClusterAPI.createCluster,
                .init(body: CreateCluster(spec: ClusterSpec(clusterName: "a"), clusterID: "c1")))
            let ended = try await fixture.wait("c1", for: .terminated)
            #expect(ended.terminationReason?.parameters?["error_code"] == "START_TIMEOUT")
            #expect(fixture.world.clusters.isEmpty)
        }
    }

    @Test func aStartThatHangsCanBeEnded() async throws {
        try await withService { fixture, client in
            fixture.world.edit { $0.plan(.hang, at: .phase(.driver)) }
            _ = try await client.call(
                ClusterAPI.createCluster,
                .init(body: CreateCluster(spec: ClusterSpec(clusterName: "a"), clusterID: "c1")))
            _ = try await client.call(
                ClusterAPI.terminateCluster, .init(clusterID: "c1", body: TerminateCluster()))
            let ended = try await fixture.wait("c1", for: .terminated)
            #expect(ended.terminationReason?.code == "USER_REQUEST")
            #expect(fixture.world.clusters.isEmpty)
        }
    }

    @Test func anEndThatFailsIsTriedAgain() async throws {
        try await withService { fixture, client in
            _ = try await fixture.runningCluster("c1")
            let error = HarbourError(.backendUnavailable, "The place does not answer. Wait.")
            fixture.world.edit { $0.plan(.fail(error), at: .terminate, times: 1) }
            _ = try await client.call(
                ClusterAPI.terminateCluster, .init(clusterID: "c1", body: TerminateCluster()))
            _ = try await fixture.wait("c1", for: .terminated)
            #expect(fixture.world.clusters.isEmpty)
        }
    }

    @Test func listsPageByTokenNewestFirst() async throws {
        try await withService { fixture, client in
            for number in 1...5 {
                _ = try await client.call(
                    ClusterAPI.createCluster,
                    .init(body: CreateCluster(spec: ClusterSpec(clusterName: "a"), clusterID: "c\(number)")))
            }
            var seen: [String] = []
            var token: String?
            repeat {
                let page = try await client.call(ClusterAPI.listClusters, .init(pageSize: 2, pageToken: token))
                #expect(page.clusters.count <= 2)
                seen += page.clusters.map(\.clusterID)
                token = page.nextPageToken
            } while token != nil
            #expect(Set(seen) == Set((1...5).map { "c\($0)" }))
            #expect(seen.count == 5)
            for number in 1...5 { _ = try await fixture.wait("c\(number)", for: .running) }
            let running = try await client.call(ClusterAPI.listClusters, .init(state: "RUNNING"))
            #expect(running.clusters.count == 5)
            let none = try await client.call(ClusterAPI.listClusters, .init(state: "ERROR"))
            #expect(none.clusters.isEmpty)
        }
    }

    @Test func backendsTellWhatTheyCan() async throws {
        try await withService { fixture, client in
            let backends = try await client.call(ClusterAPI.listBackends, .init()).backends
            #expect(backends.map(\.name) == ["simulated"])
            #expect(backends.first?.available == true)
            #expect(backends.first?.capabilities?.contains("resize") == true)
            fixture.world.setReachable(false)
            let now = try await client.call(ClusterAPI.listBackends, .init()).backends
            #expect(now.first?.available == false)
            #expect(now.first?.message?.isEmpty == false)
        }
    }

    @Test func whatNobodyUsesEndsAndWhatIsBusyDoesNot() async throws {
        var limits = EngineLimits()
        limits.minute = .milliseconds(500)
        try await withService(limits: limits) { fixture, client in
            let driver = try await fixture.clusterInUse("c1")
            _ = try await client.call(
                ClusterAPI.createContext,
                .init(clusterID: "c1", body: ContextSpec(contextID: "ctx", language: "python")))
            _ = try await client.call(
                ClusterAPI.executeCommand,
                .init(clusterID: "c1", contextID: "ctx", body: CommandSpec(commandID: "busy", source: "hang")))
            func cluster() async throws -> ClusterInfo {
                try await client.call(ClusterAPI.getCluster, .init(clusterID: "c1"))
            }
            await driver.setStreams(0)
            #expect(try await cluster().autoTermination?.busyWith.contains("1 command") == true)
            #expect(try await cluster().autoterminationTime == nil)
            // Another one, which began later and is not used, has come to the end of the same time.
            _ = try await client.call(
                ClusterAPI.createCluster,
                .init(
                    body: CreateCluster(
                        spec: ClusterSpec(clusterName: "idle", autoterminationMinutes: 1), clusterID: "c2")))
            #expect(try await fixture.wait("c2", for: .terminated).terminationReason?.code == "INACTIVITY")
            #expect(try await cluster().state == .running)
            await driver.release()
            let ended = try await fixture.wait("c1", for: .terminated)
            #expect(ended.terminationReason?.code == "INACTIVITY")
            let command = try await client.call(
                ClusterAPI.getCommand, .init(clusterID: "c1", contextID: "ctx", commandID: "busy"))
            #expect(command.state == .finished)
        }
    }

    @Test(.timeLimit(.minutes(10))) func fiftyClustersByTenClientsLeakNothing() async throws {
        try await withService { fixture, client in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for worker in 0..<10 {
                    group.addTask {
                        for number in 0..<5 {
                            let id = "w\(worker)-\(number)"
                            _ = try await client.call(
                                ClusterAPI.createCluster,
                                .init(body: CreateCluster(spec: ClusterSpec(clusterName: id), clusterID: id)))
                            // Some are ended while they start, some once they run.
                            if number % 2 == 0 { _ = try await fixture.wait(id, for: .running) }
                            _ = try await client.call(
                                ClusterAPI.terminateCluster, .init(clusterID: id, body: TerminateCluster()))
                            _ = try await fixture.wait(id, for: .terminated)
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(fixture.world.clusters.isEmpty)
            #expect(fixture.drivers.count == 0)
            let ended = try await client.call(ClusterAPI.listClusters, .init(pageSize: 100, state: "TERMINATED"))
            #expect(ended.clusters.count == 50)
            // Counted on both sides: what the service has had started is what the place has started, and all of it ended.
            let pool = try await fixture.pool()
            let open = try await pool.query(
                "SELECT count(*) FROM clusters WHERE state <> 'TERMINATED' OR record ? 'handle'")
            #expect(try open.first?.decode(Int64.self) == 0)
            let told = try await pool.query(
                """
                SELECT count(*) FILTER (WHERE type = 'CREATING'), count(*) FILTER (WHERE type = 'TERMINATED'),
                    count(*) FILTER (WHERE type = 'RUNNING') FROM cluster_events
                """)
            let (created, terminated, ran) = try #require(told.first).decode((Int64.self, Int64.self, Int64.self))
            #expect(created == 50)
            #expect(terminated == 50)
            #expect((30...50).contains(ran))
            #expect(Set(fixture.world.started.map(\.request.id)).count == fixture.world.started.count)
            #expect(fixture.world.started.count >= Int(ran))
            let metrics = try await fixture.metrics()
            for state in ClusterState.allCases {
                #expect(metrics.contains("harbour_clusters{state=\"\(state.rawValue)\"} 0"))
            }
            await pool.drain(budget: .zero)
        }
    }
}
