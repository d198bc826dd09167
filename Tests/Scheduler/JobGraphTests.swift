import Core
import HarbourProtocol
import Testing

@testable import SchedulerService

private func task(_ key: String, after: [String] = [], cluster: String? = "main") -> TaskSpec {
    TaskSpec(
        taskKey: key, dependsOn: after.map { TaskDependency(taskKey: $0) },
        notebookTask: NotebookTask(notebookPath: "/Shared/\(key)"), jobClusterKey: cluster)
}

@Suite struct JobGraphTests {
    private let clusters = [JobCluster(jobClusterKey: "main", newCluster: ClusterSpec(clusterName: "main"))]

    private func message(_ tasks: [TaskSpec]) -> String {
        do {
            _ = try RunPlan(JobSpec(name: "j", tasks: tasks, jobClusters: clusters))
            return ""
        } catch { return error.message }
    }

    @Test func aGoodGraphBecomesAPlan() throws {
        var second = task("b", after: ["a"])
        second.timeoutSeconds = 60
        second.maxRetries = 2
        second.minRetryIntervalMillis = 500
        let plan = try RunPlan(
            JobSpec(name: "j", tasks: [task("a"), second], jobClusters: clusters, timeoutSeconds: 0))
        #expect(plan.timeout == nil, "zero means no limit")
        #expect(plan.tasks[1].dependencies == [Dependency(task: 0)])
        #expect(plan.tasks[1].policy.timeout == 60_000)
        #expect(plan.tasks[1].policy.maxRetries == 2)
        #expect(plan.tasks[1].cluster == .shared("main"))
    }

    @Test func theWholePathOfACycleIsNamed() {
        let text = message([task("a", after: ["c"]), task("b", after: ["a"]), task("c", after: ["b"]), task("d")])
        #expect(text.contains("a -> c -> b -> a"), "\(text)")
        #expect(message([task("a", after: ["a"])]).contains("a -> a"))
    }

    @Test func everyProblemIsNamedAtOnce() {
        var both = task("b")
        both.existingClusterID = "x"
        let text = message([
            task("a", after: ["nobody"]), task("a"), both, task("c", cluster: nil), task("d", cluster: "z"),
        ])
        for part in ["task key a", "depends on nobody", "b needs exactly one", "c needs exactly one", "cluster z"] {
            #expect(text.contains(part), "\(part) is missing in: \(text)")
        }
    }

    @Test func aLongChainIsCheckedWithoutRunningOutOfStack() throws {
        let chain = (0..<1000).map { task("t\($0)", after: $0 == 0 ? [] : ["t\($0 - 1)"]) }
        #expect(try RunPlan(JobSpec(name: "j", tasks: chain.reversed(), jobClusters: clusters)).tasks.count == 1000)
    }

    @Test func whatATaskDoesIsSaidOnce() {
        var none = task("a", cluster: nil)
        none.notebookTask = nil
        #expect(message([none]).contains("a needs exactly one of"))
        var both = task("a")
        both.conditionTask = ConditionTask(op: .equalTo, left: "1", right: "1")
        #expect(message([both]).contains("notebook_task and condition_task"))
        var condition = task("a", cluster: nil)
        condition.notebookTask = nil
        condition.conditionTask = ConditionTask(op: .equalTo, left: "1", right: "1")
        #expect(message([condition]).isEmpty)
        condition.jobClusterKey = "main"
        #expect(message([condition]).contains("may not name one"))
        condition.jobClusterKey = nil
        condition.maxRetries = 2
        #expect(message([condition]).contains("not tried again by itself"))
        var waiter = task("b")
        waiter.dependsOn = [TaskDependency(taskKey: "a", outcome: "true")]
        #expect(message([task("a"), waiter]).contains("no condition task"))
        condition.maxRetries = nil
        waiter.dependsOn = [TaskDependency(taskKey: "a", outcome: "maybe")]
        #expect(message([condition, waiter]).contains("there are true and false"))
    }

    @Test(arguments: [
        ("{{job.parameters.no}}", "no parameter no"), ("{{job.colour}}", "a job has id"),
        ("{{tasks.b.values.x}}", "does not depend on b"), ("{{tasks.z.values.x}}", "no task of this job"),
        ("{{tasks.a.values}}", "has to name a value"), ("{{tasks.a.size}}", "a task has values"),
        ("{{input}}", "only the nested task"), ("{{job.start_time.century}}", "a job has id"),
        ("{{tasks.a.values.x}} and {{job.parameters.day}} at {{job.start_time.iso_date}}", ""),
        ("{{ job.run_id }} {{other.template}} {{ not closed", ""),
    ])
    func referencesThatCanHaveNoValueAreRefused(_ text: String, _ problem: String) {
        var user = task("c", after: ["a"])
        user.notebookTask?.baseParameters = ["x": text]
        var found = ""
        do {
            _ = try RunPlan(
                JobSpec(
                    name: "j", tasks: [task("a"), task("b"), user], jobClusters: clusters,
                    parameters: [JobParameter(name: "day", default: "")]))
        } catch { found = error.message }
        #expect(problem.isEmpty ? found.isEmpty : found.contains(problem), "\(found)")
    }
}
