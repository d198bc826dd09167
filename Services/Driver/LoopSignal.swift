internal import EventLoop

/// Tasks that wait until something changes. Used on one loop; waiting can be cancelled.
final class LoopSignal: @unchecked Sendable {
    private let loop: EventLoop
    private var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
    private var next: UInt64 = 0

    init(_ loop: EventLoop) { self.loop = loop }

    /// How many wait.
    var count: Int { waiters.count }

    /// Changes with each `notify`. Look at it before the condition.
    private(set) var version: UInt64 = 0

    /// Returns once there has been a `notify` after that version. A call may be put off between the caller's look at its
    /// condition and the first line here; what happened in that time is not missed.
    /// - Throws: `CancellationError` when the task is cancelled.
    func wait(after seen: UInt64) async throws {
        loop.preconditionCurrent()
        let id = next
        next += 1
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                // On the loop, like the cancellation below: whichever comes second finds the other's mark.
                if Task.isCancelled || seen != version { return continuation.resume() }
                waiters[id] = continuation
            }
        } onCancel: {
            loop.submit { [self] in waiters.removeValue(forKey: id)?.resume() }
        }
        try Task.checkCancellation()
    }

    func notify() {
        version &+= 1
        guard !waiters.isEmpty else { return }
        let waiters = waiters
        self.waiters = [:]
        for continuation in waiters.values { continuation.resume() }
    }
}
