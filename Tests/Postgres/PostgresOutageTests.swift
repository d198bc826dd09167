import Core
import EventLoop
import TestSupport
import Testing

@testable import Postgres

@Suite struct PostgresOutageTests {
    @Test func aKilledConnectionIsReplaced() async throws {
        try await withPool(connections: 1) { pool in
            let pid = try #require(try await pool.query("SELECT pg_backend_pid()").first?.decode(Int.self))
            let running = Task { await failure { try await pool.query(endless, timeout: farOff) } }
            try await waitForSleeper(of: pool)
            try await withPool(pool.configuration) { other in
                _ = try await other.query("SELECT pg_terminate_backend(\(Int32(pid)))")
            }
            let error = await running.value
            #expect(error?.code == .unavailable)
            let next = try await pool.query("SELECT pg_backend_pid()").first?.decode(Int.self)
            #expect(next != pid)
        }
    }

    @Test func aTransactionOnAKilledConnectionFailsAndLeavesNothing() async throws {
        try await withPool(connections: 2) { pool in
            try await pool.query("CREATE TABLE t (id bigint)")
            let error = await failure {
                try await pool.transaction { transaction in
                    try await transaction.query("INSERT INTO t VALUES (1)")
                    let pid = try await transaction.query("SELECT pg_backend_pid()").first?.decode(Int32.self)
                    try await pool.query("SELECT pg_terminate_backend(\(pid))")
                    try await transaction.query("INSERT INTO t VALUES (2)")
                }
            }
            #expect(error?.code == .unavailable)
            #expect(try await pool.query("SELECT FROM t").isEmpty)
        }
    }

    @Test func waitingQueriesSurviveAKilledServer() async throws {
        let fixture = try await PostgresFixture.start()
        let database = try await fixture.makeDatabase()
        let configuration = PostgresConfiguration(url: database.url, maxConnections: 2)
        try await withPool(configuration) { pool in
            try await pool.query("CREATE TABLE t (id bigint)")
            var events = pool.listen("jobs").makeAsyncIterator()
            #expect(await events.next() == .reconnected)
            let inFlight = Task { await failure { try await pool.query(endless, timeout: farOff) } }
            try await waitForSleeper(of: pool)
            try await fixture.kill()
            #expect(await inFlight.value?.code == .unavailable)
            // Asked while nobody is there; some wait from before they were ever sent.
            let waiting = (0..<20).map { number in
                Task { try await pool.query("SELECT \(number)", timeout: .seconds(120)).first?.decode(Int.self) }
            }
            let impatient = await failure { try await pool.query("SELECT 1", timeout: .milliseconds(100)) }
            #expect(impatient?.code == .unavailable)
            try await fixture.restart()
            try await pool.waitUntilReady(timeout: .seconds(120))
            for (number, task) in waiting.enumerated() { #expect(try await task.value == number) }
            #expect(await events.next() == .reconnected)
            try await pool.notify("jobs", payload: "after")
            #expect(await events.next() == .message(channel: "jobs", payload: "after"))
        }
    }

    @Test func anUnreachableDatabaseIsSaidToBe() async throws {
        let nowhere = PostgresConfiguration(url: "host=/nonexistent dbname=x", maxConnections: 1)
        try await withPool(nowhere) { pool in
            let before = pool.loop.wakeUps
            let error = await failure { try await pool.waitUntilReady(timeout: .milliseconds(300)) }
            #expect(error?.code == .unavailable)
            #expect(error?.message.hasPrefix("The database cannot be reached") == true)
            // Tries follow each other at growing distances, not as fast as they fail.
            #expect(pool.loop.wakeUps - before < 40)
        }
    }

    @Test func namesOfHostsAreLookedUpOffTheLoop() async throws {
        #expect(try await HostLookup.addresses(of: "localhost").get().contains("127.0.0.1"))
        guard case .failure(let error) = await HostLookup.addresses(of: "no.such.host.invalid") else {
            Issue.record("a host that cannot exist was found")
            return
        }
        #expect(error.code == .unavailable)
        let named = ["postgresql://u@db:5432/x": "db", "host=db": "db", "host=127.0.0.1": nil, "host=/run": nil]
        for (url, host) in named { #expect(PostgresConfiguration(url: url).hostToLookUp == host) }
        // Nobody listens on port 1, but the way there goes through the looked-up addresses.
        try await withPool(PostgresConfiguration(url: "host=localhost port=1 dbname=x")) { pool in
            let error = await failure { try await pool.waitUntilReady(timeout: .milliseconds(200)) }
            #expect(error?.detail?.contains("127.0.0.1") == true)
        }
    }

    @Test func addressesAreCheckedBeforeTheyAreUsed() async throws {
        #expect(
            await failure { try PostgresConfiguration(url: "postgresql://[").validate() }?.code == .invalidParameter)
        #expect(await failure { try PostgresConfiguration(url: "nonsense=1").validate() } != nil)
        #expect(await failure { try PostgresConfiguration(url: "dbname=x", schema: "a;b").validate() } != nil)
        try PostgresConfiguration(url: "postgresql://a:b@host:5432/x?sslmode=require", schema: "a_1").validate()
        let url = PostgresConfiguration.url(host: "/tmp/a b", user: "it's", password: "a\\b' x", database: "d")
        #expect(url == "host='/tmp/a b' port=5432 dbname='d' user='it\\'s' password='a\\\\b\\' x'")
        try PostgresConfiguration(url: url).validate()
    }
}
