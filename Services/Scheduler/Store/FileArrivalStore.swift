internal import Core
internal import HarbourProtocol
internal import Postgres

/// A place that is to be looked at.
struct FileWatch: Sendable {
    var jobID: Int64
    var url: String
    /// The number of the listing that was last taken into account when we began to look.
    var listing: Int64
    /// Of the listing that was last taken into account.
    var digest: String?
}

/// What a listing came to.
enum ArrivalOutcome: Sendable, Equatable {
    /// It was taken into account; look again at that time at the latest.
    case taken(fired: Int64?, next: Timestamp)
    /// It was made before another one that has been taken into account: list again.
    case stale
    /// The job does not wait for files there any more.
    case gone
}

/// The tables of file arrivals. One transaction compares a listing with what is known, makes the run, and marks the
/// files that it is for: nothing is lost and nothing told twice, whoever is killed and however many schedulers look.
struct FileArrivalStore: Sendable {
    let pool: PostgresPool
    let runs: RunStore

    private static let waits: SQL = """
        deleted_at IS NULL AND settings #>> '{trigger,file_arrival,url}' IS NOT NULL
        AND settings #>> '{trigger,pause_status}' IS DISTINCT FROM 'PAUSED'
        """

    /// Brings the watches in line with the jobs, and returns all of them. A job that is paused forgets what it knew:
    /// what comes during a pause is not made up for.
    func synchronize() async throws -> [(jobID: Int64, url: String)] {
        try await pool.transaction { transaction in
            try await transaction.query(
                """
                DELETE FROM file_watches w WHERE NOT EXISTS (
                    SELECT 1 FROM jobs WHERE jobs.job_id = w.job_id AND \(Self.waits)
                        AND settings #>> '{trigger,file_arrival,url}' = w.url)
                """)
            try await transaction.query(
                """
                INSERT INTO file_watches (job_id, url, set_at, next_look_at)
                SELECT job_id, settings #>> '{trigger,file_arrival,url}', updated_at, clock_timestamp()
                FROM jobs WHERE \(Self.waits) ON CONFLICT DO NOTHING
                """)
            let rows = try await transaction.query("SELECT job_id, url FROM file_watches ORDER BY job_id")
            return try rows.map { (try $0["job_id", as: Int64.self], try $0["url", as: String.self]) }
        }
    }

    /// Takes the watches that are due. Nobody else takes them by time within the next minute.
    func takeDue() async throws -> [FileWatch] {
        try await take(
            """
            SELECT job_id FROM file_watches WHERE next_look_at <= clock_timestamp()
            ORDER BY next_look_at LIMIT 20 FOR UPDATE SKIP LOCKED
            """)
    }

    /// Takes the watches of these jobs, whoever is looking at them.
    func take(_ jobIDs: [Int64]) async throws -> [FileWatch] {
        try await take(
            "SELECT job_id FROM file_watches WHERE job_id = ANY(\(jobIDs)::bigint[]) ORDER BY job_id FOR UPDATE")
    }

    private func take(_ which: SQL) async throws -> [FileWatch] {
        let rows = try await pool.query(
            """
            UPDATE file_watches w SET next_look_at = clock_timestamp() + interval '70 s'
            WHERE job_id IN (\(which))
            RETURNING job_id, url, digest, listing,
                EXISTS (SELECT 1 FROM arrived_files f WHERE f.job_id = w.job_id AND NOT is_told) AS is_waiting
            """)
        return try rows.map { row in
            // While files wait, time alone may change what becomes of them.
            let digest = try row["is_waiting", as: Bool.self] ? nil : row["digest", as: String?.self]
            return FileWatch(
                jobID: try row["job_id", as: Int64.self], url: try row["url", as: String.self],
                listing: try row["listing", as: Int64.self], digest: digest)
        }
    }

    /// The paths that are known of a job.
    func known(_ jobID: Int64) async throws -> Set<String> {
        let rows = try await pool.query(
            "SELECT path FROM arrived_files WHERE job_id = \(jobID) AND missing_since IS NULL")
        return Set(try rows.map { try $0["path", as: String.self] })
    }

    /// How long until a watch is due; nil when there is none.
    func untilNext() async throws -> Duration? {
        let rows = try await pool.query(
            """
            SELECT (extract(epoch FROM min(next_look_at) - clock_timestamp()) * 1000)::bigint AS next FROM file_watches
            """)
        return try rows.first?["next", as: Int64?.self].map { .milliseconds(max(0, $0)) }
    }

