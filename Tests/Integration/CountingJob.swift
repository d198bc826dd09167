import Core
import EventLoop
import Glibc
import HarbourProtocol
import ServiceClients
import TestSupport
import Testing

/// A run of two dependent tasks that print numbered lines, slowly, and write down each time one of their cells runs: so
/// that a lost or doubled line, cell or task can be seen.
struct CountingJob: Sendable {
    static let tasks = ["first", "second"]
    static let cells = 4
    static let lines = 25

    let platform: PlatformUnderTest
    let runID: Int64
    private let file: String

    /// What a task prints when all goes well.
    static let text = (1...cells).map { cell in (1...lines).map { "cell \(cell) line \($0)\n" }.joined() }.joined()

    private static func source(pause: Double, held: Int?) -> String {
        """
        # Databricks notebook source
        import time
        from pathlib import Path

        def count(cell):
            with open(dbutils.widgets.get("file"), "a") as file:
                file.write(f"{dbutils.widgets.get('task')} {cell}\\n")
            for line in range(1, \(lines) + 1):
                print(f"cell {cell} line {line}")
                time.sleep(\(pause))
            while cell == \(held ?? 0) and not Path(dbutils.widgets.get("file") + "-go").exists():
                time.sleep(0.02)

        dbutils.widgets.text("file", "")
        dbutils.widgets.text("task", "")
        """
            + (1...cells).map { "\n\n# COMMAND ----------\n\ncount(\($0))" }.joined()
            + "\n\n# COMMAND ----------\n\ndbutils.notebook.exit(str(spark.range(10).count()))\n"
    }

    /// Imports the notebook and starts a run of it.
    /// - Parameters:
    ///   - pause: seconds after each line: so long must a cell run that is to be met.
    ///   - held: the cell that does not end before `release`.
    static func start(
        on platform: PlatformUnderTest, retries: Int = 0, pause: Double = 0.04, held: Int? = nil
    ) async throws -> CountingJob {
        let path = "/Shared/counting"
        let api = try platform.api
        _ = try await api.call(
            WorkspaceAPI.importObject,
            .init(
                body: ImportObject(
                    path: path, content: Base64.encode(Array(source(pause: pause, held: held).utf8)), overwrite: true)))
        let file = "\(platform.folder)/executions-\(Identifier.make())"
        let specs = tasks.enumerated().map { index, task in
            TaskSpec(
                taskKey: task, dependsOn: index == 0 ? nil : [TaskDependency(taskKey: tasks[index - 1])],
                notebookTask: NotebookTask(notebookPath: path, baseParameters: ["file": file, "task": task]),
                jobClusterKey: "main", maxRetries: retries, minRetryIntervalMillis: 0)
        }
        let cluster = JobCluster(
            jobClusterKey: "main", newCluster: ClusterSpec(clusterName: "counting", driverMemoryMB: 1024))
        let created = try await api.call(
            SchedulerAPI.submitRun,
            .init(body: SubmitRun(runName: "counting", tasks: specs, jobClusters: [cluster])))
        return CountingJob(platform: platform, runID: created.runID, file: file)
    }

    /// How often each cell ran: `first 1`, ...
    var executions: [String] { readFile(file).split(separator: "\n").map(String.init) }

    static var expectedExecutions: [String] { tasks.flatMap { task in (1...cells).map { "\(task) \($0)" } } }

    /// The run as it is now; while the platform is being killed, as soon as it can be asked.
    func run() async throws -> Run {
        try await platform.api.callPatiently(
            SchedulerAPI.getRun, .init(runID: runID), context: .within(.seconds(60)))
    }

    var isOver: Bool {
        get async throws { try await run().state.lifeCycleState == .terminated }
    }

    /// Lets the cell end that is held, in this attempt and in every other one.
    func release() {
        let marker = open("\(file)-go", O_CREAT | O_WRONLY, 0o644)
        #expect(marker >= 0)
        close(marker)
    }

    /// Waits until a cell has begun.
    func awaitCell(_ cell: Int, of task: String = "first") async throws {
        try await eventually("cell \(cell) of \(task) runs") {
            if self.executions.contains("\(task) \(cell)") { return true }
            if try await self.isOver { throw HarbourError(.invalidState, "\(try await self.run())") }
            return false
        }
    }

    /// Waits for the end of the run and looks at it: it succeeded, and what each task's last attempt has left behind is
    /// complete, everywhere.
    /// - Returns: the run.
    @discardableResult
    func expectSuccess(attempts: [Int] = [1, 1]) async throws -> Run {
        try await eventually("the run is over") { try await self.isOver }
        let run = try await run()
        #expect(run.state.resultState == .success, "\(run)")
        #expect(run.tasks.map(\.attempts.count) == attempts, "\(run.tasks)")
        let log = try await RunLog.read(runID, platform)
        #expect(log.sequences == Array(1...Int64(max(1, log.sequences.count))))
        for task in run.tasks {
            #expect(task.exitValue == "10")
            #expect(log.text(of: task.taskKey, attempt: task.attempts.count - 1) == CountingJob.text)
            let output = try await platform.api.callPatiently(
                SchedulerAPI.getTaskOutput, .init(runID: runID, taskKey: task.taskKey))
            #expect(ExecutedNotebook(try #require(output.notebook)).text == CountingJob.text)
        }
        return run
    }

    /// No process of the clusters of a run that is over is left.
    func expectNoOrphans() async throws {
        let folder = "\(platform.folder)/clusters"
        try await eventually("no process of the clusters is left") {
            ProcessTable.running(in: folder).filter { !PlatformUnderTest.isService($0.command) }.isEmpty
        }
    }
}
