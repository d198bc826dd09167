import Core
import EventLoop
import Postgres
import TestSupport
import Testing

private struct Stop: Error {}

@Suite struct PostgresCopyTests {
    @Test func rowsGoInAndComeOut() async throws {
        try await withPool { pool in
            try await pool.query("CREATE TABLE t (id bigint, name text)")
            let odd = "tab\there, line\nthere, \\N and \\. too"
            let count = try await pool.copyIn("COPY t FROM STDIN") { writer in
                for number in 0..<20_000 { try await writer.writeRow(["\(number)", number % 2 == 0 ? odd : nil]) }
            }
            #expect(count == 20_000)
            let row = try #require(
                try await pool.query("SELECT count(*), count(name), min(name), sum(id) FROM t").first)
            let (rows, names, name, sum) = try row.decode((Int.self, Int.self, String.self, Int.self))
            #expect(rows == 20_000 && names == 10_000 && name == odd && sum == 199_990_000)

            var bytes: [UInt8] = []
            var chunks = 0
            let out = try await pool.copyOut("COPY (SELECT id FROM t ORDER BY id) TO STDOUT") { chunk in
                bytes += chunk
                chunks += 1
            }
            #expect(out == 20_000)
            #expect(bytes.split(separator: 10).count == 20_000)
            #expect(bytes.starts(with: Array("0\n1\n2\n".utf8)))
        }
    }

    @Test func aBodyThatThrowsLeavesNothing() async throws {
        try await withPool(connections: 1) { pool in
            try await pool.query("CREATE TABLE t (id bigint)")
            await #expect(throws: Stop.self) {
                try await pool.copyIn("COPY t FROM STDIN") { writer in
                    try await writer.writeRow(["1"])
                    throw Stop()
                }
            }
            await #expect(throws: Stop.self) {
                try await pool.copyOut("COPY (SELECT generate_series(1, 1000000)) TO STDOUT") { _ in throw Stop() }
            }
            #expect(try await pool.query("SELECT FROM t").isEmpty)
        }
    }

    @Test func theServersRefusalsAreErrors() async throws {
        try await withPool(connections: 1) { pool in
            try await pool.query("CREATE TABLE t (id bigint)")
            let bad = await failure {
                try await pool.copyIn("COPY t FROM STDIN") { writer in try await writer.writeRow(["x"]) }
            }
            #expect(bad?.postgres?.sqlState == "22P02")
            let missing = await failure { try await pool.copyOut("COPY nowhere TO STDOUT") { _ in } }
            #expect(missing?.postgres?.sqlState == "42P01")
            #expect(await failure { try await pool.copyOut("SELECT 1") { _ in } }?.code == .internalError)
            #expect(try await pool.query("SELECT FROM t").isEmpty)
        }
    }

    @Test func aSlowReaderHoldsUpTheServerAndNotTheLoop() async throws {
        try await withPool(connections: 1) { pool in
            let loop = pool.loop
            var total = 0
            try await pool.copyOut("COPY (SELECT repeat('x', 1000) FROM generate_series(1, 20000)) TO STDOUT") {
                chunk in
                let before = loop.wakeUps
                if total == 0 {
                    try await loop.sleep(for: .milliseconds(50))
                    // The socket is full of unread data all the while; a loop that was told so each turn would spin.
                    #expect(loop.wakeUps - before < 20)
                }
                total += chunk.count
            }
            #expect(total == 20_000 * 1001)
        }
    }

    @Test func copiesFollowReadsOnTheSameConnection() async throws {
        try await withPool(connections: 1) { pool in
            try await pool.query("CREATE TABLE t (id bigint)")
            try await withThrowingTaskGroup { group in
                for number in 0..<100 {
                    group.addTask {
                        let rows = try await pool.read("SELECT \(number)")
                        #expect(rows.count == 1)
                    }
                    group.addTask {
                        let count = try await pool.copyIn("COPY t FROM STDIN") { try await $0.writeRow(["\(number)"]) }
                        #expect(count == 1)
                    }
                    group.addTask {
                        let rows = try await pool.transaction { try await $0.query("SELECT 1") }
                        #expect(rows.count == 1)
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await pool.query("SELECT sum(id) FROM t").first?.decode(Int.self) == 4950)
        }
    }

    @Test func scriptsStopAtTheirDeadline() async throws {
        try await withPool(connections: 1) { pool in
            // With a connection at hand, so that the time goes by in the script and not in waiting for one.
            try await pool.query("SELECT 1")
            let error = await failure { try await pool.script("SELECT pg_sleep(60)", timeout: .seconds(1)) }
            #expect(error?.code == .deadlineExceeded)
            let rows = try await pool.query("SELECT 1")
            #expect(rows.count == 1)
        }
    }
}
