import ClusterBackend
import CommandJournals
import Core
import EventLoop
import Glibc
import HarbourProtocol
import Postgres
import ServiceClients
import SimulatedBackend
import TestSupport
import Testing

@testable import ClusterService

/// What commands have put out is there after their cluster's end, until it has been confirmed.
@Suite struct KeptOutputTests {
    private func execute(_ client: ServiceClient, _ source: String, id: String) async throws {
        _ = try await client.call(
            ClusterAPI.executeCommand,
            .init(clusterID: "c1", contextID: "ctx", body: CommandSpec(commandID: id, source: source)))
    }

    private func terminate(_ fixture: ServiceFixture, _ client: ServiceClient) async throws {
        _ = try await client.call(ClusterAPI.terminateCluster, .init(clusterID: "c1", body: TerminateCluster()))
        _ = try await fixture.wait("c1", for: .terminated)
    }

    private func confirm(_ client: ServiceClient, _ id: String) async throws {
        let place = CommandPlace(clusterID: "c1", contextID: "ctx", commandID: id)
        _ = try await client.call(
            ClusterAPI.confirmCommands, .init(body: ConfirmCommands(commands: [place])))
    }

    /// Goal: whoever comes late or reconnects gets every event with the number it had, then the end.
    @Test func whatNobodyHasReadIsThereAfterTheEnd() async throws {
        try await withService { fixture, _ in
            let client = try await fixture.runningCluster("c1")
            try await execute(client, "1+1", id: "a")
            let before = try await fixture.events("c1", "a")
            try await execute(client, "hang", id: "b")
            try await terminate(fixture, client)
            #expect(try await fixture.events("c1", "a") == before)
            #expect(try await fixture.events("c1", "a", after: 2) == [before[2]])
            let interrupted = try await fixture.events("c1", "b")
            #expect(interrupted.prefix(2).map(\.text) == [nil, "hang"])
            #expect(interrupted.last?.error?.code == "CLUSTER_TERMINATED")
            #expect(!interrupted.contains { $0.type == .truncated })

            // As after a restart, and by whoever asks for it to be run.
            try await fixture.stop()
            let again = try await fixture.start()
            let asked = try await again.stream(
                ClusterAPI.runCommand,
                .init(clusterID: "c1", contextID: "ctx", commandID: "a", body: CommandRun(source: "1+1", after: 1)))
            var events: [CommandEvent] = []
            for try await event in asked { events.append(event) }
            #expect(events == Array(before[1...]))

            // Even of a cluster that was deleted.
            _ = try await again.call(ClusterAPI.deleteCluster, .init(clusterID: "c1"))
            #expect(try await fixture.events("c1", "a") == before)
            try await confirm(again, "a")
            await expectCode(.notFound) { try await fixture.events("c1", "a") }
        }
    }

    @Test func whatWasConfirmedIsNotKept() async throws {
        try await withService { fixture, _ in
            let client = try await fixture.runningCluster("c1")
            for id in ["a", "b"] { try await execute(client, "1+1", id: id) }
            try await confirm(client, "a")
            try await terminate(fixture, client)
            let store = KeptEventStore(pool: try await fixture.pool(), fence: Fence())
            #expect(try await store.get("c1", "ctx", "a") == nil)
            #expect(try await store.get("c1", "ctx", "b")?.lastSequence == 3)
            // It has ended well, and says that this reader comes too late.
            let events = try await fixture.events("c1", "a")
            #expect(events.map(\.type) == [.truncated, .state])
            #expect(events.last?.state == .finished)
            try await confirm(client, "b")
            #expect(try await store.get("c1", "ctx", "b") == nil)
        }
    }

    /// Goal: nothing ends as a plain success of which output is lost.
    @Test func whatCannotBeHadIsSaidToBeLost() async throws {
        try await withService { fixture, _ in
            let client = try await fixture.runningCluster("c1")
            try await execute(client, "1+1", id: "a")
            let commands = CommandStore(pool: try await fixture.pool(), fence: Fence())
            try await eventually("the end is written down") {
                try await commands.get("c1", "ctx", "a")?.ended == true
            }
            let id = try #require(ClusterIdentifier("c1"))
            await fixture.world.end(id, ClusterEnd(.removed, message: "The container is gone."))
            _ = try await fixture.wait("c1", for: .terminated)
            let events = try await fixture.events("c1", "a", after: 1)
            #expect(events.map(\.type) == [.truncated, .error, .state])
            #expect(events.map(\.sequence) == [4, 5, 6])
            #expect(events.last?.state == .error)
            #expect(events.last?.error?.code == "OUTPUT_LOST")
            // Nothing is missing to one who has read all.
            #expect(try await fixture.events("c1", "a", after: 3).map(\.state) == [.finished])
        }
    }

