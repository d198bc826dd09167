internal import Core
internal import EventLoop
internal import HTTPClient
internal import HarbourProtocol
internal import ServiceClients
internal import ServiceKit

/// What the cluster service asks of the workspace: the values of secrets, and scripts that are kept there.
struct WorkspaceLink: Sendable {
    private let client: ServiceClient
    private let http: HTTPClient

    init(url: String, token: String, loop: EventLoop) throws(HarbourError) {
        http = HTTPClient(loop: loop)
        client = try ServiceClient(http: http, baseURL: url, token: token, service: "workspace")
    }

    /// The values of secrets, by reference, as far as the user may use them.
    func secrets(_ references: [SecretReference], for user: String) async throws(HarbourError) -> [SecretReference:
        String]
    {
        let answer = try await client.call(
            WorkspaceAPI.resolveSecrets, .init(body: ResolveSecrets(secrets: references)),
            context: WorkspaceLink.context(user))
        var values: [SecretReference: String] = [:]
        for secret in answer.secrets { values[SecretReference(scope: secret.scope, key: secret.key)] = secret.value }
        return values
    }

    /// The keys of a scope, as far as the user may see it.
    func keys(of scope: String, for user: String) async throws(HarbourError) -> [String] {
        try await client.call(
            WorkspaceAPI.listSecrets, .init(scope: scope), context: WorkspaceLink.context(user)
        ).secrets.map(\.key)
    }

    /// The scopes that the user may see.
    func scopes(for user: String) async throws(HarbourError) -> [String] {
        try await client.call(WorkspaceAPI.listSecretScopes, .init(), context: WorkspaceLink.context(user))
            .scopes.map(\.name)
    }

    /// The text of a file of the workspace that the user may see.
    func file(_ path: String, for user: String) async throws(HarbourError) -> String {
        let file = try await client.call(
            WorkspaceAPI.exportObject, .init(path: path), context: WorkspaceLink.context(user))
        return String(decoding: Base64.decode(file.content) ?? [], as: UTF8.self)
    }

    /// For a user, and for the service itself where a pool keeps a cluster ready that is nobody's.
    private static func context(_ user: String) -> CallContext {
        .within(.seconds(20), user: user == RequestContext.system ? nil : user)
    }

    func close() async { await http.close() }
}
