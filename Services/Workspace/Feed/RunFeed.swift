internal import Core
internal import EventLoop
internal import HarbourProtocol
internal import ServiceClients

/// Where all runs stand and how the machine is, for everybody who listens: the scheduler and monitoring are asked once
/// for all of them, and only while there are any.
///
/// `@unchecked Sendable`: touched on the loop only.
final class RunFeed: @unchecked Sendable {
    private let loop: EventLoop
    private let scheduler: ServiceClient
    private let monitoring: ServiceClient
    private let logger = Logger("workspace.feed")
    private var listeners: [ObjectIdentifier: FeedListener] = [:]
    private var tasks: [Task<Void, Never>] = []
    private var metrics: MonitoringOverview?
    /// The runs that were told of and go on, as far as is known: what became of them while the scheduler was away is asked
    /// for.
    private var open: Set<Int64> = []

    /// How many may listen at a time.
    private static let maxListeners = 2000
    private static let metricsInterval = Duration.seconds(5)

    init(loop: EventLoop, scheduler: ServiceClient, monitoring: ServiceClient) {
        self.loop = loop
        self.scheduler = scheduler
        self.monitoring = monitoring
    }

    /// Takes a listener in; it hears of everything from now on.
    /// - Throws: `RESOURCE_EXHAUSTED`.
    func join() throws(HarbourError) -> FeedListener {
        guard listeners.count < RunFeed.maxListeners else {
            throw HarbourError(.resourceExhausted, "Too many listen already. Try again later.")
        }
        let listener = FeedListener(loop: loop)
        listeners[ObjectIdentifier(listener)] = listener
        if let metrics { listener.take(metrics) }
        if tasks.isEmpty { start() }
        return listener
    }

    func leave(_ listener: FeedListener) {
        listeners[ObjectIdentifier(listener)] = nil
        if listeners.isEmpty { stop() }
    }

    func stop() {
        for task in tasks { task.cancel() }
        tasks = []
        metrics = nil
        open = []
    }

    /// The runs that have not ended, for who has just come.
    func activeRuns() async throws(HarbourError) -> [Run] {
        var runs: [Run] = []
        var token: String?
        repeat {
            let page = try await scheduler.call(
                SchedulerAPI.listRuns, .init(pageSize: 100, pageToken: token, activeOnly: true))
            runs += page.runs
            token = page.nextPageToken
        } while token != nil && runs.count < FeedListener.maxRuns
        for run in runs { note(run.runID, isOver: false) }
        return runs
    }

    private func start() {
        tasks = [
            loop.spawn { [self] in await followRuns() },
            loop.spawn { [self] in await measure() },
        ]
    }

    private func followRuns() async {
        var pause = Duration.milliseconds(100)
        var isFirst = true
        while !Task.isCancelled {
            do {
                let changes = try await scheduler.stream(SchedulerAPI.streamRunChanges, .init())
                if !isFirst { try await tellWhatWasMissed() }
                isFirst = false
                for try await change in changes {
                    pause = .milliseconds(100)
                    tell(change)
                }
            } catch {
                logger.debug("runs are not told of", ["error": HarbourError.describe(error)])
            }
            guard (try? await loop.sleep(for: pause)) != nil else { return }
            pause = min(pause * 2, .seconds(5))
        }
    }

    private func tell(_ change: RunChange) {
        note(change.runID, isOver: change.endTime != nil)
        for listener in listeners.values { listener.take(change) }
    }

    private func note(_ runID: Int64, isOver: Bool) {
        if isOver {
            open.remove(runID)
        } else if open.count < FeedListener.maxRuns {
            open.insert(runID)
        }
    }

    /// Where the runs stand that began, went on or ended while nothing was told.
    private func tellWhatWasMissed() async throws(HarbourError) {
        let before = open
        let active = try await activeRuns()
        for run in active { tell(RunChange(run)) }
        for runID in before.subtracting(active.map(\.runID)).sorted() {
            do throws(HarbourError) {
                tell(RunChange(try await scheduler.call(SchedulerAPI.getRun, .init(runID: runID))))
            } catch {
                guard error.code == .notFound else { throw error }
                open.remove(runID)
            }
        }
    }

    private func measure() async {
        while !Task.isCancelled {
            do {
                let found = try await monitoring.call(MonitoringAPI.getMonitoringOverview, .init())
                metrics = found
                for listener in listeners.values { listener.take(found) }
            } catch {
                logger.debug("there are no metrics", ["error": HarbourError.describe(error)])
            }
            guard (try? await loop.sleep(for: RunFeed.metricsInterval)) != nil else { return }
        }
    }
}

extension RunChange {
    /// The same as it is told.
    fileprivate init(_ run: Run) {
        self.init(
            runID: run.runID, jobID: run.jobID, runName: run.runName, state: run.state,
            creatorUserName: run.creatorUserName, tasks: run.tasks.count,
            endedTasks: run.tasks.count { $0.state.resultState != nil }, createdTime: run.createdTime,
            startTime: run.startTime, endTime: run.endTime)
    }
}

/// One who listens. A reader that is slow finds only the newest state of each run when it reads on, so that what is kept
/// for it is bounded by the number of runs, and that by a limit.
///
/// `@unchecked Sendable`: touched on the loop only.
final class FeedListener: @unchecked Sendable {
    enum News: Sendable {
        case runs([RunChange])
        case metrics(MonitoringOverview)
    }

    private let loop: EventLoop
    private var runs: [Int64: RunChange] = [:]
    /// In which order runs changed first.
    private var order: [Int64] = []
    private var metrics: MonitoringOverview?
    private var waiter: CheckedContinuation<Void, Never>?

    /// Of how many runs the state is kept; of those beyond, the ones that changed longest ago are not told.
    static let maxRuns = 1000

    init(loop: EventLoop) { self.loop = loop }

    func take(_ change: RunChange) {
        if runs.updateValue(change, forKey: change.runID) == nil { order.append(change.runID) }
        if order.count > FeedListener.maxRuns { runs[order.removeFirst()] = nil }
        wake()
    }

    func take(_ overview: MonitoringOverview) {
        metrics = overview
        wake()
    }

    /// What has come since the last time; waits for it.
    func next() async throws(HarbourError) -> News {
        while true {
            if Task.isCancelled { throw HarbourError(.cancelled, "The reader has gone.") }
            if !order.isEmpty {
                let changes = order.compactMap { runs[$0] }
                runs = [:]
                order = []
                return .runs(changes)
            }
            if let overview = metrics {
                metrics = nil
                return .metrics(overview)
            }
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    if Task.isCancelled || !order.isEmpty || metrics != nil { return continuation.resume() }
                    waiter = continuation
                }
            } onCancel: {
                loop.onLoop { [self] in wake() }
            }
        }
    }

    private func wake() {
        waiter?.resume()
        waiter = nil
    }
}
