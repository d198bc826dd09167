internal import ClusterBackend
internal import Core
internal import HarbourProtocol

// How a cluster ends, and what is found after a restart of the service.
extension ClusterMachine {
    mutating func end(_ reason: TerminationReason, _ now: Timestamp, event: String) -> Outcome {
        closePhase(now)
        let wasRunning = record.step == .running
        record.step = .ending
        record.goal = .stay
        record.failedEnds = 0
        record.resizeTo = nil
        record.problem = nil
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

    mutating func removed(_ now: Timestamp) -> Outcome {
        guard record.step == .ending || record.step == .stuck else { return Outcome() }
        let note = ClusterNote("TERMINATED", "Nothing of the cluster is left.", ["code": record.reason?.code ?? ""])
        switch record.goal {
        case .delete: return Outcome(actions: [.forget])
        case .restart:
            var outcome = begin(now, next: true, isRestart: true)
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

    mutating func removeFailed(_ error: HarbourError) -> Outcome {
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

    mutating func removeAgain() -> Outcome {
        record.step = .ending
        record.failedEnds = 0
        return Outcome(actions: [.remove(after: .zero)])
    }

    /// One second, then twice as long each time, up to a minute.
    static func pause(_ failures: Int) -> Duration { .seconds(min(60, 1 << min(max(failures - 1, 0), 6))) }

    // MARK: After a restart of the service

    mutating func recovered(_ found: RecoveredCluster, _ now: Timestamp) -> Outcome {
        switch (record.step, found) {
        case (.starting, .ended(let end)):
            record.step = .connecting
            return lost(end, nil, now)
        // A driver that runs may still miss workers: asking again makes what is missing and nothing twice.
        case (.starting, _): return Outcome(actions: [.provision])
        case (.connecting, .running(let cluster)), (.running, .running(let cluster)):
            record.handle = cluster.handle
            record.address = cluster.driver
            guard let wanted = record.resizeTo else {
                record.workers = cluster.workers
                return Outcome(actions: [.follow])
            }
            // From how many it is resized stays what it was, whatever has been done of it.
            return Outcome(actions: [.follow, .resize(workers: wanted)])
        // It was written down with the driver of a ready one, and whoever did so did not get to know.
        case (.connecting, .incomplete) where record.place != nil: return Outcome(actions: [.follow])
        case (.connecting, .ended(let end)), (.running, .ended(let end)): return lost(end, nil, now)
        case (.connecting, _), (.running, _):
            let message = "The cluster was gone when the cluster service came back. Start it again."
            return lost(ClusterEnd(.removed, message: message), nil, now)
        case (.ending, _): return Outcome(actions: [.remove(after: .zero)])
        case (.ended, _), (.stuck, _): return Outcome()
        }
    }
}
