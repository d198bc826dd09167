import Core
import EventLoop
import HarbourProtocol
import ServiceClients
import TestSupport
import Testing

@testable import SchedulerService

/// What tasks other than notebooks run.
@Suite(.timeLimit(.minutes(15))) struct TaskKindTests {
    private func source(_ task: TaskSpec, _ revision: NotebookContent? = nil) throws -> String {
        try TaskProgram(task: task, revisionID: revision?.revisionID).content(revision).cells[0].source
    }

    private func python(_ source: String) -> String {
        do { return try runCommand(["python3", "-c", source]) } catch {
            return "failed: \(HarbourError.describe(error))"
        }
    }

    private func file(_ source: String) -> NotebookContent {
        NotebookContent(
            notebookID: 1, revisionID: 1, path: "/x.py", language: "python",
            cells: [NotebookCell(cellID: "a", kind: .code, language: "python", source: source)], document: [:])
    }

    /// Python itself runs what is made of a script and of a wheel's entry point.
    @Test func aScriptRunsAsPythonRunsScripts() throws {
        let tricky = "quotes \" ' \\ line\nbreak {braces} ü 😀"
        var task = TaskSpec(
            taskKey: "a", sparkPythonTask: SparkPythonTask(pythonFile: "/x.py", parameters: [tricky, "2"]))
        let script = file(
            """
            import sys
            def double(x): return x * 2
            if __name__ == "__main__":
                print([double(int(sys.argv[2])) for _ in "a"], sys.argv[1] == "quotes \\" ' \\\\ line\\nbreak {braces} ü 😀")
                sys.exit(0)
            """)
        #expect(python(try source(task, script)) == "[4] True\n")
        let bad = python(try source(task, file("import sys; sys.exit(3)")))
        #expect(bad.contains("The script ended itself with 3."), "\(bad)")
        task = TaskSpec(
            taskKey: "a",
            pythonWheelTask: PythonWheelTask(
                packageName: "platform", entryPoint: "python_implementation", namedParameters: ["day": "monday"]))
        #expect(python(try source(task) + "\nprint(sys.argv)") == "['platform', '--day=monday']\n")
        #expect(
            python(
                try source(TaskSpec(taskKey: "a", pythonWheelTask: PythonWheelTask(packageName: "no", entryPoint: "x")))
            )
            .contains("No module named"))
    }

    @Test func statementsAndShellScriptsAreCells() throws {
        let sql = TaskSpec(taskKey: "a", sqlTask: SqlTask(statement: "SELECT :day", parameters: ["day": "monday"]))
        let content = try TaskProgram(task: sql, revisionID: nil).content(nil)
        #expect(content.cells.map(\.language) == ["sql"] && content.cells[0].source == "SELECT :day")
        #expect(TaskProgram(task: sql, revisionID: nil).parameters == ["day": "monday"])
        #expect(try source(TaskSpec(taskKey: "a", shellTask: ShellTask(command: "ls\nexit 1"))) == "%sh\nls\nexit 1")
    }

    private func job(_ fixture: SchedulerFixture, _ tasks: [TaskSpec]) async throws -> Run {
        let job = try await fixture.job(tasks)
        return try await fixture.finished(try await fixture.runNow(job)).run
    }

    @Test func theyRunOnClustersLikeNotebooks() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/x.py", ["print no"])
            let run = try await job(
                fixture,
                [
                    TaskSpec(
                        taskKey: "sql", sqlTask: SqlTask(statement: "print {{job.run_id}}", parameters: ["day": "x"]),
                        jobClusterKey: "main"),
                    TaskSpec(taskKey: "shell", shellTask: ShellTask(command: "print shell"), jobClusterKey: "main"),
                    TaskSpec(
                        taskKey: "script", sparkPythonTask: SparkPythonTask(pythonFile: "/x.py"), jobClusterKey: "main"),
                    TaskSpec(
                        taskKey: "lost", sparkPythonTask: SparkPythonTask(pythonFile: "/no.py"), jobClusterKey: "main"),
                ])
            #expect(run.tasks.map(\.state.resultState) == [.success, .success, .success, .failed], "\(run.state)")
            #expect(run.tasks[3].state.errorCode == "NOTEBOOK_NOT_FOUND")
            #expect(fixture.scripted.contextSpecs["run-\(run.runID)-0-0"]?.parameters == ["day": "x"])
            let output = try await fixture.client.call(
                SchedulerAPI.getTaskOutput, .init(runID: run.runID, taskKey: "sql"))
            let text = output.notebook?["cells"]?[0]?["outputs"]?[0]?["text"]
            #expect(text == .string("\(run.runID)\n") || text?[0] == .string("\(run.runID)\n"))
        }
    }

    @Test func aWebhookIsCalledSignedAndTriedAgain() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.outside.refuse("call", 1)
            let hook = TaskSpec(
                taskKey: "hook",
                webhookTask: WebhookTask(
                    url: "\(fixture.scriptedURL)/hooks/call", headers: ["x-mine": "{{task.name}}"],
                    body: #"{"run": {{job.run_id}}}"#), maxRetries: 1)
            let run = try await job(fixture, [hook])
            #expect(run.state.resultState == .success, "\(run.state)")
            #expect(run.tasks[0].exitValue == #"{"ok":true}"#)
            #expect(run.tasks[0].attempts[0].state.errorCode == "WEBHOOK_FAILED")
            let calls = fixture.outside.calls("call")
            #expect(calls.map { $0.fields["idempotency-key"] } == ["run-\(run.runID)-0-0", "run-\(run.runID)-0-1"])
            #expect(calls[1].body == Array(#"{"run": \#(run.runID)}"#.utf8))
            #expect(calls[1].fields["x-mine"] == "hook")
            let time = calls[1].fields["x-harbour-timestamp"] ?? ""
            let signature = WebhookSigner(secret: "s3cret").signature(time, calls[1].body)
            #expect(calls[1].fields["x-harbour-signature"] == "sha256=\(signature)")
        }
    }

    @Test func aDAGOfAirflowIsRunToItsEnd() async throws {
        try await SchedulerFixture.with { fixture in
            let airflow = TaskSpec(
                taskKey: "dag", airflowTask: AirflowTask(dagID: "etl", conf: ["run": "{{job.run_id}}"]))
            let job = try await fixture.job([airflow])
            let runID = try await fixture.runNow(job)
            try await eventually(fixture.loop) { fixture.outside.dagRuns["etl/run-\(runID)-0-0"] == "running" }
            #expect(fixture.outside.configurations["etl/run-\(runID)-0-0"]?["run"] == .string("\(runID)"))
            fixture.outside.finish("etl/run-\(runID)-0-0", "success")
            #expect(try await fixture.finished(runID).run.state.resultState == .success)

            let second = try await fixture.runNow(job)
            try await eventually(fixture.loop) { fixture.outside.dagRuns["etl/run-\(second)-0-0"] == "running" }
            _ = try await fixture.client.call(SchedulerAPI.cancelRun, .init(runID: second))
            #expect(try await fixture.finished(second).run.state.resultState == .canceled)
            #expect(fixture.outside.dagRuns["etl/run-\(second)-0-0"] == "failed", "it was stopped in Airflow too")

            let missing = TaskSpec(taskKey: "dag", airflowTask: AirflowTask(dagID: "missing"))
            let run = try await self.job(fixture, [missing])
            #expect(run.state.errorCode == "AIRFLOW_REFUSED" && run.state.stateMessage.contains("DAG not found"))
        }
    }

    @Test func endsAreToldToWhoWantsToHear() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/good", ["print good"])
            fixture.scripted.put("/bad", ["fail badly"])
            func tell(_ path: String) async throws -> Int64 {
                var spec = try await fixture.job([
                    TaskSpec(taskKey: "a", notebookTask: NotebookTask(notebookPath: path), jobClusterKey: "main")
                ]).settings
                spec.webhookNotifications = WebhookNotifications(
                    onSuccess: [WebhookDestination(url: "\(fixture.scriptedURL)/hooks/good")],
                    onFailure: [WebhookDestination(url: "\(fixture.scriptedURL)/hooks/bad")])
                let job = try await fixture.client.call(SchedulerAPI.createJob, .init(body: spec))
                return try await fixture.runNow(job)
            }
            let good = try await tell("/good")
            let bad = try await tell("/bad")
            try await eventually(fixture.loop) {
                fixture.outside.calls("good").count == 1 && fixture.outside.calls("bad").count == 1
            }
            let news = try JSONValue(json: fixture.outside.calls("bad")[0].body)
            #expect(news["event_type"] == "jobs.on_failure")
            #expect(news["run"]?["run_id"] == .integer(bad) && news["run"]?["error_code"] == "COMMAND_FAILED")
            let other = try JSONValue(json: fixture.outside.calls("good")[0].body)
            #expect(other["run"]?["run_id"] == .integer(good) && other["run"]?["result_state"] == "SUCCESS")
            let call = fixture.outside.calls("good")[0]
            let signature = WebhookSigner(secret: "s3cret").signature(
                call.fields["x-harbour-timestamp"] ?? "", call.body)
            #expect(call.fields["x-harbour-signature"] == "sha256=\(signature)")
        }
    }

    @Test func whatIsNotAnsweredIsSentAgainLater() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/good", ["print good"])
            fixture.outside.refuse("slow", 1)
            var spec = try await fixture.job([
                TaskSpec(taskKey: "a", notebookTask: NotebookTask(notebookPath: "/good"), jobClusterKey: "main")
            ]).settings
            spec.webhookNotifications = WebhookNotifications(
                onSuccess: [WebhookDestination(url: "\(fixture.scriptedURL)/hooks/slow")])
            let job = try await fixture.client.call(SchedulerAPI.createJob, .init(body: spec))
            _ = try await fixture.runNow(job)
            try await eventually(fixture.loop) { fixture.outside.calls("slow").count == 2 }
            let calls = fixture.outside.calls("slow")
            #expect(calls[0].fields["x-harbour-delivery"] == calls[1].fields["x-harbour-delivery"])
            spec.webhookNotifications = WebhookNotifications(onFailure: [WebhookDestination(url: "ftp://x")])
            do {
                _ = try await fixture.client.call(SchedulerAPI.createJob, .init(body: spec))
                Issue.record("ftp was taken")
            } catch { #expect(HarbourError.wrap(error).code == .invalidParameter) }
        }
    }
}
