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

/// How much is kept of outputs when a cluster ends, of whom, and what is said of the rest.
@Suite struct KeepingLimitTests {
    private func execute(
        _ client: ServiceClient, _ source: String, id: String, in context: String = "ctx"
    ) async throws {
        _ = try await client.call(
            ClusterAPI.executeCommand,
            .init(clusterID: "c1", contextID: context, body: CommandSpec(commandID: id, source: source)))
    }

    /// Ends the cluster after the ends of that many commands have been written down.
    private func terminate(_ fixture: ServiceFixture, _ client: ServiceClient, ended: Int) async throws {
        try await untilWritten(fixture, ended: ended)
        _ = try await client.call(ClusterAPI.terminateCluster, .init(clusterID: "c1", body: TerminateCluster()))
        _ = try await fixture.wait("c1", for: .terminated)
    }

    private func untilWritten(_ fixture: ServiceFixture, ended: Int) async throws {
        let pool = try await fixture.pool()
        try await eventually("the ends are written down") {
            let rows = try await pool.query("SELECT count(*) FROM commands WHERE ended")
            return try rows.first?.decode(Int64.self) == Int64(ended)
        }
    }

    /// The codes with which the commands end for one who reads them after the cluster's end.
    private func codes(_ fixture: ServiceFixture, _ ids: [String]) async throws -> [String?] {
        var codes: [String?] = []
        for id in ids { codes.append(try await fixture.events("c1", id).last?.error?.code) }
        return codes
    }

    @Test func theNewestAreKeptOfTooMany() async throws {
        var limits = EngineLimits()
        limits.keeping.commands = 2
        try await withService(limits: limits) { fixture, _ in
            let client = try await fixture.runningCluster("c1")
            for id in ["a", "b", "c"] { try await execute(client, "1+1", id: id) }
            // Milliseconds may be the same.
            try await fixture.pool().query(
                "UPDATE commands SET submitted_at = submitted_at - interval '1 minute' WHERE command_id = 'b'")
            try await terminate(fixture, client, ended: 3)
            #expect(try await codes(fixture, ["a", "b", "c"]) == [nil, "OUTPUT_LOST", nil])
        }
    }

