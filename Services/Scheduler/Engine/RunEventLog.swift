internal import Core
internal import EventLoop
internal import HarbourProtocol

/// Collects what attempts of one run produce and writes it in batches: while one batch is being written, the next one
/// gathers, so that a flood costs few transactions and a single line is written at once.
actor RunEventLog {
    private let context: EngineContext
    private let progress: RunProgress
    private var pending: [(event: RunEvent, command: RunProgress.CommandPosition?)] = []
    private var isWriting = false
    private var waiters: [CheckedContinuation<Void, any Error>] = []
    private var failure: HarbourError?

    nonisolated var unownedExecutor: UnownedSerialExecutor { context.loop.asUnownedSerialExecutor() }

    init(context: EngineContext, progress: RunProgress) {
        self.context = context
        self.progress = progress
    }

    /// Takes an event; it is written soon.
    func append(_ event: RunEvent, command: RunProgress.CommandPosition?) {
        pending.append((event, command))
        if !isWriting { write() }
    }

    /// Waits until everything taken so far has been written.
    /// - Throws: what made writing impossible, such as `LEASE_LOST`.
    func flush() async throws {
        if let failure { throw failure }
        if pending.isEmpty && !isWriting { return }
        try await withCheckedThrowingContinuation { waiters.append($0) }
    }

    private func write() {
        isWriting = true
        context.loop.spawn { [self] in await writeAll() }
    }

    private func writeAll() async {
        while !pending.isEmpty {
            let batch = pending
            let covered = waiters
            pending = []
            waiters = []
            do {
                try await context.persistently("writing the events of a run") { [progress] in
                    try await progress.append(batch)
                }
                for waiter in covered { waiter.resume() }
            } catch {
                fail(HarbourError.wrap(error), covered)
                return
            }
        }
        isWriting = false
        // Who came while the last batch was being written and added nothing waits for that batch alone.
        let covered = waiters
        waiters = []
        for waiter in covered { waiter.resume() }
    }

    private func fail(_ error: HarbourError, _ covered: [CheckedContinuation<Void, any Error>]) {
        failure = error
        pending = []
        isWriting = false
        let all = covered + waiters
        waiters = []
        for waiter in all { waiter.resume(throwing: error) }
    }
}
