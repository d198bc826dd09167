import Core
import HarbourProtocol
import Testing

@testable import SchedulerService

/// What tasks need on their clusters, and what runs there.
@Suite struct TaskLibraryTests {
    private static let wheel = Library(whl: "/data/a.whl")
    private static let jar = Library(jar: "/data/b.jar")

    private static let spec = JobSpec(
        name: "libraries",
        tasks: [
            TaskSpec(taskKey: "a", shellTask: ShellTask(command: "x"), jobClusterKey: "main", libraries: [wheel]),
            TaskSpec(taskKey: "b", shellTask: ShellTask(command: "x"), jobClusterKey: "main", libraries: [jar, wheel]),
            TaskSpec(
                taskKey: "c", shellTask: ShellTask(command: "x"), newCluster: ClusterSpec(clusterName: "own"),
                libraries: [jar]),
            TaskSpec(
                taskKey: "each",
                forEachTask: ForEachTask(
                    inputs: "[1]",
                    task: NestedTask(
                        taskKey: "d", shellTask: ShellTask(command: "x"), existingClusterID: "lab", libraries: [wheel]))
            ),
        ],
        jobClusters: [JobCluster(jobClusterKey: "main", newCluster: ClusterSpec(clusterName: "main"))])

    @Test func aClusterHasWhatItsTasksNeedOnce() throws {
        let spec = Self.spec
        _ = try RunPlan(spec)
        #expect(spec.libraries(on: .shared("main"), besides: []) == [Self.wheel, Self.jar])
        #expect(spec.libraries(on: .shared("main"), besides: [Self.jar]) == [Self.jar, Self.wheel])
        #expect(spec.libraries(on: .own(taskKey: "c"), besides: []) == [Self.jar])
        #expect(spec.libraries(on: .existing("lab"), besides: []) == [Self.wheel])
        #expect(spec.libraries(on: .existing("other"), besides: []).isEmpty)
    }

    @Test func whatRunsOnNoClusterHasNoLibraries() {
        let hook = TaskSpec(taskKey: "a", webhookTask: WebhookTask(url: "http://x"), libraries: [Self.jar])
        #expect(JobGraph(JobSpec(name: "x", tasks: [hook])).problems.map(\.path) == ["/tasks/0"])
    }

    @Test func sparkSubmitIsCalledWithWhatTheTaskSays() throws {
        let task = TaskSpec(
            taskKey: "a", sparkSubmitTask: SparkSubmitTask(parameters: ["/data/app.py", "it's \"{{job.run_id}}\"\n"]),
            newCluster: ClusterSpec(clusterName: "own"))
        #expect(task.texts.contains("it's \"{{job.run_id}}\"\n"))
        let content = try TaskProgram(task: task, revisionID: nil).content(nil)
        let cell = try #require(content.cells.first)
        #expect(cell.language == "python")
        #expect(cell.source.contains(#"["/data/app.py","it's \"{{job.run_id}}\"\n"]"#), "\(cell.source)")
    }
}
