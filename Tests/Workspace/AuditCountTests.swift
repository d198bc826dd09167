import Core
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
                try await workspace.user.call(
                    WorkspaceAPI.listAuditEvents, .init(pageSize: 1000, action: "resolveSecrets")
                ).events
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
            #expect(refused.count <= 501 * more && refused.contains { $0.object == AuditNames.more })
            #expect(refused.reduce(0) { $0 + ($1.count ?? 0) } == 2000)
        }
    }

    @Test func namesAreToldUpToALimitAndEachMinuteAnew() {
        var names = AuditNames(limit: 2, users: 1)
        let time = Timestamp(milliseconds: 600_000)
        #expect(names.told(["a", "b", "c", "d", "a"], of: "ada", at: time) == ["a": 2, "b": 1, AuditNames.more: 2])
        #expect(names.told(["c", "b"], of: "ada", at: time + .seconds(59)) == [AuditNames.more: 1, "b": 1])
        #expect(names.told(["c"], of: "bob", at: time + .seconds(59)) == ["c": 1])
        #expect(names.told(["c"], of: "ada", at: time + .seconds(60)) == ["c": 1])
        #expect(names.told(["d", "e"], of: "ada", at: time + .seconds(59)) == ["d": 1, AuditNames.more: 1])
    }
}
