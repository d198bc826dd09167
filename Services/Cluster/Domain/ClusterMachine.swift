internal import ClusterBackend
internal import Core
internal import HarbourProtocol

/// What happens to a cluster.
enum ClusterInput: Sendable {
    // From users.
    case start
    case terminate(TerminationReason)
    case delete
    // From the backend.
    case phase(String)
    case handle(ClusterHandle)
    case provisioned(ProvisionedCluster)
    case provisionFailed(HarbourError)
    case lost(ClusterEnd, log: String?)
    case removed
    case removeFailed(HarbourError)
    case recovered(RecoveredCluster)
    // From the driver.
    case driver(DriverStatus)
    case unreachable
    // From the clock.
    case startTimedOut(Duration)
}

/// What is to be done about it, after the record has been stored.
enum ClusterAction: Sendable, Hashable {
    /// Ask the backend for it; what was going on before is over.
    case provision
    /// Connect to the driver and follow it and its process.
    case follow
    /// Let go of the driver, stop a start that is going on, and ask the backend to end everything, after that long.
    case remove(after: Duration)
    /// All commands that have not ended will not end any more.
    case failCommands(code: String, message: String)
    /// Forget the cluster altogether.
    case forget
}

/// Decides the life of one cluster: no I/O, no clock.
///
/// Its rules: the record is stored before its actions are done, so that a service that died at any moment repeats the
/// actions of the stored step; every action can be repeated. Every path out of life goes through `remove`.
struct ClusterMachine: Sendable, Hashable {
    /// What it knows.
    private(set) var record: ClusterRecord

    /// A machine that goes on from a stored record.
    init(_ record: ClusterRecord) { self.record = record }

    /// A cluster that has just been asked for, with what to write and do first.
    static func created(at now: Timestamp) -> (machine: ClusterMachine, outcome: Outcome) {
        var machine = ClusterMachine(ClusterRecord(startTime: now))
        var outcome = machine.begin(now)
        outcome.notes.insert(ClusterNote("CREATING", "The cluster was asked for."), at: 0)
        return (machine, outcome)
    }

    /// What came of an input.
    struct Outcome: Sendable, Hashable {
        var actions: [ClusterAction] = []
        var notes: [ClusterNote] = []
        /// Whether the record is another one than before.
        var changed = false
    }

    /// How often the end is tried before the cluster is left for a person to look at.
    static let endAttempts = 12

    /// Takes an input.
    /// - Throws: `INVALID_STATE` for a user's wish that the state does not allow; nothing has changed then.
    mutating func handle(_ input: ClusterInput, at now: Timestamp) throws(HarbourError) -> Outcome {
        let before = record
        var outcome: Outcome
        switch input {
        case .start: outcome = start(now)
        case .terminate(let reason): outcome = terminate(reason, now)
        case .delete: outcome = delete(now)
        case .phase, .handle, .provisioned, .provisionFailed: outcome = backend(input, now)
        case .lost(let end, let log): outcome = lost(end, log, now)
        case .removed: outcome = removed(now)
        case .removeFailed(let error): outcome = removeFailed(error)
        case .recovered(let found): outcome = recovered(found, now)
        case .driver(let status): outcome = driver(status, now)
        case .unreachable: outcome = unreachable(now)
        case .startTimedOut(let limit):
            outcome = isStarting ? end(.startTimeout(limit), now, event: "START_FAILED") : Outcome()
        }
        outcome.changed = record != before
        return outcome
    }

    private var isStarting: Bool { record.step == .starting || record.step == .connecting }

    // MARK: Users

    private mutating func start(_ now: Timestamp) -> Outcome {
        switch record.step {
        case .starting, .connecting, .running: return Outcome()
        case .ended: return begin(now, next: true)
        case .ending:
            if record.goal == .stay { record.goal = .restart }
            return Outcome()
        case .stuck:
            record.goal = .restart
            return removeAgain()
        }
    }

    private mutating func terminate(_ reason: TerminationReason, _ now: Timestamp) -> Outcome {
        switch record.step {
        case .starting, .connecting, .running: return end(reason, now, event: "TERMINATING")
        case .ended: return Outcome()
        case .ending:
            if record.goal == .restart { record.goal = .stay }
            return Outcome()
        case .stuck: return removeAgain()
        }
    }

