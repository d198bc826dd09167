internal import Core
internal import Synchronization

/// How much work the outputs of one cluster may make when it ends, for its place is not given back before.
struct KeepingLimits: Sendable {
    /// For all of it, without the time in which the database is away. The driver may take half of it where there is a
    /// folder to be read afterwards.
    var time = Duration.seconds(120)
    /// Commands of which anything is kept; those at work, then the newest.
    var commands = 10_000
    /// Bytes of their events before they are compressed.
    var bytes = 2 << 30
}

/// What is left of the limits while the outputs of a cluster are being kept.
final class KeepingBudget: Sendable {
    private struct State {
        var deadline: MonotonicTime
        var bytes: Int
        /// What is set aside for the folder.
        var aside: Duration
        /// Those that wait for the database, and since when there is one.
        var waiting = 0
        var waitingSince = MonotonicTime.now
    }

    /// How much of the bytes those may take that have ended, so that something is left for those that are still at work.
    private let reserve: Int
    private let state: Mutex<State>

    /// - Parameters:
    ///   - now: when the work begins.
    ///   - hasFolder: whether half of the time is set aside for a folder, lest a driver that hangs use up all.
    init(_ limits: KeepingLimits, now: MonotonicTime, hasFolder: Bool = false) {
        reserve = limits.bytes / 4
        let aside = hasFolder ? limits.time / 2 : .zero
        state = Mutex(State(deadline: now + (limits.time - aside), bytes: limits.bytes, aside: aside))
    }

    /// The driver has been asked: the time that was set aside may be used.
    func beginFolder() {
        state.withLock { state in
            state.deadline = state.deadline + state.aside
            state.aside = .zero
        }
    }

    /// Until when nothing is over that does not wait for the database.
    var deadline: MonotonicTime { state.withLock { $0.deadline } }

    /// Whether another command can be begun with.
    func hasRoom(forEnded isEnded: Bool, now: MonotonicTime) -> Bool {
        state.withLock { $0.bytes > (isEnded ? reserve : 0) && (now < $0.deadline || $0.waiting > 0) }
    }

    /// Takes from what is left.
    /// - Throws: `RESOURCE_EXHAUSTED`, `DEADLINE_EXCEEDED` when it is used up; what was kept until then stays.
    func take(_ bytes: Int, forEnded isEnded: Bool, now: MonotonicTime) throws(HarbourError) {
        try state.withLock { state throws(HarbourError) in
            guard now < state.deadline || state.waiting > 0 else {
                throw HarbourError(.deadlineExceeded, "The outputs of a cluster took too long to be kept.")
            }
            guard state.bytes - bytes >= (isEnded ? reserve : 0) else {
                throw HarbourError(.resourceExhausted, "The outputs of a cluster are too much to be kept.")
            }
            state.bytes -= bytes
        }
    }

    /// The database is away for somebody. Each time is to be followed by one of `waited`.
    func waits(now: MonotonicTime) {
        state.withLock { state in
            if state.waiting == 0 { state.waitingSince = now }
            state.waiting += 1
        }
    }

    /// It is there again; the time is given back, once for all that waited together.
    func waited(now: MonotonicTime) {
        state.withLock { state in
            state.waiting -= 1
            if state.waiting == 0 { state.deadline = state.deadline + (now - state.waitingSince) }
        }
    }
}
