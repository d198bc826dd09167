import ClusterBackend
import Core
import HarbourProtocol
import Postgres
import ServiceClients
import SimulatedBackend
import TestSupport
import Testing

@testable import ClusterService

/// The row of a ready cluster of a pool is not there: it was given away and the answer of the database was lost, or the
/// database has lost the row. Nobody's driver is given to two, or stopped while somebody has it.
@Suite(.timeLimit(.minutes(5))) struct LostReadyTests {
    private static func wish(_ id: String) -> CreateCluster {
        CreateCluster(spec: ClusterSpec(clusterName: id, instancePoolID: "p1"), clusterID: id)
    }

    private func create(_ client: ServiceClient, _ id: String) async throws {
        _ = try await client.call(
            ClusterAPI.createCluster, .init(body: LostReadyTests.wish(id)), context: ServiceFixture.context)
    }

    private func pool(_ client: ServiceClient) async throws -> InstancePool {
        try await client.call(ClusterAPI.getPool, .init(instancePoolID: "p1"))
    }

    /// A look at the rows with the right to write.
    private func store(_ fixture: ServiceFixture) async throws -> ClusterStore {
        let fence = Fence()
        let pool = try await fixture.pool()
        let epoch = try await pool.query("SELECT epoch FROM installation").first?.decode(Int64.self)
        fence.set(try #require(epoch))
        return ClusterStore(pool: pool, fence: fence)
    }

    /// Makes a pool with one that is ready, and returns it.
    private func ready(_ client: ServiceClient, _ store: ClusterStore) async throws -> ClusterRow {
        _ = try await client.call(
            ClusterAPI.createPool,
            .init(
                body: CreatePool(
                    instancePoolName: "pool", minIdleInstances: 1, spec: ClusterSpec(clusterName: "ready"),
                    instancePoolID: "p1")), context: ServiceFixture.context)
        try await eventually("one is ready") { try await pool(client).idleCount == 1 }
        return try #require(try await store.alive().first { $0.poolID == "p1" })
    }

    /// What the database has when it was asked to hand a ready one over and its answer does not come.
    private func giveAway(_ member: ClusterRow, to id: String, _ store: ClusterStore) async throws {
        let driver = ReadyDriver(
            place: member.place, handle: try #require(member.record.handle),
            address: try #require(member.record.address), workers: member.record.workers, notes: member.record.notes)
        let (machine, outcome) = ClusterMachine.created(on: driver, at: .now)
        let row = ClusterRow(
            id: try #require(ClusterIdentifier(id)), backend: member.backend, creator: "ada", owner: nil,
            spec: LostReadyTests.wish(id).spec, demand: member.demand, record: machine.record,
            driverToken: member.driverToken, createdAt: .now, lastActivityAt: .now)
        #expect(try await store.insert(row, notes: outcome.notes, taking: member.id, now: .now))
    }

    private func place(_ id: String, _ store: ClusterStore) async throws -> ClusterIdentifier? {
        try await store.get(try #require(ClusterIdentifier(id)))?.place
    }

    @Test func noDriverIsGivenToTwo() async throws {
        try await withService { fixture, client in
            let store = try await store(fixture)
            let member = try await ready(client, store)
            try await giveAway(member, to: "c1", store)
            try await create(client, "c2")
            _ = try await fixture.wait("c2", for: .running)
            // Whoever got no answer asks again, and finds what was written down.
            try await create(client, "c1")
            _ = try await fixture.wait("c1", for: .running)
            #expect(try await place("c1", store) == member.id)
            #expect(try await place("c2", store) != member.id)
            #expect(try await store.get(member.id) == nil)
            try await eventually("the pool is full again") {
                let pool = try await pool(client)
                return pool.idleCount == 1 && pool.usedCount == 2
            }
            #expect(fixture.drivers.count == 3 && fixture.world.clusters.count == 3)
            _ = try fixture.drivers.get(member.id.text)
        }
    }

    @Test func whoeverHasTheDriverKeepsItWhenThePoolIsDeleted() async throws {
        try await withService { fixture, client in
            let store = try await store(fixture)
            let member = try await ready(client, store)
            try await giveAway(member, to: "c1", store)
            _ = try await client.call(ClusterAPI.deletePool, .init(instancePoolID: "p1"))
            #expect(try await store.get(member.id) == nil)
            _ = try await client.call(ClusterAPI.getCluster, .init(clusterID: "c1"))
            _ = try await fixture.wait("c1", for: .running)
            #expect(fixture.world.clusters == [member.id])
            _ = try await client.call(ClusterAPI.deleteCluster, .init(clusterID: "c1"))
            try await eventually("nothing is left") { fixture.world.clusters.isEmpty && fixture.drivers.count == 0 }
        }
    }

    @Test func aLostOneIsNobodysAndEnds() async throws {
        try await withService { fixture, client in
            let store = try await store(fixture)
            let member = try await ready(client, store)
            try await store.delete(member.id)
            try await create(client, "c1")
            _ = try await fixture.wait("c1", for: .running)
            #expect(try await place("c1", store) != member.id)
            try await eventually("its driver is stopped") { !fixture.world.clusters.contains(member.id) }
            try await eventually("the pool is full again") {
                let pool = try await pool(client)
                return pool.idleCount == 1 && pool.usedCount == 1
            }
            #expect(try await store.get(member.id) == nil)
            #expect(fixture.world.clusters.count == 2)
        }
    }

    @Test func aLostOneIsNotWrittenAgainByItsNews() async throws {
        try await withService { fixture, client in
            let store = try await store(fixture)
            let member = try await ready(client, store)
            try await store.delete(member.id)
            await fixture.world.end(member.id, ClusterEnd(.killed, status: 9, message: "The driver was killed."))
            try await eventually("another is ready instead") {
                try await store.alive().contains {
                    $0.poolID == "p1" && $0.id != member.id && $0.record.step == .running
                }
            }
            #expect(try await store.get(member.id) == nil)
            try await eventually("nothing is left of it") { !fixture.world.clusters.contains(member.id) }
        }
    }
}
