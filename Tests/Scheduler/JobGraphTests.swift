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
            _ = try RunPlan(tasks: tasks, jobClusters: clusters, timeoutSeconds: nil)
            return ""
        } catch { return error.message }
    }

    @Test func aGoodGraphBecomesAPlan() throws {
        var second = task("b", after: ["a"])
        second.timeoutSeconds = 60
        second.maxRetries = 2
        second.minRetryIntervalMillis = 500
        let plan = try RunPlan(tasks: [task("a"), second], jobClusters: clusters, timeoutSeconds: 0)
        #expect(plan.timeout == nil, "zero means no limit")
        #expect(plan.tasks[1].dependencies == [0])
        #expect(plan.tasks[1].timeout == 60_000)
        #expect(plan.tasks[1].maxRetries == 2)
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
        #expect(try RunPlan(tasks: chain.reversed(), jobClusters: clusters, timeoutSeconds: nil).tasks.count == 1000)
    }
}
