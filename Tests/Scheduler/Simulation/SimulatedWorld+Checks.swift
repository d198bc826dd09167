import Core

@testable import SchedulerService

// What clusters do with actions, and what must hold whenever they do it.

extension SimulatedWorld {
    mutating func perform(_ actions: [RunMachine.Action], _ index: Int, _ madeIn: Int) {
        for action in actions {
            switch action {
            case .runAttempt(let task, let attempt): run(AttemptName(task: task, attempt: attempt), for: index)
            case .stopAttempt(let task, let attempt): stop(AttemptName(task: task, attempt: attempt))
            case .releaseCluster(let choice):
                // Clusters of an earlier execution have other names.
                guard madeIn == epoch else { continue }
                released.insert(choice)
                for name in clusters.live.keys where stored.plan(of: name.task).cluster == choice {
                    problems.append("the cluster of \(name) was taken away")
                }
            case .finish:
                guard madeIn == epoch else { continue }
                if !clusters.live.isEmpty { problems.append("the run ended while \(clusters.live.keys) ran") }
            }
        }
    }

    private mutating func run(_ name: AttemptName, for index: Int) {
        if let outcome = clusters.ended[name] {
            return send(.attemptEnded(task: name.task, attempt: name.attempt, outcome), to: index)
        }
        if clusters.live[name] == nil {
            checkStart(name)
            if let choice = stored.plan(of: name.task).cluster { used.insert(choice) }
            let length = span(chance(10) ? 1...100_000 : 1...5000)
            clusters.live[name] = SimulatedClusters.Live(endsAt: now + length, outcome: outcome(), listeners: [])
        }
        clusters.live[name]?.listeners.insert(index)
    }

    private mutating func outcome() -> AttemptOutcome {
        if chance(4) { return .failure("COMMAND_FAILED", "bad luck") }
        if chance(40) { return .interrupted() }
        var outcome = AttemptOutcome.success()
        if chance(2) { outcome.values = ["n": .integer(span(0...20)), "list": [1, 2, 3]] }
        return outcome
    }

    private mutating func stop(_ name: AttemptName) {
        guard let live = clusters.live[name] else { return }
        // Some do not listen; then their context is ended after a while.
        let patience = chance(5) ? 20_000 : span(1...500)
        clusters.live[name]?.endsAt = min(live.endsAt, now + patience)
        if live.endsAt > now { clusters.live[name]?.outcome = .interrupted() }
    }

    mutating func endAttempts() {
        for (name, live) in clusters.live.filter({ $0.value.endsAt <= now }).sorted(by: { $0.key < $1.key }) {
            clusters.live[name] = nil
            clusters.ended[name] = live.outcome
            for listener in live.listeners.sorted() {
                send(.attemptEnded(task: name.task, attempt: name.attempt, live.outcome), to: listener)
            }
        }
    }

    // MARK: What must hold

    private mutating func checkStart(_ name: AttemptName) {
        let machine = stored
        guard machine.tasks.indices.contains(name.task) else { return problems.append("\(name) is no task") }
        let record = machine.tasks[name.task]
        let task = machine.plan(of: name.task)
        if !clusters.liveAttempts(of: name.task).isEmpty { problems.append("\(name) began beside another attempt") }
        if name.attempt > 0, clusters.ended[AttemptName(task: name.task, attempt: name.attempt - 1)] == nil {
            problems.append("\(name) began before the attempt before it had ended")
        }
        if record.runningAttempt != name.attempt { problems.append("\(name) began without being written down") }
        if let most = task.policy.maxRetries, name.attempt - record.earlierAttempts > most {
            problems.append("\(name) is one attempt too many")
        }
        if let choice = task.cluster, released.contains(choice) { problems.append("\(name) has no cluster any more") }
        if let place = record.place {
            guard case .forEach(let forEach) = plan.tasks[place.parent].work else { return }
            let beside = (machine.tasks[place.parent].children ?? 0..<0).filter {
                !clusters.liveAttempts(of: $0).isEmpty
            }
            if beside.count >= forEach.concurrency { problems.append("\(name) is one iteration too many") }
        } else if !mayRun(name.task, machine) {
            problems.append("\(name) began against its dependencies")
        }
    }

    /// The rules in other words than the machine's.
    private func mayRun(_ index: Int, _ machine: RunMachine) -> Bool {
        let task = plan.tasks[index]
        let edges = task.dependencies.filter { !plan.tasks[$0.task].isDisabled }
        guard !task.isDisabled else { return false }
        if edges.isEmpty { return true }
        var (good, bad, left) = (0, 0, 0)
        for edge in edges {
            let record = machine.tasks[edge.task]
            switch record.phase.result {
            case nil: return false
            case .success? where edge.outcome != nil && record.attempts.last?.outcome?.branch != edge.outcome: left += 1
            case .success?: good += 1
            case .excluded?: left += 1
            default: bad += 1
            }
        }
        if good + bad == 0 { return false }
        return switch task.rule {
        case .allSuccess: bad == 0 && left == 0
        case .noneFailed: bad == 0
        case .allDone: true
        case .atLeastOneSuccess: good > 0
        case .allFailed: good == 0
        case .atLeastOneFailed: bad > 0
        }
    }

    /// The run is over: everything has ended, nothing is held, and the result follows from the tasks.
    mutating func checkEnd() {
        let machine = stored
        if machine.tasks.contains(where: { !$0.phase.isEnded }) { problems.append("a task has not ended") }
        if !clusters.live.isEmpty { problems.append("attempts run on after the end: \(clusters.live.keys)") }
        let held = machine.run.released
        for choice in used where !held.contains(choice) {
            if case .existing = choice { continue }
            problems.append("\(choice) was not given back")
        }
        for (index, task) in plan.tasks.enumerated() {
            guard let result = machine.tasks[index].phase.result else { continue }
            if task.isDisabled, result != .disabled, machine.run.ending == nil {
                problems.append("\(index) is disabled")
            }
            let wasLeft = result == .upstreamFailed || result == .upstreamCanceled || result == .excluded
            if wasLeft && mayRun(index, machine) && machine.run.ending == nil && epoch == 0 {
                problems.append("\(index) was left out and might have run")
            }
            let attempts = machine.tasks[index].attempts
            if attempts.contains(where: { $0.outcome == nil }) { problems.append("an attempt of \(index) has no end") }
        }
        let bad = plan.tasks.indices.filter { machine.tasks[$0].phase.result?.isBad ?? false }
        let leaves = plan.dependents
        let expected: TaskResult =
            if bad.isEmpty { .success } else if let ending = machine.run.ending {
                ending
            } else if bad.contains(where: {
                leaves[$0].isEmpty
            }) { .failed } else { .successWithFailures }
        if machine.run.result != expected { problems.append("the run is \(String(describing: machine.run.result))") }
    }
}

extension AttemptName: Comparable {
    static func < (left: AttemptName, right: AttemptName) -> Bool {
        (left.task, left.attempt) < (right.task, right.attempt)
    }
}
