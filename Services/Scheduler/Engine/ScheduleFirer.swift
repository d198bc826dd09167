internal import Core
internal import CronSchedule
internal import EventLoop
internal import HarbourProtocol
internal import Postgres

extension JobSpec {
    /// When the schedule fires next after a time; nil when there is none, it is paused, or it never fires again.
    ///
    /// - Throws: `INVALID_CRON_EXPRESSION`, `INVALID_TIME_ZONE`.
    func nextFireTime(after time: Timestamp) throws(HarbourError) -> Timestamp? {
        guard let schedule else { return nil }
        let cron = try CronSchedule(schedule.quartzCronExpression, timeZone: schedule.timezoneID)
        return schedule.pauseStatus == .paused ? nil : cron.next(after: time)
    }
}

/// Makes the runs that schedules ask for, on time and once however many schedulers there are.
///
/// One transaction takes the jobs that are due, makes their runs and moves their next times on; a job that another
/// scheduler is working on is passed over. Fires that were missed while nobody ran are made up for by one run.
actor ScheduleFirer {
    private let context: EngineContext
    private let jobs: JobStore
    private let runs: RunStore
    private var timer: LoopTimer?
    private var isBusy = false
    private var isAskedAgain = false
    private var isStopped = false

    nonisolated var unownedExecutor: UnownedSerialExecutor { context.loop.asUnownedSerialExecutor() }

    init(context: EngineContext) {
        self.context = context
        jobs = JobStore(pool: context.pool)
        runs = RunStore(pool: context.pool)
    }

    /// Looks at the schedules again: at start, when a job has changed, and when the next one is due.
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
            do {
                let next = try await context.persistently("firing schedules") { [self] in
                    while try await fireDue(now: .now) {}
                    return try await jobs.nextFireTime()
                }
                arm(next)
            } catch {
                Logger("scheduler").error(
                    "the schedules could not be looked at", ["error": HarbourError.describe(error)])
            }
        }
        isBusy = false
    }

    private func arm(_ next: Timestamp?) {
        timer?.cancel()
        timer = nil
        guard let next, !isStopped else { return }
        // The civil clock may be set while we wait; an hour at the most goes by before we look at it again.
        let delay = min(max(.zero, next - .now) + .milliseconds(1), .seconds(3600))
        timer = context.loop.schedule(after: delay) { [self] in assumeIsolated { $0.look() } }
    }

    /// Fires what is due; true when there may be more.
    private func fireDue(now: Timestamp) async throws -> Bool {
        let limit = 100
        return try await context.pool.transaction { [runs] transaction in
            let rows = try await transaction.query(
                """
                SELECT \(unescaped: JobStore.columns) FROM jobs WHERE next_fire_at <= \(now) AND deleted_at IS NULL
                ORDER BY next_fire_at LIMIT \(Int64(limit)) FOR UPDATE SKIP LOCKED
                """)
            for row in rows {
                let job = try JobRow(row)
                let run = NewRun(
                    jobID: job.jobID, runName: job.settings.name, trigger: .periodic, creator: job.creator,
                    fireAt: job.nextFireAt, idempotencyToken: nil, settings: job.settings,
                    parameters: job.settings.defaultParameters)
                _ = try await runs.insert(run, now: now, in: transaction)
                let next = try job.settings.nextFireTime(after: now)
                try await transaction.query("UPDATE jobs SET next_fire_at = \(next) WHERE job_id = \(job.jobID)")
            }
            return rows.count == limit
        }
    }
}

extension JobSpec {
    /// The parameters of a run that does not say otherwise.
    var defaultParameters: [String: String] {
        Dictionary((parameters ?? []).map { ($0.name, $0.default) }, uniquingKeysWith: { $1 })
    }
}
