internal import ClusterBackend
internal import Core
internal import HarbourProtocol

/// What a driver finds in its scratch folder besides its token: what is to be done at its start. The form is the
/// driver's (`StartFile` there).
struct LaunchPlan: Sendable {
    static let fileName = "start.json"

    var scripts: [(name: String, content: String?, file: String?)] = []
    var libraries: [Library] = []
    var secrets: [String] = []

    /// The file; nil when there is nothing to be done.
    var file: LaunchFile? {
        if scripts.isEmpty && libraries.isEmpty && secrets.isEmpty { return nil }
        var object: JSONObject = [
            "secrets": .array(secrets.map { .string($0) }),
            "libraries": .array(libraries.compactMap { try? JSONValue(json: $0.encodedJSON()) }),
        ]
        object["init_scripts"] = .array(
            scripts.map { script in
                var value: JSONObject = ["name": .string(script.name)]
                value["content"] = script.content.map { .string($0) }
                value["file"] = script.file.map { .string($0) }
                return .object(value)
            })
        return LaunchFile(name: LaunchPlan.fileName, content: object.encodedJSON())
    }

    /// Every problem of scripts and libraries at once, without looking at what they name.
    static func problems(of spec: ClusterSpec) -> [SpecProblem] {
        var problems: [SpecProblem] = []
        for (index, script) in (spec.initScripts ?? []).enumerated() {
            let kinds = [script.content != nil, script.workspace != nil, script.file != nil].count { $0 }
            if kinds != 1 {
                problems.append(
                    SpecProblem("init_scripts[\(index)]", "must have exactly one of content, workspace and file"))
            }
        }
        for (index, library) in (spec.libraries ?? []).enumerated() {
            if let problem = LaunchPlan.problem(of: library) {
                problems.append(SpecProblem("libraries[\(index)]", problem))
            }
        }
        return problems
    }

    static func problem(of library: Library) -> String? {
        let kinds = [
            library.pypi != nil, library.whl != nil, library.jar != nil, library.requirements != nil,
        ].count { $0 }
        if kinds != 1 { return "must have exactly one of pypi, whl, jar and requirements" }
        let name = library.pypi?.package ?? library.whl ?? library.jar ?? library.requirements ?? ""
        // What begins like that would be an option of the installer.
        return name.isEmpty || name.hasPrefix("-") ? "must name something, and not begin with a dash" : nil
    }
}

extension ClusterController {
    /// The wish for the backend with everything filled in that the specification only names.
    /// - Throws: `INVALID_PARAMETER_VALUE` for a secret or script that does not exist or is not for the cluster's
    ///   maker, `TEMPORARILY_UNAVAILABLE`.
    func complete(_ request: ProvisionRequest, _ spec: ClusterSpec) async throws(HarbourError) -> ProvisionRequest {
        var request = request
        var plan = LaunchPlan()
        plan.libraries = try await launchLibraries(spec)
        do throws(HarbourError) {
            let texts = request.spec.environment.mapValues { SecretText($0) }.filter { !$0.value.references.isEmpty }
            if !texts.isEmpty {
                let values = try await workspace().secrets(
                    Array(Set(texts.values.flatMap(\.references))), for: row.creator)
                for (name, text) in texts {
                    request.spec.environment[name] = nil
                    request.spec.secretEnvironment[name] = Secret(text.filled(values))
                }
                plan.secrets = Set(values.values).sorted()
            }
            for (index, script) in (spec.initScripts ?? []).enumerated() {
                let place = script.workspace?.destination
                let name = script.name ?? place ?? script.file?.destination ?? "init script \(index + 1)"
                let content =
                    if let place { try await workspace().file(place, for: row.creator) } else { script.content }
                plan.scripts.append((name: name, content: content, file: script.file?.destination))
            }
        } catch {
            guard [.notFound, .invalidState, .permissionDenied].contains(error.code) else { throw error }
            throw HarbourError(.invalidParameter, error.message, cause: error)
        }
        if let file = plan.file { request.launch.files.append(file) }
        return request
    }

    private func workspace() throws(HarbourError) -> WorkspaceLink {
        if let workspace = context.workspace { return workspace }
        throw HarbourError(.unavailable, "The cluster service does not know the workspace service.")
    }

    private func launchLibraries(_ spec: ClusterSpec) async throws(HarbourError) -> [Library] {
        do {
            return try await context.libraries.begin(id, spec: spec.libraries ?? [])
        } catch {
            throw .wrap(error)
        }
    }
}
