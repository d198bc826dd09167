public import Core
internal import Synchronization

extension EventLoop {
    /// Suspends the task until the duration has passed, on the loop's own timers.
    /// - Throws: `CancellationError` as soon as the task is cancelled.
    public func sleep(for delay: Duration) async throws {
        try await sleep(until: .now + delay)
    }

    /// Suspends the task until that point of the monotonic clock.
    /// - Throws: `CancellationError` as soon as the task is cancelled.
    public func sleep(until time: MonotonicTime) async throws {
        let sleeper = Sleeper()
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                guard sleeper.park(continuation) else { return }
                onLoop { [self] in
                    let timer = schedule(at: time) { sleeper.wake() }
                    sleeper.timer = timer
                }
            }
        } onCancel: {
            sleeper.cancel()
            submit { sleeper.timer?.cancel() }
        }
    }

    /// Runs at once when on the loop, else as soon as the loop comes to it.
    public func onLoop(_ work: @escaping @Sendable () -> Void) {
        if isCurrent { work() } else { submit(work) }
    }

    /// Runs the loop on a thread of its own until `stop()`; returns when the thread has started.
    public func start() -> EventLoopThread { EventLoopThread(self) }
}

/// Resumes its continuation exactly once, whether the timer or the cancellation comes first.
private final class Sleeper: @unchecked Sendable {
    private enum State {
        case idle
        case waiting(CheckedContinuation<Void, any Error>)
        case done
    }
    private let state = Mutex(State.idle)
    /// Touched on the loop only.
    var timer: LoopTimer?

    /// False when the task was cancelled before it went to sleep; the continuation has then been resumed.
    func park(_ continuation: CheckedContinuation<Void, any Error>) -> Bool {
        let parked = state.withLock { state in
            guard case .idle = state else { return false }
            state = .waiting(continuation)
            return true
        }
        if !parked { continuation.resume(throwing: CancellationError()) }
        return parked
    }

    func wake() { take()?.resume() }

    func cancel() { take()?.resume(throwing: CancellationError()) }

    private func take() -> CheckedContinuation<Void, any Error>? {
        state.withLock { state in
            defer { state = .done }
            guard case .waiting(let continuation) = state else { return nil }
            return continuation
        }
    }
}
