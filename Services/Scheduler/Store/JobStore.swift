internal import Core
internal import HarbourProtocol
internal import Postgres

/// A job, as its row has it.
struct JobRow: Sendable {
    var jobID: Int64
    var creator: String
    var createdAt: Timestamp
    var updatedAt: Timestamp
    var nextFireAt: Timestamp?
    var settings: JobSpec
    /// What keeps its trigger from working.
    var triggerMessage: String?
    /// How many of its runs have not ended, where that was counted.
    var activeRuns: Int?
}

/// The table of jobs. Writes name what they expect, so that two schedulers never undo each other's work.
struct JobStore: Sendable {
    let pool: PostgresPool

    static let columns = """
        job_id, creator, created_at, updated_at, next_fire_at, settings,
        (SELECT message FROM file_watches w WHERE w.job_id = jobs.job_id) AS trigger_message
        """

    /// The runs of a job that have not ended, counted in the index `runs_waiting`: it begins with the phase, so that the
    /// phases are named, and is of those that have not ended, which the planner has to be told.
    static let activeRuns = """
        (SELECT count(*) FROM runs r WHERE r.job_id = jobs.job_id AND r.phase IN ('QUEUED', 'RUNNING')
            AND r.phase <> 'TERMINATED') AS active_runs
        """

    /// All that the API shows of a job.
    private static let shown = "\(columns), \(activeRuns)"

    /// - Parameters:
    ///   - isUnique: whether it is made only if its maker has no job of that name.
    ///   - token: whoever has made a job with this token gets that one.
    /// - Throws: `RESOURCE_ALREADY_EXISTS` when they have one of that name, or have deleted the one of that token.
    func create(
        _ spec: JobSpec, creator: String, isUnique: Bool = false, token: String? = nil, nextFireAt: Timestamp?,
        now: Timestamp
    ) async throws -> JobRow {
        let unique: String? = isUnique ? spec.name : nil
        // A token that is known comes before a name that is taken: the name may be that of the very job.
        let rows = try await pool.query(
            """
            INSERT INTO jobs (name, creator, created_at, updated_at, settings, max_active, next_fire_at, unique_name,
                              idempotency_token)
            SELECT \(spec.name), \(creator), \(now), \(now), \(spec.jsonText())::jsonb,
                   \(Int32(clamping: spec.maxConcurrentRuns ?? 1)), \(nextFireAt)::timestamptz, \(unique)::text,
                   \(token)::text
            WHERE \(!isUnique) OR NOT EXISTS (
                SELECT 1 FROM jobs WHERE name = \(spec.name) AND creator = \(creator) AND deleted_at IS NULL)
            ON CONFLICT DO NOTHING
            RETURNING \(unescaped: Self.shown), pg_notify('scheduler_jobs', job_id::text)
            """)
        if rows.isEmpty, let token, let made = try await self.made(with: token, by: creator) { return made }
        if rows.isEmpty, isUnique {
            throw HarbourError(
                .alreadyExists, "You have a job named \(spec.name) already. Change that one, or choose another name.")
        }
        return try Self.one(rows, jobID: 0)
    }

    /// The job that was made with a token; nil when none was.
    private func made(with token: String, by creator: String) async throws -> JobRow? {
        let rows = try await pool.query(
            """
            SELECT \(unescaped: Self.shown), deleted_at IS NOT NULL AS is_deleted FROM jobs
            WHERE creator = \(creator) AND idempotency_token = \(token)::text
            """)
        guard let row = rows.first else { return nil }
        if try row["is_deleted", as: Bool.self] {
            throw HarbourError(
                .alreadyExists,
                "The job that this idempotency_token has made was deleted since. Use a new token for another one.")
        }
        return try JobRow(shown: row)
    }

    func get(_ jobID: Int64) async throws -> JobRow {
        let rows = try await pool.query(
            "SELECT \(unescaped: Self.shown) FROM jobs WHERE job_id = \(jobID) AND deleted_at IS NULL")
        return try Self.one(rows, jobID: jobID)
    }

    /// Jobs below an id, newest first.
    func list(before jobID: Int64?, name: String?, limit: Int) async throws -> [JobRow] {
        let rows = try await pool.query(
            """
            SELECT \(unescaped: Self.shown) FROM jobs
            WHERE deleted_at IS NULL AND job_id < \(jobID ?? .max) AND (\(name)::text IS NULL OR name = \(name)::text)
            ORDER BY job_id DESC LIMIT \(Int64(limit))
            """)
        return try rows.map { try JobRow(shown: $0) }
    }

