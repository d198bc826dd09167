import Core
import HarbourProtocol
import Testing

@testable import HarbourService

@Suite struct JobFileTests {
    private func read(_ text: String) throws -> [JobFile] { try JobFile.read("job.yaml", Array(text.utf8)) }

    private func problems(_ text: String) throws -> [String] {
        let error = try #require(throws: HarbourError.self) { try read(text) }
        #expect(error.code == .invalidParameter)
        return error.message.split(separator: "\n").map(String.init)
    }

    @Test func aJobAndItsFileAreTheSame() throws {
        let spec = JobSpec(
            name: "nightly: all",
            tasks: [
                TaskSpec(
                    taskKey: "a", shellTask: ShellTask(command: "echo '{{job.id}}'\nexit 0\n"), jobClusterKey: "main",
                    maxRetries: -1),
                TaskSpec(
                    taskKey: "b", dependsOn: [TaskDependency(taskKey: "a")], runIf: .allDone,
                    notebookTask: NotebookTask(notebookPath: "/Shared/b", baseParameters: ["on": "yes", "day": "007"]),
                    jobClusterKey: "main"),
            ],
            jobClusters: [JobCluster(jobClusterKey: "main", newCluster: ClusterSpec(clusterName: "m", numWorkers: 2))],
            schedule: JobSchedule(quartzCronExpression: "0 0 6 * * ?", timezoneID: "Europe/Berlin"),
            parameters: [JobParameter(name: "x", default: "true")], tags: ["team": "~"])
        for format in ["yaml", "json"] {
            #expect(try JobFile.read("x", try spec.file(format)).map(\.spec) == [spec])
        }
    }

    @Test func everyProblemIsSaidWithItsLine() throws {
        let found = try problems(
            """
            name: 2024
            taks: []
            tasks:
              - task_key: "a b"
                shell_task: {command: x}
                max_retries: 200
                run_if: ALL_GOOD
              - notebook_task:
                  notebook_path: [1]
                  extra: 1
                timeout_seconds: 1.5
                depends_on: {task_key: a}
            schedule:
              quartz_cron_expression: 0 0 6 * * ?
            """)
        let expected = [
            "job.yaml:1:7: `name` has to be a text, and is a number: put it into quotes.",
            "job.yaml:2:1: The document has no field `taks`. Did you mean `tasks`?",
            "job.yaml:4:15: `task_key` may not have the character  ; it consists of A-Za-z0-9_-.",
            "job.yaml:6:18: `max_retries` has to be between -1 and 100, and is 200.",
            "job.yaml:7:13: `run_if` has to be one of ALL_SUCCESS, ALL_DONE, NONE_FAILED, AT_LEAST_ONE_SUCCESS, "
                + "ALL_FAILED, AT_LEAST_ONE_FAILED, not ALL_GOOD.",
            "job.yaml:8:5: `tasks` needs the field `task_key`.",
            "job.yaml:9:22: `notebook_path` has to be a text, and is a list.",
            "job.yaml:10:7: `notebook_task` has no field `extra`.",
            "job.yaml:11:22: `timeout_seconds` has to be a whole number, and is 1.5.",
            "job.yaml:12:17: `depends_on` has to be a list, and is an object.",
            "job.yaml:14:3: `schedule` needs the field `timezone_id`.",
        ]
        #expect(found.count == expected.count, "\(found)")
        for (line, wanted) in zip(found, expected) { #expect(line.hasPrefix(wanted), "\(line)") }
    }

    @Test func whatIsNoYAMLIsSaidWithItsLine() throws {
        #expect(try problems("name: x\n\ttasks: []").first?.hasPrefix("job.yaml:2:") == true)
        #expect(try problems("{\"name\": \"x\",\n\"tasks\" []}").first?.hasPrefix("job.yaml:2:9: ") == true)
        #expect(try problems("# nothing").count == 1)
        #expect(try problems("- 1") == ["job.yaml:1:1: The document has to be an object, and is a list."])
    }

    @Test func nullInAnOptionalFieldIsAbsent() throws {
        let files = try read("name: x\ndescription:\ntasks: [{task_key: a, shell_task: {command: x}}]\n")
        #expect(files.first?.spec.description == nil)
    }

    @Test func severalJobsStandInOneFile() throws {
        let text = "name: a\ntasks: [{task_key: t}]\n---\nname: b\ntasks: [{task_key: t}]\n"
        let files = try read(text)
        #expect(files.map(\.spec.name) == ["a", "b"])
        let problem = JobProblem(path: "/tasks/0", message: "Wrong.")
        #expect(files[1].lines([problem]) == ["job.yaml:5:9: Wrong."])
    }

    @Test func aDifferenceShowsWhatIsAroundIt() {
        let old = (1...20).map { "line \($0)\n" }.joined()
        let new =
            old.split(separator: "\n").map { $0 == "line 10" ? "line ten" : $0 }.joined(separator: "\n") + "\nend\n"
        #expect(
            LineDiff(from: old, to: new).text == """
                  line 7
                  line 8
                  line 9
                - line 10
                + line ten
                  line 11
                  line 12
                  line 13
                  ...
                  line 18
                  line 19
                  line 20
                + end

                """)
        #expect(LineDiff(from: old, to: old).text.isEmpty)
        #expect(LineDiff(from: "", to: "a\n").text == "+ a\n")
    }

    @Test(arguments: [
        ("2026-11-01", "2026-11-01T00:00:00.000Z"), ("2026-11-01T06:30", "2026-11-01T06:30:00.000Z"),
        ("2026-11-01T06:30:15Z", "2026-11-01T06:30:15.000Z"), ("2026-11-01T06:30:00+02:00", "2026-11-01T04:30:00.000Z"),
        ("2024-02-29 23:00-01:30", "2024-03-01T00:30:00.000Z"),
    ])
    func timesAreRead(text: String, time: String) {
        #expect(TimeText.parse(text).map(ISO8601.format) == time)
    }

    @Test(arguments: [
        "", "2026-13-01", "2026-02-30", "2026-11-01T24:00", "2026-11-01T06", "11/01/2026", "2026-11-01Z",
        "2026-11-01T06:30x",
    ])
    func whatIsNoTimeIsRefused(text: String) { #expect(TimeText.parse(text) == nil) }
}
