internal import ClusterBackend
internal import Core
internal import HarbourProtocol

/// Who wants another number of workers.
enum ResizeCause: String, Sendable, Hashable {
    case user = "USER_REQUEST"
    case autoscale = "AUTOSCALE"
}

/// A driver that runs already and is handed over to a cluster.
struct ReadyDriver: Sendable, Hashable {
    /// The name it was started under, by which its place knows it.
    var place: ClusterIdentifier
    var handle: ClusterHandle
    var address: DriverAddress
    var workers: Int
    var notes: [String]
}

// What users change about a cluster that is there.
extension ClusterMachine {
    /// A cluster that has just been asked for and gets a driver that runs already.
    static func created(on driver: ReadyDriver, at now: Timestamp) -> (machine: ClusterMachine, outcome: Outcome) {
        var machine = ClusterMachine(ClusterRecord(startTime: now))
        var outcome = machine.take(driver, now)
        outcome.notes.insert(ClusterNote("CREATING", "The cluster was asked for."), at: 0)
        return (machine, outcome)
    }

    mutating func adopt(_ driver: ReadyDriver, _ now: Timestamp) throws(HarbourError) -> Outcome {
        guard record.step == .ended else { throw refused("start it on a ready driver", "It has to be TERMINATED.") }
        renew(now, next: true)
        return take(driver, now)
    }

    /// The driver is asked itself whether it runs, as after any start.
    private mutating func take(_ driver: ReadyDriver, _ now: Timestamp) -> Outcome {
        record.step = .connecting
        record.place = driver.place
        record.handle = driver.handle
        record.address = driver.address
        record.workers = driver.workers
        record.notes = driver.notes
        record.phase = "handover"
        record.phaseSince = now
        record.message = "A ready cluster is being taken from the pool."
        let note = ClusterNote(
            "STARTING", record.message, ["start": "\(record.generation)", "taken_from": driver.place.text])
        return Outcome(actions: [.follow], notes: [note], changed: true)
    }

    mutating func restart(_ now: Timestamp) throws(HarbourError) -> Outcome {
        switch record.step {
        case .starting, .connecting: return Outcome()
        case .running: return endToRestart(now)
        case .ending where record.goal == .restart: return Outcome()
        case .ending: throw refused("restart it", "Wait until it is TERMINATED, then start it.")
        case .ended, .stuck: throw refused("restart it", "Start it instead.")
        }
    }

    private mutating func endToRestart(_ now: Timestamp) -> Outcome {
        var outcome = end(.userRequest, now, event: "TERMINATING")
        record.goal = .restart
        record.message = "The cluster is being restarted."
        outcome.notes = [ClusterNote("RESTARTING", record.message)]
        let sentence = "The cluster was restarted, and what ran on it ended. Run it again."
        outcome.actions = outcome.actions.map { action in
            if case .failCommands(let code, _) = action { return .failCommands(code: code, message: sentence) }
            return action
        }
        return outcome
    }

    /// As Databricks does it: what runs is restarted, what has ended starts that way next time, anything else is refused.
    mutating func edit(_ now: Timestamp) throws(HarbourError) -> Outcome {
        let note = ClusterNote("EDITED", "The cluster's specification was changed.")
        switch record.step {
        case .running where record.resizeTo == nil:
            var outcome = endToRestart(now)
            outcome.notes.insert(note, at: 0)
            return outcome
        case .ended: return Outcome(notes: [note])
        default: throw refused("edit it", "Wait until it is RUNNING or TERMINATED.")
        }
    }

    mutating func resize(to workers: Int, _ cause: ResizeCause) throws(HarbourError) -> Outcome {
        guard record.step == .running, record.resizeTo == nil else {
            // Autoscaling looks again later anyway.
            if cause == .autoscale { return Outcome() }
            throw refused("resize it", "Wait until it is RUNNING.")
        }
        if workers == record.workers { return Outcome() }
        record.resizeTo = workers
        record.message = "The cluster is being resized from \(record.workers) to \(workers) workers."
        let details = ["cause": cause.rawValue, "from": "\(record.workers)", "to": "\(workers)"]
        return Outcome(
            actions: [.resize(workers: workers)], notes: [ClusterNote("RESIZING", record.message, details)])
    }

    mutating func resized(_ cluster: ProvisionedCluster) -> Outcome {
        guard record.step == .running, record.resizeTo != nil else { return Outcome() }
        let before = record.workers
        record.handle = cluster.handle
        record.workers = cluster.workers
        record.notes = cluster.notes
        record.resizeTo = nil
        record.message = ""
        return Outcome(notes: [
            ClusterNote(
                cluster.workers < before ? "DOWNSIZE_COMPLETED" : "UPSIZE_COMPLETED",
                "The cluster has \(cluster.workers) workers.", ["from": "\(before)", "to": "\(cluster.workers)"])
        ])
    }

    mutating func resizeFailed(_ error: HarbourError) -> Outcome {
        guard record.step == .running, let wanted = record.resizeTo else { return Outcome() }
        record.resizeTo = nil
        record.message = "It could not be resized to \(wanted) workers: \(error.message)"
        return Outcome(notes: [ClusterNote("RESIZE_FAILED", record.message, ["error_code": error.code.name])])
    }

    mutating func pin(_ pinned: Bool) -> Outcome {
        guard record.isPinned != pinned else { return Outcome() }
        record.isPinned = pinned
        return Outcome(notes: [
            pinned
                ? ClusterNote("PINNED", "The cluster is kept until it is unpinned.")
                : ClusterNote("UNPINNED", "The cluster may be deleted.")
        ])
    }

    /// What the place sees of a running cluster. A problem is told once, and so is its end.
    mutating func seen(_ workers: Int, _ problem: String?) -> Outcome {
        guard record.step == .running, record.resizeTo == nil else { return Outcome() }
        let lost = record.workers - workers
        record.workers = workers
        guard problem != record.problem else { return Outcome() }
        record.problem = problem
        record.message = problem ?? ""
        guard let problem else {
            return Outcome(notes: [ClusterNote("NODES_RECOVERED", "The cluster is whole again.")])
        }
        return Outcome(notes: [ClusterNote("NODES_LOST", problem, lost > 0 ? ["lost": "\(lost)"] : [:])])
    }

    private func refused(_ what: String, _ advice: String) -> HarbourError {
        HarbourError(.invalidState, "The cluster is \(record.state.rawValue), so you cannot \(what). \(advice)")
    }
}
