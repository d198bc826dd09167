public import Core
internal import Synchronization

/// A clock that moves only when it is told to, or, when automatic, as soon as somebody sleeps: a simulated hour takes no
/// time at all.
public final class VirtualTime: TimeSource, Sendable {
    private struct Sleeper {
        var wake: Timestamp
        var continuation: CheckedContinuation<Void, any Error>
    }
    private struct State {
        var now: Timestamp
        var nextID = 0
        var sleepers: [Int: Sleeper] = [:]
        /// Cancelled between asking for a number and going to sleep.
        var cancelled: Set<Int> = []
    }

    private let automatic: Bool
    private let state: Mutex<State>

    /// Makes a clock. An automatic one jumps to the end of each sleep; another one waits for `advance`.
    public init(start: Timestamp = Timestamp(milliseconds: 1_000_000_000_000), automatic: Bool = true) {
        self.automatic = automatic
        state = Mutex(State(now: start))
    }

    /// The simulated present.
    public var now: Timestamp { state.withLock { $0.now } }

    /// How many tasks are asleep: what a test waits for before it advances the clock.
    public var sleeping: Int { state.withLock { $0.sleepers.count } }

    /// Moves the clock and wakes whoever is due, in the order of their times.
    public func advance(by duration: Duration) {
        let due = state.withLock { state in
            state.now = state.now + duration
            let due = state.sleepers.filter { $0.value.wake <= state.now }
            for key in due.keys { state.sleepers[key] = nil }
            return due.values.sorted { $0.wake < $1.wake }
        }
        for sleeper in due { sleeper.continuation.resume() }
    }

    /// Sleeps in simulated time.
    /// - Throws: `CancellationError` as soon as the task is cancelled.
    public func sleep(for duration: Duration) async throws {
        try Task.checkCancellation()
        if automatic {
            state.withLock { $0.now = $0.now + duration }
            await Task.yield()
            return try Task.checkCancellation()
        }
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let parked = state.withLock { state in
                    if state.cancelled.remove(id) != nil { return false }
                    state.sleepers[id] = Sleeper(wake: state.now + duration, continuation: continuation)
                    return true
                }
                if !parked { continuation.resume(throwing: CancellationError()) }
            }
        } onCancel: {
            let sleeper = state.withLock { state in
                let sleeper = state.sleepers.removeValue(forKey: id)
                if sleeper == nil { state.cancelled.insert(id) }
                return sleeper
            }
            sleeper?.continuation.resume(throwing: CancellationError())
        }
    }
}
