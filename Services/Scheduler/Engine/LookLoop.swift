internal import Core
internal import EventLoop

/// Looks for something to do: when it is told to, one look at a time, and when the last look says that the next is due.
/// What is told during a look is looked at after it. With nothing to do it does not wake at all.
actor LookLoop {
    private let loop: EventLoop
    /// What the log says of a look that failed.
    private let complaint: String
    /// How long after the time it was told the next look begins: clocks of databases and machines differ a little.
    private let slack: Duration
    /// How far apart looks are that are told of one after the other, because what they look for comes in crowds.
    private let spacing: Duration
    /// How long after a failure the next look is, unless something wakes it before.
    private let pause: Duration
    private let work: @Sendable () async throws -> Duration?
    private var timer: LoopTimer?
    private var isBusy = false
    private var isAskedAgain = false
    private(set) var isStopped = false

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    /// - Parameter work: one look; says how long until the next is due, nil when only being told can bring something.
    init(
        _ loop: EventLoop, complaint: String, slack: Duration = .milliseconds(5), spacing: Duration = .zero,
        pause: Duration = .seconds(60), work: @escaping @Sendable () async throws -> Duration?
    ) {
        self.loop = loop
        self.complaint = complaint
        self.slack = slack
        self.spacing = spacing
        self.pause = pause
        self.work = work
    }

    /// Looks, now or as soon as the look under way is over.
    func look() {
        guard !isStopped else { return }
        isAskedAgain = true
        guard !isBusy else { return }
        isBusy = true
        loop.spawn { [self] in await lookAll() }
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
                arm(try await work())
                if isAskedAgain, spacing > .zero { try await loop.sleep(until: begin + spacing) }
            } catch {
                if isStopped { break }
                Logger("scheduler").error(complaint, ["error": HarbourError.describe(error)])
                arm(pause)
            }
        }
        isBusy = false
    }

    private func arm(_ delay: Duration?) {
        timer?.cancel()
        timer = nil
        guard let delay, !isStopped else { return }
        timer = loop.schedule(after: delay + slack) { [self] in assumeIsolated { $0.look() } }
    }
}
