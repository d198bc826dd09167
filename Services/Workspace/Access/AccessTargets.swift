internal import Core
internal import HTTPMessage
internal import HarbourProtocol
internal import ServiceKit

/// Finds the objects that a request is about.
struct AccessTargets: Sendable {
    let request: HTTPRequest
    let body: RequestBody

    /// Nothing is found where the request names nothing; then the handler says what is missing.
    func objects(of target: AccessRule.Target) async throws(HarbourError) -> [Securable] {
        switch target {
        case .path(let place), .passage(let place):
            guard let text = try await text(at: place) else { return [] }
            return [.path(try WorkspacePath(text))]
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
        case .tasks: return AccessTargets.used(in: try JSONValue(json: try await body.bytes()))
        case .oneself: return []
        }
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

    /// The clusters that tasks run on and the jobs that they run, however deep in the document.
    static func used(in document: JSONValue) -> [Securable] {
        var found: [Securable] = []
        func visit(_ value: JSONValue) {
            switch value {
            case .array(let elements): elements.forEach(visit)
            case .object(let object):
                for (key, value) in object.fields {
                    if key == "existing_cluster_id", let id = value.string { found.append(.cluster(id)) }
                    if key == "run_job_task", let id = value["job_id"]?.int64 { found.append(.job(id)) }
                    visit(value)
                }
            default: return
            }
        }
        visit(document)
        return Set(found).sorted { $0.description < $1.description }
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
