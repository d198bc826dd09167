import ClusterBackend
import Core
import EventLoop
import HarbourProtocol
import Postgres
import ServiceClients
import SimulatedBackend
import Synchronization
import TestSupport
import Testing

@testable import ClusterService

/// The service is killed at each moment of a start, a resize, a restart, an end and a hand-over: before and after each
/// step is written down, and before and after each call of the backend. The one that comes after it finds one consistent
/// state, and nothing is left that nobody knows.
@Suite struct CrashTests {
    private func state(_ client: ServiceClient, _ id: String) async throws -> ClusterInfo? {
        do throws(HarbourError) {
            return try await client.call(ClusterAPI.getCluster, .init(clusterID: id))
        } catch {
            if error.code == .notFound { return nil }
            throw error
        }
    }

    /// Waits for a state, or for the crash; a service that is killed says nothing any more.
    private func wait(
        _ crash: Crash, _ client: ServiceClient, _ id: String, _ condition: (ClusterInfo) -> Bool
    ) async throws {
        try await eventually("the state, or the crash") {
            if crash.hasHappened { return true }
            return try await state(client, id).map(condition) ?? false
        }
        try crash.check()
    }

    /// A life in which everything happens once.
    private func live(_ crash: Crash, _ client: ServiceClient, _ id: String) async throws {
        let spec = ClusterSpec(clusterName: id, numWorkers: 1)
        _ = try await client.call(
            ClusterAPI.createCluster, .init(body: CreateCluster(spec: spec, clusterID: id)))
        try await wait(crash, client, id) { $0.state == .running }
        _ = try await client.call(
            ClusterAPI.resizeCluster, .init(clusterID: id, body: ResizeCluster(numWorkers: 3)))
        try await wait(crash, client, id) { $0.state == .running && $0.workers == 3 }
        _ = try await client.call(ClusterAPI.restartCluster, .init(clusterID: id))
        try await wait(crash, client, id) { $0.state == .running }
        _ = try await client.call(ClusterAPI.terminateCluster, .init(clusterID: id, body: TerminateCluster()))
        try await wait(crash, client, id) { $0.state == .terminated }
    }

    @Test(.timeLimit(.minutes(10))) func killedAtEachMomentOfALife() async throws {
        try await withService { fixture, _ in
            try await fixture.stop()
            var moment = 0
            while true {
                let id = "c\(moment)"
                let crash = Crash(after: moment)
                fixture.crash.withLock { $0 = crash }
                let killed = try await fixture.start()
                do {
                    try await live(crash, killed, id)
                } catch let error as HarbourError {
                    #expect(crash.hasHappened, "\(error)")
                }
                try await fixture.stop()
                fixture.crash.withLock { $0 = nil }
                let client = try await fixture.start()
                try await rest(fixture, client, id, "killed at moment \(moment)")
                try await fixture.stop()
                if !crash.hasHappened { break }
                moment += 1
            }
            print("killed at \(moment) moments of a life")
            #expect(moment > 30)
            _ = try await fixture.start()
        }
    }

    /// It comes to rest, both sides agree, and its end leaves nothing.
    private func rest(
        _ fixture: ServiceFixture, _ client: ServiceClient, _ id: String, _ when: String
    ) async throws {
        try await eventually("it comes to rest, \(when)") {
            guard let info = try await state(client, id) else { return true }
            return info.state == .running || info.state == .terminated
        }
        guard let info = try await state(client, id) else {
            #expect(fixture.world.clusters.isEmpty, "\(when)")
            return
        }
        if info.state == .running {
            #expect(fixture.world.clusters.map(\.text) == [id], "\(when)")
            #expect(fixture.drivers.count == 1, "\(when)")
            let driver = try fixture.drivers.get(id).driver
            #expect(
                info.workers == fixture.world.clusters.first.flatMap { fixture.world.workers(of: $0) }, "\(when)")
            #expect(driver.request.id.text == id)
            _ = try await client.call(
                ClusterAPI.terminateCluster, .init(clusterID: id, body: TerminateCluster()))
            _ = try await fixture.wait(id, for: .terminated)
        }
        #expect(fixture.world.clusters.isEmpty, "\(when)")
        #expect(fixture.drivers.count == 0, "\(when)")
        let events = try await client.call(ClusterAPI.listClusterEvents, .init(clusterID: id, pageSize: 100)).events
        let types = events.reversed().map(\.type)
        #expect(types.first == "CREATING", "\(when): \(types)")
        #expect(types.last == "TERMINATED", "\(when): \(types)")
        #expect(types.count { $0 == "CREATING" } == 1)
    }

    @Test(.timeLimit(.minutes(10))) func killedAtEachMomentOfAHandOver() async throws {
        try await withService { fixture, first in
            _ = try await first.call(
                ClusterAPI.createPool,
                .init(
                    body: CreatePool(
                        instancePoolName: "pool", minIdleInstances: 1, spec: ClusterSpec(clusterName: "ready"),
                        instancePoolID: "p1")))
            func pool(_ client: ServiceClient) async throws -> InstancePool {
                try await client.call(ClusterAPI.getPool, .init(instancePoolID: "p1"))
            }
            try await eventually("one is ready") { try await pool(first).idleCount == 1 }
            try await fixture.stop()
            var moment = 0
            var taken = 0
            while true {
                let id = "c\(moment)"
                let crash = Crash(after: moment)
                fixture.crash.withLock { $0 = crash }
                let killed = try await fixture.start()
                let wish = CreateCluster(spec: ClusterSpec(clusterName: id, instancePoolID: "p1"), clusterID: id)
                do {
                    _ = try await killed.call(ClusterAPI.createCluster, .init(body: wish))
                    try await wait(crash, killed, id) { $0.state == .running }
                    try await eventually("the pool is full again, or the crash") {
                        if crash.hasHappened { return true }
                        return try await pool(killed).idleCount == 1
                    }
                } catch let error as HarbourError {
                    #expect(crash.hasHappened, "\(error)")
                }
                try await fixture.stop()
                fixture.crash.withLock { $0 = nil }
                let client = try await fixture.start()
                try await eventually("the pool is full, killed at moment \(moment)") {
                    try await pool(client).idleCount == 1
                }
                let info = try await state(client, id)
                if info != nil {
                    taken += 1
                    _ = try await fixture.wait(id, for: .running)
                }
                #expect(try await pool(client).usedCount == (info == nil ? 0 : 1))
                #expect(fixture.world.clusters.count == (info == nil ? 1 : 2), "killed at moment \(moment)")
                #expect(fixture.drivers.count == fixture.world.clusters.count)
                if info != nil {
                    _ = try await client.call(ClusterAPI.deleteCluster, .init(clusterID: id))
                    try await eventually("it is gone") { fixture.world.clusters.count == 1 }
                }
                try await fixture.stop()
                if !crash.hasHappened { break }
                moment += 1
            }
            print("killed at \(moment) moments of a hand-over, of which \(taken) had come to have a cluster")
            #expect(moment > 10)
            _ = try await fixture.start()
        }
    }
}
