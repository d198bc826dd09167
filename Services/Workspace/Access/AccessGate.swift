internal import Core
internal import HTTPMessage
internal import HarbourProtocol
internal import ServiceKit

/// The one place where it is decided who may do what: every request to the front door passes here, those that it answers
/// itself and those that it forwards. The services behind it trust it by the token between services.
struct AccessGate: Gatekeeper {
    let people: Directory
    let permissions: PermissionStore
    let owners: UpstreamOwners
    let limits: CallerLimits

    // MARK: Admission

    func admit(
        _ caller: Caller, to route: EndpointRoute, _ request: HTTPRequest, body: RequestBody
    ) async throws(HarbourError) {
        let rule = AccessTable.rule(of: route)
        var note = AuditNote(route: route, caller: caller)
        defer { request.attributes[AuditNote.self] = note }
        guard rule.audience != .everybody else { return }
        // A service that asks for itself has done its own deciding.
        guard let user = caller.user else {
            guard caller.isService else { throw BearerToken.missing }
            return
        }
        if !caller.isService { try limits.take(user, request) }
        guard let principal = try await people.principal(user) else {
            // A service may say on whose behalf it asks for what only concerns the service.
            if caller.isService, rule.needs.isEmpty, [.services, .signedIn].contains(rule.audience) { return }
            throw HarbourError(
                .permissionDenied, "There is no user \(user) who may sign in. Ask an administrator.")
        }
        try AccessGate.check(rule.audience, principal, isService: caller.isService)
        for need in rule.needs {
            try await require(need, principal, request, body) { note.objects.append($0) }
        }
    }

    /// - Throws: `PERMISSION_DENIED` when the user does not belong to those who may do such a thing at all.
    static func check(
        _ audience: AccessRule.Audience, _ principal: Principal, isService: Bool
    ) throws(HarbourError) {
        switch audience {
        case .everybody, .signedIn: return
        case .members:
            guard principal.role == .viewer else { return }
            throw HarbourError(
                .permissionDenied,
                "A viewer may look at things and not make any. Ask an administrator for the role USER.")
        case .administrators:
            guard !principal.isAdministrator else { return }
            throw HarbourError(.permissionDenied, "Only administrators may do this. Ask one.")
        case .services:
            guard !isService else { return }
            throw HarbourError(.permissionDenied, "Only the services of the platform may call this.")
        }
    }

    private func require(
        _ need: AccessRule.Need, _ principal: Principal, _ request: HTTPRequest, _ body: RequestBody,
        _ tell: (String) -> Void
    ) async throws(HarbourError) {
        switch need.target {
        case .oneself(let place):
            guard let user = try await place.text(request, body), user != principal.userName else { return }
            tell("user \(user)")
            guard principal.isAdministrator else {
                throw HarbourError(.permissionDenied, "Only \(user) and administrators may do this.")
            }
        case .passage(let place):
            guard let text = try await place.text(request, body) else { return }
            let path = try WorkspacePath(text)
            tell(path.text)
            guard try await !mayPass(principal, path) else { return }
            throw try await refusal(principal, .path(path), .view, has: .none)
        default:
            let targets = AccessTargets(request: request, body: body)
            if case .restored(let place) = need.target {
                guard let path = try await targets.restored(place, principal, permissions) else { return }
                tell(path.text)
                return try await require(need.level, on: .path(path), principal)
            }
            if case .used = need.target {
                for (object, level) in try await targets.used() { try await require(level, on: object, principal) }
                return
            }
            // Which ones of a scope, too.
            if case .secretReferences = need.target { for name in try await targets.secretNames() { tell(name) } }
            for object in try await targets.objects(of: need.target) {
                tell(object.description)
                try await require(need.level, on: object, principal)
            }
        }
    }

    // MARK: Deciding

    /// - Throws: `PERMISSION_DENIED`, saying what is missing and who can give it.
    func require(_ wanted: AccessLevel, on object: Securable, _ principal: Principal) async throws(HarbourError) {
        let level = try await level(principal, on: object)
        guard level < wanted else { return }
        throw try await refusal(principal, object, wanted, has: level)
    }

    /// What a user may do with an object.
    func level(_ principal: Principal, on object: Securable) async throws(HarbourError) -> AccessLevel {
        if principal.isAdministrator { return .manage }
        let level = try await givenLevel(principal, on: object)
        return principal.role == .viewer ? min(level, .view) : level
    }

    private func givenLevel(_ principal: Principal, on object: Securable) async throws(HarbourError) -> AccessLevel {
        switch object {
        case .path(let path): return try await permissions.level(principal, at: path)
        case .object(let id):
            guard let path = try await permissions.path(of: id) else {
                throw HarbourError(.notFound, "There is no notebook or folder \(id). It may have been deleted.")
            }
            return try await permissions.level(principal, at: path)
        case .upload(let id):
            guard let upload = try await permissions.upload(id) else { throw UploadStore.missing(id) }
            guard upload.user == principal.userName else { return .none }
            return try await permissions.level(principal, at: upload.path)
        case .deletion(let id):
            guard let deletion = try await permissions.deletion(id, for: principal) else {
                throw WorkspaceTrash.missing(id)
            }
            return deletion.level
        case .cluster(let id):
            let cluster = try await owners.cluster(id)
            let given = try await permissions.levels(principal, on: [id], .cluster)
            return try await level(principal, of: cluster, given: given[id])
        case .job(let id):
            if try await owners.job(id) == principal.userName { return .manage }
            return try await permissions.levels(principal, on: ["\(id)"], .job)["\(id)"] ?? .none
        case .run(let id): return try await level(principal, of: try await owners.run(id))
        case .backfill(let id): return try await givenLevel(principal, on: .job(try await owners.backfill(id)))
        case .scope(let scope):
            guard let owner = try await permissions.owner(ofScope: scope) else { throw SecretStore.missing(scope) }
            if owner == principal.userName { return .manage }
            return try await permissions.levels(principal, on: [scope], .scope)[scope] ?? .none
        }
    }

