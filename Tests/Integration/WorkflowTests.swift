import Core
import HarbourProtocol
import ServiceClients
import Testing

extension WholePlatform {
    /// A workflow on real Spark: what tasks leave behind decides what runs, and each kind of task runs for real.
    @Suite(.serialized, .platform) struct Workflows {
        private static let first = """
            # Databricks notebook source
            rows = spark.range(12).count()
            dbutils.jobs.taskValues.set("rows", rows)
            password = dbutils.secrets.get("workflow", "password")
            print("password", password, len(password))
            dbutils.notebook.exit("counted")
            """

        private static let second = """
            # Databricks notebook source
            rows = dbutils.jobs.taskValues.get("first", "rows")
            dbutils.notebook.exit(f"{rows + 1} {dbutils.widgets.get('rows')} {dbutils.widgets.get('input')}")
            """

        private static let script = """
            import sys

            if __name__ == "__main__":
                print("script", sys.argv[1], spark.range(3).count())
                sys.exit(0)
            """

        /// Leaves behind where a program and a jar with a main of its own are.
        private static let programs = """
            # Databricks notebook source
            import glob, os, pyspark, tempfile
            path = os.path.join(tempfile.mkdtemp(), "app.py")
            with open(path, "w") as file:
                file.write('''
            import sys
            from pyspark.sql import SparkSession
            spark = SparkSession.builder.getOrCreate()
            print("submitted", sys.argv[1], spark.range(7).count(), spark.sparkContext.master)
            sys.exit(int(sys.argv[2]))
            ''')
            dbutils.jobs.taskValues.set("app", path)
            jars = os.path.join(pyspark.__path__[0], "jars", "hadoop-client-api-*.jar")
            dbutils.jobs.taskValues.set("jar", glob.glob(jars)[0])
            """

        private func put(_ path: String, _ text: String, _ api: ServiceClient) async throws {
            let content = Base64.encode(Array(text.utf8))
            _ = try await api.call(
                WorkspaceAPI.importObject,
                .init(body: ImportObject(path: path, content: content, language: "python", overwrite: true)))
        }

        private var tasks: [TaskSpec] {
            func after(_ key: String, _ outcome: String? = nil) -> [TaskDependency] {
                [TaskDependency(taskKey: key, outcome: outcome)]
            }
            let loop = ForEachTask(
                inputs: #"["x", "y"]"#, concurrency: 2,
                task: NestedTask(
                    taskKey: "second",
                    notebookTask: NotebookTask(
                        notebookPath: "/Shared/second",
                        baseParameters: ["rows": "{{tasks.first.values.rows}}", "input": "{{input}}"]),
                    jobClusterKey: "main"))
            return [
                TaskSpec(
                    taskKey: "first", notebookTask: NotebookTask(notebookPath: "/Shared/first"), jobClusterKey: "main"),
                TaskSpec(
                    taskKey: "check", dependsOn: after("first"),
                    conditionTask: ConditionTask(op: .equalTo, left: "{{tasks.first.values.rows}}", right: "12")),
                TaskSpec(taskKey: "loop", dependsOn: after("check", "true"), forEachTask: loop),
                TaskSpec(
                    taskKey: "never", dependsOn: after("check", "false"), shellTask: ShellTask(command: "exit 1"),
                    jobClusterKey: "main"),
                TaskSpec(
                    taskKey: "sql",
                    sqlTask: SqlTask(
                        statement: "SELECT :day AS day, count(*) AS n FROM range(5); SELECT hex(:day) AS day",
                        parameters: ["day": "{{job.parameters.day}}"]),
                    jobClusterKey: "main"),
                TaskSpec(
                    taskKey: "shell",
                    shellTask: ShellTask(
                        command: "echo shell {{job.run_id}} \"$DAY\"; exit 3",
                        environment: ["DAY": "{{job.parameters.day}}"]),
                    jobClusterKey: "main"),
                TaskSpec(
                    taskKey: "mend", dependsOn: after("shell"), runIf: .atLeastOneFailed,
                    sparkPythonTask: SparkPythonTask(pythonFile: "/Shared/script", parameters: ["{{job.run_id}}"]),
                    jobClusterKey: "main"),
            ]
        }

        /// What a user who may only start runs could try.
        private static let hostile = "monday' OR '1'='1\"; $(touch canary) `touch canary`; DROP TABLE x -- \\' :day"

        /// As Spark's `hex` writes it.
        private static func hexadecimal(_ text: String) -> String {
            text.utf8.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined().uppercased()
        }

