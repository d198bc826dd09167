import Core
import EventLoop
import HarbourProtocol
import Postgres
import ServiceClients
import ServiceKit
import TestSupport
import Testing

@testable import SchedulerService

/// How many runs of each job are under way.
@Suite(.timeLimit(.minutes(10))) struct ActiveRunTests {
    private func create(_ fixture: SchedulerFixture, _ name: String, maxRuns: Int? = nil) async throws -> Job {
        let task = TaskSpec(
            taskKey: "a", notebookTask: NotebookTask(notebookPath: "/\(name)"), jobClusterKey: "main")
        let spec = JobSpec(
            name: name, tasks: [task],
            jobClusters: [JobCluster(jobClusterKey: "main", newCluster: ClusterSpec(clusterName: "main"))],
            maxConcurrentRuns: maxRuns)
        return try await fixture.client.call(
            SchedulerAPI.createJob, .init(body: spec), context: CallContext(user: "ada"))
    }

    private func withPool(_ fixture: SchedulerFixture, _ body: (PostgresPool) async throws -> Void) async throws {
        let pool = PostgresPool(
            configuration: PostgresConfiguration(url: fixture.database.url, schema: "scheduler"), loop: fixture.loop)
        try await body(pool)
        await pool.drain(budget: .seconds(5))
    }

    /// Goal: the number counts all runs that have not ended, those that wait for a place too, wherever a job is shown.
    @Test func runsUnderWayAreCountedPerJob() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/busy", ["wait"])
            fixture.scripted.put("/done", ["print a"])
            let (busy, done) = (try await create(fixture, "busy", maxRuns: 2), try await create(fixture, "done"))
            #expect(busy.activeRuns == 0)
            _ = try await fixture.finished(try await fixture.runNow(done))
            var runs: [Int64] = []
            for _ in 1...3 { runs.append(try await fixture.runNow(busy)) }
            func shown() async throws -> [String: Int?] {
                let jobs = try await fixture.client.call(SchedulerAPI.listJobs, .init()).jobs
                return Dictionary(uniqueKeysWithValues: jobs.map { ($0.settings.name, $0.activeRuns) })
            }
            #expect(try await shown() == ["busy": 3, "done": 0], "two run and one waits")
            let one = try await fixture.client.call(SchedulerAPI.getJob, .init(jobID: busy.jobID))
            #expect(one.activeRuns == 3)
            for run in runs { _ = try await fixture.client.call(SchedulerAPI.cancelRun, .init(runID: run)) }
            try await eventually("they have ended") { try await shown() == ["busy": 0, "done": 0] }
        }
    }

    /// Goal: the count reads the few runs of its job that have not ended, however many have. What it is tried on is
    /// rolled back, so that the scheduler does not run it.
    @Test func theCountReadsAnIndexOfOpenRuns() async throws {
        struct Plan: Error { var text: String }
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/done", ["print a"])
            let job = try await create(fixture, "done")
            _ = try await fixture.finished(try await fixture.runNow(job))
            try await withPool(fixture) { pool in
                let plan = await #expect(throws: Plan.self) {
                    try await pool.transaction { transaction in
                        try await transaction.query(
                            """
                            INSERT INTO jobs (name, creator, created_at, updated_at, settings, max_active)
                            SELECT name, creator, created_at, updated_at, settings, max_active
                            FROM jobs, generate_series(1, 200)
                            """)
                        for (phase, count) in [("TERMINATED", 100), ("QUEUED", 5)] {
                            try await transaction.query(
                                """
                                INSERT INTO runs (job_id, run_name, trigger, creator, created_at, settings, parameters,
                                    phase, record)
                                SELECT jobs.job_id, 'r', 'ONE_TIME', 'ada', now(), '{}', '{}', \(phase), '{}'
                                FROM jobs, generate_series(1, \(Int64(count)))
                                """)
                        }
                        try await transaction.query("ANALYZE jobs, runs")
                        let rows = try await transaction.query(
                            "EXPLAIN SELECT job_id, \(unescaped: JobStore.activeRuns) FROM jobs")
                        throw Plan(text: try rows.map { try $0.decode(String.self) }.joined(separator: "\n"))
                    }
                }
                let text = plan?.text ?? ""
                #expect(text.contains("using runs_waiting") && !text.contains("Seq Scan on runs"), "\(text)")
            }
        }
    }
}
