import Core
import HTTPClient
import HTTPMessage
import HarbourProtocol
import Postgres
import ServiceClients
import ServiceTestKit
import Testing

@testable import WorkspaceService

@Suite("What the audit log counts")
struct AuditCountTests {
    /// Goal: programs that read secrets again and again do not bury the rest of the log, and what is counted says who read
    /// what, from when until when and how often. Whoever makes names up does not fill it either.
    @Test func readsOfSecretsAreCounted() async throws {
        try await Workspace.run(secretKey: "a key of this test") { workspace in
            let ada = try await workspace.makeUser("ada")
            _ = try await ada.client.call(
                WorkspaceAPI.createSecretScope, .init(body: CreateSecretScope(scope: "vault")))
            for key in ["k", "l"] {
                _ = try await ada.client.call(
                    WorkspaceAPI.putSecret, .init(body: PutSecret(scope: "vault", key: key, stringValue: "v")))
            }
            let begin = Timestamp.now
            func read(_ keys: [String]) async throws {
                let wanted = ResolveSecrets(secrets: keys.map { SecretReference(scope: "vault", key: $0) })
                _ = try await workspace.service.client.call(
                    WorkspaceAPI.resolveSecrets, .init(body: wanted), context: CallContext(user: "ada"))
            }
            for number in 0..<30 { try await read(number % 3 == 0 ? ["k", "l"] : ["k"]) }
            let now = Timestamp.now
            let minutes = Int(AuditNames.minute(of: now) - AuditNames.minute(of: begin)) + 1
            func events() async throws -> [AuditEvent] {
                var all: [AuditEvent] = []
                var next: String?
                repeat {
                    let page = try await workspace.user.call(
                        WorkspaceAPI.listAuditEvents,
                        .init(pageSize: 1000, pageToken: next, action: "resolveSecrets"))
                    all += page.events
                    next = page.nextPageToken
                } while next != nil
                return all
            }
            let told = try await events()
            #expect(told.count <= 2 * minutes, "\(told)")
            for (key, count) in [("k", 30), ("l", 10)] {
                let rows = told.filter { $0.object == "secret vault/\(key)" }
                #expect(rows.reduce(0) { $0 + ($1.count ?? 0) } == Int64(count), "\(rows)")
                for row in rows {
                    let last = try #require(row.lastTimestamp)
                    #expect(row.userName == "ada" && row.status == 200 && !row.requestID.isEmpty)
                    #expect(row.timestamp >= begin && last >= row.timestamp && last <= now)
                }
            }
            // It can be counted, and is not changed.
            await #expect(throws: HarbourError.self) {
                try await workspace.withPool { (pool) async throws in
                    _ = try await pool.query(
                        "UPDATE audit_events SET user_name = 'eve', count = count + 1 WHERE tally IS NOT NULL")
                }
            }
            for batch in 0..<5 {
                _ = await errorCode { try await read((0..<400).map { "made-up-\(batch)-\($0)" }) }
            }
            let last = Timestamp.now
            let more = Int(AuditNames.minute(of: last) - AuditNames.minute(of: begin)) + 1
            let refused = try await events().filter { $0.status == 404 }
            #expect(refused.count <= 501 * more && refused.contains { $0.object == AuditNames.moreSecrets })
            #expect(refused.reduce(0) { $0 + ($1.count ?? 0) } == 2000)
        }
    }

    /// Goal: who has taken files and notebooks out can be seen, and a reader with ranges does not bury the rest.
    @Test func whatIsTakenOutIsCounted() async throws {
        try await Files.run { files in
            let workspace = files.workspace
            let ada = try await workspace.makeUser("ada")
            _ = try await files.upload("/Shared/d.bin", Array("0123456789".utf8))
            let made = try await workspace.save(
                "/Shared/n", RunningWorkspace.document(["1"]).jsonText(), format: .jupyter)
            let begin = Timestamp.now
            func get(_ target: String, _ fields: HTTPFields = [:], method: HTTPMethod = .get) async throws -> Int {
                var fields = fields
                fields["authorization"] = "Bearer \(ada.token)"
                let answer = try await workspace.send(method, target, fields: fields)
                _ = try await answer.collect()
                return answer.status
            }
            let content = "/api/v1/files/content?path=%2FShared%2F"
            for number in 0..<30 {
                #expect(try await get(content + "d.bin", ["range": "bytes=\(number % 10)-"]) == 206)
            }
            #expect(try await get(content + "n") == 200)
            for _ in 0..<3 { #expect(try await get("/api/v1/workspace/export?path=%2FShared%2Fn") == 200) }
            #expect(try await get("/api/v1/notebooks/\(made.objectID)/export") == 200)
            // Nothing comes out of these.
            #expect(try await get(content + "d.bin", method: .head) == 200)
            #expect(try await get(content + "d.bin", ["if-none-match": "*"]) == 304)
            #expect(try await get(content + "none") == 404)
            #expect(try await get("/api/v1/files/content?path=%2FUsers%2Fadmin%2Fx") == 403)
            // A cluster's init script is read by the platform.
            _ = try await workspace.service.client.call(
                WorkspaceAPI.exportObject, .init(path: "/Shared/n"), context: CallContext(user: "ada"))
            let minutes = Int(AuditNames.minute(of: .now) - AuditNames.minute(of: begin)) + 1
            let events = try await workspace.user.call(
                WorkspaceAPI.listAuditEvents, .init(pageSize: 1000, userName: "ada")
            ).events
            func count(_ action: String, _ object: String, _ status: Int) -> Int64 {
                events.filter { $0.action == action && $0.object == object && $0.status == status }
                    .reduce(0) { $0 + ($1.count ?? 0) }
            }
            #expect(count("downloadFile", "/Shared/d.bin", 206) == 30)
            #expect(count("downloadFile", "/Shared/n", 200) == 1)
            #expect(count("exportObject", "/Shared/n", 200) == 3)
            let exports = events.filter { $0.action == "exportNotebook" }
            #expect(exports.count == 1 && exports[0].count == 1 && exports[0].object?.isEmpty == false)
            #expect(count("downloadFile", "/Users/admin/x", 403) == 1)
            #expect(events.count <= 3 * minutes + 2, "\(events)")
        }
    }

    @Test func namesAreToldUpToALimitAndEachMinuteAnew() {
        var names = AuditNames(limit: 2, users: 1)
        let time = Timestamp(milliseconds: 600_000)
        #expect(
            names.told(["a", "b", "c", "d", "a"], of: "ada", rest: "more", at: time) == ["a": 2, "b": 1, "more": 2])
        #expect(names.told(["c", "b"], of: "ada", rest: "more", at: time + .seconds(59)) == ["more": 1, "b": 1])
        #expect(names.told(["c"], of: "bob", rest: "more", at: time + .seconds(59)) == ["c": 1])
        #expect(names.told(["c"], of: "ada", rest: "more", at: time + .seconds(60)) == ["c": 1])
        #expect(names.told(["d", "e"], of: "ada", rest: "more", at: time + .seconds(59)) == ["d": 1, "more": 1])
    }
}
