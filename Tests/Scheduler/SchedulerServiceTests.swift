import Core
import EventLoop
import HTTPClient
import HarbourProtocol
import ServiceClients
import ServiceKit
import TestSupport
import Testing

@testable import SchedulerService

/// The scheduler with a real PostgreSQL, over real connections; the services below it are scripted.
struct SchedulerFixture: Sendable {
    let loop: EventLoop
    let scripted: ScriptedServices
    let database: PostgresTestDatabase
    let scriptedURL: String
    let client: ServiceClient
    let service: RunningService
    var outside: OutsideWorld { scripted.outside }

    /// - Parameter arguments: more settings of the scheduler.
    static func with(
        _ arguments: [String] = [], hasAirflow: Bool = true,
        _ body: @escaping @Sendable (SchedulerFixture) async throws -> Void
    ) async throws {
        try await withDatabase { database in try await with(arguments, hasAirflow, database, body) }
    }

    private static func with(
        _ arguments: [String], _ hasAirflow: Bool, _ database: PostgresTestDatabase,
        _ body: @escaping @Sendable (SchedulerFixture) async throws -> Void
    ) async throws {
        try await withEventLoop { loop in
            let scripted = ScriptedServices()
            let below = try await ServiceRuntime.start(
                scripted.definition, arguments: ["--listen", "127.0.0.1:0", "--service-token", "t"], loop: loop)
            let url = try await below.baseURL
            let service = try await start(
                loop, database, url, instance: "one", arguments, hasAirflow: hasAirflow)
            let http = HTTPClient(loop: loop)
            let client = try ServiceClient(
                http: http, baseURL: try await service.baseURL, token: "t", service: "scheduler")
            try await body(
                SchedulerFixture(
                    loop: loop, scripted: scripted, database: database, scriptedURL: url, client: client,
                    service: service))
            await http.close()
            try await service.stop()
            try await below.stop()
        }
    }

    static func start(
        _ loop: EventLoop, _ database: PostgresTestDatabase, _ url: String, instance: String,
        _ arguments: [String] = [], hasAirflow: Bool = true
    ) async throws -> RunningService {
        let airflow = ["--airflow-base-url", url, "--airflow-username", "me", "--airflow-password", "secret"]
        let migrations = #filePath.dropLast("Tests/Scheduler/SchedulerServiceTests.swift".count) + "schemas/sql"
        return try await ServiceRuntime.start(
            SchedulerService.definition,
            arguments: [
                "--listen", "127.0.0.1:0", "--service-token", "t", "--database-url", database.url, "--schema-folder",
                String(migrations), "--cluster-url", url, "--workspace-url", url, "--instance", instance,
                "--webhook-secret", "s3cret", "--webhook-networks", "127.0.0.0/8",
                "--file-roots", "/nonexistent:\(Inbox.root)",
            ] + (hasAirflow ? airflow : []) + arguments, loop: loop)
    }

    func job(_ tasks: [TaskSpec], schedule: JobSchedule? = nil, maxRuns: Int? = nil) async throws -> Job {
        let clusters = [JobCluster(jobClusterKey: "main", newCluster: ClusterSpec(clusterName: "main"))]
        let spec = JobSpec(
            name: "job", tasks: tasks, jobClusters: clusters, schedule: schedule, maxConcurrentRuns: maxRuns)
        return try await client.call(SchedulerAPI.createJob, .init(body: spec))
    }

    func runNow(_ job: Job, token: String? = nil) async throws -> Int64 {
        try await client.call(
            SchedulerAPI.runNow, .init(jobID: job.jobID, body: RunNow(idempotencyToken: token))
        ).runID
    }

    /// Follows the run to its end; returns it and its events.
    func finished(_ runID: Int64) async throws -> (run: Run, events: [RunEvent]) {
        var events: [RunEvent] = []
        let stream = try await client.stream(SchedulerAPI.streamRunEvents, .init(runID: runID, after: 0))
        for try await event in stream { events.append(event) }
        return (try await client.call(SchedulerAPI.getRun, .init(runID: runID)), events)
    }
}

private func task(_ key: String, _ path: String, after: [String] = [], retries: Int? = nil, timeout: Int? = nil)
    -> TaskSpec
{
    TaskSpec(
        taskKey: key, dependsOn: after.isEmpty ? nil : after.map { TaskDependency(taskKey: $0) },
        notebookTask: NotebookTask(notebookPath: path), jobClusterKey: "main", timeoutSeconds: timeout,
        maxRetries: retries)
}

