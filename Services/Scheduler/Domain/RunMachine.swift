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

    let plan: RunPlan
    private(set) var tasks: [TaskRecord]
    private(set) var run: RunRecord
    private let dependents: [[Int]]

    /// A run that nobody has begun, or one as it was written down.
    init(plan: RunPlan, run: RunRecord = RunRecord(), tasks: [TaskRecord]? = nil) {
        self.plan = plan
        self.run = run
        self.tasks = tasks ?? plan.tasks.map { _ in TaskRecord() }
        dependents = plan.dependents
    }

    /// Begins the run, or takes it up where it was written down.
    mutating func resume(at now: Timestamp) -> [Action] {
        if run.result != nil { return [.finish] }
        if run.startTime == nil { run.startTime = now }
        var actions: [Action] = []
        for (index, task) in tasks.enumerated() {
            guard let attempt = task.runningAttempt else { continue }
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
            guard tasks[task].runningAttempt == attempt else { return [] }
            end(task, with: outcome, at: now)
            return advance(at: now)
        case .cancel:
            if run.ending == nil { run.ending = .canceled }
            return advance(at: now)
        case .wake:
            return advance(at: now)
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

    private func attemptDeadline(_ index: Int) -> Timestamp? {
        guard let timeout = plan.tasks[index].timeout, let start = tasks[index].attempts.last?.startTime else {
            return nil
        }
        return Timestamp(milliseconds: start.milliseconds + timeout)
    }

    /// Looks at everything that can move by itself, until nothing does.
    private mutating func advance(at now: Timestamp) -> [Action] {
        var actions: [Action] = []
        if run.ending == nil, let deadline = runDeadline, deadline <= now { run.ending = .timedOut }
        if run.ending != nil { actions += stopEverything(at: now) } else { actions += moveTasks(at: now) }
        actions += releaseClusters()
        if let result = overallResult {
            run.result = result
            run.endTime = now
            actions.append(.finish)
        }
        return actions
    }

    private mutating func moveTasks(at now: Timestamp) -> [Action] {
        var actions: [Action] = []
        for index in tasks.indices {
            switch tasks[index].phase {
            case .blocked:
                if plan.tasks[index].dependencies.allSatisfy({ tasks[$0].phase == .ended(.success) }) {
                    actions.append(startAttempt(index, at: now))
                }
            case .waitingForRetry(let time):
                if time <= now { actions.append(startAttempt(index, at: now)) }
            case .running:
                if let deadline = attemptDeadline(index), deadline <= now {
                    actions.append(stop(index, because: .timedOut))
                }
            case .stopping, .ended: break
            }
        }
        return actions
    }

    private mutating func stopEverything(at now: Timestamp) -> [Action] {
        var actions: [Action] = []
        let result: TaskResult = run.ending == .timedOut ? .timedOut : .canceled
        for index in tasks.indices {
            switch tasks[index].phase {
            case .blocked, .waitingForRetry:
                tasks[index].phase = .ended(result)
                tasks[index].endTime = now
            case .running: actions.append(stop(index, because: result))
            case .stopping, .ended: break
            }
        }
        return actions
    }

    private mutating func startAttempt(_ index: Int, at now: Timestamp) -> Action {
        let number = tasks[index].attempts.count
        tasks[index].attempts.append(AttemptRecord(startTime: now))
        tasks[index].phase = .running
        if tasks[index].startTime == nil { tasks[index].startTime = now }
        return .runAttempt(task: index, attempt: number)
    }

    private mutating func stop(_ index: Int, because result: TaskResult) -> Action {
        tasks[index].phase = .stopping(result)
        return .stopAttempt(task: index, attempt: tasks[index].attempts.count - 1)
    }

    private mutating func end(_ index: Int, with outcome: AttemptOutcome, at now: Timestamp) {
        // What we stopped ends as what we stopped it for, unless it had succeeded before the interrupt came.
        var outcome = outcome
        if case .stopping(let result) = tasks[index].phase, outcome.result != .success { outcome.result = result }
        let last = tasks[index].attempts.count - 1
        tasks[index].attempts[last].outcome = outcome
        tasks[index].attempts[last].endTime = now
        if run.ending == nil, mayRetry(index, after: outcome.result) {
            let due = Timestamp(milliseconds: now.milliseconds + plan.tasks[index].retryInterval)
            tasks[index].phase = .waitingForRetry(due)
            return
        }
        tasks[index].phase = .ended(outcome.result)
        tasks[index].endTime = now
        if outcome.result != .success { failDependents(of: index, at: now) }
    }

    private func mayRetry(_ index: Int, after result: TaskResult) -> Bool {
        let task = plan.tasks[index]
        guard tasks[index].attempts.count <= task.maxRetries else { return false }
        return result == .failed || (result == .timedOut && task.retriesOnTimeout)
    }

    /// What can no longer run ends at once, so that people see it and clusters are released early.
    private mutating func failDependents(of index: Int, at now: Timestamp) {
        var open = dependents[index]
        while let next = open.popLast() {
            guard tasks[next].phase == .blocked else { continue }
            tasks[next].phase = .ended(.upstreamFailed)
            tasks[next].endTime = now
            open += dependents[next]
        }
    }

    private mutating func releaseClusters() -> [Action] {
        var needed: Set<ClusterChoice> = []
        var idle: [ClusterChoice] = []
        for (index, task) in tasks.enumerated() where !task.phase.isEnded { needed.insert(plan.tasks[index].cluster) }
        for (index, task) in tasks.enumerated() where task.phase.isEnded && !task.attempts.isEmpty {
            let choice = plan.tasks[index].cluster
            guard !needed.contains(choice), !run.released.contains(choice), !idle.contains(choice) else { continue }
            if case .existing = choice { continue }
            idle.append(choice)
        }
        run.released.formUnion(idle)
        return idle.map { .releaseCluster($0) }
    }

    private var overallResult: TaskResult? {
        guard tasks.allSatisfy({ $0.phase.isEnded }) else { return nil }
        let results = Set(tasks.compactMap { $0.phase.result })
        if results.isSubset(of: [.success]) { return .success }
        if let ending = run.ending { return ending }
        return .failed
    }
}
