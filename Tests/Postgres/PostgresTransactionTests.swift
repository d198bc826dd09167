import Core
import EventLoop
import Postgres
import Synchronization
import TestSupport
import Testing

private struct Stop: Error {}

private final class Attempts: Sendable {
    private let mutex = Mutex(0)
    func add() { mutex.withLock { $0 += 1 } }
    var count: Int { mutex.withLock { $0 } }
}

@Suite struct PostgresTransactionTests {
    @Test func commitsOnReturnAndRollsBackOnThrow() async throws {
        try await withPool { pool in
            try await pool.query("CREATE TABLE t (id bigint)")
            let value = try await pool.transaction { transaction in
                try await transaction.query("INSERT INTO t VALUES (1)")
                return try await transaction.query("SELECT count(*) FROM t").first?.decode(Int.self)
            }
            #expect(value == 1)
            await #expect(throws: Stop.self) {
                try await pool.transaction { transaction in
                    try await transaction.query("INSERT INTO t VALUES (2)")
                    throw Stop()
                }
            }
            #expect(try await pool.query("SELECT count(*) FROM t").first?.decode(Int.self) == 1)
        }
    }

    @Test func aSwallowedFailureIsNoCommit() async throws {
        try await withPool(connections: 1) { pool in
            try await pool.query("CREATE TABLE t (id bigint PRIMARY KEY)")
            let error = await failure {
                try await pool.transaction { transaction in
                    try await transaction.query("INSERT INTO t VALUES (1)")
                    _ = await failure { try await transaction.query("INSERT INTO t VALUES (1)") }
                }
            }
            #expect(error?.code == .internalError)
            #expect(try await pool.query("SELECT count(*) FROM t").first?.decode(Int.self) == 0)
        }
    }

    @Test func aFailedFirstStatementNeverRunsOutsideItsTransaction() async throws {
        try await withPool(connections: 1) { pool in
            let error = await failure {
                try await pool.transaction { try await $0.query("SELEC") }
            }
            #expect(error?.postgres?.sqlState == "42601")
            let rows = try await pool.query("SELECT 1")
            #expect(rows.count == 1)
        }
    }

    @Test func savepointsUndoTheirOwn() async throws {
        try await withPool { pool in
            try await pool.query("CREATE TABLE t (id bigint PRIMARY KEY)")
            try await pool.transaction { transaction in
                try await transaction.query("INSERT INTO t VALUES (1)")
                let error = await failure {
                    try await transaction.savepoint {
                        try await transaction.query("INSERT INTO t VALUES (2)")
                        try await transaction.query("INSERT INTO t VALUES (1)")
                    }
                }
                #expect(error?.code == .alreadyExists)
                try await transaction.savepoint { try await transaction.query("INSERT INTO t VALUES (3)") }
            }
            let rows = try await pool.query("SELECT id FROM t ORDER BY id")
            #expect(try rows.map { row throws(HarbourError) in try row.decode(Int.self) } == [1, 3])
        }
    }

    @Test func lostRacesAreRunAgain() async throws {
        try await withPool(connections: 8) { pool in
            try await pool.script("CREATE TABLE counters (value bigint); INSERT INTO counters VALUES (0)")
            let attempts = Attempts()
            try await withThrowingTaskGroup { group in
                for _ in 0..<20 {
                    group.addTask {
                        try await pool.transaction(isolation: .serializable, retries: 100) { transaction in
                            attempts.add()
                            let row = try await transaction.query("SELECT value FROM counters").first
                            let value = try row?.decode(Int.self) ?? 0
                            try await transaction.query("UPDATE counters SET value = \(value + 1)")
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await pool.query("SELECT value FROM counters").first?.decode(Int.self) == 20)
            #expect(attempts.count >= 20)
        }
    }

    @Test func aTransactionIsOverAfterItsEnd() async throws {
        try await withPool { pool in
            let kept = try await pool.transaction { transaction in
                try await transaction.query("SELECT 1")
                return transaction
            }
            #expect(await failure { try await kept.query("SELECT 1") }?.code == .internalError)
        }
    }

    @Test func cancellationRollsBackAndFreesTheConnection() async throws {
        try await withPool(connections: 1) { pool in
            try await pool.query("CREATE TABLE t (id bigint)")
            let began = Attempts()
            let task = Task {
                try await pool.transaction { transaction in
                    try await transaction.query("INSERT INTO t VALUES (1)")
                    began.add()
                    try await transaction.query(endless, timeout: farOff)
                }
            }
            try await eventually("the transaction has begun") { began.count > 0 }
            task.cancel()
            await #expect(throws: HarbourError.self) { try await task.value }
            #expect(try await pool.query("SELECT count(*) FROM t").first?.decode(Int.self) == 0)
        }
    }
}
