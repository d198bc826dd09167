import Core
import HTTPClient
import HTTPMessage
import HarbourProtocol
import Postgres
import ServiceClients
import ServiceTestKit
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(15))) struct SecretTests {
    private func put(_ client: ServiceClient, _ scope: String, _ key: String, _ value: String) async throws {
        _ = try await client.call(
            WorkspaceAPI.putSecret, .init(body: PutSecret(scope: scope, key: key, stringValue: value)))
    }

    @Test func secretsAreKeptSealedAndRevealedToServicesOnly() async throws {
        try await Workspace.run(secretKey: "a key of the platform") { workspace in
            let user = workspace.user
            #expect(await errorCode { try await put(user, "db", "password", "x") } == "RESOURCE_DOES_NOT_EXIST")
            _ = try await user.call(WorkspaceAPI.createSecretScope, .init(body: CreateSecretScope(scope: "db")))
            let twice = await errorCode {
                _ = try await user.call(WorkspaceAPI.createSecretScope, .init(body: CreateSecretScope(scope: "db")))
            }
            #expect(twice == "RESOURCE_ALREADY_EXISTS")
            try await put(user, "db", "password", "old")
            try await put(user, "db", "password", "tröúble")
            try await put(user, "db", "user", "ada")
            #expect(await errorCode { try await put(user, "db", "a/b", "x") } == "INVALID_PARAMETER_VALUE")
            let listed = try await workspace.send(.get, "/api/v1/secrets/list?scope=db")
            let text = String(decoding: try await listed.collect(), as: UTF8.self)
            #expect(text.contains("password"))
            #expect(!text.contains("tröúble"))
            let scopes = try await user.call(WorkspaceAPI.listSecretScopes, .init())
            #expect(scopes.scopes.map(\.name) == ["db"])
            #expect(scopes.scopes.first?.creatorUserName == "admin")

            let wanted = ResolveSecrets(secrets: [
                SecretReference(scope: "db", key: "user"), SecretReference(scope: "db", key: "password"),
            ])
            let service = workspace.service.client
            let resolved = try await service.call(WorkspaceAPI.resolveSecrets, .init(body: wanted))
            #expect(resolved.secrets.map(\.value) == ["ada", "tröúble"])
            // A user is no service, whatever the token.
            let refused = await errorCode { _ = try await user.call(WorkspaceAPI.resolveSecrets, .init(body: wanted)) }
            #expect(refused == "PERMISSION_DENIED")

            _ = try await user.call(
                WorkspaceAPI.deleteSecret, .init(body: DeleteSecret(scope: "db", key: "user")))
            let gone = await errorCode { _ = try await service.call(WorkspaceAPI.resolveSecrets, .init(body: wanted)) }
            #expect(gone == "RESOURCE_DOES_NOT_EXIST")
            _ = try await user.call(WorkspaceAPI.deleteSecretScope, .init(body: DeleteSecretScope(scope: "db")))
            #expect(try await user.call(WorkspaceAPI.listSecretScopes, .init()).scopes.isEmpty)
        }
    }

    @Test func withoutAKeyNothingIsKept() async throws {
        try await Workspace.run { workspace in
            let refused = await errorCode {
                _ = try await workspace.user.call(
                    WorkspaceAPI.createSecretScope, .init(body: CreateSecretScope(scope: "db")))
            }
            #expect(refused == "INVALID_STATE")
        }
    }
}
