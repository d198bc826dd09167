internal import Core

/// The decisions of one run: which attempt starts, what a failure means, when it is over.
///
/// Pure: events and the time go in, actions come out. The shell writes the new state down before it performs the
/// actions, so that whoever takes over after a crash reads the state, calls `resume`, and performs the same actions
/// again; all of them may be performed twice.
struct RunMachine: Sendable {
    /// What happens to a run.
    enum Event: Sendable {
        case attemptEnded(task: Int, attempt: Int, AttemptOutcome)
        case cancel
        /// Its user may not do what it does, so that nothing of it begins.
        case refuse(RunRefusal)
        /// Time has passed: `nextWake` has been reached, or may have been.
        case wake
    }

    /// What the shell has to do. Each may be performed twice.
    enum Action: Sendable, Equatable {
        /// Make the attempt happen, or go on listening to it if it has begun.
        case runAttempt(task: Int, attempt: Int)
        /// Interrupt the attempt; its end comes as an event.
        case stopAttempt(task: Int, attempt: Int)
        /// No task of this run needs the cluster any more.
        case releaseCluster(ClusterChoice)
        /// The run has ended.
        case finish
    }

    /// The most inputs of a for-each task.
    static let maxInputs = 1000

    let plan: RunPlan
    let facts: RunFacts
    /// The tasks of the plan, and after them the iterations of for-each tasks as they began.
    var tasks: [TaskRecord]
    var run: RunRecord
    private let isLeaf: [Bool]

    /// A run that nobody has begun, or one as it was written down.
    init(plan: RunPlan, facts: RunFacts = RunFacts(), run: RunRecord = RunRecord(), tasks: [TaskRecord]? = nil) {
        self.plan = plan
        self.facts = facts
        self.run = run
        self.tasks = tasks ?? plan.tasks.map { _ in TaskRecord() }
        isLeaf = plan.dependents.map(\.isEmpty)
    }

    /// What a task does: one of the plan's, or the template of the for-each task it is an iteration of.
    func plan(of index: Int) -> TaskPlan {
        if let place = tasks[index].place, case .forEach(let forEach) = plan.tasks[place.parent].work {
            return forEach.task
        }
        return plan.tasks[index]
    }

    /// What people call a task of the run.
    func key(of index: Int) -> String {
        let key = plan(of: index).key
        return tasks[index].place.map { "\(key)[\($0.number)]" } ?? key
    }

    /// Begins the run, or takes it up where it was written down.
    ///
    /// - Parameter events: what has happened before: a run that was cancelled or refused begins nothing.
    mutating func resume(at now: Timestamp, after events: [Event] = []) -> [Action] {
        if run.result != nil { return [.finish] }
        for event in events { noteEnding(event) }
        if run.startTime == nil { run.startTime = now }
        var actions: [Action] = []
        for (index, task) in tasks.enumerated() {
            guard case .attempts = plan(of: index).work, let attempt = task.runningAttempt else { continue }
            actions.append(.runAttempt(task: index, attempt: attempt))
            if task.phase.isStopping { actions.append(.stopAttempt(task: index, attempt: attempt)) }
        }
        return actions + advance(at: now)
    }

    /// Takes one event. Events about attempts that are over, or that never were, change nothing.
    mutating func handle(_ event: Event, at now: Timestamp) -> [Action] {
        guard run.result == nil else { return [] }
        switch event {
        case .attemptEnded(let task, let attempt, let outcome):
            guard tasks.indices.contains(task), tasks[task].runningAttempt == attempt else { return [] }
            end(task, with: outcome, at: now)
            return advance(at: now)
        case .cancel, .refuse:
            noteEnding(event)
            return advance(at: now)
        case .wake:
            return advance(at: now)
        }
    }

    private mutating func noteEnding(_ event: Event) {
        guard run.ending == nil else { return }
        switch event {
        case .cancel: run.ending = .canceled
        case .refuse(let refusal):
            run.ending = .failed
            run.refusal = refusal
        case .attemptEnded, .wake: break
        }
    }

    /// When `wake` has to come at the latest; nil when only events can change anything.
    var nextWake: Timestamp? {
        guard run.result == nil else { return nil }
        var earliest: Timestamp?
        func consider(_ time: Timestamp?) {
            guard let time else { return }
            earliest = min(earliest ?? time, time)
        }
        if run.ending == nil { consider(runDeadline) }
        for index in tasks.indices {
            switch tasks[index].phase {
            case .running: consider(attemptDeadline(index))
            case .waitingForRetry(let time): consider(time)
            case .blocked, .stopping, .ended: break
            }
        }
        return earliest
    }

    // MARK: Decisions

