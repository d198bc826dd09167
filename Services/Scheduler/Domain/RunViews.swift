internal import Core
internal import HarbourProtocol

// How the records of a run look on the wire, in the words Databricks uses.

extension TaskResult {
    var resultState: ResultState {
        switch self {
        case .success: .success
        case .failed: .failed
        case .timedOut: .timedout
        case .canceled: .canceled
        case .upstreamFailed: .upstreamFailed
        }
    }
}

extension RunRecord {
    /// The state of the run as people see it.
    func state(phase: RunRow.Phase, tasks: [TaskRow]) -> RunState {
        if let result {
            let failed = tasks.first { $0.record.phase == .ended(.failed) || $0.record.phase == .ended(.timedOut) }
            let outcome = failed?.record.attempts.last?.outcome
            return RunState(
                lifeCycleState: .terminated, resultState: result.resultState,
                stateMessage: message(result, failed: failed), errorCode: outcome?.errorCode)
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
        let started = tasks.contains { $0.attempts.contains { $0.executedAt != nil } }
        return RunState(
            lifeCycleState: started ? .running : .pending, stateMessage: started ? "" : "Waits for a cluster.")
    }

    private func message(_ result: TaskResult, failed: TaskRow?) -> String {
        switch result {
        case .success: return ""
        case .canceled: return "It was cancelled."
        case .timedOut: return "It ran out of time."
        case .failed, .upstreamFailed:
            guard let failed, let outcome = failed.record.attempts.last?.outcome else { return "A task failed." }
            return "The task \(failed.key) failed: \(outcome.message)"
        }
    }
}

extension TaskRecord {
    /// The state of the task as people see it.
    func state(waitsFor: [String], executed: Bool) -> RunState {
        switch phase {
        case .blocked:
            return RunState(lifeCycleState: .blocked, stateMessage: "Waits for \(waitsFor.joined(separator: ", ")).")
        case .running:
            return RunState(
                lifeCycleState: executed ? .running : .pending, stateMessage: executed ? "" : "Waits for its cluster.")
        case .stopping(let result):
            let reason = result == .timedOut ? "It ran out of time" : "It was cancelled"
            return RunState(lifeCycleState: .terminating, stateMessage: "\(reason) and is being interrupted.")
        case .waitingForRetry(let time):
            let last = attempts.last?.outcome?.message ?? ""
            return RunState(
                lifeCycleState: .waitingForRetry,
                stateMessage: "Is tried again at \(ISO8601.format(time)). The last attempt failed: \(last)",
                errorCode: attempts.last?.outcome?.errorCode)
        case .ended(let result):
            let message =
                switch result {
                case .success: ""
                case .upstreamFailed: "Not run, because a task it depends on did not succeed."
                case .canceled: "It was cancelled."
                case .timedOut: attempts.isEmpty ? "The run ran out of time." : "It ran out of time."
                case .failed: attempts.last?.outcome?.message ?? "It failed."
                }
            return RunState(
                lifeCycleState: .terminated, resultState: result.resultState, stateMessage: message,
                errorCode: attempts.last?.outcome?.errorCode)
        }
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

extension RunRow {
    /// The whole run as the API shows it.
    func run(tasks: [TaskRow]) -> Run {
        Run(
            runID: runID, jobID: jobID, runName: runName, state: record.state(phase: phase, tasks: tasks),
            trigger: trigger, creatorUserName: creator, fireTime: fireAt, createdTime: createdAt,
            startTime: record.startTime, endTime: record.endTime, parameters: parameters,
            tasks: tasks.map { task in self.task(task, among: tasks) }, runPagePath: "/runs/\(runID)",
            lastSequence: lastSequence)
    }

    private func task(_ task: TaskRow, among tasks: [TaskRow]) -> RunTask {
        let spec = settings.tasks[task.ordinal]
        let waitsFor = (spec.dependsOn ?? []).map(\.taskKey).filter { key in
            tasks.first { $0.key == key }?.record.phase != .ended(.success)
        }
        let executed = task.attempts.last?.executedAt != nil
        return RunTask(
            taskKey: task.key, dependsOn: spec.dependsOn, notebookPath: spec.notebookTask.notebookPath,
            revisionID: task.revisionID, state: task.record.state(waitsFor: waitsFor, executed: executed),
            attempts: task.attempts.map { attempt in
                Attempt(
                    attemptNumber: attempt.number, attemptID: "run-\(runID)-\(task.ordinal)-\(attempt.number)",
                    state: attempt.record.state(
                        executed: attempt.executedAt != nil, isStopping: task.record.phase.isStopping),
                    clusterID: attempt.clusterID, startTime: attempt.record.startTime,
                    executionTime: attempt.executedAt, endTime: attempt.record.endTime)
            }, startTime: task.record.startTime, endTime: task.record.endTime,
            exitValue: task.record.attempts.last?.outcome?.exitValue)
    }
}
