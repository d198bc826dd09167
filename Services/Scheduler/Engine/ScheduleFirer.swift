internal import Core
internal import HarbourProtocol
internal import Postgres

/// Makes the runs that schedules ask for, on time and once however many schedulers there are.
///
/// One transaction takes the jobs that are due, makes their runs and moves their next times on; a job that another
/// scheduler is working on is passed over. What becomes of times that nobody was there for, `FireDecision` says.
/// It looks at start, when a job has changed, and when the next one is due.
struct ScheduleFirer: Sendable {
    let looks: LookLoop

    init(context: EngineContext) {
        let fires = DueFires(pool: context.pool)
        looks = LookLoop(context.loop, complaint: "the schedules could not be looked at", slack: .milliseconds(1)) {
            let next = try await context.persistently("firing schedules") {
                while try await fires.fire(now: .now) {}
                return try await fires.jobs.nextFireTime()
            }
            // The civil clock may be set while we wait; an hour at the most goes by before we look at it again.
            return next.map { min(max(.zero, $0 - .now), .seconds(3600)) }
        }
    }
}

/// The runs that are due.
struct DueFires: Sendable {
    let pool: PostgresPool
    let jobs: JobStore
    let runs: RunStore

    init(pool: PostgresPool) {
        self.pool = pool
        jobs = JobStore(pool: pool)
        runs = RunStore(pool: pool)
    }

    /// Those of the continuous jobs that have an open run. Their rows are locked by this transaction and this is a statement
    /// of its own, so that it sees every end that was written before, and each later one waits to set the next time.
    private func busy(_ jobIDs: [Int64], in transaction: PostgresTransaction) async throws -> Set<Int64> {
        guard !jobIDs.isEmpty else { return [] }
        let rows = try await transaction.query(
            "SELECT DISTINCT job_id FROM runs WHERE job_id = ANY(\(jobIDs)::bigint[]) AND phase <> 'TERMINATED'")
        return Set(try rows.map { try $0["job_id", as: Int64.self] })
    }

    /// Fires what is due; true when there may be more.
    func fire(now: Timestamp) async throws -> Bool {
        let limit = 100
        return try await pool.transaction { [self] transaction in
            let rows = try await transaction.query(
                """
                SELECT \(unescaped: JobStore.columns) FROM jobs WHERE next_fire_at <= \(now) AND deleted_at IS NULL
                ORDER BY next_fire_at LIMIT \(Int64(limit)) FOR UPDATE SKIP LOCKED
                """)
            guard !rows.isEmpty else { return false }
            var fires = RunStore.Fires()
            // One that cannot be read is looked at again later.
            let due = try Unreadable.skipping(
                rows, id: "job_id", code: .jobUnreadable, { fires.next.append(($0, now + .seconds(300))) }
            ) { try JobRow($0) }
            let busy = try await busy(due.filter { $0.settings.continuous != nil }.map(\.jobID), in: transaction)
            for job in due {
                // The end of the run that is open brings the next time of the job.
                if busy.contains(job.jobID) {
                    fires.next.append((job.jobID, nil))
                    continue
                }
                let decision = job.decisionOrLater(at: now)
                fires.next.append((job.jobID, decision.next))
                for fire in decision.fires {
                    let run = NewRun(
                        jobID: job.jobID, runName: job.settings.name,
                        trigger: job.settings.continuous == nil ? .periodic : .continuous, creator: job.creator,
                        fireAt: job.settings.continuous == nil ? fire : nil, settings: job.settings,
                        parameters: job.settings.defaultParameters)
                    if job.settings.queue?.enabled == false {
                        _ = try await runs.insert(run, now: now, in: transaction)
                    } else {
                        fires.runs.append(run)
                    }
                }
            }
            try await runs.fire(fires, now: now, in: transaction)
            // One that has more to make up for is due again at once.
            return true
        }
    }
}

extension JobRow {
    /// The decision; a job whose schedule cannot be read any more holds up no other, and is looked at again later.
    func decisionOrLater(at now: Timestamp) -> FireDecision {
        do { return try decision(at: now) } catch {
            Logger("scheduler").error(
                "a schedule cannot be read", ["job": Int(jobID), "error": error.describeChain()])
            var later = FireDecision()
            later.next = now + .seconds(300)
            return later
        }
    }

    /// What a job that is due makes now. A continuous job is due once its run has ended.
    func decision(at now: Timestamp) throws(HarbourError) -> FireDecision {
        guard let nextFireAt, nextFireAt <= now, !settings.isPaused else { return FireDecision() }
        if settings.continuous != nil { return FireDecision(once: nextFireAt) }
        guard let (rule, policy) = try settings.fireRule() else { return FireDecision() }
        return FireDecision(rule, due: nextFireAt, now: now, policy: policy)
    }
}

extension JobSpec {
    /// The parameters of a run that does not say otherwise.
    var defaultParameters: [String: String] {
        Dictionary((parameters ?? []).map { ($0.name, $0.default) }, uniquingKeysWith: { $1 })
    }
}
