internal import Core
internal import HarbourProtocol

// How the machine's records are written down: JSON that old rows keep their meaning in. Names and cases here are data
// at rest: adding a member is fine, changing one needs a migration.

extension TaskRecord {
    var json: JSONValue {
        var object: JSONObject = ["phase": phase.json]
        object["start_time"] = startTime.map { .integer($0.milliseconds) }
        object["end_time"] = endTime.map { .integer($0.milliseconds) }
        if earlierAttempts > 0 { object["earlier_attempts"] = .integer(earlierAttempts) }
        object["place"] = place.map {
            ["parent": .integer($0.parent), "number": .integer($0.number), "input": $0.input]
        }
        object["children"] = children.map { ["first": .integer($0.lowerBound), "count": .integer($0.count)] }
        return .object(object)
    }

    /// - Parameter attempts: from their own rows, first to last.
    init?(_ json: JSONValue, attempts: [AttemptRecord]) {
        guard let phase = json["phase"].flatMap({ TaskPhase($0) }) else { return nil }
        self.phase = phase
        self.attempts = attempts
        startTime = Timestamp(member: json["start_time"])
        endTime = Timestamp(member: json["end_time"])
        earlierAttempts = json["earlier_attempts"]?.int ?? 0
        if let parent = json["place"]?["parent"]?.int, let number = json["place"]?["number"]?.int {
            place = IterationPlace(parent: parent, number: number, input: json["place"]?["input"] ?? .null)
        }
        if let first = json["children"]?["first"]?.int, let count = json["children"]?["count"]?.int, count >= 0 {
            children = first..<(first + count)
        }
    }
}

extension TaskPhase {
    fileprivate var json: JSONValue {
        switch self {
        case .blocked: ["name": "blocked"]
        case .running: ["name": "running"]
        case .stopping(let result): ["name": "stopping", "result": .string(result.rawValue)]
        case .waitingForRetry(let time): ["name": "waiting_for_retry", "time": .integer(time.milliseconds)]
        case .ended(let result): ["name": "ended", "result": .string(result.rawValue)]
        }
    }

    fileprivate init?(_ json: JSONValue) {
        let result = json["result"]?.string.flatMap { TaskResult(rawValue: $0) }
        switch (json["name"]?.string, result, Timestamp(member: json["time"])) {
        case ("blocked", _, _): self = .blocked
        case ("running", _, _): self = .running
        case ("stopping", let result?, _): self = .stopping(result)
        case ("waiting_for_retry", _, let time?): self = .waitingForRetry(time)
        case ("ended", let result?, _): self = .ended(result)
        default: return nil
        }
    }
}

extension AttemptRecord {
    var json: JSONValue {
        var object: JSONObject = ["start_time": .integer(startTime.milliseconds)]
        object["end_time"] = endTime.map { .integer($0.milliseconds) }
        object["outcome"] = outcome?.json
        return .object(object)
    }

    init?(_ json: JSONValue) {
        guard let start = Timestamp(member: json["start_time"]) else { return nil }
        startTime = start
        endTime = Timestamp(member: json["end_time"])
        outcome = json["outcome"].flatMap { AttemptOutcome($0) }
    }
}

extension AttemptOutcome {
    fileprivate var json: JSONValue {
        var object: JSONObject = ["result": .string(result.rawValue), "message": .string(message)]
        object["error_code"] = errorCode.map { .string($0) }
        object["exit_value"] = exitValue.map { .string($0) }
        object["branch"] = branch.map { .bool($0) }
        if !values.isEmpty {
            object["values"] = .object(JSONObject(values.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }))
        }
        return .object(object)
    }

    fileprivate init?(_ json: JSONValue) {
        guard let result = json["result"]?.string.flatMap({ TaskResult(rawValue: $0) }) else { return nil }
        self.result = result
        message = json["message"]?.string ?? ""
        errorCode = json["error_code"]?.string
        exitValue = json["exit_value"]?.string
        branch = json["branch"]?.bool
        values = (json["values"]?.object?.fields ?? []).reduce(into: [:]) { $0[$1.key] = $1.value }
    }
}

extension AttemptOutcome {
    /// The same without zero characters, which PostgreSQL's jsonb does not take: U+FFFD stands for each.
    var storable: AttemptOutcome {
        var outcome = self
        outcome.message = message.withoutZeros
        outcome.exitValue = exitValue?.withoutZeros
        outcome.values = values.reduce(into: [:]) { $0[$1.key.withoutZeros] = $1.value.withoutZeros }
        return outcome
    }
}

