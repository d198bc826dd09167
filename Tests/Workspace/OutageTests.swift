import Core
import EventLoop
import HTTPClient
import HarbourProtocol
import ServiceClients
import ServiceKit
import TestSupport
import Testing
import WorkspaceService

@Suite("The workspace when others fail")
struct OutageTests {
    /// Goal: while PostgreSQL is killed the workspace says so, and it goes on by itself when it is back, with all that
    /// was saved.
    @Test func survivesTheDatabase() async throws {
        let postgres = try await PostgresFixture.start()
        let database = try await postgres.makeDatabase()
        try await withEventLoop { loop in
            let service = try await ServiceRuntime.start(
                WorkspaceService.definition,
                arguments: [
                    "--listen", "127.0.0.1:0", "--service-token", "t", "--database-url", database.url,
                ], loop: loop)
            let http = HTTPClient(loop: loop)
            let client = try ServiceClient(
                http: http, baseURL: try await service.baseURL, token: "t", service: "workspace")
            let file = ImportObject(path: "/Shared/n.py", content: Base64.encode(Array("x = 1\n".utf8)))
            let saved = try await client.call(WorkspaceAPI.importObject, .init(body: file))
            // Test clusters commit asynchronously, so a kill would take the last moment with it.
            try await postgres.execute("CHECKPOINT")
            try await postgres.kill()
            let code = await errorCode {
                _ = try await client.call(
                    WorkspaceAPI.getObject, .init(path: "/Shared/n.py"), context: .within(.seconds(2)))
            }
            #expect(code == "TEMPORARILY_UNAVAILABLE" || code == "DEADLINE_EXCEEDED")
            let ready = try await http.send(HTTPClientRequest(url: "\(service.baseURL)/readyz"))
            #expect(ready.status == 503)
            try await postgres.restart()
            let found = try await client.callPatiently(
                WorkspaceAPI.getObject, .init(path: "/Shared/n.py"), context: .within(.seconds(60)))
            #expect(found == saved)
            await http.close()
            try await service.stop()
        }
        try await postgres.stop()
    }
}
