import ClusterBackend
import Core
import EventLoop
import HTTPClient
import HarbourProtocol
import Postgres
import ServiceClients
import SimulatedBackend
import TestSupport
import Testing

@testable import ClusterService

/// The service ends and comes back, at the worst moments; the place goes on without it.
@Suite struct RestartTests {
    @Test func aRunningClusterIsTakenUpAgainWithItsCommand() async throws {
        try await withService { fixture, _ in
            var client = try await fixture.runningCluster("c1")
            _ = try await client.call(
                ClusterAPI.executeCommand,
                .init(clusterID: "c1", contextID: "ctx", body: CommandSpec(commandID: "a", source: "hang")))
            try await fixture.stop()
            #expect(fixture.world.clusters.count == 1)
            client = try await fixture.start()
            let info = try await client.call(ClusterAPI.getCluster, .init(clusterID: "c1"))
            #expect(info.state == .running)
            #expect(info.autoterminationTime == nil, "a command that runs keeps it busy after a restart too")
            let stream = try await client.stream(
                ClusterAPI.runCommand,
                .init(
                    clusterID: "c1", contextID: "ctx", commandID: "a", body: CommandRun(source: "hang", after: 1)))
            var events: [CommandEvent] = []
            for try await event in stream {
                events.append(event)
                if events.count == 1 { try await fixture.drivers.get("c1").release() }
            }
            #expect(events.map(\.sequence) == [2, 3])
            #expect(try await fixture.drivers.get("c1").runs == ["a": 1])
            try await eventually("it is idle again") {
                try await client.call(ClusterAPI.getCluster, .init(clusterID: "c1")).autoterminationTime != nil
            }
        }
    }

    @Test func aCommandThatEndedWhileNobodyWasThereIsKnown() async throws {
        try await withService { fixture, _ in
            var client = try await fixture.runningCluster("c1")
            _ = try await client.call(
                ClusterAPI.executeCommand,
                .init(clusterID: "c1", contextID: "ctx", body: CommandSpec(commandID: "a", source: "hang")))
            try await fixture.stop()
            try await fixture.drivers.get("c1").release()
            client = try await fixture.start()
            let store = CommandStore(pool: try await fixture.pool(), fence: Fence())
            try await eventually("the end is written down") {
                try await store.get("c1", "ctx", "a")?.info.state == .finished
            }
        }
    }

    @Test(arguments: [StartPhase.prepare, .driver, .workers])
    func aStartIsGoneOnWith(_ phase: StartPhase) async throws {
        try await withService { fixture, client in
            fixture.world.edit { $0.plan(.hang, at: .phase(phase)) }
            _ = try await client.call(
                ClusterAPI.createCluster,
                .init(body: CreateCluster(spec: ClusterSpec(clusterName: "a"), clusterID: "c1")))
            try await eventually("the start hangs") {
                try await client.call(ClusterAPI.getCluster, .init(clusterID: "c1")).stateMessage
                    .contains(phase.name)
            }
            try await fixture.stop()
            _ = try await fixture.start()
            _ = try await fixture.wait("c1", for: .running)
            #expect(fixture.world.started.count == 1)
        }
    }

    @Test func anEndIsGoneOnWith() async throws {
        try await withService { fixture, _ in
            let client = try await fixture.runningCluster("c1")
            fixture.world.edit { $0.plan(.hang, at: .terminate) }
            _ = try await client.call(
                ClusterAPI.terminateCluster, .init(clusterID: "c1", body: TerminateCluster()))
            try await fixture.stop()
            #expect(fixture.world.clusters.count == 1)
            // It may have been stopped before it came to ask the place.
            fixture.world.edit { $0 = SimulatedScript() }
            _ = try await fixture.start()
            _ = try await fixture.wait("c1", for: .terminated)
            #expect(fixture.world.clusters.isEmpty)
        }
    }

    @Test func aClusterThatDiedWhileNobodyLookedHasEnded() async throws {
        try await withService { fixture, _ in
            let client = try await fixture.runningCluster("c1")
            _ = try await client.call(
                ClusterAPI.executeCommand,
                .init(clusterID: "c1", contextID: "ctx", body: CommandSpec(commandID: "a", source: "hang")))
            try await fixture.stop()
            let id = try #require(ClusterIdentifier("c1"))
            await fixture.world.end(id, ClusterEnd(.outOfMemory, message: "It ran out of memory."))
            let now = try await fixture.start()
            let ended = try await fixture.wait("c1", for: .terminated)
            #expect(ended.terminationReason?.code == "DRIVER_OUT_OF_MEMORY")
            let command = try await now.call(
                ClusterAPI.getCommand, .init(clusterID: "c1", contextID: "ctx", commandID: "a"))
            #expect(command.error?.code == "DRIVER_LOST")
        }
    }