        @Test(.timeLimit(.minutes(10))) func everyKindOfTaskRuns() async throws {
            try await withPlatform { platform in
                let api = try platform.api
                try await put("/Shared/first", Self.first, api)
                _ = try await api.call(
                    WorkspaceAPI.createSecretScope, .init(body: CreateSecretScope(scope: "workflow")))
                _ = try await api.call(
                    WorkspaceAPI.putSecret,
                    .init(body: PutSecret(scope: "workflow", key: "password", stringValue: "open-sesame")))
                try await put("/Shared/second", Self.second, api)
                try await put("/Shared/script", Self.script, api)
                let cluster = JobCluster(
                    jobClusterKey: "main", newCluster: ClusterSpec(clusterName: "workflow", driverMemoryMB: 1024))
                let runID = try await api.call(
                    SchedulerAPI.submitRun,
                    .init(
                        body: SubmitRun(
                            runName: "workflow", tasks: tasks, jobClusters: [cluster],
                            parameters: ["day": Self.hostile]))
                ).runID
                var printed: [String: String] = [:]
                let events = try await api.stream(SchedulerAPI.streamRunEvents, .init(runID: runID, after: 0))
                for try await event in events {
                    if let key = event.taskKey, let text = event.event?.text { printed[key, default: ""] += text }
                }
                let run = try await api.call(SchedulerAPI.getRun, .init(runID: runID))
                #expect(run.state.resultState == .successWithFailures, "\(run.state)")
                let ends = Dictionary(uniqueKeysWithValues: run.tasks.map { ($0.taskKey, $0.state.resultState) })
                #expect(
                    ends == [
                        "first": .success, "check": .success, "loop": .success, "never": .excluded, "sql": .success,
                        "shell": .failed, "mend": .success, "second[0]": .success, "second[1]": .success,
                    ])
                let exits = run.tasks.filter { $0.forEachTaskKey == "loop" }.map(\.exitValue)
                #expect(exits == ["13 12 x", "13 12 y"])
                #expect(printed["shell"]?.contains("shell \(runID) \(Self.hostile)\n") == true, "\(printed)")
                #expect(printed["first"]?.hasPrefix("password [REDACTED] 11\n") == true, "\(printed)")
                #expect(printed["mend"]?.contains("script \(runID) 3") == true, "\(printed)")
                let output = try await api.call(SchedulerAPI.getTaskOutput, .init(runID: runID, taskKey: "sql"))
                let shown = output.notebook?.jsonText() ?? ""
                #expect(shown.contains(Self.hexadecimal(Self.hostile)), "\(shown)")
            }
        }

        @Test(.timeLimit(.minutes(10))) func programsAreSubmittedToASparkOfTheirOwn() async throws {
            try await withPlatform { platform in
                let api = try platform.api
                try await put("/Shared/programs", Self.programs, api)
                func submit(_ key: String, _ parameters: [String]) -> TaskSpec {
                    TaskSpec(
                        taskKey: key, dependsOn: [TaskDependency(taskKey: "programs")],
                        sparkSubmitTask: SparkSubmitTask(parameters: parameters), jobClusterKey: "main")
                }
                let tasks = [
                    TaskSpec(
                        taskKey: "programs", notebookTask: NotebookTask(notebookPath: "/Shared/programs"),
                        jobClusterKey: "main"),
                    submit("python", ["--name", "mine", "{{tasks.programs.values.app}}", "{{job.run_id}}", "0"]),
                    submit("bad", ["{{tasks.programs.values.app}}", "x", "3"]),
                    submit(
                        "jar", ["--class", "org.apache.hadoop.util.VersionInfo", "{{tasks.programs.values.jar}}"]),
                ]
                let cluster = JobCluster(
                    jobClusterKey: "main", newCluster: ClusterSpec(clusterName: "submit", driverMemoryMB: 1024))
                let runID = try await api.call(
                    SchedulerAPI.submitRun,
                    .init(body: SubmitRun(runName: "submit", tasks: tasks, jobClusters: [cluster]))
                ).runID
                var printed: [String: String] = [:]
                let events = try await api.stream(SchedulerAPI.streamRunEvents, .init(runID: runID, after: 0))
                for try await event in events {
                    if let key = event.taskKey, let text = event.event?.text { printed[key, default: ""] += text }
                }
                let run = try await api.call(SchedulerAPI.getRun, .init(runID: runID))
                let ends = Dictionary(uniqueKeysWithValues: run.tasks.map { ($0.taskKey, $0.state.resultState) })
                #expect(
                    ends == ["programs": .success, "python": .success, "bad": .failed, "jar": .success], "\(printed)")
                #expect(printed["python"]?.contains("submitted \(runID) 7 local[") == true, "\(printed)")
                #expect(printed["jar"]?.contains("Source code repository") == true, "\(printed)")
            }
        }
    }
}