    private mutating func delete(_ now: Timestamp) -> Outcome {
        switch record.step {
        case .ended: return Outcome(actions: [.forget])
        case .ending:
            record.goal = .delete
            return Outcome()
        case .stuck:
            record.goal = .delete
            return removeAgain()
        case .starting, .connecting, .running:
            var outcome = end(.userRequest, now, event: "TERMINATING")
            record.goal = .delete
            outcome.changed = true
            return outcome
        }
    }

    /// Goes to `starting`; `next` counts a new start.
    private mutating func begin(_ now: Timestamp, next: Bool = false) -> Outcome {
        let generation = record.generation + (next ? 1 : 0)
        record = ClusterRecord(startTime: now)
        record.generation = generation
        record.message = "The cluster is being started."
        let note = ClusterNote("STARTING", record.message, ["start": "\(generation)"])
        return Outcome(actions: [.provision], notes: [note], changed: true)
    }

    // MARK: The backend

    private mutating func backend(_ input: ClusterInput, _ now: Timestamp) -> Outcome {
        // Late news of a start that was given up: what it made is ended by the removal that is on its way.
        guard record.step == .starting else { return Outcome() }
        switch input {
        case .phase(let name):
            closePhase(now)
            record.phase = name
            record.phaseSince = now
            record.message = "The cluster is being started: \(name)."
        case .handle(let handle): record.handle = handle
        case .provisioned(let cluster):
            closePhase(now)
            record.handle = cluster.handle
            record.address = cluster.driver
            record.step = .connecting
            record.message = "Spark is starting."
            record.phase = "spark"
            record.phaseSince = now
            let note = ClusterNote("DRIVER_STARTED", "The driver's process has been started.", timings)
            return Outcome(actions: [.follow], notes: [note])
        case .provisionFailed(let error): return end(.launchFailed(error), now, event: "START_FAILED")
        default: break
        }
        return Outcome()
    }

    private mutating func closePhase(_ now: Timestamp) {
        guard let phase = record.phase, let since = record.phaseSince else { return }
        record.phases.append(PhaseTiming(name: phase, milliseconds: max(0, (now - since).milliseconds)))
        record.phase = nil
        record.phaseSince = nil
    }

    private var timings: [String: String] {
        var timings: [String: String] = [:]
        for phase in record.phases { timings["\(phase.name)_ms"] = "\(phase.milliseconds)" }
        return timings
    }

    private mutating func lost(_ end: ClusterEnd, _ log: String?, _ now: Timestamp) -> Outcome {
        switch record.step {
        case .connecting:
            var reason = TerminationReason.sparkFailed(end.kind.rawValue, end.message)
            reason.parameters?["log"] = log
            return self.end(reason, now, event: "START_FAILED")
        case .running:
            var outcome = self.end(.driverLost(end), now, event: "DRIVER_UNAVAILABLE")
            outcome.actions.insert(.failCommands(code: "DRIVER_LOST", message: end.message), at: 0)
            return outcome
        case .starting, .ending, .ended, .stuck: return Outcome()
        }
    }

    private mutating func unreachable(_ now: Timestamp) -> Outcome {
        switch record.step {
        case .connecting: return end(.driverUnreachable, now, event: "START_FAILED")
        case .running:
            var outcome = end(.driverUnreachable, now, event: "DRIVER_NOT_RESPONDING")
            let message = "The driver did not answer any more, and the cluster was ended. Start it again."
            outcome.actions.insert(.failCommands(code: "DRIVER_UNREACHABLE", message: message), at: 0)
            return outcome
        case .starting, .ending, .ended, .stuck: return Outcome()
        }
    }

    private mutating func driver(_ status: DriverStatus, _ now: Timestamp) -> Outcome {
        guard record.step == .connecting || record.step == .running else { return Outcome() }
        switch status.phase {
        case .starting:
            if let message = status.message, record.step == .connecting { record.message = message }
            return Outcome()
        case .running:
            record.spark = status.spark ?? record.spark
            return record.step == .connecting ? ready(status, now) : Outcome()
        case .failed:
            let code = status.errorCode ?? "SPARK_LOST"
            let message = status.message ?? "Spark ended. Start the cluster again."
            if record.step == .connecting { return end(.sparkFailed(code, message), now, event: "START_FAILED") }
            var outcome = end(.sparkLost(code, message), now, event: "SPARK_EXCEPTION")
            outcome.actions.insert(.failCommands(code: code, message: message), at: 0)
            return outcome
        case .stopping: return Outcome()
        }
    }

