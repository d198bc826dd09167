import Core
import EventLoop
import Postgres
import Synchronization
import TestSupport
import Testing

/// Many tasks do everything at once while connections are killed, queries time out and tasks are cancelled. Nobody may
/// hang, nothing may be done twice, and what was reported as done must be there.
@Suite struct PostgresChaosTests {
    private final class Tally: Sendable {
        private let counts = Mutex((done: 0, unknown: 0, wrong: 0))
        func done() { counts.withLock { $0.done += 1 } }
        func unknown() { counts.withLock { $0.unknown += 1 } }
        func wrong() { counts.withLock { $0.wrong += 1 } }
        var all: (done: Int, unknown: Int, wrong: Int) { counts.withLock { $0 } }
    }

    @Test func nothingIsLostDoubledOrStuck() async throws {
        let seed = UInt64(Timestamp.now.milliseconds)
        try await withPool(connections: 5) { pool in
            try await pool.script("CREATE TABLE counters (value bigint); INSERT INTO counters VALUES (0)")
            let tally = Tally()
            try await withThrowingTaskGroup { group in
                for worker in 0..<24 {
                    group.addTask {
                        var generator = SeededGenerator(seed: seed &+ UInt64(worker))
                        for _ in 0..<40 { await Self.act(pool, tally, &generator) }
                    }
                }
                group.addTask {
                    var generator = SeededGenerator(seed: seed)
                    for _ in 0..<25 {
                        try await pool.loop.sleep(for: .milliseconds(.random(in: 1...40, using: &generator)))
                        // The killer may be the victim; that it dies is not its failure.
                        _ = await failure { try await Self.killOne(pool) }
                    }
                }
                try await group.waitForAll()
            }
            let counts = tally.all
            let value = try #require(try await pool.query("SELECT value FROM counters").first?.decode(Int.self))
            #expect(counts.wrong == 0, "seed \(seed)")
            #expect((counts.done...counts.done + counts.unknown).contains(value), "seed \(seed)")
            #expect(counts.done > 0)
        }
    }

    private static func act(_ pool: PostgresPool, _ tally: Tally, _ generator: inout SeededGenerator) async {
        let number = Int.random(in: 0..<1_000_000, using: &generator)
        switch Int.random(in: 0..<6, using: &generator) {
        case 0, 1:
            // A read that comes back at all comes back with its own answer.
            let answer = try? await pool.read("SELECT \(number)").first?.decode(Int.self)
            if let answer, answer != number { tally.wrong() }
        case 2: await increment(tally) { _ = try await pool.query("UPDATE counters SET value = value + 1") }
        case 3: await increment(tally) { try await incrementInTransaction(pool, failing: false) }
        case 4:
            // Thrown out by the body, so it must not count whatever else happens.
            _ = await failure { try await incrementInTransaction(pool, failing: true) }
        default:
            let task = Task { _ = try? await pool.read("SELECT pg_sleep(0.02), \(number)", timeout: .milliseconds(10)) }
            if number % 2 == 0 { task.cancel() }
            await task.value
        }
    }

    private static func increment(_ tally: Tally, _ work: () async throws -> Void) async {
        do {
            try await work()
            tally.done()
        } catch {
            tally.unknown()
        }
    }

    private struct Stop: Error {}

    private static func incrementInTransaction(_ pool: PostgresPool, failing: Bool) async throws {
        try await pool.transaction(retries: 3) { transaction in
            let row = try await transaction.query("SELECT value FROM counters FOR UPDATE").first
            let value = try row?.decode(Int.self) ?? 0
            try await transaction.query("UPDATE counters SET value = \(value + 1)")
            if failing { throw Stop() }
        }
    }

    private static func killOne(_ pool: PostgresPool) async throws {
        try await pool.query(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1
            """)
    }
}
