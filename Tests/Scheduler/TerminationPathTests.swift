import Core
import EventLoop
import HarbourProtocol
import Postgres
import ServiceClients
import TestSupport
import Testing

@testable import SchedulerService

/// The rows of schemas/terminations.json, played by the real scheduler on a real database: here those that one run shows,
/// in `TerminationBesideTests` those that need another run, job or setting. `TerminationTableTests` plays all of them by the
/// machine alone.
@Suite(.timeLimit(.minutes(15))) struct TerminationPathTests {
    /// How a row comes about: its tasks, what is done while they run, and which task is looked at; nil for the run.
    private struct Scene {
        var tasks: [TaskSpec]
        var shown: String?
        var timeout: Int?
        var user = "tester"
        var act: @Sendable (SchedulerFixture, Int64) async throws -> Void = { _, _ in }
        /// What stands in the table's message for what is named otherwise here.
        var words: @Sendable (Int64) -> [String: String] = { _ in [:] }
    }

    private static func note(_ key: String, _ path: String, after: [String] = [], if rule: RunIf? = nil) -> TaskSpec {
        TaskSpec(
            taskKey: key, dependsOn: after.map { TaskDependency(taskKey: $0) }, runIf: rule,
            notebookTask: NotebookTask(notebookPath: path), jobClusterKey: "main")
    }

    private static func check(_ left: String, _ op: ConditionOperator = .lessThan) -> TaskSpec {
        TaskSpec(
            taskKey: "check", dependsOn: [TaskDependency(taskKey: "a")],
            conditionTask: ConditionTask(op: op, left: left, right: "10"))
    }

    private static func hook(_ url: String) -> TaskSpec { TaskSpec(taskKey: "a", webhookTask: WebhookTask(url: url)) }

    private static func cancel(_ fixture: SchedulerFixture, _ runID: Int64) async throws {
        try await eventually("its first task is at work") {
            let run = try await fixture.client.call(SchedulerAPI.getRun, .init(runID: runID))
            let state = run.tasks[0].state.lifeCycleState
            return state == .waitingForRetry
                || fixture.scripted.started["run-\(runID)-0-0-0"] != nil && state == .running
        }
        _ = try await fixture.client.call(SchedulerAPI.cancelRun, .init(runID: runID))
    }

    private static func retried() -> TaskSpec {
        var task = note("a", "/fail")
        (task.maxRetries, task.minRetryIntervalMillis) = (1, 3_600_000)
        return task
    }

    private static func limited() -> TaskSpec {
        var task = note("a", "/wait")
        task.timeoutSeconds = 1
        return task
    }

    private static func disabled() -> TaskSpec {
        var task = note("a", "/good")
        task.disabled = true
        return task
    }

    private static func branch() -> [TaskSpec] {
        var after = note("b", "/good")
        after.dependsOn = [TaskDependency(taskKey: "check", outcome: "true")]
        return [note("a", "/good"), check("11"), after]
    }

    private static func runJob(_ jobID: Int64) -> TaskSpec {
        TaskSpec(taskKey: "a", runJobTask: RunJobTask(jobID: jobID))
    }

    /// The scenes of tasks.
    private static func tasks(_ url: String) -> [String: Scene] {
        [
            "a task ends well": Scene(tasks: [note("a", "/good")], shown: "a"),
            "a cell fails": Scene(tasks: [note("a", "/fail")], shown: "a"),
            "a kernel dies": Scene(tasks: [note("a", "/died")], shown: "a"),
            "the driver is lost": Scene(tasks: [note("a", "/lost")], shown: "a"),
            "the notebook does not exist": Scene(tasks: [note("a", "/Shared/x")], shown: "a"),
            "a reference has no value": Scene(
                tasks: [note("a", "/good"), check("{{tasks.a.values.rows}}")], shown: "check"),
            "a condition compares what are no numbers": Scene(
                tasks: [note("a", "/good"), check("ten")], shown: "check"),
            "the inputs of a for-each are no array": Scene(
                tasks: [
                    TaskSpec(
                        taskKey: "a",
                        forEachTask: ForEachTask(
                            inputs: "{}", task: NestedTask(taskKey: "each", webhookTask: WebhookTask(url: url))))
                ], shown: "a"),
            "the job of a run-job task does not exist": Scene(
                tasks: [runJob(99_999)], shown: "a", words: { _ in ["job 9 ": "job 99999 "] }),
            "a webhook is refused": Scene(
                tasks: [hook("\(url)/hooks/refused")], shown: "a",
                words: { _ in ["https://example.org/hook answered with 500": "\(url)/hooks/refused answered with 503"] }
            ),
            "a webhook goes to an inside address": Scene(tasks: [hook("http://169.254.169.254/")], shown: "a"),
            "the host of a webhook cannot be reached": Scene(
                tasks: [hook("http://127.0.0.1:1/")], shown: "a", words: { _ in ["example.org": "127.0.0.1:1"] }),
            "Airflow refuses a DAG": Scene(
                tasks: [TaskSpec(taskKey: "a", airflowTask: AirflowTask(dagID: "missing"))], shown: "a",
                words: { _ in ["DAG etl": "DAG missing"] }),
            "a DAG fails in Airflow": Scene(
                tasks: [TaskSpec(taskKey: "a", airflowTask: AirflowTask(dagID: "etl"))], shown: "a",
                act: { fixture, runID in
                    let name = "etl/run-\(runID)-0-0"
                    try await eventually("it runs there") { fixture.outside.dagRuns[name] == "running" }
                    fixture.outside.finish(name, "failed")
                }, words: { ["run-1-0-0": "run-\($0)-0-0"] }),
            "a task interrupts itself": Scene(tasks: [note("a", "/interrupt")], shown: "a"),
            "it is disabled": Scene(tasks: [disabled()], shown: "a"),
            "a task before it fails": Scene(tasks: [note("a", "/fail"), note("b", "/good", after: ["a"])], shown: "b"),
            "a task before it is cancelled": Scene(
                tasks: [note("a", "/interrupt"), note("b", "/good", after: ["a"])], shown: "b"),
            "a condition goes the other way": Scene(tasks: branch(), shown: "b"),
            "its run_if is not met": Scene(
                tasks: [note("a", "/good"), note("b", "/good", after: ["a"], if: .allFailed)], shown: "b"),
            "the user of the run is deactivated": Scene(tasks: [note("a", "/good")], shown: "a", user: "gone"),
        ]
    }

    /// The scenes of runs, and those that time or somebody ends.
    private static let runs: [String: Scene] = {
        let waiting = [note("a", "/wait"), note("b", "/good", after: ["a"])]
        return [
            "an attempt runs out of time": Scene(tasks: [limited()], shown: "a"),
            "the run runs out of time while a task runs": Scene(tasks: waiting, shown: "a", timeout: 1),
            "the run runs out of time before a task begins": Scene(tasks: waiting, shown: "b", timeout: 1),
            "the run is cancelled while a task runs": Scene(tasks: waiting, shown: "a", act: cancel),
            "the run is cancelled before a task begins": Scene(tasks: waiting, shown: "b", act: cancel),
            "the run is cancelled while a task waits for its retry": Scene(tasks: [retried()], shown: "a", act: cancel),
            "all tasks end well": Scene(tasks: [note("a", "/good")]),
            "the last task fails": Scene(tasks: [note("last", "/fail")]),
            "what fails is dealt with": Scene(
                tasks: [note("first", "/fail"), note("last", "/good", after: ["first"], if: .allDone)]),
            "the run is cancelled": Scene(tasks: waiting, act: cancel),
            "the run runs out of time": Scene(tasks: waiting, timeout: 1),
            "its user is deactivated": Scene(tasks: [note("a", "/good")], user: "gone"),
            "its user may not use its cluster": Scene(tasks: [note("a", "/good")], user: "barred"),
        ]
    }()

    @Test func theServiceEndsThemAsTheTableSays() async throws {
        try await SchedulerFixture.with { fixture in
            for (path, cell) in [
                ("/good", "print good"), ("/fail", "fail no such column"), ("/wait", "wait"),
                ("/interrupt", "interrupt"),
                ("/died", "end KERNEL_DIED KernelDied The kernel ended by itself."),
                ("/lost", "end DRIVER_LOST DriverLost The driver does not answer."),
            ] { fixture.scripted.put(path, [cell]) }
            fixture.outside.refuse("refused", 1)
            let scenes = Self.tasks(fixture.scriptedURL).merging(Self.runs) { $1 }
            let rows = try TerminationRow.all()
            let played = Set(scenes.keys).union(TerminationBesideTests.paths.keys).union([TerminationBesideTests.alone])
            #expect(played == Set(rows.map(\.path)), "each row has a scene, and each scene a row")
            for row in rows {
                guard let scene = scenes[row.path] else { continue }
                if scene.user != "tester" {
                    fixture.scripted.refuse(
                        scene.user,
                        RunVerdict(allowed: false, errorCode: row.state.errorCode, message: row.message))
                }
                let (state, runID) = try await Self.play(scene, fixture)
                row.expect(state, scene.words(runID))
            }
        }
    }

    private static func play(_ scene: Scene, _ fixture: SchedulerFixture) async throws -> (RunState, Int64) {
        let clusters = [JobCluster(jobClusterKey: "main", newCluster: ClusterSpec(clusterName: "main"))]
        let runID = try await fixture.client.call(
            SchedulerAPI.submitRun,
            .init(
                body: SubmitRun(
                    runName: "path", tasks: scene.tasks, jobClusters: clusters, timeoutSeconds: scene.timeout)),
            context: .within(.seconds(30), user: scene.user)
        ).runID
        try await scene.act(fixture, runID)
        let run = try await fixture.finished(runID).run
        guard let key = scene.shown else { return (run.state, runID) }
        return (try #require(run.tasks.first { $0.taskKey == key }).state, runID)
    }
}
