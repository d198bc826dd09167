import Core
import EventLoop
import HarbourProtocol
import Postgres
import ServiceClients
import TestSupport
import Testing

@testable import SchedulerService

/// How many runs there were each day, counted by the database for whoever may see them.
@Suite(.timeLimit(.minutes(15))) struct RunCountTests {
    private func withPool(_ fixture: SchedulerFixture, _ body: (PostgresPool) async throws -> Void) async throws {
        let pool = PostgresPool(
            configuration: PostgresConfiguration(url: fixture.database.url, schema: "scheduler"), loop: fixture.loop)
        try await body(pool)
        await pool.drain(budget: .seconds(5))
    }

    private func submit(_ fixture: SchedulerFixture, _ path: String, _ user: String) async throws -> Int64 {
        let task = TaskSpec(
            taskKey: "a", notebookTask: NotebookTask(notebookPath: path), newCluster: ClusterSpec(clusterName: "main"))
        return try await fixture.client.call(
            SchedulerAPI.submitRun, .init(body: SubmitRun(runName: "one", tasks: [task])),
            context: CallContext(user: user)
        ).runID
    }

    /// Goal: each run is counted once, under its job, its maker and the day on which it was made, by how it ended.
    @Test func runsAreCountedByJobMakerAndDay() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/good", ["print a"])
            fixture.scripted.put("/bad", ["fail b"])
            fixture.scripted.put("/long", ["wait"])
            let spec = JobSpec(
                name: "good",
                tasks: [
                    TaskSpec(
                        taskKey: "a", notebookTask: NotebookTask(notebookPath: "/good"),
                        newCluster: ClusterSpec(clusterName: "main"))
                ])
            let job = try await fixture.client.call(
                SchedulerAPI.createJob, .init(body: spec), context: CallContext(user: "ada"))
            let runs = [
                try await fixture.runNow(job), try await fixture.runNow(job),
                try await submit(fixture, "/bad", "ada"), try await submit(fixture, "/good", "bob"),
            ]
            for run in runs { _ = try await fixture.finished(run) }
            let cancelled = try await submit(fixture, "/long", "bob")
            _ = try await fixture.client.call(SchedulerAPI.cancelRun, .init(runID: cancelled))
            _ = try await fixture.finished(cancelled)
            let active = try await submit(fixture, "/long", "bob")
            try await withPool(fixture) { pool in
                let day: SQL = "date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'"
                for (run, age) in [(runs[0], 3), (runs[1], 1), (runs[2], 1), (runs[3], 1), (cancelled, 1), (active, 1)]
                {
                    _ = try await pool.query(
                        """
                        UPDATE runs SET created_at = \(day) - \(Int64(age)) * interval '1 day' + interval '23:59:59',
                            creator = CASE WHEN job_id IS NULL THEN creator ELSE 'ada' END
                        WHERE run_id = \(run)
                        """)
                }
                let rows = try await pool.query(
                    """
                    SELECT to_char(now() AT TIME ZONE 'UTC' - interval '1 day', 'YYYY-MM-DD'),
                        \(day) - interval '2 days', \(day) - interval '3 days'
                    """)
                let (yesterday, since, before) = try #require(
                    try rows.first?.decode((String.self, Timestamp.self, Timestamp.self)))
                let counts = try await fixture.client.call(SchedulerAPI.countRuns, .init(since: since)).counts
                #expect(
                    counts == [
                        RunCount(
                            jobID: job.jobID, creatorUserName: "ada", date: yesterday, succeeded: 1, failed: 0,
                            canceled: 0, active: 0),
                        RunCount(
                            creatorUserName: "ada", date: yesterday, succeeded: 0, failed: 1, canceled: 0, active: 0),
                        RunCount(
                            creatorUserName: "bob", date: yesterday, succeeded: 1, failed: 0, canceled: 1, active: 1),
                    ])
                let all = try await fixture.client.call(SchedulerAPI.countRuns, .init(since: before)).counts
                #expect(all.count == 4 && all.first?.succeeded == 1 && all.first?.jobID == job.jobID)
            }
            _ = try await fixture.client.call(SchedulerAPI.cancelRun, .init(runID: active))
            _ = try await fixture.finished(active)
        }
    }

    /// Goal: an index has all that is counted, so that the definitions of the runs are not read.
    @Test func theCountReadsAnIndexAlone() async throws {
        try await SchedulerFixture.with { fixture in
            try await withPool(fixture) { pool in
                let plan = try await pool.transaction { transaction in
                    for way in ["seqscan", "bitmapscan"] {
                        try await transaction.query("SELECT set_config('enable_' || \(way), 'off', true)")
                    }
                    let rows = try await transaction.query("EXPLAIN \(JobStatsStore.counting(since: .now))")
                    return try rows.map { try $0.decode(String.self) }.joined(separator: "\n")
                }
                #expect(plan.contains("Index Only Scan using runs_created on runs"), "\(plan)")
            }
        }
    }
}
