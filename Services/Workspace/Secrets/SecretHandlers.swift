internal import Core
internal import Cryptography
internal import HarbourProtocol
internal import ServiceKit

/// Scopes and secrets: what is put can be used by clusters, and is shown to nobody.
struct SecretHandlers: Sendable {
    private static let purpose = "secrets 1"
    private let store: SecretStore
    private let gate: AccessGate
    /// Nil without a key: then no secret can be kept.
    private let box: SealedBox?

    init(store: SecretStore, gate: AccessGate, key: String?) {
        self.store = store
        self.gate = gate
        box = key.map { SealedBox(key: derivedKey(from: Array($0.utf8), purpose: SecretHandlers.purpose)) }
    }

    func register(on router: ServiceRouter) {
        router.on(WorkspaceAPI.createSecretScope) { [self] input, context in
            _ = try usable()
            try SecretHandlers.check(input.body.scope, "scope")
            try await store.createScope(input.body.scope, by: context.userName)
            return Empty()
        }
        router.on(WorkspaceAPI.deleteSecretScope) { [store, gate] input, _ in
            try await store.deleteScope(input.body.scope)
            // A later scope of that name is another one.
            try await gate.permissions.forget(input.body.scope, .scope)
            return Empty()
        }
        router.on(WorkspaceAPI.listSecretScopes) { [self] _, context in
            SecretScopeList(scopes: try await visibleScopes(to: context.caller))
        }
        router.on(WorkspaceAPI.putSecret) { [self] input, context in
            let (scope, key) = (input.body.scope, input.body.key)
            try SecretHandlers.check(scope, "scope")
            try SecretHandlers.check(key, "key")
            let sealed = try usable().seal(
                Array(input.body.stringValue.utf8), context: SecretHandlers.context(scope, key))
            try await store.put(scope, key, sealed: sealed, by: context.userName)
            return Empty()
        }
        router.on(WorkspaceAPI.deleteSecret) { [store] input, _ in
            try await store.delete(input.body.scope, input.body.key)
            return Empty()
        }
        router.on(WorkspaceAPI.listSecrets) { [store] input, _ in
            SecretList(secrets: try await store.keys(of: input.scope))
        }
        router.on(WorkspaceAPI.resolveSecrets) { [self] input, _ in
            var secrets: [ResolvedSecret] = []
            for wanted in input.body.secrets {
                let plain = try usable().open(
                    try await store.sealed(wanted.scope, wanted.key),
                    context: SecretHandlers.context(wanted.scope, wanted.key))
                secrets.append(
                    ResolvedSecret(scope: wanted.scope, key: wanted.key, value: String(decoding: plain, as: UTF8.self)))
            }
            return ResolvedSecrets(secrets: secrets)
        }
    }

    private func visibleScopes(to caller: Caller) async throws -> [SecretScope] {
        let scopes = try await store.scopes()
        guard let principal = try await gate.principal(caller), !principal.isAdministrator else { return scopes }
        let given = try await gate.permissions.levels(principal, on: scopes.map(\.name), .scope)
        return scopes.filter { $0.creatorUserName == principal.userName || given[$0.name] != nil }
    }

    private func usable() throws(HarbourError) -> SealedBox {
        if let box { return box }
        throw HarbourError(
            .invalidState, "Secrets cannot be kept without a key. Set SECRET_KEY for the workspace service.")
    }

    /// A secret is bound to its place.
    private static func context(_ scope: String, _ key: String) -> String { "\(scope)/\(key)" }

    /// Names go into `{{secrets/scope/key}}`, so they hold no slash and no brace.
    private static func check(_ name: String, _ field: String) throws(HarbourError) {
        let isName = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                true
            default: false
            }
        }
        guard isName else {
            throw HarbourError(
                .invalidParameter, "`\(field)` must have letters, digits, dashes, underscores and dots only.")
        }
    }
}
