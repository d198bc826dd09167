internal import ClusterBackend
internal import Core
internal import HarbourProtocol

/// What happens to a cluster.
enum ClusterInput: Sendable {
    // From users.
    case start
    /// Start on a driver that runs already, under the name it was started with.
    case adopt(ReadyDriver)
    case restart
    /// The specification is another one from now on.
    case edit
    case resize(workers: Int, ResizeCause)
    case pin(Bool)
    case terminate(TerminationReason)
    case delete
    // From the backend.
    case phase(String)
    /// How far the phase is; nil when that is not known.
    case progress(done: Int64, total: Int64?, unit: String)
    case handle(ClusterHandle)
    case provisioned(ProvisionedCluster)
    case provisionFailed(HarbourError)
    case lost(ClusterEnd, log: String?)
    case removed
    case removeFailed(HarbourError)
    case resized(ProvisionedCluster)
    case resizeFailed(HarbourError)
    /// How many workers the place sees, and what is wrong with it if anything is.
    case seen(workers: Int, problem: String?)
    case recovered(RecoveredCluster)
    // From the driver.
    case driver(DriverStatus)
    case unreachable
    /// It does not accept the token that was made for it.
    case refused
    // From the clock.
    case startTimedOut(Duration)
}

/// What is to be done about it, after the record has been stored.
enum ClusterAction: Sendable, Hashable {
    /// Ask the backend for it; what was going on before is over.
    case provision
    /// Connect to the driver and follow it and its process.
    case follow
    /// Ask the backend for that many workers.
    case resize(workers: Int)
    /// Let go of the driver, stop a start that is going on, and ask the backend to end everything, after that long.
    case remove(after: Duration)
    /// All commands that have not ended will not end any more.
    case failCommands(code: String, message: String)
    /// Forget the cluster altogether.
    case forget
}

/// Decides the life of one cluster: no I/O, no clock.
///
/// Its rules: the record is stored before its actions are done, so that a service that died at any moment repeats the
/// actions of the stored step; every action can be repeated. Every path out of life goes through `remove`.
struct ClusterMachine: Sendable, Hashable {
    /// What it knows.
    var record: ClusterRecord

    /// A machine that goes on from a stored record.
    init(_ record: ClusterRecord) { self.record = record }

    /// A cluster that has just been asked for, with what to write and do first.
    static func created(at now: Timestamp) -> (machine: ClusterMachine, outcome: Outcome) {
        var machine = ClusterMachine(ClusterRecord(startTime: now))
        var outcome = machine.begin(now)
        outcome.notes.insert(ClusterNote("CREATING", "The cluster was asked for."), at: 0)
        return (machine, outcome)
    }

    /// What came of an input.
    struct Outcome: Sendable, Hashable {
        var actions: [ClusterAction] = []
        var notes: [ClusterNote] = []
        /// Whether the record is another one than before.
        var changed = false
    }

    /// How often the end is tried before the cluster is left for a person to look at.
    static let endAttempts = 12

    /// Takes an input.
    /// - Throws: `INVALID_STATE` for a user's wish that the state does not allow; nothing has changed then.
    mutating func handle(_ input: ClusterInput, at now: Timestamp) throws(HarbourError) -> Outcome {
        let before = record
        var outcome: Outcome
        switch input {
        case .start: outcome = start(now)
        case .adopt(let driver): outcome = try adopt(driver, now)
        case .restart: outcome = try restart(now)
        case .edit: outcome = try edit(now)
        case .resize(let workers, let cause): outcome = try resize(to: workers, cause)
        case .pin(let pinned): outcome = pin(pinned)
        case .terminate(let reason): outcome = terminate(reason, now)
        case .delete: outcome = try delete(now)
        case .phase, .progress, .handle, .provisioned, .provisionFailed: outcome = backend(input, now)
        case .lost(let end, let log): outcome = lost(end, log, now)
        case .removed: outcome = removed(now)
        case .removeFailed(let error): outcome = removeFailed(error)
        case .resized(let cluster): outcome = resized(cluster)
        case .resizeFailed(let error): outcome = resizeFailed(error)
        case .seen(let workers, let problem): outcome = seen(workers, problem)
        case .recovered(let found): outcome = recovered(found, now)
        case .driver(let status): outcome = driver(status, now)
        case .unreachable: outcome = unreachable(now)
        case .refused: outcome = refused(now)
        case .startTimedOut(let limit):
            outcome = isStarting ? end(.startTimeout(limit), now, event: "START_FAILED") : Outcome()
        }
        outcome.changed = record != before
        return outcome
    }

    var isStarting: Bool { record.step == .starting || record.step == .connecting }

    // MARK: Users

    private mutating func start(_ now: Timestamp) -> Outcome {
        switch record.step {
        case .starting, .connecting, .running: return Outcome()
        case .ended: return begin(now, next: true)
        case .ending:
            if record.goal == .stay { record.goal = .restart }
            return Outcome()
        case .stuck:
            record.goal = .restart
            return removeAgain()
        }
    }

    private mutating func terminate(_ reason: TerminationReason, _ now: Timestamp) -> Outcome {
        switch record.step {
        case .starting, .connecting, .running: return end(reason, now, event: "TERMINATING")
        case .ended: return Outcome()
        case .ending:
            if record.goal == .restart { record.goal = .stay }
            return Outcome()
        case .stuck: return removeAgain()
        }
    }

    private mutating func delete(_ now: Timestamp) throws(HarbourError) -> Outcome {
        if record.isPinned {
            throw HarbourError(.invalidState, "The cluster is pinned. Unpin it first, or terminate it.")
        }
        switch record.step {
        case .ended: return Outcome(actions: [.forget])
        case .ending:
            record.goal = .delete
            return Outcome()
        case .stuck:
            record.goal = .delete
            return removeAgain()
        case .starting, .connecting, .running:
            var outcome = end(.userRequest, now, event: "TERMINATING")
            record.goal = .delete
            outcome.changed = true
            return outcome
        }
    }

    /// Goes to `starting`; `next` counts a new start.
    mutating func begin(_ now: Timestamp, next: Bool = false, isRestart: Bool = false) -> Outcome {
        renew(now, next: next)
        record.isRestart = isRestart
        record.message = "The cluster is being started."
        let note = ClusterNote("STARTING", record.message, ["start": "\(record.generation)"])
        return Outcome(actions: [.provision], notes: [note], changed: true)
    }

    /// A record as of a new start, which keeps what belongs to the cluster rather than to a start.
    mutating func renew(_ now: Timestamp, next: Bool) {
        var fresh = ClusterRecord(startTime: now)
        fresh.generation = record.generation + (next ? 1 : 0)
        fresh.isPinned = record.isPinned
        record = fresh
    }
}
