import Core
import EventLoop
import Glibc
import HTTPClient
import HTTPMessage
import HarbourProtocol
import Postgres
import ServiceClients
import ServiceKit
import TestSupport
import Testing

/// A service with a database: migrations at start, readiness while it is away.
@Suite struct DatabaseTests {
    private static let definition = ServiceDefinition(
        name: "scheduler", summary: "A sample.", defaultPort: 0, document: SchedulerAPI.document
    ) { environment, router in
        let database = try environment.makeDatabase(maxConnections: 2)
        router.on(SchedulerAPI.getJob) { input, _ async throws -> Job in
            let rows = try await database.pool.query("SELECT \(input.jobID) + 1")
            guard let row = rows.first else { throw HarbourError(.notFound, "There is no row.") }
            return SampleService.job(try row.decode(Int64.self))
        }
        return [database.component]
    }

    @Test func migratesAndServes() async throws {
        try await withDatabase { database in
            for _ in 0..<2 {
                try await SampleService.with(DatabaseTests.definition, arguments: ["--database-url", database.url]) {
                    clients in
                    #expect(try await clients.client.call(SchedulerAPI.getJob, .init(jobID: 41)).jobID == 42)
                    let ready = try await clients.send(.get, "/readyz", token: nil)
                    #expect(ready.json["components"]?.array?.map { $0["name"]?.string } == ["server", "database"])
                    let metrics = try await clients.send(.get, "/metrics", token: nil)
                    #expect(metrics.text.contains("harbour_postgres_connections"))
                }
            }
        }
    }

    @Test func saysWhenTheDatabaseIsAwayAndRecovers() async throws {
        let fixture = try await PostgresFixture.start()
        let database = try await fixture.makeDatabase()
        try await SampleService.with(DatabaseTests.definition, arguments: ["--database-url", database.url]) { clients in
            #expect(try await clients.client.call(SchedulerAPI.getJob, .init(jobID: 1)).jobID == 2)
            try await fixture.kill()
            let ready = try await clients.send(.get, "/readyz", token: nil)
            #expect(ready.status == 503)
            #expect(ready.json["components"]?[1]?["name"] == "database")
            #expect(ready.json["components"]?[1]?["reason"]?.string?.isEmpty == false)
            #expect(try await clients.send(.get, "/healthz", token: nil).status == 200)
            try await fixture.restart()
            let context = CallContext.within(.seconds(60))
            #expect(
                try await clients.client.callPatiently(SchedulerAPI.getJob, .init(jobID: 2), context: context).jobID
                    == 3)
        }
        try await fixture.stop()
    }

    /// The database is away when the service starts: it says so, serves nothing else, and goes on when it comes.
    @Test func tellsWhatItWaitsForAtItsStart() async throws {
        let fixture = try await PostgresFixture.start()
        let database = try await fixture.makeDatabase()
        try await fixture.kill()
        let folder = try TemporaryDirectory()
        try await withEventLoop { loop in
            let socket = folder.file("s")
            async let starting = ServiceRuntime.start(
                DatabaseTests.definition,
                arguments: [
                    "--listen-socket", socket, "--service-token", SampleService.token, "--database-url", database.url,
                ], loop: loop)
            let http = HTTPClient(loop: loop)
            let client = try ServiceClient(
                http: http, baseURL: "unix:\(socket)", token: SampleService.token, service: "scheduler")
            func ask(_ target: String) async throws -> (status: Int, json: JSONValue) {
                let request = HTTPClientRequest(origin: .unix(path: socket), target: target)
                let response = try await http.send(request, deadline: .now + .seconds(60))
                let bytes = try await response.collect()
                return (response.status, target == "/metrics" ? .null : try JSONValue(json: bytes))
            }
            // It listens as soon as it is put together, which is on this loop.
            while access(socket, F_OK) != 0 { try await loop.sleep(for: .milliseconds(1)) }
            #expect(try await ask("/healthz").status == 200)
            #expect(try await ask("/metrics").status == 200)
            let ready = try await ask("/readyz")
            #expect(ready.status == 503)
            #expect(ready.json["components"]?[0]?["reason"] == "The service is starting.")
            #expect(ready.json["components"]?[1]?["reason"]?.string?.contains("database cannot be reached") == true)
            let refusal = await #expect(throws: HarbourError.self) {
                try await client.call(SchedulerAPI.getJob, .init(jobID: 41))
            }
            #expect(refusal?.code == .unavailable)
            #expect(refusal?.message.contains("/readyz") == true)

            try await fixture.restart()
            let service = try await starting
            #expect(try await client.call(SchedulerAPI.getJob, .init(jobID: 41)).jobID == 42)
            #expect(try await ask("/readyz").status == 200)
            await http.close()
            try await service.stop()
        }
        try await fixture.stop()
    }
}
