import Core
import EventLoop
import HarbourProtocol
import Postgres
import ServiceClients
import ServiceKit
import TestSupport
import Testing

@testable import SchedulerService

/// What a deletion takes away, and what comes back when it is undone.
@Suite(.timeLimit(.minutes(15))) struct RestoredJobTests {
    private func task(_ path: String = "/a") -> TaskSpec {
        TaskSpec(taskKey: "a", notebookTask: NotebookTask(notebookPath: path), jobClusterKey: "main")
    }

    private func create(
        _ fixture: SchedulerFixture, _ path: String = "/a", isUnique: Bool? = nil,
        _ change: (inout JobSpec) -> Void = { _ in }
    ) async throws -> Job {
        var spec = JobSpec(
            name: "job", tasks: [task(path)],
            jobClusters: [JobCluster(jobClusterKey: "main", newCluster: ClusterSpec(clusterName: "main"))])
        change(&spec)
        return try await fixture.client.call(SchedulerAPI.createJob, .init(uniqueName: isUnique, body: spec))
    }

    private func delete(_ fixture: SchedulerFixture, _ job: Job) async throws {
        _ = try await fixture.client.call(SchedulerAPI.deleteJob, .init(jobID: job.jobID))
    }

    private func restore(_ fixture: SchedulerFixture, _ job: Job) async throws -> Job {
        try await fixture.client.call(SchedulerAPI.restoreJob, .init(jobID: job.jobID))
    }

    private func code(_ body: () async throws -> Void) async -> String? {
        do {
            try await body()
            return nil
        } catch { return (error as? HarbourError)?.code.name }
    }

    private func withPool(_ fixture: SchedulerFixture, _ body: (PostgresPool) async throws -> Void) async throws {
        let pool = PostgresPool(
            configuration: PostgresConfiguration(url: fixture.database.url, schema: "scheduler"), loop: fixture.loop)
        try await body(pool)
        await pool.drain(budget: .seconds(5))
    }

    private func runs(_ fixture: SchedulerFixture, _ job: Job) async throws -> [Run] {
        try await fixture.client.call(SchedulerAPI.listRuns, .init(jobID: job.jobID)).runs
    }

    @Test func theVeryJobComesBackWithItsRunsAndItsRhythm() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/a", ["print a"])
            let job = try await create(fixture) {
                $0.trigger = TriggerSettings(periodic: PeriodicTrigger(interval: 1, unit: .hours))
            }
            let due = try #require(job.nextFireTime)
            let run = try await fixture.runNow(job)
            _ = try await fixture.finished(run)
            try await delete(fixture, job)
            #expect(
                await code { _ = try await fixture.client.call(SchedulerAPI.getJob, .init(jobID: job.jobID)) }
                    == "RESOURCE_DOES_NOT_EXIST")
            #expect(await code { _ = try await fixture.runNow(job) } == "RESOURCE_DOES_NOT_EXIST")
            let owner = try await fixture.client.call(SchedulerAPI.getJobOwner, .init(jobID: job.jobID))
            #expect(owner.creatorUserName == job.creatorUserName, "who may bring it back is still known")
            let owners = try await fixture.client.call(
                SchedulerAPI.listJobOwners, .init(body: JobOwnersWish(jobIds: [job.jobID, .max])))
            #expect(owners.owners == [OwnedJob(jobID: job.jobID, creatorUserName: job.creatorUserName)])
            let back = try await restore(fixture, job)
            #expect(back.settings == job.settings && back.createdTime == job.createdTime)
            #expect(back.creatorUserName == job.creatorUserName && back.nextFireTime == due)
            #expect(try await runs(fixture, job).map(\.runID) == [run])
            #expect(try await restore(fixture, job) == back, "who lost the answer may ask again")
            // Deleted for longer than its interval, it goes on at the time that it would have come to.
            try await delete(fixture, job)
            try await withPool(fixture) { pool in
                try await pool.query("UPDATE jobs SET was_due_at = was_due_at - interval '150 minutes'")
            }
            let later = try #require(try await restore(fixture, job).nextFireTime)
            #expect((due.milliseconds - later.milliseconds) % 3_600_000 == 1_800_000)
            #expect(later > .now && later <= due)
            #expect(
                await code { _ = try await fixture.client.call(SchedulerAPI.restoreJob, .init(jobID: 999)) }
                    == "RESOURCE_DOES_NOT_EXIST")
        }
    }

    @Test func aScheduleFiresAgainAndAPausedOneStaysPaused() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/a", ["print a"])
            let job = try await create(fixture) {
                $0.schedule = JobSchedule(quartzCronExpression: "* * * * * ?", timezoneID: "UTC")
            }
            let paused = try await create(fixture) {
                $0.schedule = JobSchedule(
                    quartzCronExpression: "* * * * * ?", timezoneID: "UTC", pauseStatus: .paused)
            }
            try await delete(fixture, job)
            try await delete(fixture, paused)
            let before = try await runs(fixture, job).count
            #expect(try await restore(fixture, paused).nextFireTime == nil)
            #expect(try await restore(fixture, job).nextFireTime != nil)
            try await eventually("it fires again") { try await runs(fixture, job).count > before }
            #expect(try await runs(fixture, paused).isEmpty)
        }
    }

    /// Goal: a run that is under way goes on to its end, whatever becomes of its job meanwhile.
    @Test func whatRunsGoesOn() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/wait", ["wait"])
            let job = try await create(fixture, "/wait")
            let run = try await fixture.runNow(job)
            try await eventually("it runs") { fixture.scripted.started["run-\(run)-0-0-0"] == 1 }
            try await delete(fixture, job)
            _ = try await restore(fixture, job)
            try await delete(fixture, job)
            fixture.scripted.finish("run-\(run)-0-0-0")
            let (ended, _) = try await fixture.finished(run)
            #expect(ended.state.resultState == .success && ended.jobID == job.jobID)
        }
    }

    @Test func aContinuousJobRunsAgain() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/a", ["print a"])
            let job = try await create(fixture) { $0.continuous = ContinuousSettings() }
            try await eventually("it has run") { try await !runs(fixture, job).isEmpty }
            try await delete(fixture, job)
            try await eventually("it rests") {
                try await runs(fixture, job).allSatisfy { $0.endTime != nil }
            }
            let before = try await runs(fixture, job).count
            _ = try await restore(fixture, job)
            try await eventually("it runs again") { try await runs(fixture, job).count > before }
        }
    }

    /// Goal: files that were there when the job came back are no arrival: those it knew are not told again.
    @Test func filesThatAreThereAreNotToldAgain() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/a", ["print a"])
            let inbox = try Inbox()
            let job = try await create(fixture) {
                $0.trigger = TriggerSettings(fileArrival: FileArrivalTrigger(url: inbox.url))
            }
            try inbox.put("one")
            let put = Timestamp.now
            try await eventually("a run is made of it") { try await runs(fixture, job).count == 1 }
            try await delete(fixture, job)
            try await withPool(fixture) { pool in
                try await eventually("it is not looked at any more") {
                    try await pool.query("SELECT 1 AS one FROM file_watches").isEmpty
                }
            }
            // What is of the same moment as the last look counts as new: files are stamped by a clock that ticks slowly.
            try await eventually("the first one is of an earlier moment") { .now - put > .milliseconds(100) }
            _ = try await restore(fixture, job)
            try inbox.put("two")
            try await eventually("a run is made of the new one") { try await runs(fixture, job).count >= 2 }
            try inbox.put("three")
            try await eventually("and of the next") { try await runs(fixture, job).count >= 3 }
            #expect(try await runs(fixture, job).count == 3)
        }
    }

    @Test func aNameThatIsTakenKeepsItAway() async throws {
        try await SchedulerFixture.with { fixture in
            let job = try await create(fixture, isUnique: true)
            try await delete(fixture, job)
            let other = try await create(fixture, isUnique: true)
            #expect(await code { _ = try await restore(fixture, job) } == "RESOURCE_ALREADY_EXISTS")
            try await delete(fixture, other)
            #expect(try await restore(fixture, job).jobID == job.jobID)
        }
    }

    @Test func whatWasDeletedForLongIsGone() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/a", ["print a"])
            let (old, young, ran) = (
                try await create(fixture), try await create(fixture), try await create(fixture)
            )
            _ = try await fixture.finished(try await fixture.runNow(ran))
            for job in [old, young, ran] { try await delete(fixture, job) }
            try await withPool(fixture) { pool in
                try await pool.query(
                    "UPDATE jobs SET deleted_at = now() - interval '61 days' WHERE job_id <> \(young.jobID)")
            }
            let other = try await SchedulerFixture.start(
                fixture.loop, fixture.database, fixture.scriptedURL, instance: "two")
            try await eventually("it is gone") {
                await code { _ = try await fixture.client.call(SchedulerAPI.getJobOwner, .init(jobID: old.jobID)) }
                    == "RESOURCE_DOES_NOT_EXIST"
            }
            #expect(await code { _ = try await restore(fixture, old) } == "RESOURCE_DOES_NOT_EXIST")
            #expect(try await restore(fixture, young).jobID == young.jobID)
            #expect(try await runs(fixture, ran).count == 1)
            #expect(try await restore(fixture, ran).jobID == ran.jobID, "its run is still kept")
            try await other.stop()
        }
    }
}