    private var runDeadline: Timestamp? {
        guard let timeout = plan.timeout, let start = run.startTime else { return nil }
        return Timestamp(milliseconds: start.milliseconds + timeout)
    }

    func attemptDeadline(_ index: Int) -> Timestamp? {
        guard let timeout = plan(of: index).policy.timeout, let start = tasks[index].attempts.last?.startTime else {
            return nil
        }
        return Timestamp(milliseconds: start.milliseconds + timeout)
    }

    /// Looks at everything that can move by itself, until nothing does.
    private mutating func advance(at now: Timestamp) -> [Action] {
        var actions: [Action] = []
        if run.ending == nil, let deadline = runDeadline, deadline <= now { run.ending = .timedOut }
        if run.ending != nil { actions += stopEverything(at: now) }
        // A condition or an empty for-each ends as soon as it begins, and with that others may move.
        while moveTasks(at: now, &actions) {}
        actions += releaseClusters()
        if let result = overallResult {
            run.result = result
            run.endTime = now
            actions.append(.finish)
        }
        return actions
    }

    /// Whether an end made it worth looking again.
    private mutating func moveTasks(at now: Timestamp, _ actions: inout [Action]) -> Bool {
        var isAgain = false
        // Iterations that begin here have higher numbers, and are looked at in the same pass.
        var index = 0
        while index < tasks.count {
            let before = tasks[index].phase
            move(index, at: now, &actions)
            if tasks[index].phase != before, tasks[index].phase.isEnded { isAgain = true }
            index += 1
        }
        return isAgain
    }

    private mutating func move(_ index: Int, at now: Timestamp, _ actions: inout [Action]) {
        switch tasks[index].phase {
        case .blocked:
            guard run.ending == nil else { return }
            if let place = tasks[index].place {
                if hasRoom(place.parent) { start(index, at: now, &actions) }
                return
            }
            if plan.tasks[index].isDisabled { return end(index, as: .disabled, at: now) }
            let standings = plan.tasks[index].dependencies.map(standing)
            switch DependencyRule.verdict(plan.tasks[index].rule, standings) {
            case .wait: break
            case .run: start(index, at: now, &actions)
            case .end(let result): end(index, as: result, at: now)
            }
        case .waitingForRetry(let time):
            if time <= now { start(index, at: now, &actions) }
        case .running:
            if let deadline = attemptDeadline(index), deadline <= now {
                stop(index, because: .timedOut, at: now, &actions)
            }
            finishForEach(index, at: now)
        case .stopping: finishForEach(index, at: now)
        case .ended: break
        }
    }

    private func standing(_ dependency: Dependency) -> DependencyRule.Standing {
        let task = tasks[dependency.task]
        guard let result = task.phase.result else { return .pending }
        if result == .success, let wanted = dependency.outcome, task.attempts.last?.outcome?.branch != wanted {
            return .leftOut
        }
        return result.standing
    }

    private mutating func stopEverything(at now: Timestamp) -> [Action] {
        var actions: [Action] = []
        let result = run.ending ?? .canceled
        for index in tasks.indices {
            switch tasks[index].phase {
            case .blocked, .waitingForRetry: end(index, as: result, at: now)
            case .running: stop(index, because: result, at: now, &actions)
            case .stopping, .ended: break
            }
        }
        return actions
    }

    private mutating func releaseClusters() -> [Action] {
        var needed: Set<ClusterChoice> = []
        var idle: [ClusterChoice] = []
        func choice(_ index: Int) -> ClusterChoice? {
            if case .forEach(let forEach) = plan(of: index).work { return forEach.task.cluster }
            return plan(of: index).cluster
        }
        for (index, task) in tasks.enumerated() where !task.phase.isEnded {
            if let choice = choice(index) { needed.insert(choice) }
        }
        for (index, task) in tasks.enumerated() where task.phase.isEnded && !task.attempts.isEmpty {
            guard let choice = choice(index) else { continue }
            guard !needed.contains(choice), !run.released.contains(choice), !idle.contains(choice) else { continue }
            if case .existing = choice { continue }
            idle.append(choice)
        }
        run.released.formUnion(idle)
        return idle.map { .releaseCluster($0) }
    }

    /// The last tasks of the graph decide, as Databricks has it: what failed before them may have been dealt with.
    private var overallResult: TaskResult? {
        guard tasks.allSatisfy({ $0.phase.isEnded }) else { return nil }
        let bad = plan.tasks.indices.filter { tasks[$0].phase.result?.isBad ?? false }
        if bad.isEmpty { return .success }
        if let ending = run.ending { return ending }
        return bad.contains { isLeaf[$0] } ? .failed : .successWithFailures
    }
}
