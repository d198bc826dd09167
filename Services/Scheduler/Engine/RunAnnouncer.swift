internal import Core
internal import HarbourProtocol
internal import Postgres

/// Tells of runs that have ended, once each: it makes the runs of the jobs that wait for them, and notifications.
///
/// The end of a run leaves a mark in its row, in the statement that writes the end down; the mark is taken away in the
/// transaction that makes the runs. So nothing is lost, and nothing doubled, whoever is killed.
struct RunAnnouncer: Sendable {
    let looks: LookLoop

    /// How long a chain of jobs that wait for each other's end may become: a circle stops here.
    static let maxDepth = 100

    init(context: EngineContext) {
        let ends = UntoldEnds(pool: context.pool)
        // Ends come in crowds: one look for all of them within a few milliseconds.
        looks = LookLoop(
            context.loop, complaint: "ended runs could not be told of", spacing: SchedulerEngine.claimSpacing
        ) {
            try await context.persistently("telling of ended runs") { while try await ends.announce() {} }
            return nil
        }
    }
}

/// Ends that have not been told.
private struct UntoldEnds: Sendable {
    let pool: PostgresPool
    let jobs: JobStore
    let runs: RunStore
    let notifications: NotificationStore
    /// They stay untold; another process, such as one that knows how to read them, tells of them.
    let unreadable = UnreadableRuns()

    init(pool: PostgresPool) {
        self.pool = pool
        jobs = JobStore(pool: pool)
        runs = RunStore(pool: pool)
        notifications = NotificationStore(pool: pool)
    }

    /// Tells of some; true when there may be more.
    func announce() async throws -> Bool {
        let limit = 100
        return try await pool.transaction { [self] transaction in
            let rows = try await transaction.query(
                """
                SELECT \(unescaped: RunRow.columns) FROM runs
                WHERE NOT announced AND run_id <> ALL(\(unreadable.ids)::bigint[])
                ORDER BY run_id LIMIT \(Int64(limit)) FOR UPDATE
                """)
            guard !rows.isEmpty else { return false }
            let ended = try Unreadable.skipping(rows, id: "run_id", code: .runUnreadable, unreadable.insert) { row in
                try RunRow(row)
            }
            let waiting = try await jobs.waiting(for: ended.compactMap(\.jobID), in: transaction)
            let tasks = try await self.tasks(of: ended.filter(\.settings.hasListeners).map(\.runID))
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
                    guard run.depth < RunAnnouncer.maxDepth else {
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

    /// The tasks of runs; of one whose tasks cannot be read less is told.
    private func tasks(of runIDs: [Int64]) async throws -> [Int64: [TaskRow]] {
        guard !runIDs.isEmpty else { return [:] }
        do { return try await runs.tasks(of: runIDs, iterations: false) } catch {
            let failure = HarbourError.wrap(error)
            guard failure.postgres == nil, !EngineContext.isPassing(failure), failure.code != .cancelled else {
                throw failure
            }
            if runIDs.count == 1 {
                Unreadable.log(.runUnreadable, runIDs[0], failure)
                return [:]
            }
            var tasks: [Int64: [TaskRow]] = [:]
            for runID in runIDs { tasks.merge(try await self.tasks(of: [runID])) { $1 } }
            return tasks
        }
    }
}

extension JobCompletionTrigger {
    /// Whether a run that ended so makes one.
    func wants(_ result: ResultState) -> Bool {
        (resultStates ?? [.success, .successWithFailures]).contains(result)
    }
}
