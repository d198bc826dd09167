import Core
import EventLoop
import Glibc
import HarbourProtocol
import ServiceClients
import TestSupport
import Testing

extension WholePlatform {
    /// A graph of 200 tasks on a platform with two schedulers, of which each part is killed with `kill -9`. What a dead
    /// scheduler had is taken up soon: that it is by the usual lease too is `SchedulerTests`'.
    @Suite(.serialized, .platform(adding: ["HARBOUR_SCHEDULER_LEASE_SECONDS": "2"])) struct GraphKills {
        /// `HARBOUR_TEST_ROUNDS` plays more graphs, `HARBOUR_TEST_SEED` a failure again.
        @Test(.timeLimit(.minutes(30))) func aGraphOf200TasksEndsRightWhateverIsKilled() async throws {
            let variables = ProcessSpecification.Environment.ours
            let rounds = variables["HARBOUR_TEST_ROUNDS"].flatMap(Int.init) ?? 1
            let seed = variables["HARBOUR_TEST_SEED"].flatMap(UInt64.init) ?? UInt64.random(in: 0...UInt64.max)
            print("GraphKills HARBOUR_TEST_SEED=\(seed)")
            try await withPlatform { platform in
                var random = SeededGenerator(seed: seed)
                var second = try await SecondScheduler.start(on: platform)
                for _ in 0..<rounds {
                    let graph = try await KilledGraph.start(on: platform, &random)
                    var left = ["scheduler", "second", "cluster", "driver", "postgres"].shuffled(using: &random)
                    var count = 0
                    while let victim = left.popLast() {
                        count += Int.random(in: 1...3, using: &random)
                        try await graph.awaitExecutions(count)
                        switch victim {
                        case "second":
                            try await second.kill()
                            second = try await SecondScheduler.start(on: platform)
                        case "driver": graph.killDriver()
                        default: try await platform.killAndAwait(victim)
                        }
                    }
                    try await graph.expectSuccess()
                }
                try await second.kill()
            }
        }
    }
}

/// One more scheduler on the database of a platform, as a second machine would have it.
private struct SecondScheduler: Sendable {
    private let process: ChildProcess

    /// Starts it with the settings that the supervisor has given to the first.
    static func start(on platform: PlatformUnderTest) async throws -> SecondScheduler {
        let pid = try #require(try await platform.status()?["scheduler"]?.pid)
        func words(_ file: String) -> [String] {
            readFile("/proc/\(pid)/\(file)").split(separator: "\0").map(String.init)
        }
        let command = words("cmdline")
        let address = "\(platform.folder)/run/second.address"
        unlink(address)
        var specification = ProcessSpecification(try #require(command.first), Array(command.dropFirst()))
        var variables: [String: String] = [:]
        for word in words("environ") {
            let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
            if parts.count == 2 { variables[parts[0]] = parts[1] }
        }
        variables["HARBOUR_SCHEDULER_LISTEN"] = "127.0.0.1:0"
        variables["HARBOUR_SCHEDULER_INSTANCE"] = "second"
        variables["HARBOUR_SCHEDULER_ADDRESS_FILE"] = address
        specification.environment = .inherited(adding: variables)
        specification.output = .file("\(platform.folder)/logs/second.log")
        specification.errors = .sameAsOutput
        specification.parentDeathSignal = SIGKILL
        let process = try await ChildProcess.start(specification, loop: platform.loop)
        try await eventually("the second scheduler serves") { access(address, R_OK) == 0 || process.exit != nil }
        try #require(process.exit == nil, "\(readFile("\(platform.folder)/logs/second.log"))")
        return SecondScheduler(process: process)
    }

    func kill() async throws {
        process.kill()
        _ = try await process.wait()
    }
}

/// A run of 200 tasks in twenty layers: in each a notebook, which writes down that it runs, and nine conditions, which wait
/// for the notebook of the layer before.
private struct KilledGraph: Sendable {
    private static let layers = 20
    private static let path = "/Shared/killed-graph"
    private static let source = """
        # Databricks notebook source
        import time
        dbutils.widgets.text("file", "")
        dbutils.widgets.text("attempt", "")
        with open(dbutils.widgets.get("file"), "a") as file:
            file.write(dbutils.widgets.get("attempt") + "\\n")
        time.sleep(0.2)
        """

