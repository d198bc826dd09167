public import Core

/// Decides when to ping a silent peer and when to give it up. No clock and no timer: the owner asks and waits.
public struct WebSocketKeepalive: Sendable, Hashable {
    /// What to do now.
    public enum Action: Sendable, Hashable {
        /// Nothing before then; ask again at that time.
        case wait(until: MonotonicTime)
        /// Send a ping, and ask again at that time.
        case ping(nextCheck: MonotonicTime)
        /// The peer is gone: drop the connection.
        case lost
    }

    private let interval: Duration
    private let timeout: Duration
    private var lastHeard: MonotonicTime
    private var pingedAt: MonotonicTime?

    /// Begins with a peer that has just been heard.
    /// - Parameters:
    ///   - interval: the silence after which it is pinged.
    ///   - timeout: how long after the ping something must come, whatever it is.
    ///   - now: the present.
    public init(interval: Duration = .seconds(30), timeout: Duration = .seconds(20), now: MonotonicTime) {
        self.interval = interval
        self.timeout = timeout
        lastHeard = now
    }

    /// Any byte has come from the peer.
    public mutating func heard(at now: MonotonicTime) {
        lastHeard = now
        pingedAt = nil
    }

    /// Asks what to do at this time.
    public mutating func check(at now: MonotonicTime) -> Action {
        if let pingedAt {
            let deadline = pingedAt + timeout
            return now >= deadline ? .lost : .wait(until: deadline)
        }
        let due = lastHeard + interval
        guard now >= due else { return .wait(until: due) }
        pingedAt = now
        return .ping(nextCheck: now + timeout)
    }
}
