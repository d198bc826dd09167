import Core
import EventLoop
import HarbourProtocol
import Postgres
import ServiceClients
import TestSupport
import Testing

@testable import SchedulerService

/// Runs begin only when the user that they act for may still do what they do.
@Suite(.timeLimit(.minutes(15))) struct RunAdmissionTests {
    private static let gone = RunVerdict(allowed: false, errorCode: "USER_NOT_ACTIVE", message: "ada is gone.")

    private static func task(_ key: String, after: [String] = []) -> TaskSpec {
        TaskSpec(
            taskKey: key, dependsOn: after.map { TaskDependency(taskKey: $0) },
            notebookTask: NotebookTask(notebookPath: "/a"), existingClusterID: "lab")
    }

    private func job(_ fixture: SchedulerFixture, schedule: JobSchedule? = nil) async throws -> Int64 {
        let spec = JobSpec(name: "job", tasks: [Self.task("a"), Self.task("b", after: ["a"])], schedule: schedule)
        return try await fixture.client.call(
            SchedulerAPI.createJob, .init(body: spec), context: .within(.seconds(30), user: "ada")
        ).jobID
    }

    private func run(_ fixture: SchedulerFixture, _ jobID: Int64) async throws -> Int64 {
        try await fixture.client.call(
            SchedulerAPI.runNow, .init(jobID: jobID, body: RunNow()), context: .within(.seconds(30), user: "ada")
        ).runID
    }

    private func check(_ run: Run, _ fixture: SchedulerFixture) {
        #expect(run.state.lifeCycleState == .terminated && run.state.resultState == .failed, "\(run.state)")
        #expect(run.state.errorCode == "USER_NOT_ACTIVE" && run.state.stateMessage == "ada is gone.")
        for task in run.tasks {
            #expect(task.state.resultState == .failed && task.state.errorCode == "USER_NOT_ACTIVE", "\(task.state)")
            #expect(task.attempts.isEmpty)
        }
        #expect(fixture.scripted.started.isEmpty && fixture.scripted.contexts.isEmpty, "nothing has run")
    }

    @Test func aRunOfADeactivatedUserIsRefusedAndRepairedOnceTheyAreBack() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/a", ["print one"])
            fixture.scripted.refuse("ada", Self.gone)
            let runID = try await run(fixture, try await job(fixture))
            check(try await fixture.finished(runID).run, fixture)
            #expect(
                fixture.scripted.checks.first?.first == RunIntent(userName: "ada", clusterIds: ["lab"], paths: ["/a"]))

            fixture.scripted.refuse("ada", nil)
            let repair = RepairRun(rerunAllFailedTasks: true)
            try await eventually("the answer is asked for anew") {
                let latest = try await fixture.client.call(SchedulerAPI.getRun, .init(runID: runID)).history?.last?.id
                var again = repair
                again.latestRepairID = latest.flatMap { $0 > 0 ? $0 : nil }
                _ = try await fixture.client.call(SchedulerAPI.repairRun, .init(runID: runID, body: again))
                return try await fixture.finished(runID).run.state.resultState == .success
            }
            let run = try await fixture.client.call(SchedulerAPI.getRun, .init(runID: runID))
            #expect(run.tasks.allSatisfy { $0.attempts.count == 1 }, "\(run.tasks)")
        }
    }

    @Test func aScheduleOfADeactivatedUserIsRefusedToo() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/a", ["print one"])
            fixture.scripted.refuse("ada", Self.gone)
            let jobID = try await job(
                fixture, schedule: JobSchedule(quartzCronExpression: "* * * * * ?", timezoneID: "UTC"))
            var found: Int64?
            try await eventually("it has fired") {
                found = try await fixture.client.call(SchedulerAPI.listRuns, .init(jobID: jobID)).runs.last?.runID
                return found != nil
            }
            let run = try await fixture.finished(try #require(found)).run
            #expect(run.trigger == .periodic)
            check(run, fixture)
        }
    }

    /// Goal: the right on another job counts when it is run. Its maker's right is asked for as the run begins, and again
    /// as the run of the other job begins, which may be long afterwards.
    @Test func aRunOfAnotherJobIsAskedAboutWhenItBegins() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/a", ["print one"])
            let inner = try await job(fixture)
            let task = TaskSpec(taskKey: "outer", runJobTask: RunJobTask(jobID: inner))
            let outer = try await fixture.client.call(
                SchedulerAPI.createJob, .init(body: JobSpec(name: "outer", tasks: [task])),
                context: .within(.seconds(30), user: "bob")
            ).jobID
            func start() async throws -> Run {
                let runID = try await fixture.client.call(
                    SchedulerAPI.runNow, .init(jobID: outer, body: RunNow()),
                    context: .within(.seconds(30), user: "bob")
                ).runID
                return try await fixture.finished(runID).run
            }
            #expect(try await start().state.resultState == .success)
            let asked = fixture.scripted.checks.flatMap { $0 }
            #expect(
                asked == [
                    RunIntent(userName: "bob", clusterIds: [], paths: [], jobIds: [inner]),
                    RunIntent(userName: "bob", clusterIds: ["lab"], paths: ["/a"], jobIds: [inner]),
                ])

            fixture.scripted.refuse(
                "bob", RunVerdict(allowed: false, errorCode: "PERMISSION_DENIED", message: "Not any more."))
            try await eventually("the answer is asked for anew") {
                let run = try await start()
                return run.state.errorCode == "PERMISSION_DENIED" && run.tasks[0].attempts.isEmpty
            }
        }
    }

    /// Nobody has said that they may not begin, nor that they may.
    @Test func whileTheWorkspaceIsAwayRunsWaitAndSayWhy() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/a", ["print one"])
            fixture.scripted.setAway(true)
            let jobID = try await job(fixture)
            let first = try await run(fixture, jobID)
            try await eventually("it waits") {
                let state = try await fixture.client.call(SchedulerAPI.getRun, .init(runID: first)).state
                return state.lifeCycleState == .pending && state.stateMessage == RunRecord.waitsForWorkspace
            }
            try await eventually("it is asked again") { fixture.scripted.checks.count > 2 }
            _ = try await fixture.client.call(SchedulerAPI.cancelRun, .init(runID: first))
            let cancelled = try await fixture.finished(first).run
            #expect(cancelled.state.resultState == .canceled && cancelled.tasks.allSatisfy { $0.attempts.isEmpty })

            let second = try await run(fixture, jobID)
            try await eventually("it waits") {
                let state = try await fixture.client.call(SchedulerAPI.getRun, .init(runID: second)).state
                return state.stateMessage == RunRecord.waitsForWorkspace
            }
            fixture.scripted.setAway(false)
            #expect(try await fixture.finished(second).run.state.resultState == .success)
        }
    }

    /// Such as one whose cluster cannot be looked up.
    @Test func aRunThatNothingIsKnownOfKeepsNoOtherWaiting() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/a", ["print one"])
            fixture.scripted.refuse("ada", RunVerdict(allowed: false, message: "c1 is away.", unknown: true))
            let stuck = try await run(fixture, try await job(fixture))
            try await eventually("it waits, and is asked about again") {
                let state = try await fixture.client.call(SchedulerAPI.getRun, .init(runID: stuck)).state
                return state.stateMessage == RunRecord.waitsForWorkspace && fixture.scripted.checks.count > 1
            }
            let other = try await fixture.client.call(
                SchedulerAPI.createJob, .init(body: JobSpec(name: "other", tasks: [Self.task("a")])),
                context: .within(.seconds(30), user: "bob")
            ).jobID
            let free = try await fixture.client.call(
                SchedulerAPI.runNow, .init(jobID: other, body: RunNow()), context: .within(.seconds(30), user: "bob")
            ).runID
            #expect(try await fixture.finished(free).run.state.resultState == .success)
            let state = try await fixture.client.call(SchedulerAPI.getRun, .init(runID: stuck)).state
            #expect(state.lifeCycleState == .pending, "\(state)")

            fixture.scripted.refuse("ada", nil)
            #expect(try await fixture.finished(stuck).run.state.resultState == .success)
        }
    }

    /// Many runs are one question, whatever their number: the workspace must not be asked per task or run.
    @Test func manyRunsAreFewQuestions() async throws {
        try await SchedulerFixture.with(["--max-active-runs", "500"]) { fixture in
            var hook = TaskSpec(taskKey: "call")
            hook.webhookTask = WebhookTask(url: "\(fixture.scriptedURL)/hooks/call")
            let spec = JobSpec(name: "many", tasks: [hook], maxConcurrentRuns: 100)
            let jobID = try await fixture.client.call(SchedulerAPI.createJob, .init(body: spec)).jobID
            let begin = MonotonicTime.now
            var runs: [Int64] = []
            for _ in 0..<60 {
                runs.append(
                    try await fixture.client.call(SchedulerAPI.runNow, .init(jobID: jobID, body: RunNow())).runID)
            }
            for runID in runs { #expect(try await fixture.finished(runID).run.state.resultState == .success) }
            // Each answer holds for two seconds.
            let wanted = 20 + (MonotonicTime.now - begin).milliseconds / 2000
            #expect(fixture.scripted.checks.count < wanted, "\(fixture.scripted.checks.count) of \(wanted)")
        }
    }
}
