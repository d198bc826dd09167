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

/// The database loses the row of a cluster that runs, as in a crash without synchronous commit: the row is written again.
@Suite struct LostRowTests {
    private func lose(_ id: String, _ fixture: ServiceFixture) async throws {
        let gone = try await fixture.pool().query("DELETE FROM clusters WHERE cluster_id = \(id)")
        #expect(gone.affected == 1)
    }

    private func listed(_ client: ServiceClient) async throws -> [String] {
        try await client.call(ClusterAPI.listClusters, .init()).clusters.map(\.clusterID)
    }

    private func run(_ command: String, _ source: String, _ client: ServiceClient) async throws {
        _ = try await client.call(
            ClusterAPI.executeCommand,
            .init(clusterID: "c1", contextID: "ctx", body: CommandSpec(commandID: command, source: source)))
    }

    @Test func theEndIsStoredWithTheCommandsThatWereOpen() async throws {
        try await withService { fixture, _ in
            let client = try await fixture.runningCluster("c1")
            try await run("a", "hang", client)
            try await lose("c1", fixture)
            let id = try #require(ClusterIdentifier("c1"))
            await fixture.world.end(id, ClusterEnd(.killed, status: 9, message: "The driver was killed."))
            let ended = try await fixture.wait("c1", for: .terminated)
            #expect(ended.terminationReason?.code == "DRIVER_LOST")
            #expect(try await listed(client) == ["c1"])
            let command = try await client.call(
                ClusterAPI.getCommand, .init(clusterID: "c1", contextID: "ctx", commandID: "a"))
            #expect(command.error?.code == "DRIVER_LOST")
            let events = try await client.call(ClusterAPI.listClusterEvents, .init(clusterID: "c1")).events
            #expect(
                events.reversed().map(\.type) == [
                    "RECORD_RESTORED", "DRIVER_UNAVAILABLE", "TERMINATING", "TERMINATED",
                ])
            #expect(fixture.world.clusters.isEmpty)
            // It is a cluster like any other: it can be started again.
            _ = try await client.call(ClusterAPI.startCluster, .init(clusterID: "c1"))
            _ = try await fixture.wait("c1", for: .running)
        }
    }

    @Test func itRunsOnAndTakesCommands() async throws {
        try await withService { fixture, _ in
            let client = try await fixture.runningCluster("c1")
            try await lose("c1", fixture)
            try await run("a", "hang", client)
            #expect(try await listed(client) == ["c1"])
            let info = try await client.call(ClusterAPI.getCluster, .init(clusterID: "c1"))
            #expect(info.state == .running)
            #expect(info.creatorUserName == "ada")
            #expect(fixture.world.started.count == 1)
        }
    }

    @Test func theEndOfACommandIsStoredAndTheClusterIsIdle() async throws {
        try await withService { fixture, _ in
            let client = try await fixture.runningCluster("c1", minutes: 60)
            try await run("a", "hang", client)
            try await lose("c1", fixture)
            try await fixture.drivers.get("c1").release()
            let store = CommandStore(pool: try await fixture.pool(), fence: Fence())
            try await eventually("the end is written down") {
                try await store.get("c1", "ctx", "a")?.info.state == .finished
            }
            try await eventually("it is idle again") {
                try await client.call(ClusterAPI.getCluster, .init(clusterID: "c1")).autoterminationTime != nil
            }
            #expect(try await listed(client) == ["c1"])
        }
    }

    @Test func aNewContextFindsOutToo() async throws {
        try await withService { fixture, _ in
            let client = try await fixture.runningCluster("c1")
            try await lose("c1", fixture)
            #expect(try await listed(client).isEmpty)
            _ = try await client.call(
                ClusterAPI.createContext, .init(clusterID: "c1", body: ContextSpec(contextID: "x")))
            #expect(try await listed(client) == ["c1"])
            // After a restart of the service it is taken up like the others.
            try await fixture.stop()
            let again = try await fixture.start()
            #expect(try await again.call(ClusterAPI.getCluster, .init(clusterID: "c1")).state == .running)
            #expect(fixture.world.clusters.count == 1)
        }
    }

    @Test func whoDeletesItIsDoneWithIt() async throws {
        try await withService { fixture, _ in
            let client = try await fixture.runningCluster("c1")
            try await run("a", "hang", client)
            try await lose("c1", fixture)
            _ = try await client.call(ClusterAPI.deleteCluster, .init(clusterID: "c1"))
            try await eventually("nothing is left of it") { fixture.world.clusters.isEmpty }
            try await eventually("it is forgotten") { try await listed(client).isEmpty }
            await expectCode(.notFound) { try await client.call(ClusterAPI.getCluster, .init(clusterID: "c1")) }
        }
    }

    /// Goal: what was installed after the cluster had been made is not lost with its row, as long as its driver has it.
    @Test func whatWasInstalledStaysInstalled() async throws {
        try await withService { fixture, _ in
            let client = try await fixture.runningCluster("c1")
            let library = Library(pypi: PyPILibrary(package: "tabulate"))
            _ = try await client.call(
                ClusterAPI.installLibraries, .init(body: ClusterLibraries(clusterID: "c1", libraries: [library])))
            try await lose("c1", fixture)
            let store = LibraryStore(pool: try await fixture.pool())
            let id = try #require(ClusterIdentifier("c1"))
            #expect(try await store.changes(of: id).isEmpty, "they are gone with the row")
            try await run("a", "hang", client)
            try await eventually("they are written down again") {
                try await store.changes(of: id).map(\.library) == [library]
            }
            let statuses = try await client.call(ClusterAPI.listLibraryStatuses, .init(clusterID: "c1"))
            #expect(statuses.libraryStatuses.map(\.status) == [.installed])
            let events = try await client.call(ClusterAPI.listClusterEvents, .init(clusterID: "c1")).events
            #expect(events.map(\.type) == ["RECORD_RESTORED"])
            #expect(events.first?.message?.contains("libraries") == true)
        }
    }

    @Test func whoIsNotActiveAnyMoreWritesNothing() async throws {
        try await withService { fixture, _ in
            let client = try await fixture.runningCluster("c1")
            try await lose("c1", fixture)
            _ = try await fixture.pool().query("UPDATE installation SET epoch = epoch + 1")
            await expectCode(.superseded) {
                try await client.call(
                    ClusterAPI.terminateCluster, .init(clusterID: "c1", body: TerminateCluster()),
                    context: .within(.seconds(60)))
            }
            #expect(try await listed(client).isEmpty)
        }
    }
}
