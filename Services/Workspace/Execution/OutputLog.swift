internal import Core
internal import EventLoop
internal import HarbourProtocol

/// Writes the events of one command down in batches: while one batch is being written, the next one gathers.
actor OutputLog {
    private let loop: EventLoop
    private let write: @Sendable ([CommandEvent]) async throws -> Void
    private var batch = OutputBatch()
    private var isWriting = false
    private var failure: HarbourError?
    private var roomWaiters: [CheckedContinuation<Void, Never>] = []
    private var flushWaiters: [CheckedContinuation<Void, Never>] = []

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    /// - Parameter write: writes events; it tries again by itself as long as that can help.
    init(loop: EventLoop, write: @escaping @Sendable ([CommandEvent]) async throws -> Void) {
        self.loop = loop
        self.write = write
    }

    /// Takes an event; waits while the database is slower than the command.
    /// - Throws: what made writing impossible, such as `LEASE_LOST`.
    func append(_ event: CommandEvent) async throws {
        if batch.isFull && isWriting { await withCheckedContinuation { roomWaiters.append($0) } }
        if let failure { throw failure }
        batch.add(event)
        guard !isWriting else { return }
        isWriting = true
        loop.spawn { [self] in await writeAll() }
    }

    /// Waits until everything has been written.
    func flush() async throws {
        if isWriting { await withCheckedContinuation { flushWaiters.append($0) } }
        if let failure { throw failure }
    }

    private func writeAll() async {
        while !batch.isEmpty, failure == nil {
            let events = batch.take()
            resume(&roomWaiters)
            do { try await write(events) } catch { failure = HarbourError.wrap(error) }
        }
        isWriting = false
        resume(&roomWaiters)
        resume(&flushWaiters)
    }

    private func resume(_ waiters: inout [CheckedContinuation<Void, Never>]) {
        let all = waiters
        waiters = []
        for waiter in all { waiter.resume() }
    }
}
