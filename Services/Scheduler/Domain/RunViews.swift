internal import Core
internal import HarbourProtocol

// How the records of a run look on the wire, in the words Databricks uses.

extension TaskResult {
    var resultState: ResultState {
        switch self {
        case .success: .success
        case .successWithFailures: .successWithFailures
        case .failed: .failed
        case .timedOut: .timedout
        case .canceled: .canceled
        case .upstreamFailed: .upstreamFailed
        case .upstreamCanceled: .upstreamCanceled
        case .excluded: .excluded
        case .disabled: .disabled
        case .skipped: .maximumConcurrentRunsReached
        }
    }

    /// What was not meant to run has been skipped; everything else has come to its end.
    var lifeCycleState: LifeCycleState {
        switch self {
        case .excluded, .disabled, .skipped: .skipped
        default: .terminated
        }
    }
}

extension RunRecord {
    /// The state of the run as people see it.
    func state(phase: RunRow.Phase, tasks: [TaskRow]) -> RunState {
        if let result {
            let (code, message) = reason(result, tasks)
            return RunState(
                lifeCycleState: result.lifeCycleState, resultState: result.resultState, stateMessage: message,
                errorCode: code)
        }
        if phase == .queued {
            return RunState(
                lifeCycleState: .queued,
                stateMessage:
                    "Waits for a place: other runs of its job are under way, or no scheduler has taken it yet.")
        }
        if let ending {
            let reason = ending == .timedOut ? "It ran out of time" : "It was cancelled"
            return RunState(lifeCycleState: .terminating, stateMessage: "\(reason); what runs is being interrupted.")
        }
        if startTime == nil {
            return RunState(lifeCycleState: .pending, stateMessage: Self.waitsForWorkspace)
        }
        let needsCluster = tasks.contains { $0.record.runningAttempt != nil }
        let started = tasks.contains { $0.attempts.contains { $0.executedAt != nil } || $0.record.phase.isEnded }
        return RunState(
            lifeCycleState: started || !needsCluster ? .running : .pending,
            stateMessage: started || !needsCluster ? "" : "Waits for a cluster.")
    }

    /// Between its claim and its beginning.
    static let waitsForWorkspace =
        "Waits for the workspace service, which has its notebooks and says whether its user may run it."

    private func reason(_ result: TaskResult, _ tasks: [TaskRow]) -> (code: String?, message: String) {
        switch result {
        case .success: return (nil, "")
        case .canceled: return (Termination.canceled.code, Termination.canceled.sentence)
        case .timedOut: return (Termination.runTimedOut.code, Termination.runTimedOut.sentence)
        case .skipped: return (Termination.placesTaken.code, Termination.placesTaken.sentence)
        case .failed where refusal != nil: return (refusal?.code, refusal?.message ?? "")
        default:
            let own = tasks.filter { $0.record.place == nil && $0.record.phase.result?.isBad ?? false }
            let first =
                own.first { [.failed, .timedOut].contains($0.record.phase.result) }
                ?? own.first { $0.record.phase.result == .canceled } ?? own.first
            guard let first, let failure = first.record.phase.result else { return (nil, "A task failed.") }
            let state = first.record.ended(as: failure, in: self)
            let start = result == .successWithFailures ? "The last tasks succeeded, but the" : "The"
            return (state.errorCode, "\(start) task \(first.key) failed: \(state.stateMessage)")
        }
    }
}

extension TaskRecord {
    /// The state of the task as people see it.
    func state(waitsFor: [String], executed: Bool, in run: RunRecord) -> RunState {
        switch phase {
        case .blocked:
            let what = waitsFor.isEmpty ? "its turn" : waitsFor.joined(separator: ", ")
            return RunState(lifeCycleState: .blocked, stateMessage: "Waits for \(what).")
        case .running:
            let isAtWork = executed || children != nil
            return RunState(
                lifeCycleState: isAtWork ? .running : .pending, stateMessage: isAtWork ? "" : "Waits for its cluster.")
        case .stopping(let result):
            let reason = result == .timedOut ? "It ran out of time" : "It was cancelled"
            return RunState(lifeCycleState: .terminating, stateMessage: "\(reason) and is being interrupted.")
        case .waitingForRetry(let time):
            let last = attempts.last?.outcome?.message ?? ""
            return RunState(
                lifeCycleState: .waitingForRetry,
                stateMessage: "Is tried again at \(ISO8601.format(time)). The last attempt failed: \(last)",
                errorCode: attempts.last?.outcome?.errorCode)
        case .ended(let result): return ended(as: result, in: run)
        }
    }

    fileprivate func ended(as result: TaskResult, in run: RunRecord) -> RunState {
        // The last attempt knows why, unless the task was ended without one.
        let outcome = attempts.count > earlierAttempts ? attempts.last?.outcome : nil
        let reason = Termination(task: result, isRunTimedOut: run.ending == .timedOut)
        // One that was refused with its run has no attempt of this execution.
        if result == .failed, outcome == nil, let refusal = run.refusal {
            return RunState(
                lifeCycleState: result.lifeCycleState, resultState: result.resultState, stateMessage: refusal.message,
                errorCode: refusal.code)
        }
        let isOwn = outcome?.result == result
        return RunState(
            lifeCycleState: result.lifeCycleState, resultState: result.resultState,
            stateMessage: (isOwn ? outcome?.message : nil) ?? reason?.sentence ?? "",
            errorCode: (isOwn ? outcome?.errorCode : nil) ?? reason?.code)
    }
}

extension AttemptRecord {
    /// The state of the attempt as people see it.
    func state(executed: Bool, isStopping: Bool) -> RunState {
        if let outcome {
            return RunState(
                lifeCycleState: .terminated, resultState: outcome.result.resultState, stateMessage: outcome.message,
                errorCode: outcome.errorCode)
        }
        if isStopping { return RunState(lifeCycleState: .terminating, stateMessage: "Is being interrupted.") }
        return RunState(
            lifeCycleState: executed ? .running : .pending, stateMessage: executed ? "" : "Waits for its cluster.")
    }
}
