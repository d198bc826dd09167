internal import Core
internal import HarbourProtocol

/// Tells readers what a step of the machine has changed.
struct RunEventWriter {
    let plan: RunPlan

    /// The events of one step, in the order they make sense: attempts, tasks, the run.
    func events(from old: RunMachine, to new: RunMachine, at now: Timestamp) -> [RunEvent] {
        var events: [RunEvent] = []
        for index in plan.tasks.indices {
            let (before, after) = (old.tasks[index], new.tasks[index])
            if before == after { continue }
            let key = plan.tasks[index].key
            for (number, attempt) in after.attempts.enumerated()
            where number >= before.attempts.count || before.attempts[number] != attempt {
                events.append(
                    RunEvent(
                        sequence: 0, timestamp: now, type: .attemptState, taskKey: key, attemptNumber: number,
                        state: attempt.state(executed: false, isStopping: after.phase.isStopping)))
            }
            if before.phase != after.phase {
                events.append(
                    RunEvent(
                        sequence: 0, timestamp: now, type: .taskState, taskKey: key,
                        state: after.state(waitsFor: [], executed: false)))
            }
        }
        if old.run.ending != new.run.ending || old.run.result != new.run.result || old.run.startTime == nil {
            let state = new.run.state(phase: new.run.result == nil ? .running : .terminated, tasks: rows(of: new))
            events.append(RunEvent(sequence: 0, timestamp: now, type: .runState, state: state))
        }
        return events
    }

    private func rows(of machine: RunMachine) -> [TaskRow] {
        plan.tasks.indices.map { TaskRow(ordinal: $0, key: plan.tasks[$0].key, record: machine.tasks[$0]) }
    }
}

extension RunProgress.Change {
    /// What has to be written to get from one state to the other.
    init(from old: RunMachine, to new: RunMachine) {
        self.init(run: new.run)
        for index in new.tasks.indices where old.tasks[index] != new.tasks[index] {
            tasks.append((index, new.tasks[index]))
            let before = old.tasks[index].attempts
            for (number, attempt) in new.tasks[index].attempts.enumerated()
            where number >= before.count || before[number] != attempt {
                attempts.append((index, number, attempt))
            }
        }
    }
}
