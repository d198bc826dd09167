import ClusterBackend
import Core
import EventLoop
import HarbourProtocol
import ServiceClients
import SimulatedBackend
import TestSupport
import Testing

@testable import ClusterService

/// Pools of ready clusters, through the service's own API.
@Suite struct PoolTests {
    private func create(
        _ client: ServiceClient, _ id: String, conf: [String: String]? = nil, owner: String? = nil
    ) async throws -> ClusterInfo {
        let spec = ClusterSpec(clusterName: id, sparkConf: conf, instancePoolID: "p1")
        return try await client.call(
            ClusterAPI.createCluster, .init(body: CreateCluster(spec: spec, clusterID: id, owner: owner)),
            context: ServiceFixture.context)
    }

    private func makePool(
        _ client: ServiceClient, idle: Int, capacity: Int? = nil, minutes: Int? = nil
    ) async throws {
        _ = try await client.call(
            ClusterAPI.createPool,
            .init(
                body: CreatePool(
                    instancePoolName: "pool", minIdleInstances: idle, maxCapacity: capacity,
                    idleInstanceAutoterminationMinutes: minutes, spec: ClusterSpec(clusterName: "ready"),
                    instancePoolID: "p1")), context: ServiceFixture.context)
    }

    private func wait(
        _ client: ServiceClient, _ what: String, _ condition: (InstancePool) -> Bool
    ) async throws {
        try await eventually(what) {
            condition(try await client.call(ClusterAPI.getPool, .init(instancePoolID: "p1")))
        }
    }

    @Test func aClusterOfAPoolRunsAtOnceOnADriverThatRuns() async throws {
        try await withService { fixture, client in
            try await makePool(client, idle: 1)
            try await wait(client, "one is ready") { $0.idleCount == 1 }
            #expect(try await client.call(ClusterAPI.listClusters, .init()).clusters.isEmpty, "it is nobody's")
            fixture.world.edit { $0.plan(.hang, at: .phase(.driver), times: 10) }
            _ = try await create(client, "c1")
            let running = try await fixture.wait("c1", for: .running)
            #expect(running.phases?.first?.name == "handover")
            #expect(running.creatorUserName == "ada")
            #expect(fixture.world.started.count == 1, "no other driver was started for it")
            let events = try await client.call(ClusterAPI.listClusterEvents, .init(clusterID: "c1")).events
            #expect(events.reversed().map(\.type) == ["CREATING", "STARTING", "RUNNING"])
            // Contexts and commands carry the cluster's name, though the driver has another.
            let made = try await client.call(
                ClusterAPI.createContext,
                .init(clusterID: "c1", body: ContextSpec(contextID: "ctx", language: "python")))
            #expect(made.clusterID == "c1")
            let command = try await client.call(
                ClusterAPI.executeCommand,
                .init(clusterID: "c1", contextID: "ctx", body: CommandSpec(commandID: "a", source: "1+1")))
            #expect(command.clusterID == "c1")
            try await eventually("its end is known") {
                try await client.call(
                    ClusterAPI.getCommand, .init(clusterID: "c1", contextID: "ctx", commandID: "a")
                ).state == .finished
            }
            try await wait(client, "the next one is being made ready") { $0.pendingIdleCount == 1 }
            let pool = try await client.call(ClusterAPI.getPool, .init(instancePoolID: "p1"))
            #expect(pool.usedCount == 1)
        }
    }

    @Test func whatWasTakenSurvivesARestartAndEnds() async throws {
        try await withService { fixture, _ in
            var client = try await fixture.client()
            try await makePool(client, idle: 1)
            try await wait(client, "one is ready") { $0.idleCount == 1 }
            _ = try await create(client, "c1")
            _ = try await fixture.wait("c1", for: .running)
            try await wait(client, "the next one is ready") { $0.idleCount == 1 }
            try await fixture.stop()
            client = try await fixture.start()
            #expect(fixture.world.clusters.count == 2)
            let now = try await client.call(ClusterAPI.getCluster, .init(clusterID: "c1"))
            #expect(now.state == .running)
            let pool = try await client.call(ClusterAPI.getPool, .init(instancePoolID: "p1"))
            #expect(pool.idleCount == 1)
            #expect(pool.usedCount == 1)
            _ = try await client.call(ClusterAPI.terminateCluster, .init(clusterID: "c1", body: TerminateCluster()))
            _ = try await fixture.wait("c1", for: .terminated)
            #expect(fixture.world.clusters.count == 1)
            _ = try await client.call(ClusterAPI.startCluster, .init(clusterID: "c1"))
            let again = try await fixture.wait("c1", for: .running)
            #expect(again.phases?.first?.name == "handover", "a later start is taken from the pool too")
            _ = try await client.call(ClusterAPI.deletePool, .init(instancePoolID: "p1"))
            try await eventually("what was ready is gone") { fixture.world.clusters.count == 1 }
            #expect(try await client.call(ClusterAPI.getCluster, .init(clusterID: "c1")).state == .running)
            _ = try await client.call(ClusterAPI.deleteCluster, .init(clusterID: "c1"))
            try await eventually("nothing is left") { fixture.world.clusters.isEmpty && fixture.drivers.count == 0 }
        }
    }