    /// Goal: a driver that was killed or hangs has left its journals, and they are read.
    @Test(arguments: [true, false]) func aDeadDriversJournalsAreRead(_ isKilled: Bool) async throws {
        try await withJournals { fixture, folder in
            let client = try await fixture.runningCluster("c1")
            try await execute(client, "1+1", id: "a")
            try await execute(client, "hang", id: "b")
            try JournalFixture.write(try await fixture.events("c1", "a"), "a", to: folder)
            let begun = [
                CommandEvent(sequence: 1, timestamp: .now, type: .state, state: .running),
                CommandEvent(sequence: 2, timestamp: .now, type: .stream, name: "stdout", text: "x"),
            ]
            // The last record was cut off.
            try JournalFixture.write(begun, "b", to: folder, tail: [9, 0, 0, 0])
            if isKilled {
                let id = try #require(ClusterIdentifier("c1"))
                await fixture.world.end(id, ClusterEnd(.killed, status: 9, message: "The driver was killed."))
            } else {
                try await fixture.drivers.get("c1").freeze()
                _ = try await client.call(
                    ClusterAPI.terminateCluster, .init(clusterID: "c1", body: TerminateCluster()))
            }
            _ = try await fixture.wait("c1", for: .terminated)
            let ended = try await fixture.events("c1", "a")
            #expect(ended.map(\.text) == [nil, "1+1", nil])
            #expect(ended.last?.state == .finished)
            let cut = try await fixture.events("c1", "b")
            #expect(Array(cut.prefix(2)) == begun)
            #expect(cut.last?.error?.code == (isKilled ? "DRIVER_LOST" : "CLUSTER_TERMINATED"))
            #expect(!cut.contains { $0.type == .truncated })
        }
    }

    /// Goal: a service that is killed while it keeps outputs goes on where it was, and nothing is kept twice.
    @Test func keepingIsGoneOnWith() async throws {
        try await withService { fixture, _ in
            let client = try await fixture.runningCluster("c1")
            try await execute(client, "1+1", id: "a")
            let before = try await fixture.events("c1", "a")
            fixture.world.edit { $0.plan(.hang, at: .terminate) }
            _ = try await client.call(
                ClusterAPI.terminateCluster, .init(clusterID: "c1", body: TerminateCluster()))
            let pool = try await fixture.pool()
            let store = KeptEventStore(pool: pool, fence: Fence())
            try await eventually("it is kept") { try await store.get("c1", "ctx", "a")?.isWhole == true }
            try await fixture.stop()
            // As if it had been killed after the first event had been kept, and before how it ended.
            try await pool.query("DELETE FROM kept_events")
            try await pool.query("UPDATE kept_commands SET whole = false, last_sequence = 1")
            var gathering = OutputGathering(try #require(await store.get("c1", "ctx", "a")).info, kept: 0)
            _ = gathering.take(before[0])
            let first = gathering.rest()
            let piece = try #require(first)
            try await pool.query(
                """
                INSERT INTO kept_events (cluster_id, context_id, command_id, first_sequence, last_sequence, frame)
                VALUES ('c1', 'ctx', 'a', 1, 1, \(piece.frame))
                """)
            fixture.world.edit { $0 = SimulatedScript() }
            _ = try await fixture.start()
            _ = try await fixture.wait("c1", for: .terminated)
            #expect(try await fixture.events("c1", "a") == before)
        }
    }

    @Test func whatIsTooOldOrTooMuchIsSwept() async throws {
        try await withService { fixture, _ in
            let pool = try await fixture.pool()
            for (name, age, bytes) in [("old", 15, 1), ("big", 2, 600), ("new", 1, 500)] {
                try await pool.query(
                    """
                    INSERT INTO kept_commands
                        (cluster_id, context_id, command_id, generation, info, bytes, kept_at)
                    VALUES ('c', 'x', \(name), 1, '{}', \(Int64(bytes)), now() - make_interval(days => \(Int32(age))))
                    """)
            }
            func names() async throws -> [String] {
                try await pool.query("SELECT command_id FROM kept_commands ORDER BY 1").map {
                    try $0.decode(String.self)
                }
            }
            let store = KeptEventStore(pool: pool, fence: Fence())
            let fortnight = Timestamp.now + .seconds(-14 * 86_400)
            #expect(try await store.sweep(before: fortnight, keeping: 2000) == 1)
            #expect(try await names() == ["big", "new"])
            #expect(try await store.sweep(before: fortnight, keeping: 1000) == 1)
            #expect(try await names() == ["new"])
        }
    }
}

/// Journals as a driver leaves them.
enum JournalFixture {
    static func write(_ events: [CommandEvent], _ id: String, to folder: String, tail: [UInt8] = []) throws {
        let context = "\(folder)/\(JournalRecord.folder)/ctx"
        try KeptFiles.makeFolder(context)
        let path = JournalRecord.file(in: folder, contextID: "ctx", commandID: id)
        var file = try RecordFile(creating: path)
        let header = CommandHeader(
            contextID: "ctx", commandID: id, language: "python", digest: "", submitted: .now)
        _ = try file.append(JournalRecord.header.record(header.encodedJSON()))
        for event in events { _ = try file.append(JournalRecord.output.record(event.encodedJSON())) }
        try KeptFiles.append(tail, to: path)
    }

    /// Writes one event more.
    static func append(_ event: CommandEvent, _ id: String, to folder: String) {
        let path = JournalRecord.file(in: folder, contextID: "ctx", commandID: id)
        do {
            var file = try RecordFile(opening: path) { _, _ in }
            _ = try file.append(JournalRecord.output.record(event.encodedJSON()))
        } catch {
            Issue.record(error)
        }
    }
}

/// A service whose drivers have a folder that outlives them.
func withJournals(_ body: @escaping @Sendable (ServiceFixture, String) async throws -> Void) async throws {
    var template = Array("/tmp/journals-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    var limits = EngineLimits()
    limits.keepingAnswer = .milliseconds(200)
    try await withService(limits: limits, scratch: folder) { fixture, _ in try await body(fixture, folder) }
    KeptFiles.remove(folder)
}
