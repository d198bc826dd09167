internal import Core
internal import EventLoop
internal import Postgres

/// The part of the scheduler that acts: it claims runs, decides for them, renews its leases and fires schedules.
///
/// Everything is woken by something: a notification of the database, a timer that is set for a known moment, or the
/// end of a run. With nothing to do it does not wake at all.
actor SchedulerEngine {
    /// How much one scheduler takes on.
    struct Limits: Sendable {
        var activeRuns = 500
        /// How long a claim holds without being renewed; it is renewed at a third of that.
        var lease = Duration.seconds(12)
        /// How long runs are kept after their end.
        var historyDays = 60
    }

    /// How far apart the looks for runs are when one follows the other.
    static let claimSpacing = Duration.milliseconds(5)

    /// What the database tells of.
    private static let channels = [
        "scheduler_runs", "scheduler_jobs", "scheduler_cancel", "scheduler_ends", "scheduler_notifications",
        "scheduler_events",
    ]

    private let context: EngineContext
    private let limits: Limits
    private let claims: RunClaims
    private let runs: RunStore
    private let firer: ScheduleFirer
    private let arrivals: FileArrivals
    private let durations: DurationWatch
    private let announcer: RunAnnouncer
    private let notifier: Notifier
    private let sweeper: HistorySweeper
    private var coordinators: [Int64: RunCoordinator] = [:]
    private var listening: [Task<Void, Never>] = []
    private var isClaiming = false
    /// The claims that are under way.
    private var claiming: Task<Void, Never>?
    private var isAskedAgain = false
    private var isStopped = false
    /// Runs that were to be cancelled while claims were under way.
    private var heardCancels: Set<Int64> = []
    private var renewal: LoopTimer?
    /// Runs of ours that are to be given back soon.
    private var waitingBack: Set<Int64> = []
    /// Until when our lease holds at least, by the clock that nobody sets.
    private var leasedUntil = MonotonicTime.now
    private var takeover: LoopTimer?
    nonisolated var unownedExecutor: UnownedSerialExecutor { context.loop.asUnownedSerialExecutor() }

    /// - Parameter owner: the name of this scheduler, the same after a restart, such as the address it listens on.
    init(context: EngineContext, owner: String, limits: Limits = Limits()) {
        self.context = context
        self.limits = limits
        claims = RunClaims(pool: context.pool, owner: owner, lease: limits.lease)
        runs = RunStore(pool: context.pool)
        firer = ScheduleFirer(context: context)
        arrivals = FileArrivals(context: context)
        durations = DurationWatch(context: context)
        announcer = RunAnnouncer(context: context)
        notifier = Notifier(context: context)
        sweeper = HistorySweeper(context: context, days: limits.historyDays)
    }

    /// Takes up what an earlier process of this name has left, and begins.
    func start() async throws {
        try await claims.releaseLeftovers()
        for channel in Self.channels {
            listening.append(context.loop.spawn { [self] in await listen(channel) })
        }
        context.loop.spawn { [self] in await releaseForgottenClusters() }
        await firer.looks.look()
        await arrivals.look()
        await durations.looks.look()
        await announcer.looks.look()
        await notifier.looks.look()
        await sweeper.start()
        claim()
    }

    /// Leaves everything that runs to whoever comes next, at once.
    func stop() async {
        isStopped = true
        for task in listening { task.cancel() }
        renewal?.cancel()
        takeover?.cancel()
        await firer.looks.stop()
        await arrivals.stop()
        await durations.looks.stop()
        await announcer.looks.stop()
        await notifier.looks.stop()
        await sweeper.stop()
        // What a claim under way brings is ours in the database as soon as that has taken it: only after its answer is
        // everything that we own known, and given back below.
        await claiming?.value
        for coordinator in coordinators.values { await coordinator.abandon() }
        context.writer.stop()
        do { try await claims.releaseLeftovers() } catch {
            // The leases run out by themselves.
            Logger("scheduler").warning("the leases could not be released", ["error": HarbourError.describe(error)])
        }
    }

    /// How many runs this scheduler decides for.
    var activeRuns: Int { coordinators.count }

    // MARK: Being woken

    private func listen(_ channel: String) async {
        for await notification in context.pool.listen(channel) {
            switch (channel, notification) {
            case ("scheduler_runs", _):
                claim()
                await durations.looks.look()
            case ("scheduler_jobs", let notification):
                if case .message(_, let payload) = notification, let jobID = Int64(payload) {
                    context.jobNews.signal(jobID)
                }
                await firer.looks.look()
                await arrivals.look(jobsHaveChanged: true)
            case ("scheduler_ends", _): await announcer.looks.look()
            case ("scheduler_notifications", _): await notifier.looks.look()
            case ("scheduler_cancel", .message(_, let payload)): await cancel(Int64(payload) ?? 0)
            // What was said while the connection was away was not heard.
            case ("scheduler_cancel", .reconnected): await cancelRequested()
            case (_, .message(_, let payload)): context.signals.signal(all: payload)
            case (_, .reconnected): context.signals.signalAll()
            }
        }
    }

    private func cancel(_ runID: Int64) async {
        if let coordinator = coordinators[runID] { return await coordinator.cancel() }
        // The run may be on its way to us, claimed before it was cancelled.
        if isClaiming { heardCancels.insert(runID) }
        claim()
    }

    private func cancelRequested() async {
        do {
            let standings = try await context.persistently("looking for cancelled runs") { [runs, coordinators] in
                try await runs.standings(of: Array(coordinators.keys))
            }
            for (runID, standing) in standings where standing.cancelRequested {
                await coordinators[runID]?.cancel()
            }
        } catch {
            Logger("scheduler").error("cancelled runs could not be looked for", ["error": HarbourError.describe(error)])
        }
    }

    // MARK: Claims

    private func claim() {
        guard !isStopped else { return }
        isAskedAgain = true
        guard !isClaiming else { return }
        isClaiming = true
        claiming = context.loop.spawn { [self] in await claimAll() }
    }

    private func claimAll() async {
        while isAskedAgain && !isStopped {
            isAskedAgain = false
            let begin = MonotonicTime.now
            do {
                try await claimSome()
                // Ends come in crowds: one look for all of them within a few milliseconds.
                if isAskedAgain { try await context.loop.sleep(until: begin + Self.claimSpacing) }
            } catch {
                if isStopped { break }
                Logger("scheduler").error("runs could not be claimed", ["error": HarbourError.describe(error)])
                context.loop.schedule(after: .seconds(1)) { [self] in assumeIsolated { $0.claim() } }
            }
        }
        isClaiming = false
        heardCancels = []
    }

    private func claimSome() async throws {
        let limit = min(limits.activeRuns - coordinators.count, 100)
        let prospect = try await whileNotStopped("looking for runs") { [claims] in try await claims.look() }
        armTakeover(prospect.nextExpiry)
        guard prospect.isClaimable, limit > 0 else { return }
        let now = MonotonicTime.now
        let isFresh = leasedUntil > now + limits.lease / 2
        // Whatever comes of it, what we own from here on has to be kept or given back.
        armRenewal()
        let claimed = try await whileNotStopped("claiming runs") { [claims] in
            try await claims.claim(limit: limit, renewing: !isFresh)
        }
        if !isFresh { leasedUntil = now + limits.lease }
        // Whoever stops us waits for this, and gives them back.
        if isStopped { return }
        if claimed.count == limit { isAskedAgain = true }
        await begin(claimed)
        // What was free a moment ago may be another scheduler's now, whose end we have to notice.
        let after = try await whileNotStopped("looking for runs") { [claims] in try await claims.look() }
        armTakeover(after.nextExpiry)
    }

    /// Repeats what a claim needs; who stops us and waits for the claim waits for one try at most.
    private func whileNotStopped<Value: Sendable>(
        _ what: String, _ work: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await context.persistently(what) { [self] in
            if await isStopped { throw CancellationError() }
            return try await work()
        }
    }

    private func begin(_ claimed: [RunClaims.Claimed]) async {
        let begun = claimed.compactMap { try? $0.row.get() }.filter { !$0.isUntouched }.map(\.runID)
        let tasks = await self.tasks(of: begun)
        for claim in claimed where !isStopped {
            if let stale = coordinators.removeValue(forKey: claim.runID) { await stale.abandon() }
            do {
                let row = try claim.row.get()
                // The tasks of a run that nobody has begun are those of its definition.
                let mine = row.isUntouched ? row.newTasks : try tasks[row.runID]?.get() ?? []
                let coordinator = try RunCoordinator(context: context, row: row, tasks: mine) {
                    [weak self] runID, fence, why in self?.ended(runID, fence, why)
                }
                coordinators[row.runID] = coordinator
                await coordinator.start()
                if heardCancels.contains(row.runID) { await coordinator.cancel() }
            } catch {
                // It is tried again later; the others are not held up.
                Logger("scheduler").error(
                    "a run cannot be taken up", ["run": Int(claim.runID), "error": HarbourError.describe(error)])
                giveBackLater(claim.runID, claim.fence)
            }
        }
    }

    /// The tasks of runs, all at once; each for itself when one of them cannot be read.
    private func tasks(of runIDs: [Int64]) async -> [Int64: Result<[TaskRow], any Error>] {
        guard !runIDs.isEmpty else { return [:] }
        do {
            let all = try await context.persistently("reading tasks") { [runs] in try await runs.tasks(of: runIDs) }
            return all.mapValues { .success($0) }
        } catch  where runIDs.count > 1 {
            var tasks: [Int64: Result<[TaskRow], any Error>] = [:]
            for runID in runIDs { tasks.merge(await self.tasks(of: [runID])) { $1 } }
            return tasks
        } catch {
            return [runIDs[0]: .failure(error)]
        }
    }

    private nonisolated func ended(_ runID: Int64, _ fence: Int64, _ why: RunCoordinator.Leaving) {
        context.loop.onLoop { [self] in
            assumeIsolated { engine in
                // The run may have been claimed anew in the meantime.
                if engine.coordinators[runID]?.fence == fence { engine.coordinators[runID] = nil }
                if why == .gaveUp { engine.giveBackLater(runID, fence) }
                engine.claim()
            }
        }
    }

    /// A run that cannot be gone on with is free again after a while: what was wrong may have passed.
    private func giveBackLater(_ runID: Int64, _ fence: Int64) {
        waitingBack.insert(runID)
        context.loop.schedule(after: limits.lease / 2) { [self] in
            assumeIsolated { engine in
                _ = engine.context.loop.spawn { await engine.giveBack(runID, fence) }
            }
        }
    }

    private func giveBack(_ runID: Int64, _ fence: Int64) async {
        defer { waitingBack.remove(runID) }
        guard !isStopped else { return }
        do {
            try await context.persistently("giving a run back") { [claims] in try await claims.release(runID, fence) }
        } catch {
            // The next renewal sees that nobody decides for it.
            Logger("scheduler").error(
                "a run could not be given back", ["run": Int(runID), "error": HarbourError.describe(error)])
        }
    }

    private func armRenewal() {
        guard renewal == nil, !isStopped else { return }
        renewal = context.loop.schedule(after: limits.lease / 3) { [self] in
            assumeIsolated { engine in
                engine.renewal = nil
                engine.context.loop.spawn { await engine.renew() }
            }
        }
    }

    private func renew() async {
        do {
            let now = MonotonicTime.now
            try await claims.renew()
            leasedUntil = now + limits.lease
            let held = coordinators
            let fences = try await claims.fences(of: Array(held.keys))
            for (runID, coordinator) in held where fences[runID] != coordinator.fence {
                Logger("scheduler").warning("a run was taken over by another scheduler", ["run": Int(runID)])
                await coordinator.abandon()
            }
            if try await !giveBackOrphans() && coordinators.isEmpty { return }
        } catch {
            Logger("scheduler").warning("leases could not be renewed", ["error": HarbourError.describe(error)])
        }
        armRenewal()
    }

    /// A run of ours that nobody decides for, because the answer to its claim was lost, would be ours for ever.
    ///
    /// - Returns: whether we own any run.
    private func giveBackOrphans() async throws -> Bool {
        let wasClaiming = isClaiming
        let held = try await claims.held()
        guard !wasClaiming, !isClaiming else { return true }
        for (runID, fence) in held where coordinators[runID] == nil && !waitingBack.contains(runID) {
            Logger("scheduler").warning("a run that nobody decided for is given back", ["run": Int(runID)])
            try await claims.release(runID, fence)
        }
        return !held.isEmpty
    }

    private func armTakeover(_ expiry: Duration?) {
        takeover?.cancel()
        takeover = nil
        guard let expiry, !isStopped else { return }
        takeover = context.loop.schedule(after: expiry + .milliseconds(50)) { [self] in
            assumeIsolated { $0.claim() }
        }
    }

    /// Clusters of runs that ended just before a crash, between writing the end down and giving the clusters back.
    private func releaseForgottenClusters() async {
        do {
            let rows = try await context.pool.query(
                """
                SELECT run_id, cluster_id FROM run_clusters JOIN runs USING (run_id)
                WHERE NOT released
                  AND (phase = 'TERMINATED' OR repair < jsonb_array_length(coalesce(record -> 'past', '[]')))
                """)
            for row in rows {
                let clusterID = try row["cluster_id", as: String.self]
                try await ClusterKeeper.end(clusterID, context: context)
                let store = RunClusterStore(
                    pool: context.pool, runID: try row["run_id", as: Int64.self], repair: 0)
                try await store.markReleased(clusterID)
            }
        } catch {
            Logger("scheduler").warning(
                "clusters of ended runs could not be given back", ["error": HarbourError.describe(error)])
        }
    }
}
