import Core
import EventLoop
import HarbourProtocol
import Postgres
import ServiceClients
import TestSupport
import Testing

@testable import SchedulerService

/// The rows of schemas/terminations.json that come about only beside another run or job, on a cluster that fails, or under
/// another setting, played by the real scheduler.
@Suite(.timeLimit(.minutes(15))) struct TerminationBesideTests {
    /// How a row came about: the state that it is about, and what its message names otherwise.
    typealias Scene = @Sendable (SchedulerFixture) async throws -> (state: RunState, words: [String: String])

    /// Played by a scheduler of its own.
    static let alone = "an Airflow task without an Airflow"

    static let paths: [String: Scene] = [
        "a cluster does not come up": clusterFails,
        "a parameter stands in a script": oldDefinition,
        "an iteration fails": iterationFails,
        "jobs that run jobs are nested too deep": tooDeep,
        "the run of a run-job task fails": { try await inner($0, "/fail") { _, _ in } },
        "the run of a run-job task is cancelled": {
            try await inner($0, "/wait") { fixture, child in
                _ = try await fixture.client.call(SchedulerAPI.cancelRun, .init(runID: child))
            }
        },
        "all places of the job are taken": noPlace,
    ]

    private static func note(_ path: String) -> TaskSpec {
        TaskSpec(taskKey: "a", notebookTask: NotebookTask(notebookPath: path), jobClusterKey: "main")
    }

    private static func make(
        _ fixture: SchedulerFixture, _ name: String, _ task: TaskSpec, cluster: String = "main",
        _ change: (inout JobSpec) -> Void = { _ in }
    ) async throws -> Job {
        let clusters = [JobCluster(jobClusterKey: "main", newCluster: ClusterSpec(clusterName: cluster))]
        var spec = JobSpec(name: name, tasks: [task], jobClusters: clusters)
        change(&spec)
        return try await fixture.client.call(SchedulerAPI.createJob, .init(body: spec))
    }

    private static func clusterFails(_ fixture: SchedulerFixture) async throws -> (RunState, [String: String]) {
        fixture.scripted.failClusters(named: "broken", "The driver did not start.")
        let job = try await make(fixture, "job", note("/good"), cluster: "broken")
        let runID = try await fixture.runNow(job)
        return (try await fixture.finished(runID).run.tasks[0].state, ["run-1-j0-0": "run-\(runID)-j0-0"])
    }

    /// One from before there was the rule: the run waits for its place, while its frozen definition is made an old one.
    private static func oldDefinition(_ fixture: SchedulerFixture) async throws -> (RunState, [String: String]) {
        let shell = TaskSpec(taskKey: "a", shellTask: ShellTask(command: "echo DAY"), jobClusterKey: "main")
        let job = try await make(fixture, "job", note("/wait")) {
            $0.maxConcurrentRuns = 1
            $0.parameters = [JobParameter(name: "day", default: "monday")]
        }
        let first = try await fixture.runNow(job)
        try await eventually("it has the place") { fixture.scripted.started["run-\(first)-0-0-0"] == 1 }
        var spec = job.settings
        spec.tasks = [shell]
        _ = try await fixture.client.call(SchedulerAPI.updateJob, .init(jobID: job.jobID, body: spec))
        let second = try await fixture.runNow(job)
        let pool = PostgresPool(
            configuration: PostgresConfiguration(url: fixture.database.url, schema: "scheduler"), loop: fixture.loop)
        let changed = try await pool.query(
            """
            UPDATE runs SET settings = replace(settings::text, 'echo DAY', 'echo {{job.parameters.day}}')::jsonb
            WHERE run_id = \(second) AND phase = 'QUEUED' RETURNING run_id
            """)
        #expect(changed.count == 1)
        await pool.drain(budget: .seconds(5))
        fixture.scripted.finish("run-\(first)-0-0-0")
        return (try await fixture.finished(second).run.tasks[0].state, ["that shell runs": "that a runs"])
    }

    private static func iterationFails(_ fixture: SchedulerFixture) async throws -> (RunState, [String: String]) {
        fixture.outside.refuse("rainy", 1)
        let hook = NestedTask(taskKey: "each", webhookTask: WebhookTask(url: "\(fixture.scriptedURL)/hooks/{{input}}"))
        let each = TaskSpec(taskKey: "a", forEachTask: ForEachTask(inputs: #"["rainy","sunny"]"#, task: hook))
        let runID = try await fixture.runNow(try await make(fixture, "job", each))
        let why = "\(fixture.scriptedURL)/hooks/rainy answered with 503: "
        return (try await fixture.finished(runID).run.tasks[0].state, ["ValueError: no such column": why])
    }

    /// A chain of six runs; the last of them is the one that says so.
    private static func tooDeep(_ fixture: SchedulerFixture) async throws -> (RunState, [String: String]) {
        var job = try await make(fixture, "0", note("/good"))
        for depth in 1...7 {
            job = try await make(
                fixture, "\(depth)", TaskSpec(taskKey: "a", runJobTask: RunJobTask(jobID: job.jobID)))
        }
        var run = try await fixture.finished(try await fixture.runNow(job)).run
        while let child = run.tasks[0].attempts.last?.runJobRunID { run = try await fixture.finished(child).run }
        return (run.tasks[0].state, [:])
    }

    /// A task runs a job, and something happens to the run of that.
    private static func inner(
        _ fixture: SchedulerFixture, _ path: String, _ act: (SchedulerFixture, Int64) async throws -> Void
    ) async throws -> (RunState, [String: String]) {
        let job = try await make(fixture, "inner", note(path))
        let outer = try await make(
            fixture, "outer", TaskSpec(taskKey: "a", runJobTask: RunJobTask(jobID: job.jobID)))
        let runID = try await fixture.runNow(outer)
        var child: Int64?
        try await eventually("the other job runs") {
            let run = try await fixture.client.call(SchedulerAPI.getRun, .init(runID: runID))
            child = run.tasks[0].attempts.last?.runJobRunID
            return child.map { fixture.scripted.started["run-\($0)-0-0-0"] == 1 } ?? false
        }
        let childID = try #require(child)
        try await act(fixture, childID)
        let state = try await fixture.finished(runID).run.tasks[0].state
        return (state, ["Run 2 ": "Run \(childID) "])
    }

    private static func noPlace(_ fixture: SchedulerFixture) async throws -> (RunState, [String: String]) {
        let job = try await make(fixture, "job", note("/wait")) {
            $0.maxConcurrentRuns = 1
            $0.queue = QueueSettings(enabled: false)
        }
        let first = try await fixture.runNow(job)
        try await eventually("it has the place") { fixture.scripted.started["run-\(first)-0-0-0"] == 1 }
        let second = try await fixture.finished(try await fixture.runNow(job)).run.state
        fixture.scripted.finish("run-\(first)-0-0-0")
        _ = try await fixture.finished(first)
        return (second, [:])
    }

    @Test func theServiceEndsThemAsTheTableSays() async throws {
        try await SchedulerFixture.with { fixture in
            for (path, cell) in [("/good", "print good"), ("/fail", "fail no such column"), ("/wait", "wait")] {
                fixture.scripted.put(path, [cell])
            }
            for row in try TerminationRow.all() {
                guard let scene = Self.paths[row.path] else { continue }
                let (state, words) = try await scene(fixture)
                row.expect(state, words)
            }
        }
    }

    @Test func withoutAnAirflowItsTasksSaySo() async throws {
        try await SchedulerFixture.with(hasAirflow: false) { fixture in
            let task = TaskSpec(taskKey: "a", airflowTask: AirflowTask(dagID: "etl"))
            let runID = try await fixture.runNow(try await Self.make(fixture, "job", task))
            let row = try #require(try TerminationRow.all().first { $0.path == Self.alone })
            row.expect(try await fixture.finished(runID).run.tasks[0].state)
        }
    }
}
