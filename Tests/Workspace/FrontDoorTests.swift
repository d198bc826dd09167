import Core
import HTTPClient
import HTTPMessage
import HarbourProtocol
import Postgres
import ServiceClients
import ServiceKit
import ServiceTestKit
import TestSupport
import Testing

@testable import WorkspaceService

@Suite("The front door")
struct FrontDoorTests {
    @Test func changesAndRefusalsAreWrittenDown() async throws {
        try await Workspace.run { workspace in
            let ada = try await workspace.makeUser("ada")
            _ = try await ada.save("/Users/ada/n")
            _ = try? await ada.read("/Users/admin/secret")
            _ = try? await ada.client.call(WorkspaceAPI.getMe, .init())
            let answer = try await workspace.send(
                .post, "/api/v1/workspace/delete",
                fields: [
                    "authorization": "Bearer \(ada.token)", "content-type": "application/json",
                    "x-request-id": "the-request",
                ], body: .bytes(Array(#"{"path":"/Users/ada/n"}"#.utf8)))
            #expect(answer.status == 200)
            let events = try await workspace.user.call(WorkspaceAPI.listAuditEvents, .init(userName: "ada")).events
            #expect(events.map(\.action) == ["deleteObject", "exportObject", "importObject"])
            #expect(events.map(\.status) == [200, 403, 200])
            let first = try #require(events.first)
            #expect(first.object == "/Users/ada/n" && first.requestID == "the-request" && first.tokenName == "test")
            #expect(first.source == "127.0.0.1" && first.service == "workspace")
            #expect(events[1].errorCode == "PERMISSION_DENIED")
            // Pages, and the filters.
            let admin = workspace.user
            let page = try await admin.call(WorkspaceAPI.listAuditEvents, .init(pageSize: 1, userName: "ada"))
            #expect(page.events == [first])
            let next = try await admin.call(
                WorkspaceAPI.listAuditEvents, .init(pageSize: 5, pageToken: page.nextPageToken, userName: "ada"))
            #expect(next.events.count == 2 && next.nextPageToken == nil)
            let refused = try await admin.call(WorkspaceAPI.listAuditEvents, .init(refusedOnly: true)).events
            #expect(refused.map(\.action) == ["exportObject"])
            let made = try await admin.call(WorkspaceAPI.listAuditEvents, .init(action: "createUser")).events
            #expect(made.count == 1 && made[0].userName == "admin")
        }
    }

    @Test func aFailedSignInIsWrittenDown() async throws {
        try await Workspace.run { workspace in
            let anonymous = try workspace.service.client(token: nil)
            _ = try? await anonymous.call(
                WorkspaceAPI.createAccessToken,
                .init(body: RequestAccessToken(userName: "admin", password: "a guess")))
            let events = try await workspace.user.call(WorkspaceAPI.listAuditEvents, .init(refusedOnly: true)).events
            #expect(events.map(\.action) == ["createAccessToken"])
            #expect(events.first?.userName == "admin" && events.first?.errorCode == "UNAUTHENTICATED")
        }
    }

    @Test func wrongTokensAreWrittenDownAndCannotFillTheLog() async throws {
        try await Workspace.run { workspace in
            let begin = MonotonicTime.now
            for number in 0..<14 {
                let fields: HTTPFields = ["authorization": "Bearer guess-\(number)"]
                #expect(try await workspace.send(.get, "/api/v1/me", fields: fields).status == 401)
            }
            // Who shows nothing has not signed in yet.
            #expect(try await workspace.send(.get, "/api/v1/me", fields: ["authorization": ""]).status == 401)
            let events = try await workspace.user.call(WorkspaceAPI.listAuditEvents, .init(refusedOnly: true)).events
            let minutes = (MonotonicTime.now - begin).milliseconds / 60_000 + 1
            #expect(events.count >= 10 && events.count <= 10 * minutes)
            #expect(
                events.allSatisfy {
                    $0.action == "authenticate" && $0.object == "GET /api/v1/me" && $0.userName == nil
                        && $0.status == 401 && $0.errorCode == "UNAUTHENTICATED" && $0.source == "127.0.0.1"
                })
        }
    }

    @Test func oldEventsGo() async throws {
        try await withDatabase { database in
            try await withEventLoop { loop in
                let service = try await ServiceRuntime.start(
                    WorkspaceService.definition,
                    arguments: [
                        "--listen", "127.0.0.1:0", "--service-token", "t", "--database-url", database.url,
                    ], loop: loop)
                let pool = try service.environment.makeDatabase().pool
                let store = AuditStore(pool: pool)
                for age in [400, 366, 364, 0] {
                    try await store.insert(
                        AuditEvent(
                            eventID: 0, timestamp: .now + .seconds(-86_400 * age), service: "workspace",
                            action: "a\(age)",
                            status: 200, source: "here", requestID: "r"))
                }
                let uploads = UploadService(
                    store: UploadStore(pool: pool), tree: WorkspaceTree(pool: pool), storage: nil, limit: 1,
                    lifetime: .seconds(1))
                try await Housekeeping(
                    audit: store, tokens: TokenStore(pool: pool), uploads: uploads,
                    trash: TrashEmptier(pool: pool, storage: nil, retention: nil), retentionDays: 365, loop: loop
                ).sweep()
                #expect(try await store.list(.init(count: 10)).map(\.action) == ["a0", "a364"])
                await pool.drain(budget: .seconds(5))
                try await service.stop()
            }
        }
    }

    @Test func whoAsksTooOftenIsToldWhenToComeAgain() async throws {
        try await Workspace.run(more: ["--calls-per-second", "1"]) { workspace in
            // Many at once, so that even a slow machine is asked more often than once a second.
            let answers = try await withThrowingTaskGroup(of: HTTPClientResponse.self) { group in
                for _ in 0..<100 { group.addTask { try await workspace.send(.get, "/api/v1/me") } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            let answer = try #require(answers.first { $0.status == 429 })
            #expect(answer.fields["retry-after"] == "1")
            let body = try JSONValue(json: try await answer.collect())
            #expect(body["error_code"] == "RESOURCE_EXHAUSTED")
            // Services are not counted.
            for _ in 0..<10 {
                _ = try await workspace.service.client.call(
                    WorkspaceAPI.getMe, .init(), context: CallContext(user: "admin"))
            }
        }
    }

    @Test func otherOriginsAskOnlyWhereAllowed() async throws {
        let origin = "https://app.example.com"
        @Sendable func preflight(_ workspace: Workspace, _ origin: String) async throws -> HTTPClientResponse {
            try await workspace.send(
                .options, "/api/v1/jobs", fields: ["origin": origin, "access-control-request-method": "POST"])
        }
        try await Workspace.run { workspace in
            #expect(try await preflight(workspace, origin).status == 405)
            let answer = try await workspace.send(.get, "/api/v1/me", fields: ["origin": origin])
            #expect(answer.fields["access-control-allow-origin"] == nil)
        }
        try await Workspace.run(more: ["--cors-origins", "\(origin),http://localhost:3000"]) { workspace in
            let allowed = try await preflight(workspace, origin)
            #expect(allowed.status == 204)
            #expect(allowed.fields["access-control-allow-origin"] == origin)
            #expect(allowed.fields["access-control-allow-methods"]?.contains("POST") == true)
            // The session is for the platform's own page alone.
            #expect(allowed.fields["access-control-allow-credentials"] == nil)
            for other in ["https://evil.example.com", "https://app.example.com.evil", "null"] {
                #expect(try await preflight(workspace, other).fields["access-control-allow-origin"] == nil)
            }
            let answer = try await workspace.send(.get, "/api/v1/me", fields: ["origin": origin])
            #expect(answer.fields["access-control-allow-origin"] == origin && answer.fields["vary"] == "origin")
            let error = try await workspace.send(
                .get, "/api/v1/me", fields: ["origin": origin, "authorization": "Bearer wrong"])
            #expect(error.status == 401 && error.fields["access-control-allow-origin"] == origin)
        }
        for wrong in ["*", "app.example.com", "https://app.example.com/path", "https://"] {
            #expect(throws: HarbourError.self, "\(wrong)") { try AllowedOrigins([wrong]) }
        }
    }

    /// Goal: a page of another origin downloads a part of a file, and knows which part of what it is.
    @Test func otherOriginsDownload() async throws {
        let origin = "https://app.example.com"
        @Sendable func list(_ text: String?) -> Set<String> {
            Set((text ?? "").split(separator: ",").map { String($0.filter { $0 != " " }) })
        }
        try await Files.run(more: ["--cors-origins", origin]) { files in
            try await files.upload("/Shared/d.bin", Array("0123456789".utf8))
            let asked: HTTPFields = [
                "origin": origin, "access-control-request-method": "GET",
                "access-control-request-headers": "authorization,if-range,range",
            ]
            let preflight = try await files.workspace.send(
                .options, "/api/v1/files/content?path=%2FShared%2Fd.bin", fields: asked)
            #expect(preflight.status == 204)
            #expect(preflight.fields["access-control-allow-origin"] == origin)
            let allowed = list(preflight.fields["access-control-allow-headers"])
            #expect(
                allowed.isSuperset(of: ["authorization", "range", "if-range", "if-match", "if-none-match"]))
            let whole = try await files.download("/Shared/d.bin", ["origin": origin])
            let tag = try #require(whole.fields["etag"])
            let part = try await files.download(
                "/Shared/d.bin", ["origin": origin, "range": "bytes=2-4", "if-range": tag])
            #expect(part.status == 206 && part.bytes == Array("234".utf8))
            #expect(part.fields["access-control-allow-origin"] == origin)
            let readable = list(part.fields["access-control-expose-headers"])
            for name in ["content-range", "content-disposition", "etag", "accept-ranges"] {
                #expect(part.fields[name] != nil && readable.contains(name), "\(name)")
            }
            let same = try await files.download("/Shared/d.bin", ["origin": origin, "if-none-match": tag])
            #expect(same.status == 304 && same.fields["access-control-allow-origin"] == origin)
            let changed = try await files.download("/Shared/d.bin", ["origin": origin, "if-match": "\"other\""])
            #expect(changed.status == 412 && changed.fields["access-control-allow-origin"] == origin)
        }
    }
}