extension CommandError {
    /// The same without zero characters.
    var storable: CommandError {
        var error = self
        error.name = name.withoutZeros
        error.message = message.withoutZeros
        error.traceback = traceback?.map(\.withoutZeros)
        return error
    }
}

extension String {
    fileprivate var withoutZeros: String {
        guard utf8.contains(0) else { return self }
        return String(String.UnicodeScalarView(unicodeScalars.map { $0 == "\0" ? "\u{FFFD}" : $0 }))
    }
}

extension JSONValue {
    fileprivate var withoutZeros: JSONValue {
        switch self {
        case .null, .bool, .number: self
        case .string(let text): .string(text.withoutZeros)
        case .array(let values): .array(values.map(\.withoutZeros))
        case .object(let object):
            .object(JSONObject(object.fields.map { ($0.key.withoutZeros, $0.value.withoutZeros) }))
        }
    }
}

extension RunRecord {
    var json: JSONValue {
        var object: JSONObject = ["released": .array(released.map(\.key).sorted().map { .string($0) })]
        object["start_time"] = startTime.map { .integer($0.milliseconds) }
        object["end_time"] = endTime.map { .integer($0.milliseconds) }
        object["ending"] = ending.map { .string($0.rawValue) }
        object["refusal"] = refusal.map { ["code": .string($0.code), "message": .string($0.message)] }
        object["result"] = result.map { .string($0.rawValue) }
        if !past.isEmpty { object["past"] = .array(past.map(\.json)) }
        object["repair"] = repair?.json
        return .object(object)
    }

    init(_ json: JSONValue) {
        past = (json["past"]?.array ?? []).map { PastExecution($0) }
        repair = json["repair"].map { PastExecution($0) }
        startTime = Timestamp(member: json["start_time"])
        endTime = Timestamp(member: json["end_time"])
        ending = json["ending"]?.string.flatMap { TaskResult(rawValue: $0) }
        refusal = json["refusal"].map {
            RunRefusal(code: $0["code"]?.string ?? "", message: $0["message"]?.string ?? "")
        }
        result = json["result"]?.string.flatMap { TaskResult(rawValue: $0) }
        released = Set((json["released"]?.array ?? []).compactMap { $0.string.flatMap { ClusterChoice(key: $0) } })
    }
}

extension PastExecution {
    fileprivate var json: JSONValue {
        var object: JSONObject = [
            "task_keys": .array(taskKeys.map { .string($0) }), "user_name": .string(userName),
            "parameters": .object(
                JSONObject(parameters.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) })),
        ]
        object["start_time"] = startTime.map { .integer($0.milliseconds) }
        object["end_time"] = endTime.map { .integer($0.milliseconds) }
        object["result"] = result.map { .string($0.rawValue) }
        object["message"] = message.isEmpty ? nil : .string(message)
        return .object(object)
    }

    fileprivate init(_ json: JSONValue) {
        startTime = Timestamp(member: json["start_time"])
        endTime = Timestamp(member: json["end_time"])
        result = json["result"]?.string.flatMap { TaskResult(rawValue: $0) }
        message = json["message"]?.string ?? ""
        userName = json["user_name"]?.string ?? ""
        taskKeys = (json["task_keys"]?.array ?? []).compactMap(\.string)
        parameters = (json["parameters"]?.object?.fields ?? []).reduce(into: [:]) { $0[$1.key] = $1.value.string }
    }
}

extension ClusterChoice {
    /// Names the choice within its run, also in the table of the run's clusters.
    var key: String {
        switch self {
        case .existing(let id): "existing/\(id)"
        case .shared(let key): "shared/\(key)"
        case .own(let task): "own/\(task)"
        }
    }

    init?(key: String) {
        let parts = key.split(separator: "/", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { return nil }
        switch parts[0] {
        case "existing": self = .existing(parts[1])
        case "shared": self = .shared(parts[1])
        case "own": self = .own(taskKey: parts[1])
        default: return nil
        }
    }
}

extension Timestamp {
    /// The time in a member, or nil when it is absent or no integer.
    fileprivate init?(member: JSONValue?) {
        guard let milliseconds = member?.int64 else { return nil }
        self.init(milliseconds: milliseconds)
    }
}
