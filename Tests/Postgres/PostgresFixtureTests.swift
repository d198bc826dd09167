import Postgres
import TestSupport
import Testing

@Suite struct PostgresFixtureTests {
    @Test func databasesAreCopiedFromATemplate() async throws {
        let fixture = try await PostgresFixture.shared()
        for _ in 0..<3 {
            let database = try await fixture.makeDatabase(template: "fixture") { _ in }
            let names = try await fixture.execute("SELECT datname FROM pg_database WHERE datname = '\(database.name)'")
            #expect(names == [database.name])
            try await fixture.dropDatabase(database)
        }
        await #expect(throws: FixtureError.self) { try await fixture.execute("SELEC 1") }
    }

    @Test func aClusterOfItsOwnComesBackAfterAKill() async throws {
        let fixture = try await PostgresFixture.start()
        try await fixture.kill()
        try await fixture.restart()
        try await fixture.stop()
    }

    /// The server waits with the removal until the connection in its `COPY` has been asked, so for the test itself.
    @Test func aCopyThatWaitsHoldsUpNoOtherDatabase() async throws {
        let fixture = try await PostgresFixture.start()
        let (copied, other) = (try await fixture.makeDatabase(), try await fixture.makeDatabase())
        let count = try await withPool(PostgresConfiguration(url: copied.url, maxConnections: 1)) { pool in
            try await pool.script("CREATE TABLE t (name text)")
            return try await pool.copyIn("COPY t FROM STDIN") { writer in
                try await writer.writeRow(["one"])
                try await fixture.dropDatabase(other)
                try await writer.writeRow(["two"])
            }
        }
        #expect(count == 2)
    }
}
