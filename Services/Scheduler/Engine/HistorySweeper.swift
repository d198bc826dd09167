internal import Core
internal import EventLoop

/// Deletes runs that ended long ago: at start, and every hour.
actor HistorySweeper {
    private let context: EngineContext
    private let history: RunHistory
    private var timer: LoopTimer?
    private var isStopped = false

    nonisolated var unownedExecutor: UnownedSerialExecutor { context.loop.asUnownedSerialExecutor() }

    /// How often it looks.
    static let interval = Duration.seconds(3600)
    /// Between two batches, so that the database has time for others.
    static let pause = Duration.milliseconds(50)

    init(context: EngineContext, days: Int) {
        self.context = context
        history = RunHistory(pool: context.pool, days: days)
    }

    func start() {
        guard !isStopped else { return }
        context.loop.spawn { [self] in await sweep() }
    }

    func stop() {
        isStopped = true
        timer?.cancel()
    }

    private func sweep() async {
        do {
            var count = 0
            while !isStopped {
                let gone = try await history.deleteSome()
                count += gone
                if gone < RunHistory.batch { break }
                try await context.loop.sleep(for: Self.pause)
            }
            if !isStopped {
                try await history.deleteEmptyBackfills()
                try await history.forgetJobs()
                try await history.forgetSchedulers()
            }
            if count > 0 { Logger("scheduler").info("old runs were deleted", ["runs": count]) }
        } catch {
            // It is looked at again in an hour.
            if !isStopped {
                Logger("scheduler").warning(
                    "old runs could not be deleted", ["error": HarbourError.describe(error)])
            }
        }
        guard !isStopped else { return }
        timer = context.loop.schedule(after: Self.interval) { [self] in assumeIsolated { $0.start() } }
    }
}
