internal import ClusterBackend
internal import Core
internal import HarbourProtocol

// What the backend and the driver tell of a start and of what has been started.
extension ClusterMachine {
    mutating func backend(_ input: ClusterInput, _ now: Timestamp) -> Outcome {
        if case .handle(let handle) = input, record.step == .running, record.resizeTo != nil {
            record.handle = handle
            return Outcome()
        }
        // Late news of a start that was given up: what it made is ended by the removal that is on its way.
        guard record.step == .starting else { return Outcome() }
        switch input {
        case .phase(let name):
            closePhase(now)
            record.phase = name
            record.phaseSince = now
            record.message = "The cluster is being started: \(name)."
        case .progress(let done, let total, let unit):
            guard let phase = record.phase else { break }
            record.message = "The cluster is being started: \(phase), \(ClusterMachine.progress(done, total, unit))."
        case .handle(let handle): record.handle = handle
        case .provisioned(let cluster):
            closePhase(now)
            record.handle = cluster.handle
            record.address = cluster.driver
            record.workers = cluster.workers
            record.notes = cluster.notes
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

    mutating func closePhase(_ now: Timestamp) {
        guard let phase = record.phase, let since = record.phaseSince else { return }
        record.phases.append(PhaseTiming(name: phase, milliseconds: max(0, (now - since).milliseconds)))
        record.phase = nil
        record.phaseSince = nil
    }

    var timings: [String: String] {
        var timings: [String: String] = [:]
        for phase in record.phases { timings["\(phase.name)_ms"] = "\(phase.milliseconds)" }
        return timings
    }

    mutating func lost(_ end: ClusterEnd, _ log: String?, _ now: Timestamp) -> Outcome {
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

    mutating func unreachable(_ now: Timestamp) -> Outcome {
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

    /// A driver that has changed its token, or whose file was changed, can never be spoken to.
    mutating func refused(_ now: Timestamp) -> Outcome {
        switch record.step {
        case .connecting: return end(.driverRefused, now, event: "START_FAILED")
        case .running:
            var outcome = end(.driverRefused, now, event: "DRIVER_NOT_RESPONDING")
            let message = "The driver does not accept the cluster's token any more, and the cluster was ended."
            outcome.actions.insert(.failCommands(code: "DRIVER_UNREACHABLE", message: message), at: 0)
            return outcome
        case .starting, .ending, .ended, .stuck: return Outcome()
        }
    }

    /// Such as `120 of 400 MiB`.
    static func progress(_ done: Int64, _ total: Int64?, _ unit: String) -> String {
        guard unit == "bytes" else { return "\(done)\(total.map { " of \($0)" } ?? "") \(unit)" }
        return "\(done >> 20)\(total.map { " of \(($0 + (1 << 20) - 1) >> 20)" } ?? "") MiB"
    }

    mutating func driver(_ status: DriverStatus, _ now: Timestamp) -> Outcome {
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

    mutating func ready(_ status: DriverStatus, _ now: Timestamp) -> Outcome {
        closePhase(now)
        // The driver knows better what the time of its own start went into.
        let inner = (status.phases ?? []).filter { $0.name != "total" }
        if !inner.isEmpty {
            if record.phases.last?.name == "spark" { record.phases.removeLast() }
            record.phases += inner
        }
        record.step = .running
        record.isRestart = false
        record.readyTime = now
        record.message = ""
        let total = (now - record.startTime).milliseconds
        var details = timings
        details["total_ms"] = "\(total)"
        let said = total < 1000 ? "\(total) ms" : "\(total / 1000).\(total % 1000 / 100) s"
        return Outcome(notes: [ClusterNote("RUNNING", "The cluster is ready after \(said).", details)])
    }
}
