import Core
import EventLoop
import HTTPServer
import HarbourProtocol
import ServiceClients
import ServiceKit
import Synchronization
import TestSupport
import Testing

@testable import ClusterService

/// What commands read of secrets while they run: who asks is known from the command, whatever the driver says.
@Suite(.timeLimit(.minutes(10))) struct SecretTests {
    /// A workspace that shows its secrets to ada, and may be away.
    private final class Workspace: Sendable {
        let isAway = Mutex(false)
        let asked = Mutex<[String?]>([])

        func routes(_ router: ServiceRouter) {
            router.on(WorkspaceAPI.resolveSecrets) { [self] input, context in
                try check(context)
                return ResolvedSecrets(
                    secrets: input.body.secrets.map {
                        ResolvedSecret(scope: $0.scope, key: $0.key, value: "value of \($0.scope)/\($0.key)")
                    })
            }
            router.on(WorkspaceAPI.listSecrets) { [self] _, context in
                try check(context)
                return SecretList(secrets: [SecretMetadata(key: "password", lastUpdatedTimestamp: .now)])
            }
            router.on(WorkspaceAPI.listSecretScopes) { [self] _, context in
                try check(context)
                return SecretScopeList(scopes: [SecretScope(name: "db", backendType: "DATABASE")])
            }
        }

        private func check(_ context: RequestContext) throws(HarbourError) {
            asked.withLock { $0.append(context.user) }
            if isAway.withLock({ $0 }) { throw HarbourError(.unavailable, "It is away.") }
            guard context.user == "ada" else { throw HarbourError(.permissionDenied, "You may not view it.") }
        }
    }

    private func withWorkspace(
        _ body: @escaping @Sendable (Workspace, ServiceFixture, ServiceClient) async throws -> Void
    ) async throws {
        try await withEventLoop { loop in
            let workspace = Workspace()
            let router = ServiceRouter(loop: loop, authenticator: ServiceTokenAuthenticator(token: "t"))
            workspace.routes(router)
            let server = HTTPServer(
                configuration: HTTPServerConfiguration(address: .tcp(host: "127.0.0.1", port: 0)), handler: router,
                loop: loop)
            let port = try await server.start()
            let outcome: Result<Void, any Error>
            do {
                try await withService(arguments: ["--workspace-url", "http://127.0.0.1:\(port)"]) {
                    try await body(workspace, $0, $1)
                }
                outcome = .success(())
            } catch { outcome = .failure(error) }
            await server.drain(budget: .zero)
            try outcome.get()
        }
    }

    private func hang(_ client: ServiceClient, _ id: String, user: String?) async throws {
        _ = try await client.call(
            ClusterAPI.executeCommand,
            .init(clusterID: "c1", contextID: "ctx", body: CommandSpec(commandID: id, source: "hang")),
            context: CallContext(user: user))
    }

    private func ask(
        _ fixture: ServiceFixture, _ id: Int64, _ command: String, _ operation: SecretOperation = .get
    ) async throws -> SecretAnswer {
        let driver = try fixture.drivers.get("c1")
        await driver.ask(
            WantedSecret(
                questionID: id, contextID: "ctx", commandID: command, operation: operation, scope: "db",
                key: operation == .get ? "password" : nil))
        try await eventually("question \(id) is answered") {
            await driver.secretAnswers.contains { $0.questionID == id }
        }
        return try #require(await driver.secretAnswers.first { $0.questionID == id })
    }

    @Test func theWorkspaceIsAskedAsWhoGaveTheCommand() async throws {
        try await withWorkspace { workspace, fixture, client in
            _ = try await fixture.runningCluster("c1")
            try await hang(client, "hers", user: "ada")
            try await hang(client, "his", user: "bob")
            try await hang(client, "nobodys", user: nil)
            try await hang(client, "systems", user: RequestContext.system)
            #expect(try await ask(fixture, 1, "hers").value == "value of db/password")
            #expect(try await ask(fixture, 2, "hers", .list).names == ["password"])
            #expect(try await ask(fixture, 3, "hers", .listScopes).names == ["db"])
            for operation in SecretOperation.allCases {
                let id = 10 + Int64(operation.rawValue.count)
                let refused = try await ask(fixture, id, "his", operation)
                #expect(refused.value == nil && refused.names == nil)
                #expect(refused.error?.code == "PERMISSION_DENIED")
            }
            #expect(workspace.asked.withLock { $0 } == ["ada", "ada", "ada", "bob", "bob", "bob"])
            // The services may read everything, so nothing is asked in their name; and a driver cannot make up a command.
            for (index, command) in ["nobodys", "systems", "made up"].enumerated() {
                #expect(try await ask(fixture, 30 + Int64(index), command).error?.code == "PERMISSION_DENIED")
            }
            #expect(workspace.asked.withLock { $0.count } == 6)
            // Nor can it go on asking as somebody whose command has ended.
            try await fixture.drivers.get("c1").release()
            let next = Mutex<Int64>(40)
            try await eventually("a question of what has ended is refused") {
                let id = next.withLock { id in
                    id += 1
                    return id
                }
                return try await ask(fixture, id, "hers").error?.code == "PERMISSION_DENIED"
            }
        }
    }

    @Test func whoAsksIsStillKnownAfterARestart() async throws {
        try await withWorkspace { workspace, fixture, _ in
            let client = try await fixture.runningCluster("c1")
            try await hang(client, "hers", user: "ada")
            try await fixture.stop()
            try await fixture.start()
            _ = try await fixture.wait("c1", for: .running)
            #expect(try await ask(fixture, 1, "hers").value == "value of db/password")
            // A workspace that is away for a moment is asked again.
            workspace.isAway.withLock { $0 = true }
            let answer = Task { try await ask(fixture, 2, "hers") }
            try await eventually("it was asked in vain") { workspace.asked.withLock { $0.count } >= 2 }
            workspace.isAway.withLock { $0 = false }
            #expect(try await answer.value.value == "value of db/password")
        }
    }
}
