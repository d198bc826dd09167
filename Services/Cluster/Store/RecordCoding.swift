internal import ClusterBackend
internal import Core
internal import HarbourProtocol

// How the machine's record is written down. Names and values here are data at rest: adding a member is fine, changing
// one needs a migration.

extension ClusterRecord {
    /// The record as JSON.
    var json: JSONValue {
        var object: JSONObject = [
            "step": .string(step.rawValue), "goal": .string(goal.rawValue), "generation": .integer(generation),
            "message": .string(message), "start_time": .integer(startTime.milliseconds),
            "failed_ends": .integer(failedEnds),
        ]
        object["reason"] = reason.flatMap { try? JSONValue(json: $0.encodedJSON()) }
        object["ready_time"] = readyTime.map { .integer($0.milliseconds) }
        object["end_time"] = endTime.map { .integer($0.milliseconds) }
        object["handle"] = handle.map(\.json)
        object["address"] = address.map { .string($0.url) }
        object["phases"] = .array(
            phases.map { ["name": .string($0.name), "milliseconds": .integer($0.milliseconds)] })
        object["phase"] = phase.map { .string($0) }
        object["phase_since"] = phaseSince.map { .integer($0.milliseconds) }
        object["spark"] = spark.flatMap { try? JSONValue(json: $0.encodedJSON()) }
        object["workers"] = .integer(workers)
        object["resize_to"] = resizeTo.map { .integer($0) }
        object["problem"] = problem.map { .string($0) }
        object["notes"] = notes.isEmpty ? nil : .array(notes.map { .string($0) })
        object["place"] = place.map { .string($0.text) }
        object["pinned"] = isPinned ? true : nil
        object["restart"] = isRestart ? true : nil
        return .object(object)
    }

    /// Reads a record; nil when it is not one.
    init?(_ json: JSONValue) {
        guard let step = json["step"]?.string.flatMap(ClusterStep.init),
            let goal = json["goal"]?.string.flatMap(EndGoal.init), let generation = json["generation"]?.int64,
            let message = json["message"]?.string, let start = ClusterRecord.time(json["start_time"])
        else { return nil }
        self.init(startTime: start)
        self.step = step
        self.goal = goal
        self.generation = generation
        self.message = message
        failedEnds = json["failed_ends"]?.int ?? 0
        reason = json["reason"].flatMap { try? TerminationReason(json: $0.encodedJSON()) }
        readyTime = ClusterRecord.time(json["ready_time"])
        endTime = ClusterRecord.time(json["end_time"])
        handle = json["handle"].flatMap { ClusterHandle($0) }
        address = json["address"]?.string.flatMap(DriverAddress.init(parsing:))
        phases = (json["phases"]?.array ?? []).compactMap { phase in
            guard let name = phase["name"]?.string, let time = phase["milliseconds"]?.int64 else { return nil }
            return PhaseTiming(name: name, milliseconds: time)
        }
        phase = json["phase"]?.string
        phaseSince = ClusterRecord.time(json["phase_since"])
        workers = json["workers"]?.int ?? 0
        resizeTo = json["resize_to"]?.int
        problem = json["problem"]?.string
        notes = (json["notes"]?.array ?? []).compactMap(\.string)
        place = json["place"]?.string.flatMap(ClusterIdentifier.init)
        isPinned = json["pinned"]?.bool ?? false
        isRestart = json["restart"]?.bool ?? false
        spark = json["spark"].flatMap { try? SparkInfo(json: $0.encodedJSON()) }
    }

    private static func time(_ json: JSONValue?) -> Timestamp? { json?.int64.map(Timestamp.init(milliseconds:)) }
}

extension ClusterHandle {
    fileprivate var json: JSONValue {
        [
            "backend": .string(backend), "version": .integer(version), "cluster": .string(cluster.text),
            "payload": .string(Base64.encode(payload)),
        ]
    }

    fileprivate init?(_ json: JSONValue) {
        guard let backend = json["backend"]?.string, let version = json["version"]?.int,
            let cluster = json["cluster"]?.string.flatMap(ClusterIdentifier.init),
            let payload = json["payload"]?.string.flatMap({ Base64.decode($0) })
        else { return nil }
        self.init(backend: backend, version: version, cluster: cluster, payload: payload)
    }
}