    private mutating func ready(_ status: DriverStatus, _ now: Timestamp) -> Outcome {
        closePhase(now)
        // The driver knows better what the time of its own start went into.
        let inner = (status.phases ?? []).filter { $0.name != "total" }
        if !inner.isEmpty {
            if record.phases.last?.name == "spark" { record.phases.removeLast() }
            record.phases += inner
        }
        record.step = .running
        record.readyTime = now
        record.message = ""
        let total = (now - record.startTime).milliseconds
        var details = timings
        details["total_ms"] = "\(total)"
        return Outcome(notes: [ClusterNote("RUNNING", "The cluster is ready after \(total) ms.", details)])
    }

    // MARK: The end

    private mutating func end(_ reason: TerminationReason, _ now: Timestamp, event: String) -> Outcome {
        closePhase(now)
        let wasRunning = record.step == .running
        record.step = .ending
        record.goal = .stay
        record.failedEnds = 0
        record.reason = reason
        record.message = reason.sentence ?? "The cluster is being ended."
        var details = reason.parameters ?? [:]
        details["code"] = reason.code
        var outcome = Outcome(actions: [.remove(after: .zero)], notes: [ClusterNote(event, record.message, details)])
        if event != "TERMINATING" {
            outcome.notes.append(ClusterNote("TERMINATING", "The cluster is being ended.", ["code": reason.code]))
        } else if wasRunning {
            outcome.actions.insert(
                .failCommands(code: "CLUSTER_TERMINATED", message: "The cluster was ended (\(reason.code))."), at: 0)
        }
        return outcome
    }

    private mutating func removed(_ now: Timestamp) -> Outcome {
        guard record.step == .ending || record.step == .stuck else { return Outcome() }
        let note = ClusterNote("TERMINATED", "Nothing of the cluster is left.", ["code": record.reason?.code ?? ""])
        switch record.goal {
        case .delete: return Outcome(actions: [.forget])
        case .restart:
            var outcome = begin(now, next: true)
            outcome.notes.insert(note, at: 0)
            return outcome
        case .stay:
            record.step = .ended
            record.endTime = now
            record.message = record.reason?.sentence ?? ""
            record.handle = nil
            record.address = nil
            record.spark = nil
            return Outcome(notes: [note])
        }
    }

    private mutating func removeFailed(_ error: HarbourError) -> Outcome {
        guard record.step == .ending else { return Outcome() }
        record.failedEnds += 1
        record.message = "Ending the cluster has not succeeded yet: \(error.message)"
        if record.failedEnds < ClusterMachine.endAttempts {
            return Outcome(actions: [.remove(after: ClusterMachine.pause(record.failedEnds))])
        }
        record.step = .stuck
        record.message =
            "The cluster could not be ended: \(error.message) Something of it may be left. Terminate it again later."
        return Outcome(notes: [ClusterNote("ERROR", record.message, ["error_code": error.code.name])])
    }

    private mutating func removeAgain() -> Outcome {
        record.step = .ending
        record.failedEnds = 0
        return Outcome(actions: [.remove(after: .zero)])
    }

    /// One second, then twice as long each time, up to a minute.
    static func pause(_ failures: Int) -> Duration { .seconds(min(60, 1 << min(max(failures - 1, 0), 6))) }

    // MARK: After a restart of the service

    private mutating func recovered(_ found: RecoveredCluster, _ now: Timestamp) -> Outcome {
        switch (record.step, found) {
        case (.starting, .running(let cluster)): return backend(.provisioned(cluster), now)
        case (.starting, .ended(let end)):
            record.step = .connecting
            return lost(end, nil, now)
        case (.starting, _): return Outcome(actions: [.provision])
        case (.connecting, .running(let cluster)), (.running, .running(let cluster)):
            record.handle = cluster.handle
            record.address = cluster.driver
            return Outcome(actions: [.follow])
        case (.connecting, .ended(let end)), (.running, .ended(let end)): return lost(end, nil, now)
        case (.connecting, _), (.running, _):
            let message = "The cluster was gone when the cluster service came back. Start it again."
            return lost(ClusterEnd(.removed, message: message), nil, now)
        case (.ending, _): return Outcome(actions: [.remove(after: .zero)])
        case (.ended, _), (.stuck, _): return Outcome()
        }
    }
}
