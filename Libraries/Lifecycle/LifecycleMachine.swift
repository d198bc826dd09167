/// The order in which a process's components start, run and end, as a pure state machine: events in, actions out, no
/// clock and no tasks of its own.
struct LifecycleMachine {
    enum Event: Equatable {
        /// `run()` was called.
        case begin
        /// The component's `start` returned or threw.
        case started(Int)
        case startFailed(Int, String)
        /// The component's `run` returned (nil) or threw.
        case runEnded(Int, String?)
        /// The component's `drain` returned.
        case drained(Int)
        /// SIGTERM, SIGINT or `shutDown()`.
        case stop(String)
        /// The budget last armed is used up.
        case budgetExpired
    }
    enum Action: Equatable {
        case start(Int)
        case run(Int)
        /// The process serves; said once.
        case ready
        /// Ends the component's `start` early.
        case cancelStart(Int)
        case drain(Int)
        /// Ends the component's `run` and, if it still goes on, its `drain`.
        case cancel(Int)
        /// Replaces the budget armed before.
        case armBudget(Budget)
        case finish(Outcome)
    }
    enum Budget: Equatable {
        case full
        /// After a second signal: somebody is waiting at the keyboard.
        case short
    }
    enum Outcome: Equatable {
        case stopped(reason: String, abandoned: [Int])
        case failed(Int, String, abandoned: [Int])
    }
    private enum Cause: Equatable {
        case stop(String)
        case failure(Int, String)
    }
    /// Where a component stands. Exits: waiting -> starting -> up -> draining -> stopping -> down; starting -> down when
    /// its start fails.
    private enum Phase: Equatable {
        case waiting
        case starting
        /// Started; its `run` goes on until `runEnded` says otherwise.
        case up
        case draining
        /// Drained, its `run` has been cancelled and has not ended yet.
        case stopping
        case down
    }
    /// Exits: idle -> starting -> running -> ending -> ended; starting -> ending.
    private enum State: Equatable {
        case idle
        case starting
        case running
        case ending(Cause)
        case ended
    }

    private var state = State.idle
    private var phases: [Phase]
    private var isRunning: [Bool]
    private var stops = 0
    /// A stop that came before `begin`.
    private var earlyStop: String?

    init(count: Int) {
        phases = Array(repeating: .waiting, count: count)
        isRunning = Array(repeating: false, count: count)
    }

    mutating func handle(_ event: Event) -> [Action] {
        if state == .ended { return [] }
        switch event {
        case .begin: return begin()
        case .started(let index): return started(index)
        case .startFailed(let index, let failure):
            phases[index] = .down
            if case .ending = state { return drainNext() }
            return end(.failure(index, failure))
        case .runEnded(let index, let failure): return runEnded(index, failure)
        case .drained(let index):
            guard phases[index] == .draining else { return [] }
            guard isRunning[index] else {
                phases[index] = .down
                return drainNext()
            }
            phases[index] = .stopping
            return [.cancel(index)]
        case .stop(let reason): return stop(reason)
        case .budgetExpired: return giveUp()
        }
    }

    private mutating func begin() -> [Action] {
        guard state == .idle else { return [] }
        if let earlyStop {
            state = .ended
            return [.finish(.stopped(reason: earlyStop, abandoned: []))]
        }
        state = .starting
        return startNext()
    }

    private mutating func startNext() -> [Action] {
        guard let next = phases.firstIndex(of: .waiting) else {
            state = .running
            return [.ready]
        }
        phases[next] = .starting
        return [.start(next)]
    }

    private mutating func started(_ index: Int) -> [Action] {
        guard phases[index] == .starting else { return [] }
        phases[index] = .up
        isRunning[index] = true
        if case .ending = state { return [.run(index)] + drainNext() }
        return [.run(index)] + startNext()
    }

    private mutating func runEnded(_ index: Int, _ failure: String?) -> [Action] {
        isRunning[index] = false
        switch phases[index] {
        case .stopping:
            phases[index] = .down
            return drainNext()
        case .up:
            if case .ending = state { return [] }
            return end(.failure(index, failure ?? "it ended by itself"))
        case .waiting, .starting, .draining, .down: return []
        }
    }

    private mutating func stop(_ reason: String) -> [Action] {
        stops += 1
        switch state {
        case .idle:
            earlyStop = earlyStop ?? reason
            return []
        case .starting, .running: return end(.stop(reason))
        case .ending: return stops == 2 ? [.armBudget(.short)] : []
        case .ended: return []
        }
    }

    private mutating func end(_ cause: Cause) -> [Action] {
        state = .ending(cause)
        if let starting = phases.firstIndex(of: .starting) { return [.armBudget(.full), .cancelStart(starting)] }
        return [.armBudget(.full)] + drainNext()
    }

    /// One after the other, the last started first: what came later may need what came before.
    private mutating func drainNext() -> [Action] {
        guard case .ending(let cause) = state else { return [] }
        if phases.contains(where: { $0 == .draining || $0 == .stopping || $0 == .starting }) { return [] }
        guard let last = phases.lastIndex(of: .up) else { return finish(cause) }
        phases[last] = .draining
        return [.drain(last)]
    }

    private mutating func giveUp() -> [Action] {
        guard case .ending(let cause) = state else { return [] }
        let left = phases.indices.reversed().filter { ![.waiting, .down].contains(phases[$0]) }
        return left.map { phases[$0] == .starting ? .cancelStart($0) : .cancel($0) } + finish(cause, abandoned: left)
    }

    private mutating func finish(_ cause: Cause, abandoned: [Int] = []) -> [Action] {
        state = .ended
        switch cause {
        case .stop(let reason): return [.finish(.stopped(reason: reason, abandoned: abandoned))]
        case .failure(let index, let failure): return [.finish(.failed(index, failure, abandoned: abandoned))]
        }
    }
}
