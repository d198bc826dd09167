import Core
import EventLoop
import Postgres
import Synchronization
import TestSupport
import Testing

@Suite struct PostgresPoolTests {
    @Test func queriesAnswerInOrder() async throws {
        try await withPool(connections: 2) { pool in
            try await withThrowingTaskGroup { group in
                for number in 0..<500 {
                    group.addTask {
                        let rows = try await pool.read("SELECT \(number) * 2")
                        #expect(try rows.first?.decode(Int.self) == number * 2)
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func aFailureTakesNoNeighbourWithIt() async throws {
        try await withPool(connections: 1) { pool in
            try await pool.waitUntilReady()
            try await withThrowingTaskGroup { group in
                for number in 0..<200 {
                    group.addTask {
                        // Every seventh fails, in the midst of reads that share its Sync and never saw their statement.
                        if number % 7 == 0 {
                            let error = await failure { try await pool.read("SELECT 1 / \(number - number)") }
                            #expect(error?.postgres?.sqlState == "22012")
                        } else if number % 11 == 0 {
                            let error = await failure {
                                try await pool.read("SELECT nothing_\(unescaped: "\(number)") FROM nowhere")
                            }
                            #expect(error?.postgres?.sqlState == "42P01")
                        } else {
                            let rows = try await pool.read("SELECT \(number) + \(unescaped: "\(number % 5)")")
                            #expect(try rows.first?.decode(Int.self) == number + number % 5)
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func writesAreTransactionsOfTheirOwn() async throws {
        try await withPool(connections: 2) { pool in
            try await pool.query("CREATE TABLE t (id bigint PRIMARY KEY)")
            try await withThrowingTaskGroup { group in
                for number in 0..<100 {
                    group.addTask {
                        do {
                            let rows = try await pool.query("INSERT INTO t VALUES (\(number / 2))")
                            #expect(rows.affected == 1)
                        } catch let error as HarbourError where error.code == .alreadyExists {
                            #expect(error.postgres?.constraint == "t_pkey")
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await pool.query("SELECT count(*) FROM t").first?.decode(Int.self) == 50)
        }
    }

    @Test func errorsHaveCodesAndHideTheirValues() async throws {
        try await withPool { pool in
            try await pool.script(
                """
                CREATE TABLE parent (id bigint PRIMARY KEY, word text NOT NULL CHECK (word <> ''));
                CREATE TABLE child (parent bigint REFERENCES parent);
                INSERT INTO parent VALUES (1, 'secret');
                """)
            let expected: [(SQL, String, ErrorCode)] = [
                ("INSERT INTO parent VALUES (1, 'x')", "23505", .alreadyExists),
                ("INSERT INTO child VALUES (2)", "23503", .conflict),
                ("INSERT INTO parent VALUES (2, NULL)", "23502", .invalidParameter),
                ("INSERT INTO parent VALUES (2, '')", "23514", .invalidParameter),
                ("SELECT \("abc")::uuid", "22P02", .invalidParameter),
                ("SELEC", "42601", .internalError), ("SELECT * FROM nowhere", "42P01", .internalError),
                ("SELECT pg_sleep(-1), 'a' + 1", "22P02", .invalidParameter),
            ]
            for (sql, state, code) in expected {
                let error = try #require(await failure { try await pool.query(sql) })
                #expect(error.postgres?.sqlState == state)
                #expect(error.code == code)
                #expect(!error.message.contains("parent") && !error.describeChain().contains("secret"))
            }
        }
    }

    @Test func aTableMayChangeUnderAPreparedStatement() async throws {
        try await withPool(connections: 1) { pool in
            try await pool.script("CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
            #expect(try await pool.query("SELECT * FROM t").first?.count == 1)
            try await pool.query("ALTER TABLE t ADD COLUMN b text DEFAULT 'x'")
            #expect(try await pool.query("SELECT * FROM t").first?.count == 2)
            try await pool.query("DEALLOCATE ALL")
            #expect(try await pool.query("SELECT * FROM t").first?.count == 2)
        }
    }

    @Test func manyDifferentStatementsDoNotPileUp() async throws {
        try await withPool(connections: 1) { pool in
            for number in 0..<1200 { try await pool.query("SELECT \(unescaped: "\(number)")") }
            let count = try await pool.query("SELECT count(*) FROM pg_prepared_statements").first?.decode(Int.self)
            #expect(try #require(count) <= 501)
        }
    }

    @Test func aQueryThatTakesTooLongIsCancelledOnTheServer() async throws {
        try await withPool(connections: 1) { pool in
            // With a connection at hand, so that the time goes by in the query and not in waiting for one.
            try await pool.waitUntilReady()
            let error = await failure { try await pool.query(endless, timeout: .milliseconds(50)) }
            #expect(error?.code == .deadlineExceeded)
            // The one connection is free again, long before the sleep would have ended.
            let rows = try await pool.query("SELECT 1", timeout: .seconds(120))
            #expect(rows.count == 1)
        }
    }

    @Test func cancellingTheTaskCancelsTheQuery() async throws {
        try await withPool(connections: 1) { pool in
            try await pool.waitUntilReady()
            let task = Task { await failure { try await pool.query(endless, timeout: farOff) } }
            let waiting = Task { await failure { try await pool.query(endless, timeout: farOff) } }
            try await waitForSleeper(of: pool)
            waiting.cancel()
            #expect(await waiting.value?.code == .cancelled)
            task.cancel()
            #expect(await task.value?.code == .cancelled)
            let rows = try await pool.query("SELECT 1", timeout: .seconds(20))
            #expect(rows.count == 1)
        }
    }

    @Test func neighboursOfACancelledReadAreAnswered() async throws {
        try await withPool(connections: 1) { pool in
            try await pool.waitUntilReady()
            try await withThrowingTaskGroup { group in
                group.addTask {
                    let error = await failure { try await pool.read(endless, timeout: .milliseconds(50)) }
                    #expect(error?.code == .deadlineExceeded)
                }
                for number in 0..<50 {
                    group.addTask {
                        let rows = try await pool.read("SELECT \(number)")
                        #expect(try rows.first?.decode(Int.self) == number)
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func waitingForAConnectionHasADeadline() async throws {
        try await withPool(connections: 1) { pool in
            try await pool.transaction { transaction in
                try await transaction.query("SELECT 1")
                let error = await failure {
                    try await pool.query("INSERT INTO x VALUES (1)", timeout: .milliseconds(30))
                }
                #expect(error?.code == .deadlineExceeded)
            }
        }
    }

    @Test func idleConnectionsAreClosedWithoutPolling() async throws {
        try await withPool(connections: 4, { $0.idleTimeout = .milliseconds(20) }) { pool in
            try await withThrowingTaskGroup { group in
                for _ in 0..<4 { group.addTask { try await pool.query("SELECT pg_sleep(0.01)") } }
                try await group.waitForAll()
            }
            let own =
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dataharbour' AND datname = current_database()"
            try await eventually("one connection is left") {
                try await pool.query(SQL(unescaped: own)).first?.decode(Int.self) == 1
            }
        }
    }

    @Test func aDrainFinishesWhatIsUnderWay() async throws {
        try await withPool { pool in
            try await withPool(pool.configuration) { other in
                let slow = try await other.transaction { transaction in
                    try await transaction.query("SELECT pg_advisory_xact_lock(7)")
                    let slow = Task { try await pool.query("SELECT pg_advisory_lock(7)", timeout: farOff).count }
                    // The view shows every database's locks, and other tests wait for theirs.
                    let waiting: SQL = """
                        SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = database
                        WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()
                        """
                    try await eventually("it waits for the lock") { try await !transaction.query(waiting).isEmpty }
                    return slow
                }
                await pool.drain(budget: .seconds(30))
                #expect(try await slow.value == 1)
            }
            #expect(await failure { try await pool.query("SELECT 1") }?.code == .unavailable)
        }
    }

    @Test func aDrainIsCutOffAtItsBudget() async throws {
        try await withPool { pool in
            let slow = Task { await failure { try await pool.query(endless, timeout: farOff) } }
            try await waitForSleeper(of: pool)
            await pool.drain(budget: .milliseconds(20))
            #expect(await slow.value?.code == .unavailable)
        }
    }
}