    /// Replaces what the job does. A job that runs by itself as before keeps its next time.
    /// - Parameter known: when it was changed last, as far as the caller knows.
    /// - Throws: `RESOURCE_CONFLICT` when it was changed after that, and not to the same.
    func update(
        _ jobID: Int64, _ spec: JobSpec, ifUpdatedAt known: Timestamp? = nil, nextFireAt: Timestamp?, now: Timestamp
    ) async throws -> JobRow {
        let old = try await get(jobID)
        // Who asks again because no answer came is in no conflict with themselves.
        if let known, known != old.updatedAt, old.settings == spec { return old }
        let keeps = old.settings.firesLike(spec)
        // Two changes within a millisecond are two times, so that neither is taken for the other.
        let rows = try await pool.query(
            """
            UPDATE jobs SET name = \(spec.name), unique_name = CASE WHEN unique_name IS NOT NULL THEN \(spec.name) END,
                updated_at = greatest(\(now)::timestamptz, updated_at + interval '1 millisecond'),
                settings = \(spec.jsonText())::jsonb,
                max_active = \(Int32(clamping: spec.maxConcurrentRuns ?? 1)),
                next_fire_at = CASE WHEN \(keeps) THEN next_fire_at ELSE \(nextFireAt)::timestamptz END
            WHERE job_id = \(jobID) AND deleted_at IS NULL
                AND (\(known)::timestamptz IS NULL OR updated_at = \(known)::timestamptz)
            RETURNING \(unescaped: Self.shown), pg_notify('scheduler_jobs', job_id::text)
            """)
        if rows.isEmpty, known != nil {
            _ = try await get(jobID)
            throw HarbourError(
                .conflict,
                "Somebody has changed job \(jobID) since you have read it. Read it again, and bring your change into that."
            )
        }
        return try Self.one(rows, jobID: jobID)
    }

    func delete(_ jobID: Int64, by user: String, now: Timestamp) async throws {
        let rows = try await pool.query(
            """
            UPDATE jobs SET deleted_at = \(now), deleted_by = \(user), was_due_at = next_fire_at,
                next_fire_at = NULL
            WHERE job_id = \(jobID) AND deleted_at IS NULL RETURNING job_id, pg_notify('scheduler_jobs', job_id::text)
            """)
        if rows.isEmpty { throw Self.missing(jobID) }
    }

    /// A job and when it would have run next if it had not been deleted; nil when it is not.
    func deleted(_ jobID: Int64) async throws -> (job: JobRow, wasDueAt: Timestamp?)? {
        let rows = try await pool.query(
            """
            SELECT \(unescaped: Self.columns), was_due_at FROM jobs
            WHERE job_id = \(jobID) AND deleted_at IS NOT NULL
            """)
        return try rows.first.map { (try JobRow($0), try $0["was_due_at", as: Timestamp?.self]) }
    }

    /// Brings a deleted job back. Files that have come since are not made up for, as after a pause.
    /// - Throws: `RESOURCE_ALREADY_EXISTS` when its maker has made another one in its place.
    func restore(_ jobID: Int64, nextFireAt: Timestamp?, now: Timestamp) async throws -> JobRow {
        do {
            let rows = try await pool.query(
                """
                UPDATE jobs SET deleted_at = NULL, deleted_by = NULL, was_due_at = NULL,
                    next_fire_at = \(nextFireAt)::timestamptz, updated_at = \(now)
                WHERE job_id = \(jobID) AND deleted_at IS NOT NULL
                RETURNING \(unescaped: Self.shown), pg_notify('scheduler_jobs', job_id::text)
                """)
            // Somebody else has brought it back before us.
            return rows.isEmpty ? try await get(jobID) : try Self.one(rows, jobID: jobID)
        } catch let error as HarbourError where error.postgres?.sqlState == "23505" {
            throw HarbourError(
                .alreadyExists,
                "Job \(jobID) cannot come back: its maker has made another one of its name. Rename or delete that one.",
                cause: error)
        }
    }

