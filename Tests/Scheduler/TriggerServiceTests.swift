import Core
import EventLoop
import HarbourProtocol
import ServiceClients
import Testing

@testable import SchedulerService

/// What makes jobs run by themselves, through the API, with a real PostgreSQL.
@Suite(.timeLimit(.minutes(15))) struct TriggerServiceTests {
    private func spec(_ path: String = "/a", _ change: (inout JobSpec) -> Void) -> JobSpec {
        var spec = JobSpec(
            name: "job",
            tasks: [
                TaskSpec(
                    taskKey: "a",
                    notebookTask: NotebookTask(
                        notebookPath: path, baseParameters: ["day": "{{job.trigger.time.iso_date}}"]),
                    jobClusterKey: "main")
            ], jobClusters: [JobCluster(jobClusterKey: "main", newCluster: ClusterSpec(clusterName: "main"))])
        change(&spec)
        return spec
    }

    private func create(_ fixture: SchedulerFixture, _ spec: JobSpec) async throws -> Job {
        try await fixture.client.call(SchedulerAPI.createJob, .init(body: spec))
    }

    private func runs(_ fixture: SchedulerFixture, _ job: Job, atLeast count: Int) async throws -> [Run] {
        while true {
            // On a slow machine the next one is always under way.
            let runs = try await fixture.client.call(SchedulerAPI.listRuns, .init(jobID: job.jobID)).runs
                .filter { $0.endTime != nil }
            if runs.count >= count { return runs }
            try await fixture.loop.sleep(for: .milliseconds(20))
        }
    }

    private func pause(_ fixture: SchedulerFixture, _ job: Job, _ change: (inout JobSpec) -> Void) async throws {
        var spec = job.settings
        change(&spec)
        _ = try await fixture.client.call(SchedulerAPI.updateJob, .init(jobID: job.jobID, body: spec))
    }

    @Test func anIntervalFiresAgainAndAgainUntilItIsPaused() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/a", ["print a"])
            let job = try await create(
                fixture,
                spec { $0.trigger = TriggerSettings(periodic: PeriodicTrigger(interval: 1, unit: .seconds)) })
            // A change that leaves the trigger alone does not put it off.
            _ = try await fixture.client.call(
                SchedulerAPI.updateJob,
                .init(
                    jobID: job.jobID,
                    body: {
                        var s = job.settings
                        s.name = "other"
                        return s
                    }()))
            let kept = try await fixture.client.call(SchedulerAPI.getJob, .init(jobID: job.jobID))
            let before = try #require(job.nextFireTime).milliseconds
            let after = try #require(kept.nextFireTime).milliseconds
            #expect((after - before) % 1000 == 0)
            let runs = try await runs(fixture, job, atLeast: 2)
            #expect(runs.allSatisfy { $0.trigger == .periodic })
            let times = runs.compactMap { $0.fireTime?.milliseconds }.sorted()
            #expect(zip(times, times.dropFirst()).allSatisfy { ($1 - $0) % 1000 == 0 && $1 > $0 })
            try await pause(fixture, job) { $0.trigger?.pauseStatus = .paused }
            #expect(
                try await fixture.client.call(SchedulerAPI.getJob, .init(jobID: job.jobID)).nextFireTime == nil)
        }
    }

    @Test func aContinuousJobHasOneRunAfterTheOther() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/a", ["print a"])
            let job = try await create(fixture, spec { $0.continuous = ContinuousSettings() })
            let runs = try await runs(fixture, job, atLeast: 2)
            #expect(runs.allSatisfy { $0.trigger == .continuous })
            for (later, earlier) in zip(runs, runs.dropFirst()) {
                #expect(try #require(earlier.endTime) <= later.createdTime)
            }
            try await pause(fixture, job) { $0.continuous?.pauseStatus = .paused }
        }
    }

    @Test func aJobRunsWhenAnotherHasEnded() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/a", ["print a"])
            fixture.scripted.put("/bad", ["fail badly"])
            let good = try await create(fixture, spec { _ in })
            let bad = try await create(fixture, spec("/bad") { _ in })
            func after(_ job: Job, _ results: [ResultState]? = nil) async throws -> Job {
                try await create(
                    fixture,
                    spec {
                        $0.trigger = TriggerSettings(
                            jobCompletion: JobCompletionTrigger(jobID: job.jobID, resultStates: results))
                    })
            }
            let afterGood = try await after(good)
            let afterBad = try await after(bad)
            let alarm = try await after(bad, [.failed])
            let goodRun = try await fixture.runNow(good)
            let badRun = try await fixture.runNow(bad)
            let made = try await runs(fixture, afterGood, atLeast: 1)
            #expect(made.map(\.parentRunID) == [goodRun] && made[0].trigger == .jobCompletion)
            #expect(try await runs(fixture, alarm, atLeast: 1).map(\.parentRunID) == [badRun])
            #expect(try await runs(fixture, afterBad, atLeast: 0).isEmpty, "it waits for success")
            // The jobs may not start each other in a circle.
            var circle = good.settings
            circle.trigger = TriggerSettings(jobCompletion: JobCompletionTrigger(jobID: afterGood.jobID))
            do {
                _ = try await fixture.client.call(SchedulerAPI.updateJob, .init(jobID: good.jobID, body: circle))
                Issue.record("the circle was taken")
            } catch {
                let path = "\(good.jobID) after \(afterGood.jobID) after \(good.jobID)"
                #expect(HarbourError.wrap(error).message.contains(path), "\(error)")
            }
        }
    }

    @Test func aBackfillRunsEachTimeOfItsSpanOnce() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/a", ["print a"])
            let job = try await create(
                fixture,
                spec {
                    $0.schedule = JobSchedule(
                        quartzCronExpression: "0 0 6 * * ?", timezoneID: "UTC", pauseStatus: .paused)
                    $0.maxConcurrentRuns = 3
                })
            let start = at(1_700_000_000_000)
            let body = CreateBackfill(startTime: start, endTime: start + .seconds(5 * 86_400), idempotencyToken: "b")
            let backfill = try await fixture.client.call(
                SchedulerAPI.createBackfill, .init(jobID: job.jobID, body: body))
            #expect(backfill.total == 5)
            let again = try await fixture.client.call(
                SchedulerAPI.createBackfill, .init(jobID: job.jobID, body: body))
            #expect(again.backfillID == backfill.backfillID && again.total == 5)
            let runs = try await runs(fixture, job, atLeast: 5)
            #expect(runs.count == 5 && runs.allSatisfy { $0.trigger == .backfill })
            #expect(Set(runs.map(\.fireTime)).count == 5)
            let days = runs.compactMap { fixture.scripted.contextSpecs["run-\($0.runID)-0-0"]?.parameters?["day"] }
            #expect(days.sorted() == ["2023-11-15", "2023-11-16", "2023-11-17", "2023-11-18", "2023-11-19"])
            let ended = try await fixture.client.call(
                SchedulerAPI.getBackfill, .init(backfillID: backfill.backfillID))
            #expect(ended.state == .terminated && ended.succeeded == 5)
            let listed = try await fixture.client.call(SchedulerAPI.listBackfills, .init(jobID: job.jobID)).backfills
            #expect(listed.map(\.backfillID) == [backfill.backfillID])
        }
    }

    @Test func aBackfillIsCancelledWithAllItsRuns() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/a", ["wait"])
            let job = try await create(fixture, spec { _ in })
            let start = at(1_700_000_000_000)
            var body = CreateBackfill(startTime: start, endTime: start + .seconds(36_000))
            do {
                _ = try await fixture.client.call(SchedulerAPI.createBackfill, .init(jobID: job.jobID, body: body))
                Issue.record("the job has no schedule")
            } catch { #expect(HarbourError.wrap(error).code == .invalidParameter) }
            body.schedule = JobSchedule(quartzCronExpression: "0 0 * * * ?", timezoneID: "UTC")
            let backfill = try await fixture.client.call(
                SchedulerAPI.createBackfill, .init(jobID: job.jobID, body: body))
            #expect(backfill.total == 10)
            _ = try await fixture.client.call(
                SchedulerAPI.cancelBackfill, .init(backfillID: backfill.backfillID))
            let runs = try await runs(fixture, job, atLeast: 10)
            #expect(runs.allSatisfy { $0.state.resultState == .canceled })
        }
    }
}
