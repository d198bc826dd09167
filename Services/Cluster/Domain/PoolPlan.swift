internal import ClusterBackend
internal import Core
internal import HarbourProtocol

/// A pool as one looks at it, and what is to be done about it: no I/O, no clock.
struct PoolView: Sendable, Hashable {
    /// A cluster of the pool that is ready.
    struct Ready: Sendable, Hashable {
        var id: ClusterIdentifier
        var since: Timestamp
    }

    /// How many are kept ready.
    var minimumIdle: Int
    /// The most there may be, used and ready; nil for no limit.
    var capacity: Int?
    /// How long one beyond the minimum stays ready.
    var idleLimit: Duration
    /// Clusters that are ready.
    var ready: [Ready] = []
    /// Clusters that are being made ready.
    var starting = 0
    /// Clusters that are being ended before anybody has used them.
    var ending = 0
    /// Clusters that were taken and have not ended.
    var used = 0
    /// How often in a row one could not be made ready, and when that was last so.
    var failures = 0
    var lastFailure: Timestamp?

    /// How many are started at the same time at most.
    static let startsAtOnce = 4

    /// What is to be done.
    struct Decision: Sendable, Hashable {
        /// So many are to be started.
        var make = 0
        /// These are to be ended.
        var end: [ClusterIdentifier] = []
        /// When to look again although nothing has happened.
        var wake: Timestamp?
    }

    /// All there are.
    var total: Int { ready.count + starting + ending + used }

    /// Whether one more may be made, ready ones left out of account.
    var hasRoom: Bool { capacity.map { total < $0 } ?? true }

    func decide(at now: Timestamp) -> Decision {
        var decision = Decision()
        let oldest = ready.sorted { ($0.since, $0.id) < ($1.since, $1.id) }
        let missing = minimumIdle - ready.count - starting
        if missing > 0 {
            if let lastFailure, failures > 0, now < lastFailure + PoolView.pause(failures) {
                decision.wake = lastFailure + PoolView.pause(failures)
            } else {
                let room = capacity.map { max(0, $0 - total) } ?? missing
                decision.make = max(0, min(missing, room, PoolView.startsAtOnce - starting))
            }
        }
        // Above the capacity, after it was lowered, nothing may stay that nobody uses.
        let excess = min(oldest.count, capacity.map { max(0, total - $0) } ?? 0)
        var surplus = max(excess, -missing)
        for (index, member) in oldest.enumerated() where surplus > 0 {
            let due = member.since + idleLimit
            if index < excess || due <= now {
                decision.end.append(member.id)
            } else {
                decision.wake = min(decision.wake ?? due, due)
            }
            surplus -= 1
        }
        return decision
    }

    /// Two seconds, then twice as long each time, up to five minutes.
    static func pause(_ failures: Int) -> Duration { .seconds(min(300, 1 << min(max(failures, 1), 9))) }
}

extension ClusterSpec {
    /// What a cluster of a pool is: the pool's specification, and over it what the cluster's own says.
    func filled(from pool: ClusterSpec) throws(HarbourError) -> ClusterSpec {
        var object = try JSONObject(json: pool.encodedJSON(), subject: "specification", code: .internalError)
        for (name, value) in try JSONObject(json: encodedJSON(), subject: "specification", code: .internalError) {
            object[name] = value
        }
        return try ClusterSpec(
            json: JSONValue.object(object).encodedJSON(), subject: "specification", code: .invalidParameter)
    }

    /// The fields in which a ready cluster of that specification is not what this one asks for; empty when it can be
    /// handed over. What does not touch what runs, such as the name, may differ.
    func differences(from ready: ClusterSpec) -> [String] {
        func shape(_ spec: ClusterSpec) -> JSONObject? {
            var spec = spec
            spec.clusterName = "-"
            spec.customTags = nil
            spec.autoterminationMinutes = nil
            spec.policyID = nil
            spec.instancePoolID = nil
            return try? JSONObject(checkedJSON: spec.encodedJSON())
        }
        guard let mine = shape(self), let theirs = shape(ready) else { return ["specification"] }
        return Set(mine.keys + theirs.keys).filter { mine[$0] != theirs[$0] }.sorted()
    }
}