    /// Looks again later, and says why.
    func fail(_ watch: FileWatch, message: String, after pause: Duration) async throws {
        try await pool.query(
            """
            UPDATE file_watches SET message = \(message),
                next_look_at = clock_timestamp() + \(pause.milliseconds) * interval '1 ms'
            WHERE job_id = \(watch.jobID) AND url = \(watch.url)
            """)
    }

    /// A listing like the one before: nothing changes but the time of the next look.
    func touch(_ watch: FileWatch, interval: Duration) async throws {
        try await pool.query(
            """
            UPDATE file_watches SET message = NULL,
                next_look_at = clock_timestamp() + \(interval.milliseconds) * interval '1 ms'
            WHERE job_id = \(watch.jobID) AND url = \(watch.url)
            """)
    }

    /// Takes a listing into account.
    /// - Parameters:
    ///   - root: which folder was listed, when it is one.
    ///   - interval: when to look again at the latest.
    func take(
        _ files: [FoundFile], digest: String, root: String?, of watch: FileWatch, interval: Duration
    ) async throws -> ArrivalOutcome {
        try await pool.transaction { [self] transaction in
            let rows = try await transaction.query(
                """
                SELECT set_at, has_baseline, listing, root, last_change_at, last_fire_at, clock_timestamp() AS now
                FROM file_watches WHERE job_id = \(watch.jobID) AND url = \(watch.url) FOR UPDATE
                """)
            guard let row = rows.first else { return .gone }
            let now = try row["now", as: Timestamp.self]
            guard try row["listing", as: Int64.self] == watch.listing else { return .stale }
            let jobs = try await transaction.query(
                "SELECT \(unescaped: JobStore.columns) FROM jobs WHERE job_id = \(watch.jobID) AND \(Self.waits)")
            guard let job = try jobs.first.map({ try JobRow($0) }), let trigger = job.settings.trigger?.fileArrival,
                trigger.url == watch.url
            else { return .gone }
            let isFirst = try !row["has_baseline", as: Bool.self]
            // Another folder under the name, such as where a share is not mounted: what is not there has not gone.
            let known = try row["root", as: String?.self]
            let isOther = known != nil && known != root
            let isChanged = try await compare(
                files, of: watch.jobID, toldBefore: isFirst ? try row["set_at", as: Timestamp.self] : nil,
                forgetting: !isOther, retelling: watch.url.hasPrefix("s3://"), in: transaction)
            let waiting = try await transaction.query(
                "SELECT count(*) AS count FROM arrived_files WHERE job_id = \(watch.jobID) AND NOT is_told")
            let lastChange = isChanged ? now : try row["last_change_at", as: Timestamp?.self]
            let decision = ArrivalDecision(
                waiting: try waiting.first?["count", as: Int.self] ?? 0, lastChange: lastChange,
                lastFire: try row["last_fire_at", as: Timestamp?.self],
                least: Int64(trigger.minTimeBetweenTriggersSeconds ?? 0) * 1000,
                quiet: Int64(trigger.waitAfterLastChangeSeconds ?? 0) * 1000, now: now)
            var next = now + interval
            if case .wait(let time) = decision { next = min(next, time) }
            var fired: Int64?
            if decision == .fire {
                // A run that is skipped would have taken its files with it.
                if try await hasPlace(job, in: transaction) {
                    fired = try await fire(job, now, in: transaction)
                } else {
                    next = min(next, now + .seconds(5))
                }
            }
            let kept: String? = isOther ? nil : digest
            let message: String? = isOther ? Self.otherFolder : nil
            try await transaction.query(
                """
                UPDATE file_watches SET has_baseline = true, listing = listing + 1, digest = \(kept),
                    root = coalesce(root, \(root)), message = \(message),
                    last_change_at = \(lastChange), next_look_at = \(next),
                    last_fire_at = CASE WHEN \(fired != nil) THEN \(now)::timestamptz ELSE last_fire_at END
                WHERE job_id = \(watch.jobID)
                """)
            return .taken(fired: fired, next: next)
        }
    }

    private static let otherFolder = """
        The folder is another one than when the trigger was set. New names in it are told of, those that were known \
        before are not. Pause and resume the trigger when this is the right folder now.
        """

