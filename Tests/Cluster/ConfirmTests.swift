import CellExecution
import Core
import EventLoop
import HTTPClient
import HTTPServer
import HarbourProtocol
import Postgres
import ServiceClients
import ServiceKit
import Synchronization
import TestSupport
import Testing

@testable import ClusterService

/// Confirming, keeping and sweeping at the same time: none waits for another that waits for it, and nothing is left over.
@Suite struct ConfirmTests {
    private let place = CommandPlace(clusterID: "c1", contextID: "ctx", commandID: "a")

    /// A command that is kept, its cluster having ended.
    private func withKeptCommand(
        _ body: @escaping @Sendable (ServiceFixture, KeptEventStore) async throws -> Void
    ) async throws {
        try await withService { fixture, _ in
            let client = try await fixture.runningCluster("c1")
            _ = try await client.call(
                ClusterAPI.executeCommand,
                .init(clusterID: "c1", contextID: "ctx", body: CommandSpec(commandID: "a", source: "1+1")))
            _ = try await client.call(ClusterAPI.terminateCluster, .init(clusterID: "c1", body: TerminateCluster()))
            _ = try await fixture.wait("c1", for: .terminated)
            let store = KeptEventStore(pool: try await fixture.pool(), fence: Fence())
            #expect(try await store.get("c1", "ctx", "a")?.isWhole == true)
            try await body(fixture, store)
        }
    }

    /// Waits until a statement of this database waits for a lock.
    private func waitUntilBlocked(_ fixture: ServiceFixture) async throws {
        let pool = try await fixture.pool()
        try await eventually("somebody waits for a lock") {
            let rows = try await pool.query(
                """
                SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock'
                """)
            return try rows.first?.decode(Int64.self) == 1
        }
    }

    /// Goal: whoever finishes keeping takes what is kept first and the command's own row then; confirming holds neither
    /// while it waits for the other.
    @Test func confirmingHoldsNothingWhileItWaits() async throws {
        try await withKeptCommand { fixture, store in
            let other = try await fixture.pool()
            let confirming = try await other.transaction { transaction in
                try await transaction.query("UPDATE kept_commands SET whole = true WHERE command_id = 'a'")
                let confirming = Task { try await store.confirm([place]) }
                try await waitUntilBlocked(fixture)
                try await transaction.query("UPDATE commands SET ended = true WHERE command_id = 'a'")
                return confirming
            }
            try await confirming.value
            #expect(try await store.get("c1", "ctx", "a") == nil)
        }
    }

    @Test func sweepingDoesNotWaitForWhatIsInHand() async throws {
        try await withKeptCommand { fixture, store in
            let other = try await fixture.pool()
            try await other.transaction { transaction in
                try await transaction.query("SELECT 1 FROM kept_commands FOR UPDATE")
                #expect(try await store.sweep(before: .now + .seconds(60), keeping: 0) == 0)
            }
            #expect(try await store.sweep(before: .now + .seconds(60), keeping: 0) == 1)
        }
    }

    /// Goal: nothing is begun to be kept of a command that is being confirmed, for nobody would remove it.
    @Test func whatIsConfirmedMeanwhileIsNotBegun() async throws {
        try await withKeptCommand { fixture, store in
            let info = try #require(try await store.get("c1", "ctx", "a")).info
            let other = try await fixture.pool()
            let epoch = try await other.query("SELECT epoch FROM installation").first?.decode(Int64.self)
            store.fence.set(try #require(epoch))
            try await other.query("DELETE FROM kept_commands")
            let beginning = try await other.transaction { transaction in
                try await transaction.query("UPDATE commands SET confirmed = true WHERE command_id = 'a'")
                let beginning = Task { try await store.begin(info, start: 1, now: .now) }
                try await waitUntilBlocked(fixture)
                return beginning
            }
            #expect(try await beginning.value == nil)
            #expect(try await store.get("c1", "ctx", "a") == nil)
        }
    }

    /// Goal: what could not be told is told later, with what has come since, and once.
    @Test func whoConfirmsComesAgain() async throws {
        try await withEventLoop { loop in
            let told = Mutex<(failures: Int, names: [String])>((2, []))
            let router = ServiceRouter(loop: loop, authenticator: ServiceTokenAuthenticator(token: "t"))
            router.on(ClusterAPI.confirmCommands) { input, _ in
                try told.withLock { told throws(HarbourError) in
                    told.failures -= 1
                    if told.failures >= 0 { throw HarbourError(.internalError, "The database is broken.") }
                    told.names += input.body.commands.map(\.commandID)
                }
                return Empty()
            }
            let server = HTTPServer(
                configuration: HTTPServerConfiguration(address: .tcp(host: "127.0.0.1", port: 0)), handler: router,
                loop: loop)
            let port = try await server.start()
            let http = HTTPClient(loop: loop)
            let client = try ServiceClient(
                http: http, baseURL: "http://127.0.0.1:\(port)", token: "t", service: "cluster")
            let confirmer = CommandConfirmer(clusters: client, loop: loop, label: "test")
            for name in ["a", "b"] {
                await confirmer.confirm(CommandPlace(clusterID: "c1", contextID: "ctx", commandID: name))
            }
            try await eventually("both are told") { told.withLock { $0.names.count } == 2 }
            #expect(told.withLock { $0.names } == ["a", "b"])
            await http.close()
            await server.drain(budget: .zero)
        }
    }

    /// Goal: a cluster service from before anybody could confirm refuses what it does not know, and runs cells all the
    /// same: services are upgraded one by one.
    @Test func whoFollowsAsksAnOlderServiceAgain() async throws {
        try await withEventLoop { loop in
            let asked = Mutex<[Bool]>([])
            let router = ServiceRouter(loop: loop, authenticator: ServiceTokenAuthenticator(token: "t"))
            router.on(ClusterAPI.runCommand) { input, _, send in
                let confirms = input.body.confirms != nil
                asked.withLock { $0.append(confirms) }
                if confirms { throw HarbourError(.malformedRequest, "The body has the unknown field `confirms`.") }
                try await send(CommandEvent(sequence: 1, timestamp: .now, type: .state, state: .finished))
            }
            let server = HTTPServer(
                configuration: HTTPServerConfiguration(address: .tcp(host: "127.0.0.1", port: 0)), handler: router,
                loop: loop)
            let port = try await server.start()
            let http = HTTPClient(loop: loop)
            let client = try ServiceClient(
                http: http, baseURL: "http://127.0.0.1:\(port)", token: "t", service: "cluster")
            let follower = CellExecution.CommandFollower(clusters: client, loop: loop, label: "test")
            let order = CellExecution.CommandFollower.Order(
                clusterID: "c1", contextID: "ctx", commandID: "a", language: "python", source: "1+1", user: "tester")
            var events: [CommandEvent] = []
            _ = try await follower.follow(order) { events.append($0) }
            #expect(events.map(\.state) == [.finished])
            #expect(asked.withLock { $0 } == [true, false])
            await http.close()
            await server.drain(budget: .zero)
        }
    }
}
