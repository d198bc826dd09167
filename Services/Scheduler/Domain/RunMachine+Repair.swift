internal import Core

/// Which tasks of a run are to run again.
struct RepairWish: Sendable {
    var taskKeys: [String] = []
    var allFailed = false
    var dependents = false
    var userName = ""
    /// What the run goes on with.
    var parameters: [String: String] = [:]
    /// What people were told about the end that is left behind.
    var lastMessage = ""
}

extension RunMachine {
    /// The number of the newest repair; 0 for a run that was never repaired.
    var repairNumber: Int { run.past.count }

    /// Opens a run that has ended for the tasks that are wished for, and for those that were not run because of them.
    ///
    /// - Throws: `INVALID_STATE` while it runs, `INVALID_PARAMETER_VALUE` for tasks that it does not have or for none.
    mutating func repair(_ wish: RepairWish) throws(HarbourError) {
        guard let result = run.result, result != .skipped else {
            throw HarbourError(.invalidState, "Only a run that has run to its end can be repaired. Cancel it first.")
        }
        var chosen = try wished(wish)
        if wish.allFailed {
            chosen.formUnion(plan.tasks.indices.filter { tasks[$0].phase.result?.isBad ?? false })
        }
        guard !chosen.isEmpty else {
            throw HarbourError(
                .invalidParameter,
                "There is nothing to run again: name tasks in rerun_tasks, or ask for rerun_all_failed_tasks of a run "
                    + "in which some failed.")
        }
        let dependents = plan.dependents
        var open = Array(chosen)
        while let task = open.popLast() {
            for next in dependents[task] where !chosen.contains(next) {
                // What was left out is looked at again: the task before it may end otherwise this time.
                guard wish.dependents || tasks[next].phase.result?.isRerunWithUpstream ?? false else { continue }
                chosen.insert(next)
                open.append(next)
            }
        }
        run.past.append(execution(result, wish.lastMessage))
        run.repair = PastExecution(
            taskKeys: chosen.sorted().map { plan.tasks[$0].key }, parameters: wish.parameters,
            userName: wish.userName)
        (run.startTime, run.endTime, run.ending, run.result, run.released) = (nil, nil, nil, nil, [])
        run.refusal = nil
        for task in chosen { reopen(task) }
    }

    private func wished(_ wish: RepairWish) throws(HarbourError) -> Set<Int> {
        var chosen: Set<Int> = []
        for key in wish.taskKeys {
            guard let index = plan.tasks.firstIndex(where: { $0.key == key }) else {
                throw HarbourError(
                    .invalidParameter,
                    "The run has no task \(key). It has \(plan.tasks.map(\.key).joined(separator: ", ")).")
            }
            chosen.insert(index)
        }
        return chosen
    }

    /// The execution that has just ended, for the history.
    private func execution(_ result: TaskResult, _ message: String) -> PastExecution {
        var execution = run.repair ?? PastExecution(taskKeys: plan.tasks.map(\.key), parameters: facts.parameters)
        (execution.startTime, execution.endTime, execution.result) = (run.startTime, run.endTime, result)
        execution.message = message
        return execution
    }
}

extension TaskResult {
    fileprivate var isRerunWithUpstream: Bool {
        switch self {
        case .upstreamFailed, .upstreamCanceled, .excluded, .canceled: true
        case .success, .successWithFailures, .failed, .timedOut, .disabled, .skipped: false
        }
    }
}