    /// Whether a run of the job would not be skipped.
    private func hasPlace(_ job: JobRow, in transaction: PostgresTransaction) async throws -> Bool {
        guard job.settings.queue?.enabled == false else { return true }
        let rows = try await transaction.query(
            "SELECT count(*) AS count FROM runs WHERE job_id = \(job.jobID) AND phase <> 'TERMINATED'")
        return try rows.first?["count", as: Int.self] ?? 0 < job.settings.maxConcurrentRuns ?? 1
    }

    /// How many files that are missing are remembered, besides for how long.
    private static let rememberedFiles = FolderListing.limit

    /// Writes down what has come, what has gone, and what has changed before a run was made for it.
    /// - Parameter retelling: whether a file that has been told of and is another now is told of again: what is written to
    ///   an object storage is written as a whole, while files of folders may change as long as somebody writes them.
    /// - Returns: whether what waits has changed.
    private func compare(
        _ files: [FoundFile], of jobID: Int64, toldBefore oldest: Timestamp?, forgetting: Bool, retelling: Bool,
        in transaction: PostgresTransaction
    ) async throws -> Bool {
        let (paths, versions) = (files.map(\.path), files.map(\.version))
        let told = files.map { file in oldest.map { file.changedAt < $0 } ?? false }
        if forgetting { try await forget(besides: paths, of: jobID, in: transaction) }
        // Versions from before they had a time are the beginnings of those that have one.
        let changed = try await transaction.query(
            """
            UPDATE arrived_files f SET version = n.version, missing_since = NULL,
                is_told = f.is_told AND (f.version = n.version OR starts_with(n.version, f.version || '-')
                    OR NOT \(retelling) AND f.missing_since IS NULL)
            FROM unnest(\(paths)::text[], \(versions)::text[]) AS n (path, version)
            WHERE f.job_id = \(jobID) AND f.path = n.path
              AND (f.version <> n.version AND (NOT f.is_told OR \(retelling)) OR f.missing_since IS NOT NULL)
            RETURNING f.is_told
            """)
        let new = try await transaction.query(
            """
            INSERT INTO arrived_files (job_id, path, version, is_told)
            SELECT \(jobID), path, version, is_told = 1
            FROM unnest(\(paths)::text[], \(versions)::text[], \(told.map { Int64($0 ? 1 : 0) })::bigint[])
                AS n (path, version, is_told)
            ON CONFLICT DO NOTHING RETURNING is_told
            """)
        return try (Array(changed) + Array(new)).contains { try !$0["is_told", as: Bool.self] }
    }

    /// What is not there any more, and had been told of, is remembered for a day: if it is back as it was, nothing has come.
    private func forget(besides paths: [String], of jobID: Int64, in transaction: PostgresTransaction) async throws {
        // Joins, so that they are fast whichever plan is made of them.
        try await transaction.query(
            """
            DELETE FROM arrived_files f WHERE job_id = \(jobID)
                AND (NOT is_told OR missing_since < clock_timestamp() - interval '1 day')
                AND NOT EXISTS (SELECT 1 FROM unnest(\(paths)::text[]) AS n (path) WHERE n.path = f.path)
            """)
        try await transaction.query(
            """
            UPDATE arrived_files f SET missing_since = clock_timestamp()
            WHERE job_id = \(jobID) AND missing_since IS NULL
                AND NOT EXISTS (SELECT 1 FROM unnest(\(paths)::text[]) AS n (path) WHERE n.path = f.path)
            """)
        try await transaction.query(
            """
            DELETE FROM arrived_files f WHERE job_id = \(jobID) AND path IN (
                SELECT path FROM arrived_files WHERE job_id = \(jobID) AND missing_since IS NOT NULL
                ORDER BY missing_since DESC, path OFFSET \(Int64(Self.rememberedFiles)))
            """)
    }

    private func fire(_ job: JobRow, _ now: Timestamp, in transaction: PostgresTransaction) async throws -> Int64 {
        let run = NewRun(
            jobID: job.jobID, runName: job.settings.name, trigger: .fileArrival, creator: job.creator,
            settings: job.settings, parameters: job.settings.defaultParameters)
        let (runID, _) = try await runs.insert(run, now: now, in: transaction)
        try await transaction.query(
            "UPDATE arrived_files SET is_told = true WHERE job_id = \(job.jobID) AND NOT is_told")
        return runID
    }
}