    /// Goal: what is too large is lost by itself, and leaves room for what had not ended.
    @Test func bytesAreLimited() async throws {
        var limits = EngineLimits()
        limits.keeping.bytes = 100_000
        try await withService(limits: limits) { fixture, _ in
            let client = try await fixture.runningCluster("c1")
            try await execute(client, String(repeating: "x", count: 90_000), id: "large")
            try await execute(client, "1+1", id: "small")
            try await execute(client, "hang", id: "open")
            try await terminate(fixture, client, ended: 2)
            #expect(
                try await codes(fixture, ["large", "small", "open"]) == ["OUTPUT_LOST", nil, "CLUSTER_TERMINATED"])
            #expect(try await fixture.events("c1", "open").map(\.text).prefix(2) == [nil, "hang"])
            // What came before is there.
            #expect(try await fixture.events("c1", "large").first?.state == .running)
        }
    }

    /// Goal: commands at work come before newer ones that have ended, however long ago they began.
    @Test func whatIsAtWorkIsKeptOfTooMany() async throws {
        var limits = EngineLimits()
        limits.keeping.commands = 2
        try await withService(limits: limits) { fixture, _ in
            let client = try await fixture.runningCluster("c1")
            for id in ["a", "b"] { try await execute(client, "1+1", id: id) }
            try await execute(client, "hang", id: "open")
            let pool = try await fixture.pool()
            try await pool.query(
                """
                UPDATE commands SET submitted_at = submitted_at - interval '1 minute' * length(command_id)
                WHERE command_id IN ('a', 'open')
                """)
            try await terminate(fixture, client, ended: 2)
            #expect(
                try await codes(fixture, ["a", "b", "open"]) == ["OUTPUT_LOST", nil, "CLUSTER_TERMINATED"])
            let store = KeptEventStore(pool: pool, fence: Fence())
            #expect(try await store.get("c1", "ctx", "open")?.isWhole == true)
        }
    }

    /// Goal: what has come together to a piece before the bytes were used up is kept, also when it is the last one.
    @Test func thePieceAtWhichTheBytesEndIsKept() async throws {
        var limits = EngineLimits()
        limits.keeping.bytes = OutputGathering.pieceSize
        try await withService(limits: limits) { fixture, _ in
            let client = try await fixture.runningCluster("c1")
            try await execute(client, String(repeating: "x", count: OutputGathering.pieceSize), id: "large")
            try await terminate(fixture, client, ended: 1)
            let events = try await fixture.events("c1", "large")
            #expect(events.first?.state == .running)
            #expect(events.contains { $0.text?.utf8.count == OutputGathering.pieceSize })
            #expect(events.last?.error?.code == "OUTPUT_LOST")
        }
    }

    @Test func theTimeIsLimited() async throws {
        var limits = EngineLimits()
        limits.keeping.time = .zero
        try await withService(limits: limits) { fixture, _ in
            let client = try await fixture.runningCluster("c1")
            try await execute(client, "1+1", id: "a")
            // Who has read it just before may come again, and is told the truth too.
            try await execute(client, "1+1", id: "read")
            _ = try await fixture.events("c1", "read")
            try await terminate(fixture, client, ended: 2)
            #expect(try await codes(fixture, ["a", "read"]) == ["OUTPUT_LOST", "OUTPUT_LOST"])
        }
    }

    /// Goal: a driver that hangs does not use up the time for its folder.
    @Test func theFolderHasTimeOfItsOwn() throws {
        let start = MonotonicTime.now
        let limits = KeepingLimits(time: .seconds(10), commands: 1, bytes: 100)
        let budget = KeepingBudget(limits, now: start, hasFolder: true)
        #expect(budget.hasRoom(forEnded: true, now: start + .seconds(4)))
        #expect(!budget.hasRoom(forEnded: true, now: start + .seconds(5)))
        budget.beginFolder()
        budget.beginFolder()
        #expect(budget.deadline == start + .seconds(10))
    }

    /// Goal: the time in which the database is away is not counted, once for all who wait.
    @Test func timeWithoutADatabaseIsGivenBack() throws {
        let start = MonotonicTime.now
        let budget = KeepingBudget(KeepingLimits(time: .seconds(10), commands: 1, bytes: 100), now: start)
        budget.waits(now: start + .seconds(2))
        budget.waits(now: start + .seconds(3))
        #expect(budget.hasRoom(forEnded: true, now: start + .seconds(60)))
        budget.waited(now: start + .seconds(61))
        budget.waited(now: start + .seconds(62))
        #expect(budget.deadline == start + .seconds(70))
        try budget.take(75, forEnded: true, now: start + .seconds(69))
        #expect(!budget.hasRoom(forEnded: true, now: start + .seconds(69)))
        #expect(throws: HarbourError.self) { try budget.take(1, forEnded: true, now: start + .seconds(69)) }
        try budget.take(25, forEnded: false, now: start + .seconds(69))
        #expect(throws: HarbourError.self) { try budget.take(0, forEnded: false, now: start + .seconds(70)) }
    }

    /// Goal: an output that was passed on to its end is not kept for a reader who cannot confirm it, and is for one who has
    /// not done so yet.
    @Test func whatWasReadByWhoCannotConfirmIsNotKept() async throws {
        var limits = EngineLimits()
        limits.keepingComeback = .zero
        try await withService(limits: limits) { fixture, _ in
            let client = try await fixture.runningCluster("c1")
            for id in ["read", "unread"] { try await execute(client, "1+1", id: id) }
            _ = try await fixture.events("c1", "read")
            for (id, confirms) in [("run", nil), ("service", true)] {
                let run = CommandRun(source: "1+1", confirms: confirms)
                let events = try await client.stream(
                    ClusterAPI.runCommand, .init(clusterID: "c1", contextID: "ctx", commandID: id, body: run))
                for try await _ in events {}
            }
            // Somebody else who looks on is not who has it stored.
            _ = try await fixture.events("c1", "service")
            try await terminate(fixture, client, ended: 4)
            let store = KeptEventStore(pool: try await fixture.pool(), fence: Fence())
            for id in ["read", "run"] {
                #expect(try await store.get("c1", "ctx", id) == nil, "\(id)")
                let events = try await fixture.events("c1", id)
                #expect(events.map(\.type) == [.truncated, .state])
                #expect(events.last?.state == .finished)
            }
            for id in ["unread", "service"] { #expect(try await store.get("c1", "ctx", id)?.isWhole == true, "\(id)") }
        }
    }

    /// Goal: a driver that only hangs and then goes on is ended before its journals are taken for all there is, and is not
    /// waited for once for each of its commands.
    @Test(arguments: [true, false]) func aHangingDriversLastWordsAreRead(_ canBeEnded: Bool) async throws {
        try await withJournals { fixture, folder in
            let client = try await fixture.runningCluster("c1")
            let ended = (0..<40).map { "a\($0)" }
            for id in ended { try await execute(client, "1+1", id: id) }
            try await execute(client, "hang", id: "b")
            for id in ended { try JournalFixture.write(try await fixture.events("c1", id), id, to: folder) }
            var words = [CommandEvent(sequence: 1, timestamp: .now, type: .state, state: .running)]
            try JournalFixture.write(words, "b", to: folder)
            let last = CommandEvent(sequence: 2, timestamp: .now, type: .stream, name: "stdout", text: "last words")
            words.append(last)
            fixture.drivers.lastDeed.withLock { $0 = { JournalFixture.append(last, "b", to: folder) } }
            if !canBeEnded {
                let fault = SimulatedFault.fail(HarbourError(.backendUnavailable, "The place does not answer."))
                fixture.world.edit { $0.plan(fault, at: .halt) }
            }
            let driver = try fixture.drivers.get("c1")
            try await untilWritten(fixture, ended: ended.count)
            await driver.freeze()
            try await terminate(fixture, client, ended: ended.count)
            #expect(await driver.unanswered < ended.count)
            for id in ended {
                let events = try await fixture.events("c1", id)
                #expect(events.last?.state == .finished, "\(id)")
                #expect(!events.contains { $0.type == .truncated }, "\(id)")
            }
            let events = try await fixture.events("c1", "b")
            #expect(events.filter { $0.type == .stream } == (canBeEnded ? [last] : []))
            #expect(events.contains { $0.type == .truncated } == !canBeEnded)
            #expect(events.last?.error?.code == "CLUSTER_TERMINATED")
        }
    }

    /// Goal: ending the last context does not take with it what the driver has of one that ended long ago, not even where
    /// the end of its command is not written down yet.
    @Test func sixtyFourEndedContextsAndAnOldOneAreKept() async throws {
        try await withService { fixture, _ in
            let client = try await fixture.runningCluster("c1")
            try await execute(client, "hang", id: "old")
            for number in 0..<64 {
                let spec = ContextSpec(contextID: "x\(number)", language: "python")
                _ = try await client.call(ClusterAPI.createContext, .init(clusterID: "c1", body: spec))
                try await execute(client, "\(number)", id: "a", in: "x\(number)")
                _ = try await client.call(
                    ClusterAPI.deleteContext, .init(clusterID: "c1", contextID: "x\(number)"))
            }
            let pool = try await fixture.pool()
            try await eventually("the ends are written down") {
                let rows = try await pool.query("SELECT count(*) FROM commands WHERE ended")
                return try rows.first?.decode(Int64.self) == 64
            }
            try await pool.query(
                """
                UPDATE commands SET info = info || '{"last_sequence": 0, "state": "RUNNING"}'
                WHERE context_id IN ('x0', 'x1')
                """)
            try await terminate(fixture, client, ended: 64)
            let store = KeptEventStore(pool: pool, fence: Fence())
            for number in 0..<64 {
                #expect(try await store.get("c1", "x\(number)", "a")?.lastSequence == 3, "\(number)")
                #expect(try await store.get("c1", "x\(number)", "a")?.isWhole == true, "\(number)")
            }
            #expect(try await store.get("c1", "ctx", "old")?.isWhole == true)
        }
    }
}
