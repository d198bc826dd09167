internal import EventLoop

/// Tasks that wait until something changes. Used on one loop; waiting can be cancelled.
final class LoopSignal: @unchecked Sendable {
    private let loop: EventLoop
    private var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
    private var next: UInt64 = 0

    init(_ loop: EventLoop) { self.loop = loop }

    /// How many wait.
    var count: Int { waiters.count }

    /// Returns at the next `notify`. The caller checks its condition before, in the same turn, and again afterwards.
    /// - Throws: `CancellationError` when the task is cancelled.
    func wait() async throws {
        loop.preconditionCurrent()
        let id = next
        next += 1
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                // On the loop, like the cancellation below: whichever comes second finds the other's mark.
                if Task.isCancelled { return continuation.resume() }
                waiters[id] = continuation
            }
        } onCancel: {
            loop.submit { [self] in waiters.removeValue(forKey: id)?.resume() }
        }
        try Task.checkCancellation()
    }

    func notify() {
        guard !waiters.isEmpty else { return }
        let waiters = waiters
        self.waiters = [:]
        for continuation in waiters.values { continuation.resume() }
    }
}
