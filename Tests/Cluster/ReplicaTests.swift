import ClusterBackend
import Core
import EventLoop
import HTTPClient
import HarbourProtocol
import Postgres
import ServiceClients
import SimulatedBackend
import Synchronization
import TestSupport
import Testing

@testable import ClusterService

/// Two instances of the service over one database and one place.
@Suite struct ReplicaTests {
    /// Advisory locks of this test's database: the server has those of other tests too.
    private static let locks: SQL = """
        pg_locks WHERE locktype = 'advisory'
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        """

    private func isAwaited(_ pool: PostgresPool) async throws -> Bool {
        try await pool.query("SELECT count(*) FROM \(Self.locks) AND NOT granted").first?.decode(Int64.self) == 1
    }

    @Test func theSecondWaitsAndGoesOnWhereTheFirstEnds() async throws {
        try await withService { fixture, _ in
            let client = try await fixture.runningCluster("c1")
            _ = try await client.call(
                ClusterAPI.executeCommand,
                .init(clusterID: "c1", contextID: "ctx", body: CommandSpec(commandID: "a", source: "hang")))
            let second = ServiceFixture(sharing: fixture)
            let isActive = Mutex(false)
            let start = Task(executorPreference: fixture.loop) {
                try await second.start()
                isActive.withLock { $0 = true }
            }
            let pool = try await fixture.pool()
            try await eventually("the second one waits for the lock") { try await isAwaited(pool) }
            #expect(!isActive.withLock { $0 })
            let begin = MonotonicTime.now
            try await fixture.stop()
            try await start.value
            print("hand-over, the end of the first one included: \((MonotonicTime.now - begin).milliseconds) ms")
            let now = try await second.client()
            #expect(try await now.call(ClusterAPI.getCluster, .init(clusterID: "c1")).state == .running)
            try await fixture.drivers.get("c1").release()
            try await eventually("the command's end is known") {
                try await now.call(
                    ClusterAPI.getCommand, .init(clusterID: "c1", contextID: "ctx", commandID: "a")
                ).state == .finished
            }
            await pool.drain(budget: .zero)
            try await second.stop()
        }
    }

    @Test func whoHasLostTheLockToAnotherCannotWriteAndEnds() async throws {
        try await withService { fixture, client in
            _ = try await fixture.runningCluster("c1")
            let second = ServiceFixture(sharing: fixture)
            let start = Task(executorPreference: fixture.loop) { try await second.start() }
            let pool = try await fixture.pool()
            try await eventually("the second one waits for the lock") { try await isAwaited(pool) }
            // What a partition does in the end: PostgreSQL gives the connection up, and its holder does not know it yet.
            _ = try await pool.query(
                "SELECT pg_terminate_backend(pid) FROM \(Self.locks) AND granted")
            let now = try await start.value
            do {
                _ = try await client.call(
                    ClusterAPI.terminateCluster, .init(clusterID: "c1", body: TerminateCluster()))
                Issue.record("it wrote without its lock")
            } catch let error as HarbourError {
                // It may have seen by now that it has no lock, and ended.
                #expect([ErrorCode.superseded, .unavailable].contains(error.code), "\(error.describeChain())")
            }
            #expect(try await now.call(ClusterAPI.getCluster, .init(clusterID: "c1")).state == .running)
            try await eventually("the first one ends by itself") {
                do throws(HarbourError) {
                    _ = try await client.call(ClusterAPI.listBackends, .init(), context: .within(.seconds(60)))
                    return false
                } catch { return error.code == .unavailable }
            }
            await expectCode(.superseded) { try await fixture.stop() }
            #expect(fixture.world.clusters.count == 1, "the cluster goes on")
            await pool.drain(budget: .zero)
            try await second.stop()
        }
    }

    @Test func theLockIsTakenAgainWhenNobodyElseWantsIt() async throws {
        try await withService { fixture, client in
            _ = try await fixture.runningCluster("c1")
            let pool = try await fixture.pool()
            let holder: SQL = "SELECT max(pid) FROM \(Self.locks) AND granted"
            let first = try await pool.query(holder).first?.decode(Int32?.self)
            _ = try await pool.query("SELECT pg_terminate_backend(\(first ?? 0))")
            try await eventually("another connection holds it") {
                let now = try await pool.query(holder).first?.decode(Int32?.self)
                return now != nil && now != first
            }
            _ = try await client.call(
                ClusterAPI.terminateCluster, .init(clusterID: "c1", body: TerminateCluster()))
            _ = try await fixture.wait("c1", for: .terminated)
            await pool.drain(budget: .zero)
        }
    }
}
