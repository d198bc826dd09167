import Core
import EventLoop
import Postgres
import TestSupport
import Testing

@Suite struct PostgresListenTests {
    @Test func notificationsArriveInOrder() async throws {
        try await withPool { pool in
            var events = pool.listen("jobs").makeAsyncIterator()
            #expect(await events.next() == .reconnected)
            for number in 0..<50 { try await pool.notify("jobs", payload: "\(number)") }
            try await pool.notify("others", payload: "not for us")
            try await pool.notify("jobs")
            for number in 0..<50 { #expect(await events.next() == .message(channel: "jobs", payload: "\(number)")) }
            #expect(await events.next() == .message(channel: "jobs", payload: ""))
        }
    }

    @Test func listenersComeBackAfterTheirConnectionWasKilled() async throws {
        try await withPool { pool in
            var events = pool.listen("odd \"name\"").makeAsyncIterator()
            #expect(await events.next() == .reconnected)
            for round in 0..<3 {
                try await pool.query(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
                )
                #expect(await events.next() == .reconnected)
                try await pool.notify("odd \"name\"", payload: "\(round)")
                #expect(await events.next() == .message(channel: "odd \"name\"", payload: "\(round)"))
            }
        }
    }

    @Test func aReaderThatIsTooSlowIsToldSo() async throws {
        try await withPool { pool in
            let slow = pool.listen("flood")
            var quick = pool.listen("flood").makeAsyncIterator()
            #expect(await quick.next() == .reconnected)
            try await pool.query("SELECT pg_notify('flood', n::text) FROM generate_series(1, 3000) n")
            try await pool.notify("flood", payload: "end")
            var seen: PostgresNotification?
            while seen != .message(channel: "flood", payload: "end") { seen = await quick.next() }
            var count = 0
            for await event in slow {
                count += 1
                if event == .reconnected, count > 1 { break }
            }
            #expect(count <= 1001)
        }
    }

    @Test func theStreamEndsWithThePool() async throws {
        try await withPool { pool in
            var events = pool.listen("jobs").makeAsyncIterator()
            #expect(await events.next() == .reconnected)
            await pool.drain(budget: .seconds(10))
            #expect(await events.next() == nil)
        }
    }

    @Test func nobodyListeningKeepsNoConnection() async throws {
        try await withPool { pool in
            let reader = Task { for await _ in pool.listen("jobs") { break } }
            await reader.value
            let listening: SQL =
                "SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
            try await eventually("nobody listens") { try await pool.query(listening).isEmpty }
        }
    }
}
