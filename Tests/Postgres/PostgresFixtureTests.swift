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
}