    @Test func whatNobodyKnowsIsSwept() async throws {
        try await withService { fixture, _ in
            _ = try await fixture.runningCluster("c1")
            try await fixture.stop()
            let pool = try await fixture.pool()
            try await pool.query("DELETE FROM clusters")
            // Made by a clock that is not the service's.
            fixture.world.time.advance(by: .seconds(-3600))
            let deadline = Timestamp.now
            try await eventually("the clock has moved on") { Timestamp.now > deadline + .seconds(1) }
            _ = try await fixture.start()
            try await eventually("the orphan is gone") { fixture.world.clusters.isEmpty }
        }
    }

    @Test func aPlaceThatCannotBeReachedIsTriedAgain() async throws {
        try await withService { fixture, _ in
            _ = try await fixture.runningCluster("c1")
            try await fixture.stop()
            fixture.world.setReachable(false)
            let client = try await fixture.start()
            let info = try await client.call(ClusterAPI.getCluster, .init(clusterID: "c1"))
            #expect(info.state == .running)
            await expectCode(.unavailable) {
                try await client.call(
                    ClusterAPI.createContext, .init(clusterID: "c1", body: ContextSpec(contextID: "x")))
            }
            fixture.world.setReachable(true)
            try await eventually("the cluster can be used again") {
                do throws(HarbourError) {
                    _ = try await client.call(
                        ClusterAPI.createContext, .init(clusterID: "c1", body: ContextSpec(contextID: "x")))
                    return true
                } catch {
                    return false
                }
            }
        }
    }

    @Test(.timeLimit(.minutes(10))) func newsWaitForADatabaseThatIsAway() async throws {
        let postgres = try await PostgresFixture.start()
        let database = try await postgres.makeDatabase()
        try await withEventLoop { loop in
            var limits = EngineLimits()
            limits.query = .seconds(5)
            let fixture = ServiceFixture(
                loop: loop, database: database, limits: limits, time: VirtualTime(start: .now), arguments: [])
            try await fixture.start()
            let client = try await fixture.runningCluster("c1")
            _ = try await client.call(
                ClusterAPI.executeCommand,
                .init(clusterID: "c1", contextID: "ctx", body: CommandSpec(commandID: "a", source: "hang")))
            try await postgres.kill()
            // A wish that cannot be written down is refused; news from the place wait.
            await expectCode(.unavailable) {
                try await client.call(
                    ClusterAPI.terminateCluster, .init(clusterID: "c1", body: TerminateCluster()),
                    context: .within(.seconds(60)))
            }
            let id = try #require(ClusterIdentifier("c1"))
            await fixture.world.end(id, ClusterEnd(.killed, status: 9, message: "The driver was killed."))
            try await postgres.restart()
            let ended = try await fixture.wait("c1", for: .terminated)
            #expect(ended.terminationReason?.code == "DRIVER_LOST")
            let command = try await client.call(
                ClusterAPI.getCommand, .init(clusterID: "c1", contextID: "ctx", commandID: "a"))
            #expect(command.error?.code == "DRIVER_LOST")
            try await fixture.stop()
            await fixture.http.close()
        }
        try await postgres.stop()
    }

    @Test func aClusterThatWasForgottenEndsItsWatches() async throws {
        try await withService { fixture, _ in
            let client = try await fixture.runningCluster("c1")
            var last: ClusterInfo?
            for try await info in try await client.stream(ClusterAPI.watchCluster, .init(clusterID: "c1")) {
                if last == nil { _ = try await client.call(ClusterAPI.deleteCluster, .init(clusterID: "c1")) }
                last = info
            }
            #expect(last?.state == .terminating)
            await expectCode(.notFound) { try await client.call(ClusterAPI.getCluster, .init(clusterID: "c1")) }
        }
    }

    @Test func figuresAreServed() async throws {
        try await withService { fixture, _ in
            _ = try await fixture.runningCluster("c1")
            let text = try await fixture.metrics()
            for line in [
                #"harbour_clusters{state="RUNNING"} 1"#,
                #"harbour_cluster_starts_total{backend="simulated",result="success"} 1"#,
            ] {
                #expect(text.contains(line), "\(line)")
            }
        }
    }
}
