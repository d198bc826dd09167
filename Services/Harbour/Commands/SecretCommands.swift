internal import Core
internal import Glibc
internal import HarbourProtocol
internal import ServiceClients

/// `harbour secrets`.
enum SecretCommands {
    private static let scope = Argument(name: "scope", help: "the scope")
    private static let key = Argument(name: "key", help: "the key")

    static let group = Command(
        name: "secrets", summary: "Secrets: what clusters may know and nobody may read.",
        subcommands: [
            Command(name: "scopes", summary: "List the scopes.", run: scopes),
            Command(name: "create-scope", summary: "Make a scope.", arguments: [scope], run: createScope),
            Command(
                name: "delete-scope", summary: "Delete a scope with its secrets.", arguments: [scope], run: deleteScope),
            Command(
                name: "put", summary: "Keep a secret; its value is read from standard input.", arguments: [scope, key],
                run: put),
            Command(name: "list", summary: "List the keys of a scope.", arguments: [scope], run: list),
            Command(name: "delete", summary: "Delete a secret.", arguments: [scope, key], run: delete),
        ])

    private static func scopes(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let list = try await PublicAPI(setting).call(WorkspaceAPI.listSecretScopes, .init())
        setting.terminal.answer(list)
        setting.terminal.table(
            ["SCOPE", "MADE BY", "MADE (UTC)"],
            list.scopes.map { [$0.name, $0.creatorUserName ?? "", Show.time($0.createdTime)] })
    }

    private static func createScope(_ invocation: Invocation) async throws {
        let body = CreateSecretScope(scope: invocation.word("scope"))
        _ = try await PublicAPI(Setting(invocation)).call(WorkspaceAPI.createSecretScope, .init(body: body))
    }

    private static func deleteScope(_ invocation: Invocation) async throws {
        let body = DeleteSecretScope(scope: invocation.word("scope"))
        _ = try await PublicAPI(Setting(invocation)).call(WorkspaceAPI.deleteSecretScope, .init(body: body))
    }

    private static func put(_ invocation: Invocation) async throws {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while bytes.count <= 131_072 {
            let count = read(0, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        // As `echo` and an editor leave it: one line end is not part of the value.
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        guard let value = String(validating: bytes, as: UTF8.self) else {
            throw HarbourError.usage("The value has to be UTF-8 text.")
        }
        let body = PutSecret(scope: invocation.word("scope"), key: invocation.word("key"), stringValue: value)
        _ = try await PublicAPI(Setting(invocation)).call(WorkspaceAPI.putSecret, .init(body: body))
    }

    private static func list(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let list = try await PublicAPI(setting).call(
            WorkspaceAPI.listSecrets, .init(scope: invocation.word("scope")))
        setting.terminal.answer(list)
        setting.terminal.table(
            ["KEY", "LAST PUT (UTC)"], list.secrets.map { [$0.key, Show.time($0.lastUpdatedTimestamp)] })
    }

    private static func delete(_ invocation: Invocation) async throws {
        let body = DeleteSecret(scope: invocation.word("scope"), key: invocation.word("key"))
        _ = try await PublicAPI(Setting(invocation)).call(WorkspaceAPI.deleteSecret, .init(body: body))
    }
}