    let platform: PlatformUnderTest
    let runID: Int64
    private let file: String

    static func start(on platform: PlatformUnderTest, _ random: inout SeededGenerator) async throws -> KilledGraph {
        _ = try await platform.api.callPatiently(
            WorkspaceAPI.importObject,
            .init(body: ImportObject(path: path, content: Base64.encode(Array(source.utf8)), overwrite: true)))
        let file = "\(platform.folder)/killed-graph-\(Identifier.make())"
        var tasks: [TaskSpec] = []
        for layer in 0..<layers {
            var notebook = TaskSpec(taskKey: "work\(layer)")
            notebook.notebookTask = NotebookTask(
                notebookPath: path, baseParameters: ["file": file, "attempt": "{{task.run_id}}"])
            notebook.jobClusterKey = "main"
            (notebook.maxRetries, notebook.minRetryIntervalMillis) = (5, 0)
            // Two at a time: each waits for one of the two layers before that.
            if layer > 1 {
                notebook.dependsOn = [TaskDependency(taskKey: "work\(layer - 2)")]
            }
            tasks.append(notebook)
            for number in 0..<9 {
                var check = TaskSpec(taskKey: "check\(layer)_\(number)")
                check.conditionTask = ConditionTask(
                    op: .equalTo, left: "{{tasks.work\(layer).result_state}}", right: "success")
                check.dependsOn = [TaskDependency(taskKey: "work\(layer)")]
                tasks.append(check)
            }
        }
        let cluster = JobCluster(
            jobClusterKey: "main", newCluster: ClusterSpec(clusterName: "graph", driverMemoryMB: 1024))
        let created = try await platform.api.callPatiently(
            SchedulerAPI.submitRun,
            .init(
                body: SubmitRun(
                    runName: "graph", tasks: tasks.shuffled(using: &random), jobClusters: [cluster],
                    idempotencyToken: Identifier.make())))
        return KilledGraph(platform: platform, runID: created.runID, file: file)
    }

    /// The attempts that have run, each as often as it has.
    private var executions: [String] { readFile(file).split(separator: "\n").map(String.init) }

    private func run() async throws -> Run {
        try await platform.api.callPatiently(
            SchedulerAPI.getRun, .init(runID: runID), context: .within(.seconds(60)))
    }

    func awaitExecutions(_ count: Int) async throws {
        try await eventually("\(count) notebooks have begun") {
            if executions.count >= count { return true }
            if try await run().endTime != nil { throw HarbourError(.invalidState, "\(try await run().state)") }
            return false
        }
    }

    /// Kills the driver, where there is one now.
    func killDriver() {
        for entry in ProcessTable.running(in: "\(platform.folder)/clusters")
        where entry.command.hasPrefix("\(TestInstallation.binaries)/driver") { Glibc.kill(entry.pid, SIGKILL) }
    }

    /// The run succeeds, no attempt has run twice, and only what a killed driver took with it was tried again.
    func expectSuccess() async throws {
        try await eventually("the run is over", within: .seconds(300)) { try await run().endTime != nil }
        let ended = try await run()
        #expect(ended.state.resultState == .success, "\(ended.state)")
        #expect(ended.tasks.count == 10 * Self.layers)
        #expect(ended.tasks.allSatisfy { $0.state.resultState == .success })
        let ran = executions
        #expect(Set(ran).count == ran.count, "an attempt ran twice: \(ran)")
        for task in ended.tasks {
            for attempt in task.attempts.dropLast() {
                #expect(attempt.state.resultState == .failed, "\(task.taskKey): \(attempt.state)")
            }
            if task.taskKey.hasPrefix("check") { #expect(task.outcome == "true") }
        }
        let log = try await RunLog.read(runID, platform)
        #expect(log.sequences == Array(1...Int64(max(1, log.sequences.count))))
    }
}
