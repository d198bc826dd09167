internal import Core
internal import HarbourProtocol

// A whole run as the API shows it.

extension JobSpec {
    /// What a task of a run does: one of the job's, or the nested one of a for-each task.
    func definition(of ordinal: Int, _ record: TaskRecord) -> TaskSpec? {
        guard let place = record.place else { return tasks.indices.contains(ordinal) ? tasks[ordinal] : nil }
        return tasks.indices.contains(place.parent) ? tasks[place.parent].forEachTask?.task.spec : nil
    }
}

extension RunRow {
    /// The whole run as the API shows it.
    func run(tasks: [TaskRow]) -> Run {
        Run(
            runID: runID, jobID: jobID, runName: runName, state: record.state(phase: phase, tasks: tasks),
            trigger: trigger, creatorUserName: creator, fireTime: fireAt ?? backfillAt, createdTime: createdAt,
            startTime: record.past.first?.startTime ?? record.startTime, endTime: record.endTime,
            parameters: parameters, tasks: tasks.map { task in self.task(task, among: tasks) },
            runPagePath: "/runs/\(runID)", lastSequence: lastSequence, history: history(tasks),
            parentRunID: parentRunID, backfillID: backfillID)
    }

    /// The run in few words, for those who follow all of them.
    func change(tasks: [TaskRow]) -> RunChange {
        RunChange(
            runID: runID, jobID: jobID, runName: runName, state: record.state(phase: phase, tasks: tasks),
            creatorUserName: creator, tasks: tasks.count, endedTasks: tasks.count { $0.record.phase.isEnded },
            createdTime: createdAt, startTime: record.past.first?.startTime ?? record.startTime,
            endTime: record.endTime)
    }

    private func task(_ task: TaskRow, among tasks: [TaskRow]) -> RunTask {
        let spec = settings.definition(of: task.ordinal, task.record)
        let waitsFor = (spec?.dependsOn ?? []).map(\.taskKey).filter { key in
            !(tasks.first { $0.key == key }?.record.phase.isEnded ?? true)
        }
        let executed = task.attempts.last?.executedAt != nil
        let outcome = task.record.attempts.last?.outcome
        let place = task.record.place
        return RunTask(
            taskKey: task.key, dependsOn: spec?.dependsOn, notebookPath: spec?.sourcePath,
            revisionID: task.revisionID,
            state: task.record.state(
                waitsFor: waitsFor, executed: executed, in: record),
            attempts: task.attempts.map { attempt in
                Attempt(
                    attemptNumber: attempt.number, attemptID: "run-\(runID)-\(task.ordinal)-\(attempt.number)",
                    state: attempt.record.state(
                        executed: attempt.executedAt != nil, isStopping: task.record.phase.isStopping),
                    clusterID: attempt.clusterID, startTime: attempt.record.startTime,
                    executionTime: attempt.executedAt, endTime: attempt.record.endTime,
                    revisionID: attempt.revisionID, runJobRunID: attempt.childRunID)
            }, startTime: task.record.startTime, endTime: task.record.endTime, exitValue: outcome?.exitValue,
            runIf: spec?.runIf, outcome: outcome?.branch.map { String($0) },
            values: outcome.flatMap { $0.values.isEmpty ? nil : JSONObject($0.values) },
            forEachTaskKey: place.map { settings.tasks[$0.parent].taskKey }, iteration: place?.number,
            input: place?.input, iterations: counts(task, tasks))
    }

    /// How far the iterations are; nil for what is no for-each task, and in lists, which leave iterations out.
    private func counts(_ task: TaskRow, _ tasks: [TaskRow]) -> IterationCounts? {
        guard let children = task.record.children, children.upperBound <= tasks.count else { return nil }
        let phases = children.map { tasks[$0].record.phase }
        return IterationCounts(
            total: children.count, active: phases.count { !$0.isEnded && $0 != .blocked },
            succeeded: phases.count { $0.result == .success },
            failed: phases.count { $0.isEnded && $0.result != .success })
    }

    private func history(_ tasks: [TaskRow]) -> [RunHistoryItem]? {
        guard let repair = record.repair else { return nil }
        var current = repair
        (current.startTime, current.endTime, current.result) = (record.startTime, record.endTime, record.result)
        if record.result != nil { current.message = record.state(phase: phase, tasks: tasks).stateMessage }
        return (record.past + [current]).enumerated().map { number, execution in
            RunHistoryItem(
                id: Int64(number), type: number == 0 ? .original : .repair, startTime: execution.startTime,
                endTime: execution.endTime,
                state: execution.result.map {
                    RunState(
                        lifeCycleState: $0.lifeCycleState, resultState: $0.resultState,
                        stateMessage: execution.message)
                }, taskKeys: execution.taskKeys, parameters: execution.parameters,
                userName: number == 0 ? creator : execution.userName)
        }
    }
}
