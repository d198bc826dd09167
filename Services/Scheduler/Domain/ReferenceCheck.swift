internal import Core
internal import HarbourProtocol

/// Finds references that can have no value whatever happens, before a run finds them.
struct ReferenceCheck {
    let graph: JobGraph

    var problems: [JobProblem] {
        var problems: [JobProblem] = []
        for (index, task) in graph.tasks.enumerated() {
            problems += self.problems(of: task.texts, task: index, key: task.taskKey, isNested: false)
            problems += unsafe(task, index)
            if let nested = task.forEachTask?.task.spec {
                problems += self.problems(of: nested.texts, task: index, key: nested.taskKey, isNested: true)
                problems += unsafe(nested, index)
            }
        }
        return problems
    }

    private func unsafe(_ task: TaskSpec, _ index: Int) -> [JobProblem] {
        task.unsafeReferences.map { path in
            JobProblem(path: "/tasks/\(index)", message: CodeReference.refusal(path, of: task))
        }
    }

    private func problems(of texts: [String], task: Int, key: String, isNested: Bool) -> [JobProblem] {
        let references = Set(texts.flatMap { ReferenceText($0).references })
        guard !references.isEmpty else { return [] }
        let ancestors = graph.ancestors(of: task)
        return references.compactMap { path in
            reason(path, ancestors, isNested).map { "\(key) refers to {{\(path.joined(separator: "."))}}: \($0)." }
        }.sorted().map { JobProblem(path: "/tasks/\(task)", message: $0) }
    }

    private static let times: Set<String> = [
        "iso_datetime", "iso_date", "iso_weekday", "is_weekday", "year", "month", "day", "hour", "minute", "second",
        "timestamp_ms",
    ]

    /// Why a reference has no value; nil when it may have one.
    private func reason(_ path: [String], _ ancestors: Set<Int>, _ isNested: Bool) -> String? {
        switch path.first {
        case "job": return jobReason(Array(path.dropFirst()))
        case "task":
            return ["name", "run_id", "execution_count"].contains(path.dropFirst().joined(separator: "."))
                ? nil : "a task has name, run_id and execution_count"
        case "input": return isNested ? nil : "only the nested task of a for-each task has an input"
        default:
            guard path.count > 2 else { return "it has to name a task and one of its values" }
            guard let other = graph.indices[path[1]] else { return "\(path[1]) is no task of this job" }
            guard ancestors.contains(other) else { return "the task does not depend on \(path[1])" }
            let rest = path.dropFirst(2)
            if rest.first == "values" { return rest.count > 1 ? nil : "it has to name a value" }
            let known = ["run_id", "result_state", "error_code", "execution_count", "exit_value", "outcome"]
            return known.contains(rest.joined(separator: "."))
                ? nil : "a task has values, \(known.joined(separator: ", "))"
        }
    }

    private func jobReason(_ path: [String]) -> String? {
        switch path.first {
        case "id" where path.count == 1, "name" where path.count == 1, "run_id" where path.count == 1,
            "repair_count" where path.count == 1:
            return nil
        case "start_time" where path.count == 2 && ReferenceCheck.times.contains(path[1]): return nil
        case "trigger" where path == ["trigger", "type"]: return nil
        case "trigger" where path == ["trigger", "file_arrival", "location"]:
            return graph.waitsForFiles ? nil : "the job does not wait for files"
        case "trigger" where path.count == 3 && path[1] == "time" && ReferenceCheck.times.contains(path[2]): return nil
        case "parameters" where path.count > 1:
            let name = path.dropFirst().joined(separator: ".")
            return graph.parameterNames.contains(name) ? nil : "the job has no parameter \(name)"
        default:
            return "a job has id, name, run_id, repair_count, start_time, trigger and parameters"
        }
    }
}