    /// Who made jobs, also deleted ones.
    func owners(_ jobIDs: [Int64]) async throws -> [OwnedJob] {
        let rows = try await pool.query(
            "SELECT job_id, creator FROM jobs WHERE job_id = ANY(\(jobIDs)::bigint[]) ORDER BY job_id")
        return try rows.map { row in
            OwnedJob(jobID: try row["job_id", as: Int64.self], creatorUserName: try row["creator", as: String.self])
        }
    }

    /// Who made a job, also a deleted one.
    func owner(_ jobID: Int64) async throws -> String {
        let rows = try await pool.query("SELECT creator FROM jobs WHERE job_id = \(jobID)")
        guard let row = rows.first else { throw Self.missing(jobID) }
        return try row["creator", as: String.self]
    }

    /// When the next schedule is due; nil when none is.
    func nextFireTime() async throws -> Timestamp? {
        let rows = try await pool.query("SELECT min(next_fire_at) AS next FROM jobs WHERE next_fire_at IS NOT NULL")
        return try rows.first?["next", as: Timestamp?.self] ?? nil
    }

    /// The jobs that run when a run of another one ends, by that one.
    func waiting(for jobIDs: [Int64], in transaction: PostgresTransaction) async throws -> [Int64: [JobRow]] {
        let rows = try await transaction.query(
            """
            SELECT \(unescaped: Self.columns) FROM jobs
            WHERE (settings #>> '{trigger,job_completion,job_id}')::bigint = ANY(\(jobIDs)::bigint[])
              AND deleted_at IS NULL
              AND settings #>> '{trigger,job_completion,job_id}' IS NOT NULL
              AND settings #>> '{trigger,pause_status}' IS DISTINCT FROM 'PAUSED'
            ORDER BY job_id
            """)
        var waiting: [Int64: [JobRow]] = [:]
        let jobs = try Unreadable.skipping(rows, id: "job_id", code: .jobUnreadable) { try JobRow($0) }
        for job in jobs {
            if let other = job.settings.trigger?.jobCompletion?.jobID { waiting[other, default: []].append(job) }
        }
        return waiting
    }

    /// The jobs on the way back to a job that is to run after another one has ended; nil when there is no such way.
    func circle(from jobID: Int64, after other: Int64) async throws -> [Int64]? {
        let rows = try await pool.query(
            """
            WITH RECURSIVE before (job_id, path) AS (
                SELECT \(other)::bigint, ARRAY[\(jobID)::bigint, \(other)::bigint]
                UNION ALL
                SELECT n.next, path || n.next FROM before JOIN jobs USING (job_id),
                    LATERAL (SELECT (settings #>> '{trigger,job_completion,job_id}')::bigint AS next) n
                WHERE deleted_at IS NULL AND n.next IS NOT NULL AND before.job_id <> \(jobID)
                  AND NOT n.next = ANY(path[2:])
            )
            SELECT path FROM before WHERE job_id = \(jobID) LIMIT 1
            """)
        return try rows.first?["path", as: [Int64].self]
    }

    private static func one(_ rows: PostgresRows, jobID: Int64) throws -> JobRow {
        guard let row = rows.first else { throw missing(jobID) }
        return try JobRow(shown: row)
    }

    static func missing(_ jobID: Int64) -> HarbourError {
        HarbourError(.notFound, "Job \(jobID) does not exist. List the jobs to find the one you mean.")
    }
}

extension JobRow {
    init(_ row: PostgresRow) throws {
        jobID = try row["job_id", as: Int64.self]
        creator = try row["creator", as: String.self]
        createdAt = try row["created_at", as: Timestamp.self]
        updatedAt = try row["updated_at", as: Timestamp.self]
        nextFireAt = try row["next_fire_at", as: Timestamp?.self]
        settings = try JobSpec(json: try row["settings", as: PostgresJSON.self].bytes)
        triggerMessage = try row["trigger_message", as: String?.self]
    }

    /// A row with what is only counted for those who look.
    fileprivate init(shown row: PostgresRow) throws {
        try self.init(row)
        activeRuns = try row["active_runs", as: Int.self]
    }

    /// As the API shows it.
    var job: Job {
        Job(
            jobID: jobID, creatorUserName: creator, createdTime: createdAt, updatedTime: updatedAt,
            nextFireTime: nextFireAt, settings: settings, triggerMessage: triggerMessage,
            activeRuns: activeRuns)
    }
}
