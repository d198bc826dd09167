import Core
import EventLoop
import HarbourProtocol
import ServiceClients
import Testing

@testable import SchedulerService

/// Workflows through the API, with a real PostgreSQL and scripted clusters.
@Suite(.timeLimit(.minutes(15))) struct WorkflowServiceTests {
    private func notebook(_ key: String, _ path: String, after: [String] = [], _ base: [String: String] = [:])
        -> TaskSpec
    {
        TaskSpec(
            taskKey: key, dependsOn: after.map { TaskDependency(taskKey: $0) },
            notebookTask: NotebookTask(notebookPath: path, baseParameters: base), jobClusterKey: "main")
    }

    @Test func valuesDecideWhichWayARunGoes() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/count", ["value rows 12", "exit counted"])
            fixture.scripted.put("/work", ["print work"])
            let check = TaskSpec(
                taskKey: "check", dependsOn: [TaskDependency(taskKey: "count")],
                conditionTask: ConditionTask(op: .greaterThan, left: "{{tasks.count.values.rows}}", right: "10"))
            var many = notebook("many", "/work", ["rows": "{{tasks.count.values.rows}}", "run": "{{job.run_id}}"])
            many.dependsOn = [TaskDependency(taskKey: "check", outcome: "true")]
            var few = notebook("few", "/work")
            few.dependsOn = [TaskDependency(taskKey: "check", outcome: "false")]
            var join = notebook("join", "/work", after: ["many", "few"])
            join.runIf = .noneFailed
            let job = try await fixture.job([notebook("count", "/count"), check, many, few, join])
            let runID = try await fixture.runNow(job)
            let (run, _) = try await fixture.finished(runID)
            #expect(run.state.resultState == .success, "\(run.state)")
            #expect(run.tasks.map(\.state.resultState) == [.success, .success, .success, .excluded, .success])
            #expect(run.tasks[3].state.lifeCycleState == .skipped)
            #expect(run.tasks[1].outcome == "true")
            #expect(run.tasks[0].values?["rows"] == "12")
            let context = fixture.scripted.contextSpecs["run-\(runID)-2-0"]
            #expect(context?.parameters == ["rows": "12", "run": "\(runID)"])
            #expect(context?.taskValues?["count"]?["rows"] == "12")
        }
    }

    @Test func aForEachRunsItsTaskOnceForEachInput() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/each", ["print each"])
            let nested = NestedTask(
                taskKey: "each",
                notebookTask: NotebookTask(
                    notebookPath: "/each", baseParameters: ["city": "{{input.city}}", "at": "{{task.name}}"]),
                jobClusterKey: "main")
            let loop = TaskSpec(
                taskKey: "loop",
                forEachTask: ForEachTask(
                    inputs: "{{job.parameters.cities}}", concurrency: 2, task: nested))
            let spec = JobSpec(
                name: "loop", tasks: [loop, notebook("after", "/each", after: ["loop"])],
                jobClusters: [JobCluster(jobClusterKey: "main", newCluster: ClusterSpec(clusterName: "main"))],
                parameters: [JobParameter(name: "cities", default: "[]")])
            let job = try await fixture.client.call(SchedulerAPI.createJob, .init(body: spec))
            let runID = try await fixture.client.call(
                SchedulerAPI.runNow,
                .init(
                    jobID: job.jobID,
                    body: RunNow(parameters: ["cities": "[{\"city\":\"Oslo\"},{\"city\":\"Rome\"},{\"city\":\"Lima\"}]"]
                    ))
            ).runID
            let (run, events) = try await fixture.finished(runID)
            #expect(run.state.resultState == .success, "\(run.state)")
            #expect(run.tasks.map(\.taskKey) == ["loop", "after", "each[0]", "each[1]", "each[2]"])
            #expect(run.tasks[0].iterations == IterationCounts(total: 3, active: 0, succeeded: 3, failed: 0))
            #expect(run.tasks[3].input?["city"] == "Rome" && run.tasks[3].forEachTaskKey == "loop")
            #expect(fixture.scripted.contextSpecs["run-\(runID)-3-0"]?.parameters?["city"] == "Rome")
            #expect(fixture.scripted.contextSpecs["run-\(runID)-3-0"]?.parameters?["at"] == "each[1]")
            #expect(Set(events.compactMap(\.taskKey)).count == 5)
            let output = try await fixture.client.call(
                SchedulerAPI.getTaskOutput, .init(runID: runID, taskKey: "each[2]"))
            #expect(output.notebook != nil)
            let listed = try await fixture.client.call(SchedulerAPI.listRuns, .init(jobID: job.jobID)).runs
            #expect(listed.first?.tasks.count == 2, "lists leave iterations out")
        }
    }

    @Test func aJobRunsAnotherAndCancelsItWithItself() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/inner", ["wait"])
            let inner = try await fixture.job([notebook("inner", "/inner")], maxRuns: 10)
            let outer = try await fixture.job([
                TaskSpec(taskKey: "outer", runJobTask: RunJobTask(jobID: inner.jobID)),
                notebook("after", "/inner", after: ["outer"]),
            ])
            func child(of runID: Int64) async throws -> Int64 {
                while true {
                    let run = try await fixture.client.call(SchedulerAPI.getRun, .init(runID: runID))
                    if let child = run.tasks[0].attempts.first?.runJobRunID,
                        fixture.scripted.started["run-\(child)-0-0-0"] == 1
                    {
                        return child
                    }
                    try await fixture.loop.sleep(for: .milliseconds(5))
                }
            }
            let first = try await fixture.runNow(outer)
            let firstChild = try await child(of: first)
            fixture.scripted.finish("run-\(firstChild)-0-0-0")
            try await eventually(fixture.loop) { fixture.scripted.started["run-\(first)-1-0-0"] == 1 }
            fixture.scripted.finish("run-\(first)-1-0-0")
            #expect(try await fixture.finished(first).run.state.resultState == .success)
            let childRun = try await fixture.finished(firstChild).run
            #expect(childRun.trigger == .runJobTask && childRun.parentRunID == first)

            let second = try await fixture.runNow(outer)
            let secondChild = try await child(of: second)
            _ = try await fixture.client.call(SchedulerAPI.cancelRun, .init(runID: second))
            #expect(try await fixture.finished(second).run.state.resultState == .canceled)
            #expect(try await fixture.finished(secondChild).run.state.resultState == .canceled)

            let lost = try await fixture.job([TaskSpec(taskKey: "outer", runJobTask: RunJobTask(jobID: 999))])
            let (run, _) = try await fixture.finished(try await fixture.runNow(lost))
            #expect(run.state.errorCode == "RUN_JOB_NOT_FOUND")
            let itself = try await fixture.job([notebook("a", "/inner")], maxRuns: 10)
            var spec = itself.settings
            spec.tasks = [TaskSpec(taskKey: "again", runJobTask: RunJobTask(jobID: itself.jobID))]
            _ = try await fixture.client.call(SchedulerAPI.updateJob, .init(jobID: itself.jobID, body: spec))
            let (deep, _) = try await fixture.finished(try await fixture.runNow(itself))
            #expect(deep.state.errorCode == "RUN_JOB_FAILED")
            #expect(deep.state.stateMessage.contains("nested five deep"), "\(deep.state.stateMessage)")
        }
    }

    @Test func aRepairKeepsTheRunAndItsHistory() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/good", ["print good"])
            fixture.scripted.put("/bad", ["fail no such column"])
            var spec = try await fixture.job([
                notebook("a", "/good"), notebook("b", "/bad", after: ["a"]), notebook("c", "/good", after: ["b"]),
            ]).settings
            spec.parameters = [JobParameter(name: "day", default: "monday")]
            let job = try await fixture.client.call(SchedulerAPI.createJob, .init(body: spec))
            let runID = try await fixture.runNow(job)
            #expect(try await fixture.finished(runID).run.state.resultState == .failed)
            // The job and its notebook change; the run keeps the definition it began with, and reads the notebook anew.
            spec.tasks = [notebook("other", "/good")]
            _ = try await fixture.client.call(SchedulerAPI.updateJob, .init(jobID: job.jobID, body: spec))
            fixture.scripted.put("/bad", ["print mended"])
            let repair = try await fixture.client.call(
                SchedulerAPI.repairRun,
                .init(runID: runID, body: RepairRun(rerunAllFailedTasks: true, jobParameters: ["day": "tuesday"])))
            #expect(repair.repairID == 1)
            let (run, events) = try await fixture.finished(runID)
            #expect(run.state.resultState == .success, "\(run.state)")
            #expect(run.tasks.map(\.attempts.count) == [1, 2, 1])
            #expect(run.history?.map(\.type) == [.original, .repair])
            #expect(run.history?.map(\.state?.resultState) == [.failed, .success])
            #expect(run.history?[1].taskKeys == ["b", "c"])
            #expect(run.history?.map(\.parameters) == [["day": "monday"], ["day": "tuesday"]])
            #expect(events.map(\.sequence) == Array(1...Int64(events.count)))
            #expect(fixture.scripted.contextSpecs["run-\(runID)-1-1"]?.parameters == ["day": "tuesday"])
            #expect(fixture.scripted.started["run-\(runID)-0-1-0"] == nil, "what succeeded is not run again")
            func code(_ body: RepairRun) async -> String {
                do {
                    _ = try await fixture.client.call(SchedulerAPI.repairRun, .init(runID: runID, body: body))
                } catch { return HarbourError.wrap(error).code.name }
                return ""
            }
            #expect(await code(RepairRun(rerunTasks: ["b"])) == "RESOURCE_CONFLICT", "it does not know of the repair")
            #expect(await code(RepairRun(rerunTasks: ["z"], latestRepairID: 1)) == "INVALID_PARAMETER_VALUE")
            #expect(await code(RepairRun(rerunAllFailedTasks: true, latestRepairID: 1)) == "INVALID_PARAMETER_VALUE")
            #expect(
                await code(RepairRun(rerunTasks: ["b"], jobParameters: ["x": "y"], latestRepairID: 1))
                    == "INVALID_PARAMETER_VALUE")
            try await eventually(fixture.loop) { fixture.scripted.clusters.values.allSatisfy { $0 == .terminated } }
        }
    }

    @Test func aCancelledRunCanBeRepairedAndARunWithoutAPlaceIsSkipped() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/wait", ["wait"])
            var spec = try await fixture.job([notebook("a", "/wait")]).settings
            spec.queue = QueueSettings(enabled: false)
            let job = try await fixture.client.call(SchedulerAPI.createJob, .init(body: spec))
            let runID = try await fixture.runNow(job)
            try await eventually(fixture.loop) { fixture.scripted.started["run-\(runID)-0-0-0"] == 1 }
            let skipped = try await fixture.finished(try await fixture.runNow(job)).run
            #expect(skipped.state.lifeCycleState == .skipped)
            #expect(skipped.state.resultState == .maximumConcurrentRunsReached)
            #expect(skipped.state.errorCode == "MAX_CONCURRENT_RUNS_REACHED")
            _ = try await fixture.client.call(SchedulerAPI.cancelRun, .init(runID: runID))
            #expect(try await fixture.finished(runID).run.state.errorCode == "USER_CANCELED")
            _ = try await fixture.client.call(
                SchedulerAPI.repairRun, .init(runID: runID, body: RepairRun(rerunTasks: ["a"])))
            try await eventually(fixture.loop) { fixture.scripted.started["run-\(runID)-0-1-0"] == 1 }
            fixture.scripted.finish("run-\(runID)-0-1-0")
            #expect(try await fixture.finished(runID).run.state.resultState == .success)
        }
    }
}
