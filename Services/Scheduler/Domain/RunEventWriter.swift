internal import Core
internal import HarbourProtocol

/// Tells readers what a step of the machine has changed.
struct RunEventWriter {
    /// The events of one step, in the order they make sense: attempts, tasks, the run.
    func events(from old: RunMachine, to new: RunMachine, at now: Timestamp) -> [RunEvent] {
        var events: [RunEvent] = []
        for index in new.tasks.indices {
            let after = new.tasks[index]
            let before = index < old.tasks.count ? old.tasks[index] : TaskRecord(place: after.place)
            if before == after { continue }
            let key = new.key(of: index)
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
                        state: after.state(waitsFor: [], executed: false, in: new.run)))
            }
        }
        if old.run.ending != new.run.ending || old.run.result != new.run.result || old.run.startTime == nil {
            let state = new.run.state(phase: new.run.result == nil ? .running : .terminated, tasks: rows(of: new))
            events.append(RunEvent(sequence: 0, timestamp: now, type: .runState, state: state))
        }
        return events
    }

    private func rows(of machine: RunMachine) -> [TaskRow] {
        machine.tasks.indices.map { TaskRow(ordinal: $0, key: machine.key(of: $0), record: machine.tasks[$0]) }
    }
}
