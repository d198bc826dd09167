internal import Core
internal import HarbourProtocol
internal import Postgres

/// How the runs of jobs have gone, counted by the database.
struct JobStatsStore: Sendable {
    let pool: PostgresPool

    func stats(_ jobID: Int64, days: Int) async throws -> JobStats {
        let rows = try await pool.query(
            """
            SELECT count(*) AS total,
                count(*) FILTER (WHERE result LIKE 'success%') AS succeeded,
                count(*) FILTER (WHERE result IN ('failed', 'timedOut')) AS failed,
                count(*) FILTER (WHERE result = 'canceled') AS canceled,
                count(*) FILTER (WHERE result = 'skipped') AS skipped,
                count(*) FILTER (WHERE phase <> 'TERMINATED') AS active,
                (percentile_cont(0.5) WITHIN GROUP (ORDER BY queued))::bigint AS queue_median,
                (percentile_cont(0.95) WITHIN GROUP (ORDER BY queued))::bigint AS queue_p95,
                (percentile_cont(0.5) WITHIN GROUP (ORDER BY took) FILTER (WHERE result LIKE 'success%'))::bigint
                    AS run_median,
                (percentile_cont(0.95) WITHIN GROUP (ORDER BY took) FILTER (WHERE result LIKE 'success%'))::bigint
                    AS run_p95,
                max(took) FILTER (WHERE result LIKE 'success%')::bigint AS run_max
            FROM (SELECT phase, result,
                    -- A repair starts a run anew, which is no waiting.
                    CASE WHEN result IS DISTINCT FROM 'skipped' AND record -> 'past' IS NULL
                         THEN extract(epoch FROM started_at - created_at) * 1000 END AS queued,
                    extract(epoch FROM ended_at - started_at) * 1000 AS took
                  FROM runs
                  WHERE job_id = \(jobID) AND created_at >= clock_timestamp() - \(Int64(days)) * interval '1 day') r
            """)
        guard let row = rows.first else { throw JobStore.missing(jobID) }
        func count(_ name: String) throws -> Int { try row[name, as: Int.self] }
        func millis(_ name: String) throws -> Int64? { try row[name, as: Int64?.self].map { max(0, $0) } }
        let (succeeded, failed) = (try count("succeeded"), try count("failed"))
        return JobStats(
            jobID: jobID, days: days, total: try count("total"), succeeded: succeeded, failed: failed,
            canceled: try count("canceled"), skipped: try count("skipped"), active: try count("active"),
            successRate: succeeded + failed > 0 ? Double(succeeded) / Double(succeeded + failed) : nil,
            queueMedianMillis: try millis("queue_median"), queueP95Millis: try millis("queue_p95"),
            runMedianMillis: try millis("run_median"), runP95Millis: try millis("run_p95"),
            runMaxMillis: try millis("run_max"))
    }

    /// The runs made since then, by job, maker and day of UTC. An index has all that is read.
    func counts(since begin: Timestamp) async throws -> [RunCount] {
        let rows = try await pool.query(JobStatsStore.counting(since: begin))
        return try rows.map { row in
            let (jobID, creator, date, succeeded, failed, canceled, active) = try row.decode(
                (Int64?.self, String.self, String.self, Int.self, Int.self, Int.self, Int.self))
            return RunCount(
                jobID: jobID, creatorUserName: creator, date: date, succeeded: succeeded, failed: failed,
                canceled: canceled, active: active)
        }
    }

    static func counting(since begin: Timestamp) -> SQL {
        """
        SELECT job_id, creator, to_char(day, 'YYYY-MM-DD'), count(*) FILTER (WHERE outcome = 'succeeded'),
            count(*) FILTER (WHERE outcome = 'failed'), count(*) FILTER (WHERE outcome = 'canceled'),
            count(*) FILTER (WHERE outcome = 'active')
        FROM (SELECT job_id, creator, date_trunc('day', created_at AT TIME ZONE 'UTC') AS day,
                CASE WHEN phase <> 'TERMINATED' THEN 'active' WHEN result LIKE 'success%' THEN 'succeeded'
                     WHEN result IN ('failed', 'timedOut') THEN 'failed' ELSE 'canceled' END AS outcome
              FROM runs WHERE created_at >= \(begin)) r
        GROUP BY day, job_id, creator ORDER BY day, job_id, creator
        """
    }
}
