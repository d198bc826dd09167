internal import Core
internal import HarbourProtocol

/// What references may name besides what happens in the run.
struct RunFacts: Sendable, Hashable {
    var runID: Int64 = 0
    var jobID: Int64?
    var jobName = ""
    var trigger = ""
    /// When a schedule was due.
    var fireTime: Timestamp?
    /// Where the files came that made the run.
    var fileLocation: String?
    var parameters: [String: String] = [:]
}

// References: `{{job.run_id}}`, `{{tasks.x.values.y}}` and the like. schemas/workflows.md lists them.

extension RunMachine {
    /// The text with what its references stand for, as the task sees them.
    ///
    /// - Throws: `PARAMETER_UNRESOLVED` with a sentence about the first one that has no value.
    func resolve(_ text: String, for index: Int) throws(HarbourError) -> String {
        try ReferenceText(text).resolved { path throws(HarbourError) in try value(path, for: index) }
    }

    /// All values of a map, resolved.
    func resolve(_ map: [String: String], for index: Int) throws(HarbourError) -> [String: String] {
        var resolved: [String: String] = [:]
        for (key, text) in map { resolved[key] = try resolve(text, for: index) }
        return resolved
    }

    /// What each task has left for others so far, for `dbutils.jobs.taskValues`.
    var taskValues: [String: JSONValue] {
        var values: [String: JSONValue] = [:]
        for (index, task) in plan.tasks.enumerated() {
            guard let left = tasks[index].attempts.last?.outcome?.values, !left.isEmpty else { continue }
            values[task.key] = .object(JSONObject(left))
        }
        return values
    }

    private func value(_ path: [String], for index: Int) throws(HarbourError) -> String {
        let value: String? =
            switch path.first {
            case "job": try jobValue(Array(path.dropFirst()), for: index)
            case "task": taskValue(Array(path.dropFirst()), index)
            case "tasks":
                plan.tasks.firstIndex { path.count > 2 && $0.key == path[1] }
                    .flatMap { otherValue(Array(path.dropFirst(2)), $0) }
            case "input": inputValue(path.dropFirst(), index)
            default: nil
            }
        guard let value else {
            throw HarbourError(
                .unresolvedReference, "{{\(path.joined(separator: "."))}} has no value for the task \(key(of: index)).")
        }
        return value
    }

    private func jobValue(_ path: [String], for index: Int) throws(HarbourError) -> String? {
        switch path.first {
        case "id": return facts.jobID.map { String($0) }
        case "name": return facts.jobName
        case "run_id": return String(facts.runID)
        case "repair_count": return String(repairNumber)
        case "start_time":
            return (run.past.first?.startTime ?? run.startTime).flatMap { $0.part(path.dropFirst().first ?? "") }
        case "trigger" where path.count == 2 && path[1] == "type": return facts.trigger
        case "trigger" where path == ["trigger", "file_arrival", "location"]: return facts.fileLocation
        case "trigger" where path.count == 3 && path[1] == "time":
            return (facts.fireTime ?? run.past.first?.startTime ?? run.startTime)?.part(path[2])
        case "parameters":
            guard let text = facts.parameters[path.dropFirst().joined(separator: ".")] else { return nil }
            // A parameter may name the run, but not another parameter: that could go round in circles.
            return try ReferenceText(text).resolved { inner throws(HarbourError) in
                guard inner.count < 2 || inner[1] != "parameters" else {
                    throw HarbourError(.unresolvedReference, "A job parameter cannot refer to another one.")
                }
                return try value(inner, for: index)
            }
        default: return nil
        }
    }

    private func taskValue(_ path: [String], _ index: Int) -> String? {
        switch path {
        case ["name"]: key(of: index)
        case ["run_id"]: attemptID(index, max(0, tasks[index].attempts.count - 1))
        case ["execution_count"]: String(tasks[index].attempts.count)
        default: nil
        }
    }

    private func otherValue(_ path: [String], _ index: Int) -> String? {
        let task = tasks[index]
        let outcome = task.attempts.last?.outcome
        switch path.first {
        case "run_id" where path.count == 1:
            return task.attempts.isEmpty ? nil : attemptID(index, task.attempts.count - 1)
        case "result_state" where path.count == 1: return task.phase.result?.resultState.rawValue.lowercased()
        case "error_code" where path.count == 1: return outcome.map { $0.errorCode ?? "" }
        case "execution_count" where path.count == 1: return String(task.attempts.count)
        case "exit_value" where path.count == 1: return outcome?.exitValue
        case "outcome" where path.count == 1: return outcome?.branch.map { String($0) }
        case "values" where path.count > 1:
            return outcome?.values[path.dropFirst().joined(separator: ".")]?.referenceText
        default: return nil
        }
    }

    private func inputValue(_ path: ArraySlice<String>, _ index: Int) -> String? {
        var value = tasks[index].place?.input
        for key in path { value = value?[key] }
        return value?.referenceText
    }

    /// The name of an attempt, of its context, and the beginning of the names of its commands.
    func attemptID(_ task: Int, _ attempt: Int) -> String { "run-\(facts.runID)-\(task)-\(attempt)" }
}

extension ErrorCode {
    /// A reference in a parameter has no value.
    static let unresolvedReference = ErrorCode("PARAMETER_UNRESOLVED", status: 400)
}

extension Timestamp {
    /// One aspect of a time in UTC, by the name it has in references.
    func part(_ name: String) -> String? {
        let text = ISO8601.format(self)
        func characters(_ range: Range<Int>) -> String { String(text.dropFirst(range.lowerBound).prefix(range.count)) }
        func number(_ range: Range<Int>) -> String? { Int(characters(range)).map { String($0) } }
        // 1970-01-01 was a Thursday, the fourth day of an ISO week.
        let day = milliseconds >= 0 ? milliseconds / 86_400_000 : (milliseconds - 86_399_999) / 86_400_000
        let weekday = ((day + 3) % 7 + 7) % 7 + 1
        return switch name {
        case "iso_datetime": text
        case "iso_date": characters(0..<10)
        case "iso_weekday": String(weekday)
        case "is_weekday": String(weekday <= 5)
        case "year": number(0..<4)
        case "month": number(5..<7)
        case "day": number(8..<10)
        case "hour": number(11..<13)
        case "minute": number(14..<16)
        case "second": number(17..<19)
        case "timestamp_ms": String(milliseconds)
        default: nil
        }
    }
}

extension JSONObject {
    /// The members of a dictionary in the order of their names.
    init(_ values: [String: JSONValue]) { self.init(values.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }) }
}
