internal import Core
internal import EventLoop
internal import HarbourProtocol
internal import Postgres

/// Tells of runs that have ended, once each: it makes the runs of the jobs that wait for them, and notifications.
///
/// The end of a run leaves a mark in its row, in the statement that writes the end down; the mark is taken away in the
/// transaction that makes the runs. So nothing is lost, and nothing doubled, whoever is killed.
actor RunAnnouncer {
    private let context: EngineContext
    private let jobs: JobStore
    private let runs: RunStore
    private let notifications: NotificationStore
    private var isBusy = false
    private var isAskedAgain = false
    private var isStopped = false

    nonisolated var unownedExecutor: UnownedSerialExecutor { context.loop.asUnownedSerialExecutor() }

    /// How long a chain of jobs that wait for each other's end may become: a circle stops here.
    static let maxDepth = 100

    init(context: EngineContext) {
        self.context = context
        jobs = JobStore(pool: context.pool)
        runs = RunStore(pool: context.pool)
        notifications = NotificationStore(pool: context.pool)
    }

    /// Looks for ends that have not been told.
    func look() {
        guard !isStopped else { return }
        isAskedAgain = true
        guard !isBusy else { return }
        isBusy = true
        context.loop.spawn { [self] in await lookAll() }
    }

    func stop() { isStopped = true }

    private func lookAll() async {
        while isAskedAgain && !isStopped {
            isAskedAgain = false
            let begin = MonotonicTime.now
            do {
                try await context.persistently("telling of ended runs") { [self] in
                    while try await announce() {}
                }
                // Ends come in crowds: one look for all of them within a few milliseconds.
                if isAskedAgain { try await context.loop.sleep(until: begin + SchedulerEngine.claimSpacing) }
            } catch {
                if isStopped { break }
                Logger("scheduler").error("ended runs could not be told of", ["error": HarbourError.describe(error)])
            }
        }
        isBusy = false
    }

    /// Tells of some; true when there may be more.
    private func announce() async throws -> Bool {
        let limit = 100
        return try await context.pool.transaction { [jobs, runs, notifications] transaction in
            let rows = try await transaction.query(
                """
                SELECT \(unescaped: RunRow.columns) FROM runs WHERE NOT announced
                ORDER BY run_id LIMIT \(Int64(limit)) FOR UPDATE
                """)
            guard !rows.isEmpty else { return false }
            let ended = try rows.map { try RunRow($0) }
            let waiting = try await jobs.waiting(for: ended.compactMap(\.jobID), in: transaction)
            let listened = ended.filter(\.settings.hasListeners).map(\.runID)
            let tasks = listened.isEmpty ? [:] : try await runs.tasks(of: listened, iterations: false)
            for run in ended {
                guard let jobID = run.jobID, let result = run.record.result else { continue }
                let what = Announcement(result)
                let told = run.settings.destinations(of: what)
                if !told.isEmpty {
                    let payload = run.payload(what, tasks: tasks[run.runID] ?? [])
                    try await notifications.add(told, of: run.runID, payload: payload, in: transaction)
                }
                for job in waiting[jobID] ?? []
                where job.settings.trigger?.jobCompletion?.wants(result.resultState) ?? false {
                    guard run.depth < Self.maxDepth else {
                        Logger("scheduler").warning("jobs run each other in a circle", ["job": Int(job.jobID)])
                        continue
                    }
                    let parent = ParentAttempt(
                        runID: run.runID, attemptID: "end-\(run.runID)-\(run.record.past.count)-\(job.jobID)",
                        depth: run.depth + 1)
                    _ = try await runs.insert(
                        NewRun(
                            jobID: job.jobID, runName: job.settings.name, trigger: .jobCompletion,
                            creator: job.creator, settings: job.settings, parameters: job.settings.defaultParameters,
                            parent: parent), now: .now, in: transaction)
                }
            }
            try await transaction.query(
                "UPDATE runs SET announced = true WHERE run_id = ANY(\(ended.map(\.runID))::bigint[])")
            return rows.count == limit
        }
    }
}

extension JobCompletionTrigger {
    /// Whether a run that ended so makes one.
    func wants(_ result: ResultState) -> Bool {
        (resultStates ?? [.success, .successWithFailures]).contains(result)
    }
}
