internal import Core

/// Decides when the processes of a one-machine platform start, restart and stop.
///
/// Pure: what happened and the time go in, what to do comes out. A process that ends is started again after a pause
/// that doubles with each failure, and is short again once the process has stayed up for a while.
struct SupervisorMachine: Sendable {
    /// One process that is kept running.
    struct Program: Sendable, Equatable {
        var name: String
        /// Names of programs that have to be ready before this one starts.
        var after: [String] = []
    }

    enum Event: Sendable {
        case start
        case stop
        /// The program has said that it serves requests.
        case becameReady(String)
        case exited(String, reason: String)
        /// Time has passed: `nextWake` has been reached, or may have been.
        case wake
    }

    enum Action: Sendable, Equatable {
        case spawn(String)
        /// Ask it to end: finish what is open, then exit.
        case terminate(String)
        /// It did not end in time.
        case kill(String)
        /// Everything has ended after `stop`.
        case allStopped
    }

    enum Phase: Sendable, Equatable {
        /// Not started; goes to starting when what it needs is ready.
        case waiting
        /// Started at this time; goes to ready, or to pausing when it exits.
        case starting(MonotonicTime)
        /// Serving since this time; goes to pausing when it exits.
        case ready(MonotonicTime)
        /// Ended by itself; goes to starting at this time.
        case pausing(MonotonicTime)
        /// Asked to end; killed at this time; goes to stopped.
        case stopping(MonotonicTime)
        /// Ended after `stop`, or never started.
        case stopped
    }

    /// What is known of a program.
    struct Status: Sendable, Equatable {
        var phase = Phase.waiting
        /// Ends by itself since it was last up for long.
        var failures = 0
        /// Ends by itself since the supervisor began.
        var restarts = 0
        var lastExit: String?
    }

    static let firstPause = Duration.milliseconds(100)
    static let longestPause = Duration.seconds(10)
    /// A program that stayed up for so long is taken to be well.
    static let wellAfter = Duration.seconds(30)
    /// How long a program may take to end when asked.
    static let stopBudget = Duration.seconds(20)

    let programs: [Program]
    private(set) var status: [String: Status]
    private(set) var isStopping = false

    init(programs: [Program]) {
        self.programs = programs
        status = Dictionary(uniqueKeysWithValues: programs.map { ($0.name, Status()) })
    }

    mutating func handle(_ event: Event, at now: MonotonicTime) -> [Action] {
        switch event {
        case .start: return startWhatCan(at: now)
        case .becameReady(let name):
            guard case .starting = status[name]?.phase else { return [] }
            status[name]?.phase = .ready(now)
            return startWhatCan(at: now)
        case .exited(let name, let reason): return exited(name, reason, at: now)
        case .stop:
            isStopping = true
            return stopInOrder(at: now)
        case .wake: return wake(at: now)
        }
    }

    /// When `wake` has to come at the latest.
    var nextWake: MonotonicTime? {
        status.values.compactMap { status in
            switch status.phase {
            case .pausing(let time), .stopping(let time): time
            case .waiting, .starting, .ready, .stopped: nil
            }
        }.min()
    }

    /// Whether every program serves requests.
    var isReady: Bool { status.values.allSatisfy { $0.phase.isReady } }

    private mutating func startWhatCan(at now: MonotonicTime) -> [Action] {
        guard !isStopping else { return [] }
        var actions: [Action] = []
        for program in programs where status[program.name]?.phase == .waiting {
            // A program that was ready once need not be ready now: its users cope with its restarts.
            let needed = program.after.allSatisfy { status[$0]?.phase.isReady == true }
            if needed { actions.append(spawn(program.name, at: now)) }
        }
        return actions
    }

    private mutating func spawn(_ name: String, at now: MonotonicTime) -> Action {
        status[name]?.phase = .starting(now)
        return .spawn(name)
    }

    private mutating func exited(_ name: String, _ reason: String, at now: MonotonicTime) -> [Action] {
        guard var program = status[name] else { return [] }
        program.lastExit = reason
        defer { status[name] = program }
        switch program.phase {
        case .starting, .ready:
            if case .ready(let since) = program.phase, now - since >= Self.wellAfter { program.failures = 0 }
            program.failures += 1
            program.restarts += 1
            if isStopping {
                program.phase = .stopped
            } else {
                let doublings = min(program.failures - 1, 10)
                program.phase = .pausing(now + min(Self.longestPause, Self.firstPause * (1 << doublings)))
                return []
            }
        case .stopping: program.phase = .stopped
        case .waiting, .pausing, .stopped: return []
        }
        status[name] = program
        return stopInOrder(at: now)
    }

    private mutating func wake(at now: MonotonicTime) -> [Action] {
        var actions: [Action] = []
        for program in programs {
            switch status[program.name]?.phase {
            case .pausing(let time) where time <= now: actions.append(spawn(program.name, at: now))
            case .stopping(let time) where time <= now:
                status[program.name]?.phase = .stopping(now + Self.stopBudget)
                actions.append(.kill(program.name))
            default: break
            }
        }
        return actions
    }

    /// Stops what nothing else needs any more: the reverse of the order of starting.
    private mutating func stopInOrder(at now: MonotonicTime) -> [Action] {
        var actions: [Action] = []
        for program in programs.reversed() {
            let users = programs.filter { $0.after.contains(program.name) }
            guard users.allSatisfy({ status[$0.name]?.phase == .stopped }) else { continue }
            switch status[program.name]?.phase {
            case .waiting, .pausing: status[program.name]?.phase = .stopped
            case .starting, .ready:
                status[program.name]?.phase = .stopping(now + Self.stopBudget)
                actions.append(.terminate(program.name))
            case .stopping, .stopped, nil: break
            }
        }
        if status.values.allSatisfy({ $0.phase == .stopped }) { actions.append(.allStopped) }
        return actions
    }
}

extension SupervisorMachine.Phase {
    /// Whether the program serves requests.
    var isReady: Bool {
        if case .ready = self { true } else { false }
    }

    /// The word that `harbour status` shows.
    var name: String {
        switch self {
        case .waiting: "waiting"
        case .starting: "starting"
        case .ready: "ready"
        case .pausing: "restarting"
        case .stopping: "stopping"
        case .stopped: "stopped"
        }
    }
}