    /// Who may see a run may see the cluster that was made for it.
    func level(
        _ principal: Principal, of cluster: UpstreamOwners.Cluster, given: AccessLevel?
    ) async throws(HarbourError) -> AccessLevel {
        if cluster.creator == principal.userName { return .manage }
        if let given { return given }
        guard let runID = cluster.runID else { return .none }
        do throws(HarbourError) {
            return min(try await level(principal, of: try await owners.run(runID)), .view)
        } catch {
            guard error.code == .notFound else { throw error }
            return .none
        }
    }

    /// What somebody may do with a run is what they may do with its job: also whoever started it, because a right that was
    /// taken away does not live on in what was begun with it. A run without a job is its creator's alone.
    func level(_ principal: Principal, of run: UpstreamOwners.Run) async throws(HarbourError) -> AccessLevel {
        let own = run.creator == principal.userName ? AccessLevel.manage : .none
        guard let job = run.jobID else { return own }
        do throws(HarbourError) {
            return try await givenLevel(principal, on: .job(job))
        } catch {
            // The job has been deleted for long; its runs are still there for their owners and administrators.
            guard error.code == .notFound else { throw error }
            return own
        }
    }

    /// Looks at the name of a cluster that a user makes. Those of runs are the scheduler's: whoever made one before it
    /// would have another's run on a cluster of theirs. And what was given on a cluster of that name that is gone must
    /// not be given on the new one.
    func checkNewCluster(_ body: RequestBody) async throws(HarbourError) {
        let bytes = try await body.bytes()
        let id = try BodyField.text("cluster_id", in: bytes)
        guard try BodyField.text("owner", in: bytes) == nil, id?.hasPrefix("run-") != true else {
            throw HarbourError(
                .invalidParameter,
                "Clusters of runs are made by the scheduler. Leave `owner` out, and choose a `cluster_id` that does "
                    + "not begin with run-.")
        }
        guard let id else { return }
        owners.forget(cluster: id)
        do throws(HarbourError) { _ = try await owners.cluster(id) } catch {
            guard error.code == .notFound else { throw error }
            try await permissions.forget(id, .cluster)
        }
    }

    // MARK: The tree

    /// Folders that everybody passes through on the way to what is theirs.
    private static let passages: Set<String> = ["/", "/Shared", "/Users"]

    private func mayPass(_ principal: Principal, _ path: WorkspacePath) async throws(HarbourError) -> Bool {
        if AccessGate.passages.contains(path.text) { return true }
        if try await level(principal, on: .path(path)) >= .view { return true }
        return try await permissions.hasVisible(principal, below: path)
    }

    /// Whose eyes a folder is listed with; nil when the caller may see everything in it.
    func viewer(_ caller: Caller, at path: WorkspacePath) async throws(HarbourError) -> Principal? {
        guard let principal = try await principal(caller) else { return nil }
        return try await level(principal, on: .path(path)) >= .view ? nil : principal
    }

    /// Whose trash is shown; nil when the caller may see all of it.
    func restorer(_ caller: Caller) async throws(HarbourError) -> Principal? {
        guard let principal = try await principal(caller), !principal.isAdministrator else { return nil }
        return principal
    }

    /// What a user sees of the whole tree; nil for everything.
    func sight(of principal: Principal?) async throws(HarbourError) -> PermissionStore.Sight? {
        guard let principal, !principal.isAdministrator else { return nil }
        return try await permissions.sight(of: principal)
    }

    /// What a caller sees below a folder; nil for everything.
    func sight(_ caller: Caller, at path: WorkspacePath) async throws(HarbourError) -> PermissionStore.Sight? {
        guard let viewer = try await viewer(caller, at: path) else { return nil }
        return try await permissions.sight(of: viewer)
    }

    /// The user who asks; nil for a service that asks for itself.
    func principal(_ caller: Caller) async throws(HarbourError) -> Principal? {
        guard let user = caller.user else { return nil }
        return try await people.principal(user) ?? Principal(userName: user, role: .viewer, ownGroups: [])
    }

    private func refusal(
        _ principal: Principal, _ object: Securable, _ wanted: AccessLevel, has level: AccessLevel
    ) async throws(HarbourError) -> HarbourError {
        let name = object.kind.name(for: wanted).rawValue
        let has = object.kind.name(of: level).map { "; you have \($0.rawValue)" } ?? ""
        let advice =
            principal.role == .viewer && wanted > .view
            ? "Your role is VIEWER: ask an administrator for the role USER."
            : "Ask its owner or an administrator for it."
        return HarbourError(
            .permissionDenied, "This needs \(name) on \(object.description)\(has). \(advice)")
    }
}
