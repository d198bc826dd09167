internal import Core
internal import HarbourProtocol
internal import ServiceKit

/// The routes of permissions. Whether the caller may see or give them, the gate has decided.
struct PermissionHandlers: Sendable {
    let gate: AccessGate

    private var store: PermissionStore { gate.permissions }

    func register(on router: ServiceRouter) {
        router.on(WorkspaceAPI.getPermissions) { [self] input, context in
            try await show(input.objectType, input.objectID, context)
        }
        router.on(WorkspaceAPI.setPermissions) { [self] input, context in
            try await give(input.body, input.objectType, input.objectID, replacing: true, context)
        }
        router.on(WorkspaceAPI.updatePermissions) { [self] input, context in
            try await give(input.body, input.objectType, input.objectID, replacing: false, context)
        }
        router.on(WorkspaceAPI.getPermissionLevels) { input, _ in
            let kind = try AccessTargets.object(type: input.objectType, id: input.objectID).kind
            return PermissionLevels(
                permissionLevels: kind.levels.map {
                    PermissionLevelInfo(permissionLevel: $0.name, description: $0.allows)
                })
        }
    }

    // MARK: Showing

    /// Collects what each user and group may do.
    private struct Entries {
        var users: [String: [GivenPermission]] = [:]
        var groups: [String: [GivenPermission]] = [:]

        mutating func add(_ grant: PermissionStore.Grant, _ kind: SecurableKind, from folder: String? = nil) {
            guard let name = kind.name(of: grant.level) else { return }
            let given = GivenPermission(
                permissionLevel: name, inherited: folder != nil, inheritedFromObject: folder.map { [$0] })
            if grant.isGroup {
                groups[grant.principal, default: []].append(given)
            } else {
                users[grant.principal, default: []].append(given)
            }
        }

        mutating func addOwner(_ owner: String?, from folder: String? = nil) {
            guard let owner else { return }
            users[owner, default: []].append(
                GivenPermission(
                    permissionLevel: folder == nil ? .isOwner : .canManage, inherited: folder != nil,
                    inheritedFromObject: folder.map { [$0] }))
        }

        var list: [AccessControlEntry] {
            users.sorted { $0.key < $1.key }.map { AccessControlEntry(userName: $0.key, allPermissions: $0.value) }
                + groups.sorted { $0.key < $1.key }
                .map { AccessControlEntry(groupName: $0.key, allPermissions: $0.value) }
        }
    }

    private func show(_ type: String, _ id: String, _ context: RequestContext) async throws -> ObjectPermissions {
        let object = try AccessTargets.object(type: type, id: id)
        var entries = Entries()
        switch object {
        case .object(let number):
            let given = try await store.given(at: try await path(number))
            for place in given {
                let folder = place.objectID == number ? nil : place.path
                entries.addOwner(place.owner, from: folder)
                for grant in place.grants { entries.add(grant, .tree, from: folder) }
            }
        case .cluster(let id):
            entries.addOwner(try await gate.owners.cluster(id).creator)
            for grant in try await store.grants(on: id, .cluster) { entries.add(grant, .cluster) }
        case .job(let number):
            entries.addOwner(try await gate.owners.job(number))
            for grant in try await store.grants(on: "\(number)", .job) { entries.add(grant, .job) }
        case .scope(let scope):
            entries.addOwner(try await store.owner(ofScope: scope))
            for grant in try await store.grants(on: scope, .scope) { entries.add(grant, .scope) }
        case .path, .upload, .deletion, .run, .backfill: break
        }
        entries.add(
            .init(isGroup: true, principal: Principal.administrators, level: .manage), object.kind,
            from: "the role ADMIN")
        var permissions = ObjectPermissions(
            objectID: "/\(type)/\(id)", objectType: PermissionHandlers.word(for: type), accessControlList: entries.list)
        if let principal = try await gate.principal(context.caller) {
            permissions.effectiveLevel = object.kind.name(of: try await gate.level(principal, on: object))
        }
        return permissions
    }

    private static func word(for type: String) -> String {
        type == "directories" ? "directory" : String(type.dropLast())
    }

    private func path(_ id: Int64) async throws(HarbourError) -> WorkspacePath {
        if let path = try await store.path(of: id) { return path }
        throw HarbourError(.notFound, "There is no notebook or folder \(id). It may have been deleted.")
    }

    // MARK: Giving

    private func give(
        _ wish: ChangePermissions, _ type: String, _ id: String, replacing: Bool, _ context: RequestContext
    ) async throws -> ObjectPermissions {
        let object = try AccessTargets.object(type: type, id: id)
        if case .object(let number) = object { try await checkUnprotected(number, context) }
        var grants: [PermissionStore.Grant] = []
        for entry in wish.accessControlList {
            grants.append(try PermissionHandlers.grant(entry, object.kind))
        }
        guard Set(grants.map { "\($0.isGroup) \($0.principal)" }).count == grants.count else {
            throw HarbourError(.invalidParameter, "A user or group is named twice in `access_control_list`.")
        }
        // As numbers are written: "007" is 7.
        let name =
            if case .object(let number) = object { "\(number)" } else if case .job(let number) = object {
                "\(number)"
            } else { id }
        try await store.give(grants, on: name, object.kind, replacing: replacing, by: context.userName)
        return try await show(type, id, context)
    }

    private static func grant(
        _ entry: AccessControl, _ kind: SecurableKind
    ) throws(HarbourError) -> PermissionStore.Grant {
        let level = try kind.level(named: entry.permissionLevel)
        switch (entry.userName, entry.groupName) {
        case (let user?, nil): return .init(isGroup: false, principal: user, level: level)
        case (nil, let group?): return .init(isGroup: true, principal: group, level: level)
        default:
            throw HarbourError(
                .invalidParameter, "Each of `access_control_list` needs a `user_name` or a `group_name`, and not both.")
        }
    }

    /// What everybody shares is arranged by administrators.
    private func checkUnprotected(_ id: Int64, _ context: RequestContext) async throws(HarbourError) {
        let path = try await path(id)
        guard ["/", "/Shared", "/Users"].contains(path.text),
            let principal = try await gate.principal(context.caller), !principal.isAdministrator
        else { return }
        throw HarbourError(.permissionDenied, "Only administrators may change who may use \(path.text). Ask one.")
    }
}
