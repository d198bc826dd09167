internal import ClusterBackend
internal import Core
internal import HarbourProtocol

/// What clusters under a policy may be: a rule for each of some attributes of a specification.
struct PolicyDefinition: Sendable, Hashable {
    private var rules: [(path: String, rule: PolicyRule)] = []

    static func == (left: PolicyDefinition, right: PolicyDefinition) -> Bool {
        left.rules.elementsEqual(right.rules) { $0 == $1 }
    }

    func hash(into hasher: inout Hasher) { for rule in rules { hasher.combine(rule.path) } }

    /// Attributes whose values are numbers.
    private static let numbers: Set<String> = [
        "num_workers", "driver_cores", "driver_memory_mb", "worker_cores", "worker_memory_mb",
        "autotermination_minutes", "autoscale.min_workers", "autoscale.max_workers",
    ]
    private static let texts: Set<String> = [
        "cluster_name", "backend", "node_type_id", "driver_node_type_id", "instance_pool_id",
    ]
    private static let maps = ["spark_conf", "spark_env_vars", "custom_tags"]

    /// Reads the JSON text of a policy.
    /// - Throws: `INVALID_PARAMETER_VALUE` with all that is wrong with it.
    init(_ text: String) throws(HarbourError) {
        let object: JSONObject
        do throws(JSONError) {
            object = try JSONObject(checkedJSON: Array(text.utf8))
        } catch {
            throw HarbourError(.invalidParameter, "The policy's definition is not a JSON object: \(error).")
        }
        var mistakes: [String] = []
        for (path, value) in object {
            let isNumber = PolicyDefinition.numbers.contains(path)
            guard isNumber || PolicyDefinition.texts.contains(path) || PolicyDefinition.entry(path) != nil else {
                mistakes.append("there is no attribute \(path)")
                continue
            }
            guard let rule = value.object else {
                mistakes.append("\(path) must be an object with a `type`")
                continue
            }
            do throws(PolicyMistake) {
                rules.append((path, try PolicyRule(rule, isNumber: isNumber)))
            } catch {
                mistakes.append("\(path) \(error.text)")
            }
        }
        if !mistakes.isEmpty {
            let list = mistakes.joined(separator: "; ")
            throw HarbourError(.invalidParameter, "The policy's definition cannot be used: \(list).")
        }
    }

    /// The map and the name in it, where the path is one of a map's entries.
    private static func entry(_ path: String) -> (map: String, name: String)? {
        for map in maps where path.hasPrefix("\(map).") && path.utf8.count > map.utf8.count + 1 {
            return (map, String(path.dropFirst(map.count + 1)))
        }
        return nil
    }

    /// The specification with what the policy fixes and what it has defaults for, and all that it does not allow.
    func apply(to spec: ClusterSpec) throws(HarbourError) -> (spec: ClusterSpec, problems: [SpecProblem]) {
        var object = try JSONObject(json: spec.encodedJSON(), subject: "specification", code: .internalError)
        var problems: [SpecProblem] = []
        for (path, rule) in rules {
            let before = PolicyDefinition.value(path, in: object)
            if before == nil && isMoot(path, in: object) { continue }
            let (after, problem) = rule.apply(to: before)
            if let problem { problems.append(SpecProblem(path, "\(problem) (policy)")) }
            if let after, before == nil { PolicyDefinition.set(path, to: after, in: &object) }
        }
        do throws(HarbourError) {
            let filled = try ClusterSpec(
                json: JSONValue.object(object).encodedJSON(), subject: "specification", code: .invalidParameter)
            return (filled, problems)
        } catch {
            // A default of the policy that no specification can hold.
            return (
                spec, problems + [SpecProblem("policy_id", "leads to a specification that cannot be: \(error.message)")]
            )
        }
    }

    /// A fixed number of workers and a range of them exclude each other: what belongs to the other is not asked for.
    private func isMoot(_ path: String, in object: JSONObject) -> Bool {
        if path == "num_workers" { return object["autoscale"] != nil }
        if path.hasPrefix("autoscale.") { return object["autoscale"] == nil && object["num_workers"] != nil }
        return false
    }

    private static func value(_ path: String, in object: JSONObject) -> PolicyRule.Value? {
        let value: JSONValue?
        if let (map, name) = entry(path) {
            value = object[map]?.object?[name]
        } else if path.hasPrefix("autoscale.") {
            value = object["autoscale"]?.object?[String(path.dropFirst("autoscale.".count))]
        } else {
            value = object[path]
        }
        return value.flatMap { value in
            value.int.map { .number($0) } ?? value.string.map { .text($0) }
        }
    }

    private static func set(_ path: String, to value: PolicyRule.Value, in object: inout JSONObject) {
        let json: JSONValue =
            switch value {
            case .number(let number): .integer(number)
            case .text(let text): .string(text)
            }
        let place = entry(path) ?? (path.hasPrefix("autoscale.") ? ("autoscale", String(path.dropFirst(10))) : nil)
        guard let (container, name) = place else {
            object[path] = json
            return
        }
        var inner = object[container]?.object ?? [:]
        inner[name] = json
        object[container] = .object(inner)
    }
}
