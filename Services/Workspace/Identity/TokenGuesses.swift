internal import Core
internal import Synchronization

/// Keeps tokens from being guessed at speed: wrong ones are counted, for each network that they come from.
///
/// A token that was wrong a moment ago tells nobody anything new and is not counted again, so that a program that goes on
/// asking with a token that was revoked shuts out nobody beside it. Nor is one that was right once: whoever was let in goes
/// on, whatever others do in their network.
final class TokenGuesses: Sendable {
    private struct State {
        var buckets = TokenBuckets<String>(capacity: TokenGuesses.atOnce, interval: TokenGuesses.interval)
        var counted: Set<[UInt8]> = []
        var right: Set<[UInt8]> = []
    }

    /// How many different ones may be tried at once, and how long it takes until there may be one more.
    static let atOnce = 100
    static let interval = Duration.seconds(2)
    /// How many are remembered as counted, and as right.
    private static let memory = 10_000
    private let state = Mutex(State())

    /// Counts a token before it is known whether it is one, so that many at once are counted too.
    /// - Returns: how long to wait; nil when it may be looked at.
    func begin(_ hash: [UInt8], from network: String, at now: MonotonicTime) -> Duration? {
        state.withLock { state in
            if state.counted.contains(hash) || state.right.contains(hash) { return nil }
            if let wait = state.buckets.takeIfThere(network, at: now) { return wait }
            if state.counted.count >= TokenGuesses.memory { state.counted.removeAll() }
            state.counted.insert(hash)
            return nil
        }
    }

    /// Takes back what was counted: it is a token.
    func wasRight(_ hash: [UInt8], from network: String) {
        state.withLock { state in
            guard state.counted.remove(hash) != nil else { return }
            state.buckets.giveBack(network)
            if state.right.count >= TokenGuesses.memory { state.right.removeAll() }
            state.right.insert(hash)
        }
    }
}
