internal import Core
internal import HTTPMessage
internal import HarbourProtocol
internal import ServiceKit

/// Finds the objects that a request is about.
struct AccessTargets: Sendable {
    let request: HTTPRequest
    let body: RequestBody

    /// What it takes to run something on a cluster, to run a notebook or file by a job, and to run another job by one.
    static let levelOnCluster = AccessLevel.run
    static let levelOnFile = AccessLevel.view
    static let levelOnJob = AccessLevel.run

    /// Nothing is found where the request names nothing; then the handler says what is missing.
    func objects(of target: AccessRule.Target) async throws(HarbourError) -> [Securable] {
        switch target {
        case .path(let place), .passage(let place):
            guard let text = try await text(at: place) else { return [] }
            return [.path(try WorkspacePath(text))]
        case .upload(let place): return try await text(at: place).map { [.upload($0)] } ?? []
        case .deletion(let place): return try await number(at: place).map { [.deletion($0)] } ?? []
        case .notebook(let place): return try await number(at: place).map { [.object($0)] } ?? []
        case .cluster(let place): return try await text(at: place).map { [.cluster($0)] } ?? []
        case .job(let place): return try await number(at: place).map { [.job($0)] } ?? []
        case .run(let place): return try await number(at: place).map { [.run($0)] } ?? []
        case .backfill(let place): return try await number(at: place).map { [.backfill($0)] } ?? []
        case .scope(let place): return try await text(at: place).map { [.scope($0)] } ?? []
        case .permissionsObject:
            return [
                try AccessTargets.object(
                    type: request.parameters.value("object_type") ?? "", id: request.parameters.value("object_id") ?? ""
                )
            ]
        case .secretReferences:
            let references = try ResolveSecrets(json: try await body.bytes()).secrets
            return Set(references.map(\.scope)).sorted().map { .scope($0) }
        case .oneself, .used, .restored: return []
        }
    }

    /// The secrets whose values the body asks for, as the audit log names them.
    func secretNames() async throws(HarbourError) -> [String] {
        let references = try ResolveSecrets(json: try await body.bytes()).secrets
        return Set(references.map { "secret \($0.scope)/\($0.key)" }).sorted()
    }

    /// The object of an address such as `/permissions/clusters/abc`.
    static func object(type: String, id: String) throws(HarbourError) -> Securable {
        guard let kind = SecurableKind(objectType: type) else {
            throw HarbourError(
                .invalidParameter,
                "`object_type` must be directories, notebooks, files, clusters, jobs or secret-scopes.")
        }
        switch kind {
        case .cluster: return .cluster(id)
        case .scope: return .scope(id)
        case .tree, .job:
            guard let number = Int64(id) else {
                throw HarbourError(.invalidParameter, "`object_id` must be a whole number here.")
            }
            return kind == .job ? .job(number) : .object(number)
        }
    }

    /// Where something in the trash is to come: to the `path` of the body, or to where it was.
    func restored(
        _ place: AccessRule.Place, _ principal: Principal, _ permissions: PermissionStore
    ) async throws(HarbourError) -> WorkspacePath? {
        if let path = try await text(at: .body("path")) { return try WorkspacePath(path) }
        guard let id = try await number(at: place) else { return nil }
        return try await permissions.deletion(id, for: principal)?.path
    }

    /// What the job or cluster in the body uses, and what of it that takes.
    func used() async throws(HarbourError) -> [(Securable, AccessLevel)] {
        let bytes = try await body.bytes()
        guard !bytes.isEmpty else { return [] }
        var found: [Securable: AccessLevel] = [:]
        try AccessTargets.collect(try JSONValue(json: bytes), under: "", &found)
        return found.sorted { $0.key.description < $1.key.description }.map { ($0.key, $0.value) }
    }

    /// Looks at every field, however deep: tasks are nested in tasks.
    static func collect(
        _ value: JSONValue, under key: String, _ found: inout [Securable: AccessLevel]
    ) throws(HarbourError) {
        switch value {
        case .array(let elements): for element in elements { try collect(element, under: key, &found) }
        case .object(let object):
            if key == "run_job_task", let id = value["job_id"]?.int64 { found[.job(id)] = levelOnJob }
            if key == "job_completion", let id = value["job_id"]?.int64 {
                found[.job(id)] = max(found[.job(id)] ?? .none, .view)
            }
            if key == "workspace", let path = value["destination"]?.string { try add(path, &found) }
            for (key, value) in object.fields { try collect(value, under: key, &found) }
        case .string(let text):
            switch key {
            case "existing_cluster_id": found[.cluster(text)] = levelOnCluster
            case "notebook_path", "python_file": try add(text, &found)
            case "file": if text.hasPrefix("/") { try add(text, &found) }
            default: break
            }
            for scope in scopes(in: text) { found[.scope(scope)] = .view }
        default: return
        }
    }

    /// A file of the workspace; a path that is put together when the run begins is looked at then.
    private static func add(_ path: String, _ found: inout [Securable: AccessLevel]) throws(HarbourError) {
        if !path.contains("{{") { found[.path(try WorkspacePath(path))] = levelOnFile }
    }

    /// The scopes of all `{{secrets/scope/key}}` in a text.
    static func scopes(in text: String) -> Set<String> {
        var scopes: Set<String> = []
        var rest = Substring(text)
        while let start = rest.firstRange(of: "{{secrets/") {
            rest = rest[start.upperBound...]
            let scope = rest.prefix { $0 != "/" && $0 != "}" }
            if !scope.isEmpty, rest.dropFirst(scope.count).first == "/" { scopes.insert(String(scope)) }
        }
        return scopes
    }

    private func text(at place: AccessRule.Place) async throws(HarbourError) -> String? {
        try await place.text(request, body)
    }

    private func number(at place: AccessRule.Place) async throws(HarbourError) -> Int64? {
        guard let text = try await text(at: place) else { return nil }
        guard let number = Int64(text), !text.hasPrefix("+") else {
            throw HarbourError(.invalidParameter, "The id in the path must be a whole number.")
        }
        return number
    }
}
