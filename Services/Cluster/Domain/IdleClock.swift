internal import Core

/// Decides when a cluster that nobody uses is ended: no I/O, no clock.
///
/// Busy is a cluster with a command that runs or waits, or one that was made for something that goes on. A context that
/// is merely open keeps nothing alive, but making one, like starting a command, begins the time anew. What runs without
/// a command, such as a stream, only the driver knows: it is asked when the time is up.
struct IdleClock: Sendable, Hashable {
    /// How long it may be unused; nil for ever.
    var limit: Duration?
    /// When it was last used; the time at which it became ready at the earliest.
    private(set) var lastActivity: Timestamp
    /// Commands we have taken and that have not ended.
    private var open = 0
    /// Commands the driver says it has.
    private var reported = 0
    /// What it was made for, such as a run, which ends it itself.
    private let owner: String?
    /// What the driver was busy with when the time was up, in words.
    private var found: [String] = []
    /// How often in a row the driver did not say whether it was busy when the time was up.
    private var silences = 0

    /// A clock of a cluster that has just become ready.
    init(limit: Duration?, readyAt time: Timestamp, owner: String? = nil) {
        self.limit = limit
        self.owner = owner
        lastActivity = time
    }

    /// Whether a command runs or waits.
    var hasCommands: Bool { open > 0 || reported > 0 }

    /// Whether it is used.
    var isBusy: Bool { hasCommands || owner != nil }

    /// What it is used for, in words.
    var busyWith: [String] {
        var things: [String] = []
        let commands = max(open, reported)
        if commands > 0 { things.append(commands == 1 ? "1 command" : "\(commands) commands") }
        if let owner { things.append(owner) }
        return things + found
    }

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

    /// The time was up, and the driver said that it works: the time begins anew.
    mutating func foundBusy(_ what: [String], at now: Timestamp) {
        found = what
        silences = 0
        touch(at: now)
    }

    /// The time was up, and the driver said that it does nothing.
    mutating func foundIdle() {
        found = []
        silences = 0
    }

    /// The time was up, and the driver did not answer. It gets the benefit of the doubt twice.
    mutating func foundSilent(at now: Timestamp) {
        silences += 1
        if silences < 3 { touch(at: now) }
    }
}
