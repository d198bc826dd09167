internal import Core

/// What is named in the audit log of what can be asked for by any name: of each user a number of names a minute, and of
/// the rest that there were more, so that whoever makes names up cannot fill the log.
///
/// A value without a clock: the time is given.
struct AuditNames: Sendable {
    /// What stands for the names beyond the limit.
    static let moreSecrets = "more secrets"
    static let moreEntries = "more entries"

    /// How many names of one user are told a minute, and of how many users names are remembered.
    let limit: Int
    let users: Int
    private var minute: Int64 = .min
    private var known: [String: Set<String>] = [:]

    init(limit: Int = 500, users: Int = 10_000) {
        (self.limit, self.users) = (limit, users)
    }

    /// Which minute a time is in: what happens in one is counted together.
    static func minute(of time: Timestamp) -> Int64 { time.milliseconds / 60_000 }

    /// How often each name is told of that a user has asked for at once.
    /// - Parameter rest: what stands for the names beyond the limit.
    mutating func told(_ names: [String], of user: String, rest: String, at time: Timestamp) -> [String: Int64] {
        let minute = AuditNames.minute(of: time)
        // A clock that is a little behind does not begin the minute again.
        if minute > self.minute { (self.minute, known) = (minute, [:]) }
        var told: [String: Int64] = [:]
        var seen = known[user] ?? []
        for name in names {
            if seen.count < limit { seen.insert(name) }
            told[seen.contains(name) ? name : rest, default: 0] += 1
        }
        if known[user] != nil || known.count < users { known[user] = seen }
        return told
    }
}
