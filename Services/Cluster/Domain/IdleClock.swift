internal import Core

/// Decides when a cluster that nobody uses is ended: no I/O, no clock.
///
/// Busy is a cluster with a command that runs or waits. A context that is merely open keeps nothing alive, but making
/// one, like starting a command, begins the time anew.
struct IdleClock: Sendable, Hashable {
    /// How long it may be unused; nil for ever.
    var limit: Duration?
    /// When it was last used; the time at which it became ready at the earliest.
    private(set) var lastActivity: Timestamp
    /// Commands we have taken and that have not ended.
    private var open = 0
    /// Commands the driver says it has.
    private var reported = 0

    /// A clock of a cluster that has just become ready.
    init(limit: Duration?, readyAt time: Timestamp) {
        self.limit = limit
        lastActivity = time
    }

    /// Whether something runs or waits.
    var isBusy: Bool { open > 0 || reported > 0 }

    /// When it ends unless it is used; nil while it is busy or may stay for ever.
    var deadline: Timestamp? {
        guard let limit, !isBusy else { return nil }
        return lastActivity + limit
    }

    /// Whether it is to be ended now.
    func isDue(at now: Timestamp) -> Bool {
        guard let deadline else { return false }
        return deadline <= now
    }

    /// A command was taken.
    mutating func commandBegan(at now: Timestamp) {
        open += 1
        touch(at: now)
    }

    /// A command has ended.
    mutating func commandEnded(at now: Timestamp) {
        open = max(0, open - 1)
        touch(at: now)
    }

    /// The driver told how many commands it has, and when the last one ended.
    mutating func driverReported(busy: Int, lastActivity time: Timestamp?, at now: Timestamp) {
        if reported > 0 && busy == 0 { touch(at: now) }
        reported = max(0, busy)
        // A clock that is ahead of ours must not keep the cluster for longer.
        if let time { touch(at: min(time, now)) }
    }

    /// It was used.
    mutating func touch(at now: Timestamp) { lastActivity = max(lastActivity, now) }
}