    @Test func whatIsNotReadyIsStartedWithinTheCapacity() async throws {
        try await withService { fixture, client in
            try await makePool(client, idle: 1, capacity: 3)
            try await wait(client, "one is ready") { $0.idleCount == 1 }
            _ = try await create(client, "other", conf: ["spark.x": "1"])
            let other = try await fixture.wait("other", for: .running)
            #expect(other.phases?.first?.name == "prepare", "it asks for what is not ready")
            _ = try await create(client, "c1")
            #expect(try await fixture.wait("c1", for: .running).phases?.first?.name == "handover")
            try await wait(client, "the last one there is room for is ready") { $0.idleCount == 1 }
            _ = try await create(client, "c2")
            _ = try await fixture.wait("c2", for: .running)
            await expectCode(.resourceExhausted) { try await create(client, "c3") }
            #expect(fixture.world.clusters.count == 3)
            _ = try await client.call(ClusterAPI.deleteCluster, .init(clusterID: "c2"))
            try await wait(client, "room is used") { $0.idleCount == 1 }
            await expectCode(.invalidParameter) {
                try await client.call(
                    ClusterAPI.editPool,
                    .init(
                        instancePoolID: "p1",
                        body: EditPool(instancePoolName: "p", minIdleInstances: 9, maxCapacity: 3)))
            }
            await expectCode(.notFound) { try await client.call(ClusterAPI.getPool, .init(instancePoolID: "p2")) }
        }
    }

    @Test func manyAtOnceGetOneEachAndNothingLeaks() async throws {
        try await withService { fixture, client in
            try await makePool(client, idle: 4)
            try await wait(client, "they are ready") { $0.idleCount == 4 }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<10 {
                    group.addTask {
                        _ = try await create(client, "c\(number)")
                        _ = try await fixture.wait("c\(number)", for: .running)
                    }
                }
                try await group.waitForAll()
            }
            try await wait(client, "it is full again") { $0.idleCount == 4 && $0.usedCount == 10 }
            let places = Set(fixture.world.clusters)
            #expect(places.count == 14)
            #expect(fixture.drivers.count == 14)
            for number in 0..<10 { _ = try await client.call(ClusterAPI.deleteCluster, .init(clusterID: "c\(number)")) }
            _ = try await client.call(ClusterAPI.deletePool, .init(instancePoolID: "p1"))
            try await eventually("nothing is left") { fixture.world.clusters.isEmpty && fixture.drivers.count == 0 }
        }
    }

    @Test func aReadyOneThatDiesIsReplacedAndABrokenPoolSaysWhy() async throws {
        try await withService { fixture, client in
            try await makePool(client, idle: 1)
            try await wait(client, "one is ready") { $0.idleCount == 1 }
            let first = try #require(fixture.world.clusters.first)
            await fixture.world.end(first, ClusterEnd(.killed, status: 9, message: "The driver was killed."))
            try await eventually("another one takes its place") {
                let pool = try await client.call(ClusterAPI.getPool, .init(instancePoolID: "p1"))
                // The dead one is still counted for a moment, while there is none.
                return pool.idleCount == 1 && fixture.world.clusters.first.map { $0 != first } == true
            }
            let error = HarbourError(.launchFailed, "There is no room. Try later.")
            fixture.world.edit { $0.plan(.fail(error), at: .phase(.driver)) }
            _ = try await client.call(
                ClusterAPI.editPool,
                .init(instancePoolID: "p1", body: EditPool(instancePoolName: "pool", minIdleInstances: 2)))
            try await wait(client, "it says why it is not full") { $0.message == "There is no room. Try later." }
            try await wait(client, "it tries again") { $0.idleCount == 2 && $0.message == nil }
        }
    }
}
