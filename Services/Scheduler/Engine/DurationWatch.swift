internal import Core
internal import EventLoop
internal import Postgres

/// Warns of runs that take longer than their job's health allows.
actor DurationWatch {
    private let context: EngineContext
    private let store: HealthStore
    private var timer: LoopTimer?
    private var isBusy = false
    private var isAskedAgain = false
    private var isStopped = false

    nonisolated var unownedExecutor: UnownedSerialExecutor { context.loop.asUnownedSerialExecutor() }

    init(context: EngineContext) {
        self.context = context
        store = HealthStore(pool: context.pool, notifications: NotificationStore(pool: context.pool))
    }

    /// Looks for runs over their time: at start, when there is a new run, and when one may be over its time.
    func look() {
        guard !isStopped else { return }
        isAskedAgain = true
        guard !isBusy else { return }
        isBusy = true
        context.loop.spawn { [self] in await lookAll() }
    }

    func stop() {
        isStopped = true
        timer?.cancel()
    }

    private func lookAll() async {
        while isAskedAgain && !isStopped {
            isAskedAgain = false
            let begin = MonotonicTime.now
            do {
                let next = try await context.persistently("looking for long runs") { [store] in
                    guard let first = try await store.untilNext() else { return nil as Duration? }
                    if first > .zero { return first }
                    try await store.warn()
                    return try await store.untilNext()
                }
                arm(next)
                // Runs begin in crowds; a second is nothing to what is waited for here.
                if isAskedAgain { try await context.loop.sleep(until: begin + .seconds(1)) }
            } catch {
                if isStopped { break }
                Logger("scheduler").error("long runs could not be warned of", ["error": HarbourError.describe(error)])
            }
        }
        isBusy = false
    }

    private func arm(_ delay: Duration?) {
        timer?.cancel()
        timer = nil
        guard let delay, !isStopped else { return }
        timer = context.loop.schedule(after: delay + .milliseconds(20)) { [self] in assumeIsolated { $0.look() } }
    }
}
