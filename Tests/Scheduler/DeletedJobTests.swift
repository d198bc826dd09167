import Core
import EventLoop
import HarbourProtocol
import Postgres
import ServiceClients
import ServiceKit
import TestSupport
import Testing

@testable import SchedulerService

/// The list of deleted jobs, and how many runs of each job are under way.
@Suite(.timeLimit(.minutes(15))) struct DeletedJobTests {
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

    private func delete(_ fixture: SchedulerFixture, _ job: Job, _ user: String) async throws {
        _ = try await fixture.client.call(
            SchedulerAPI.deleteJob, .init(jobID: job.jobID), context: CallContext(user: user))
    }

    private func deleted(_ fixture: SchedulerFixture) async throws -> [DeletedJob] {
        try await fixture.client.call(SchedulerAPI.listDeletedJobs, .init()).jobs
    }

    private func withPool(_ fixture: SchedulerFixture, _ body: (PostgresPool) async throws -> Void) async throws {
        let pool = PostgresPool(
            configuration: PostgresConfiguration(url: fixture.database.url, schema: "scheduler"), loop: fixture.loop)
        try await body(pool)
        await pool.drain(budget: .seconds(5))
    }

    @Test func deletedJobsAreListedWithWhoDeletedThemAndUntilWhenTheyStay() async throws {
        try await SchedulerFixture.with(["--history-days", "9"]) { fixture in
            #expect(try await deleted(fixture).isEmpty)
            let (kept, gone) = (try await create(fixture, "kept"), try await create(fixture, "gone"))
            let before = Timestamp.now
            try await delete(fixture, gone, "bob")
            let list = try await fixture.client.call(SchedulerAPI.listDeletedJobs, .init())
            #expect(list.retentionDays == 9 && list.nextPageToken == nil)
            let one = try #require(list.jobs.first)
            #expect(list.jobs.count == 1 && one.jobID == gone.jobID && one.name == "gone")
            #expect(one.creatorUserName == "ada" && one.deletedBy == "bob" && one.activeRuns == 0)
            #expect(one.deletedTime >= before && one.deletedTime <= .now)
            #expect(one.forgetTime.milliseconds - one.deletedTime.milliseconds == 9 * 86_400_000)
            #expect(try await fixture.client.call(SchedulerAPI.listJobs, .init()).jobs.map(\.jobID) == [kept.jobID])
            // It is in one list or the other, and whoever deletes it next is who has deleted it.
            _ = try await fixture.client.call(SchedulerAPI.restoreJob, .init(jobID: gone.jobID))
            #expect(try await deleted(fixture).isEmpty)
            try await delete(fixture, gone, "eve")
            #expect(try await deleted(fixture).map(\.deletedBy) == ["eve"])
            // Of a job that was deleted before that was written down nobody is named.
            try await withPool(fixture) { _ = try await $0.query("UPDATE jobs SET deleted_by = NULL") }
            #expect(try await deleted(fixture).map(\.deletedBy) == [nil])
        }
    }

    /// Goal: pages follow each other without a gap, also where jobs were deleted at the same moment.
    @Test func theListComesInPages() async throws {
        try await SchedulerFixture.with { fixture in
            var jobs: [Int64] = []
            for number in 1...5 {
                let job = try await create(fixture, "job-\(number)")
                try await delete(fixture, job, "ada")
                jobs.append(job.jobID)
            }
            // Not so long ago that the sweep, which goes on beside this, forgets them.
            try await withPool(fixture) {
                _ = try await $0.query(
                    "UPDATE jobs SET deleted_at = date_trunc('hour', now()) - interval '1 day' WHERE job_id <> \(jobs[4])"
                )
            }
            var pages: [[Int64]] = []
            var token: String?
            repeat {
                let page = try await fixture.client.call(
                    SchedulerAPI.listDeletedJobs, .init(pageSize: 2, pageToken: token))
                pages.append(page.jobs.map(\.jobID))
                token = page.nextPageToken
            } while token != nil
            #expect(pages == [[jobs[4], jobs[3]], [jobs[2], jobs[1]], [jobs[0]]])
            for wrong in ["nonsense", PageToken(.integer(1)).text, PageToken(.string("a"), .integer(1)).text] {
                await #expect(throws: HarbourError.self) {
                    try await fixture.client.call(SchedulerAPI.listDeletedJobs, .init(pageToken: wrong))
                }
            }
        }
    }

    // MARK: Runs under way

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
            // They go on when the job is deleted, and the list of deleted ones says so.
            try await delete(fixture, busy, "ada")
            #expect(try await deleted(fixture).map(\.activeRuns) == [3])
            let back = try await fixture.client.call(SchedulerAPI.restoreJob, .init(jobID: busy.jobID))
            #expect(back.activeRuns == 3)
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
                // In which way it is read, and whether the heap is read too, is the planner's choice.
                #expect(text.contains("runs_waiting") && !text.contains("Seq Scan on runs"), "\(text)")
            }
        }
    }
}