@Suite(.timeLimit(.minutes(15))) struct SchedulerServiceTests {
    /// Goal: who follows all runs is told where each stands, whichever they are, to its end.
    @Test func tellsWhereAllRunsStand() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/a", ["print one"])
            let job = try await fixture.job([task("a", "/a"), task("b", "/a", after: ["a"])])
            let changes = try await fixture.client.stream(SchedulerAPI.streamRunChanges, .init())
            let runs = [try await fixture.runNow(job), try await fixture.runNow(job)]
            var ended: [Int64: RunChange] = [:]
            for try await change in changes {
                #expect(runs.contains(change.runID) && change.jobID == job.jobID && change.tasks == 2)
                if change.state.lifeCycleState == .terminated { ended[change.runID] = change }
                if ended.count == runs.count { break }
            }
            #expect(ended.values.allSatisfy { $0.state.resultState == .success && $0.endedTasks == 2 })
        }
    }

    @Test func twoTasksRunInOrderAndLeaveTheirOutputs() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/a", ["print one", "print two"])
            fixture.scripted.put("/b", ["exit {\"answer\": 42}", "print never"])
            let job = try await fixture.job([task("a", "/a"), task("b", "/b", after: ["a"])])
            let runID = try await fixture.runNow(job)
            let (run, events) = try await fixture.finished(runID)
            #expect(run.state.resultState == .success, "\(run.state)")
            #expect(run.tasks[1].exitValue == "{\"answer\": 42}")
            #expect(events.map(\.sequence) == Array(1...Int64(events.count)))
            let printed = events.compactMap { $0.event?.type == .stream ? $0.event?.text : nil }
            #expect(printed == ["one\n", "two\n"])
            let output = try await fixture.client.call(
                SchedulerAPI.getTaskOutput, .init(runID: runID, taskKey: "a"))
            let outputs = output.notebook?["cells"]?[0]?["outputs"]?.array
            #expect(outputs?.first?["text"] == ["one\n"] || outputs?.first?["text"] == "one\n")
            #expect(fixture.scripted.started.values.allSatisfy { $0 == 1 })
            #expect(fixture.scripted.started["run-\(runID)-1-0-1"] == nil, "nothing runs after an exit")
            #expect(fixture.scripted.contexts.isEmpty)
            try await eventually(fixture.loop) { fixture.scripted.clusters.values.allSatisfy { $0 == .terminated } }
        }
    }

    @Test func aFailureHasItsReasonAndSkipsWhatDependsOnIt() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/a", ["fail no such column"])
            let job = try await fixture.job([task("a", "/a", retries: 1), task("b", "/a", after: ["a"])])
            let (run, _) = try await fixture.finished(try await fixture.runNow(job))
            #expect(run.state.resultState == .failed)
            #expect(run.state.errorCode == "COMMAND_FAILED")
            #expect(run.state.stateMessage.contains("no such column"))
            #expect(run.tasks[0].attempts.count == 2)
            #expect(run.tasks[1].state.resultState == .upstreamFailed)
        }
    }

    @Test func aLostClusterIsReplacedForTheNextAttempt() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/a", ["lost"])
            let job = try await fixture.job([task("a", "/a", retries: 1)])
            let (run, _) = try await fixture.finished(try await fixture.runNow(job))
            #expect(run.tasks[0].attempts.map { $0.state.errorCode } == ["DRIVER_LOST", "DRIVER_LOST"])
            #expect(Set(run.tasks[0].attempts.compactMap(\.clusterID)).count == 2)
        }
    }

    @Test func aMissingNotebookFailsItsTaskWithASentence() async throws {
        try await SchedulerFixture.with { fixture in
            let job = try await fixture.job([task("a", "/nowhere")])
            let (run, _) = try await fixture.finished(try await fixture.runNow(job))
            #expect(run.state.resultState == .failed)
            #expect(run.state.errorCode == "NOTEBOOK_NOT_FOUND")
        }
    }

    @Test func aRunningCellIsInterruptedByCancelAndByTimeout() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/a", ["wait"])
            let job = try await fixture.job([task("a", "/a")])
            let runID = try await fixture.runNow(job)
            try await eventually(fixture.loop) { fixture.scripted.started["run-\(runID)-0-0-0"] == 1 }
            _ = try await fixture.client.call(SchedulerAPI.cancelRun, .init(runID: runID))
            #expect(try await fixture.finished(runID).run.state.resultState == .canceled)
            let timed = try await fixture.job([task("a", "/a", timeout: 1)])
            let (run, _) = try await fixture.finished(try await fixture.runNow(timed))
            #expect(run.tasks[0].state.resultState == .timedout)
        }
    }

    @Test func theSameTokenGivesTheSameRunAndPlacesAreLimited() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/a", ["wait"])
            let job = try await fixture.job([task("a", "/a")], maxRuns: 1)
            let first = try await fixture.runNow(job, token: "x")
            #expect(try await fixture.runNow(job, token: "x") == first)
            let second = try await fixture.runNow(job)
            try await eventually(fixture.loop) { fixture.scripted.started["run-\(first)-0-0-0"] == 1 }
            let waiting = try await fixture.client.call(SchedulerAPI.getRun, .init(runID: second))
            #expect(waiting.state.lifeCycleState == .queued)
            fixture.scripted.finish("run-\(first)-0-0-0")
            try await eventually(fixture.loop) { fixture.scripted.started["run-\(second)-0-0-0"] == 1 }
            fixture.scripted.finish("run-\(second)-0-0-0")
            #expect(try await fixture.finished(second).run.state.resultState == .success)
        }
    }

    @Test func aScheduleFiresByItself() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/a", ["print tick"])
            let job = try await fixture.job(
                [task("a", "/a")],
                schedule: JobSchedule(quartzCronExpression: "* * * * * ?", timezoneID: "Europe/Berlin"))
            #expect(job.nextFireTime != nil)
            let list = ListRunsWaiter(fixture: fixture, jobID: job.jobID)
            let runs = try await list.atLeast(2)
            #expect(Set(runs.map(\.fireTime)).count == runs.count)
            #expect(runs.allSatisfy { $0.trigger == .periodic })
        }
    }

    @Test func anotherSchedulerTakesOverWithoutRunningAnythingTwice() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/a", ["print before", "wait", "print after"])
            let job = try await fixture.job([task("a", "/a")])
            let runID = try await fixture.runNow(job)
            try await eventually(fixture.loop) { fixture.scripted.started["run-\(runID)-0-0-1"] == 1 }
            let second = try await SchedulerFixture.start(
                fixture.loop, fixture.database, fixture.scriptedURL, instance: "two")
            try await fixture.service.stop()
            fixture.scripted.finish("run-\(runID)-0-0-1")
            let http = HTTPClient(loop: fixture.loop)
            let client = try ServiceClient(http: http, baseURL: try await second.baseURL, token: "t", service: "two")
            var printed: [String] = []
            let stream = try await client.stream(SchedulerAPI.streamRunEvents, .init(runID: runID, after: 0))
            for try await event in stream { if let text = event.event?.text { printed.append(text) } }
            #expect(printed == ["before\n", "after\n"])
            #expect(fixture.scripted.started.values.allSatisfy { $0 == 1 })
            let run = try await client.call(SchedulerAPI.getRun, .init(runID: runID))
            #expect(run.state.resultState == .success)
            #expect(run.tasks[0].attempts.count == 1)
            await http.close()
            try await second.stop()
        }
    }

    @Test func whatCannotBeIsRefusedWithACode() async throws {
        try await SchedulerFixture.with { fixture in
            func code(_ body: () async throws -> Void) async -> String {
                do { try await body() } catch { return HarbourError.wrap(error).code.name }
                return ""
            }
            #expect(
                await code { _ = try await fixture.job([task("a", "/a", after: ["a"])]) } == "INVALID_PARAMETER_VALUE")
            let cron = JobSchedule(quartzCronExpression: "99 * * * * ?", timezoneID: "UTC")
            #expect(
                await code { _ = try await fixture.job([task("a", "/a")], schedule: cron) } == "INVALID_CRON_EXPRESSION"
            )
            let zone = JobSchedule(quartzCronExpression: "0 0 * * * ?", timezoneID: "Mars/Olympus")
            #expect(await code { _ = try await fixture.job([task("a", "/a")], schedule: zone) } == "INVALID_TIME_ZONE")
            #expect(
                await code { _ = try await fixture.client.call(SchedulerAPI.getRun, .init(runID: 999)) }
                    == "RESOURCE_DOES_NOT_EXIST")
            #expect(
                await code { _ = try await fixture.client.call(SchedulerAPI.getJob, .init(jobID: 999)) }
                    == "RESOURCE_DOES_NOT_EXIST")
        }
    }
}

/// Waits for what the loop's other work brings about.
func eventually(_ loop: EventLoop, _ condition: () -> Bool) async throws {
    try await eventually("the condition holds") { condition() }
}

private struct ListRunsWaiter {
    let fixture: SchedulerFixture
    let jobID: Int64

    func atLeast(_ count: Int) async throws -> [Run] {
        while true {
            let runs = try await fixture.client.call(SchedulerAPI.listRuns, .init(jobID: jobID)).runs
            if runs.count >= count { return runs }
            try await fixture.loop.sleep(for: .milliseconds(50))
        }
    }
}
