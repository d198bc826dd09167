import Core
import Glibc
import HarbourProtocol
import TestSupport
import Testing

@testable import SchedulerService

/// Whoever may start a run or leave a value runs no commands with that.
@Suite struct CodeReferenceTests {
    private static let allSafe = [
        "{{job.id}}", "{{job.run_id}}", "{{job.repair_count}}", "{{job.start_time.iso_datetime}}",
        "{{job.trigger.time.iso_date}}", "{{job.trigger.type}}", "{{task.run_id}}", "{{task.execution_count}}",
        "{{tasks.a.run_id}}", "{{tasks.a.result_state}}", "{{tasks.a.execution_count}}", "{{tasks.a.outcome}}",
    ]
    private static let allUnsafe = [
        "{{job.name}}", "{{job.parameters.day}}", "{{ job.parameters.day }}", "{{task.name}}", "{{tasks.a.values.x}}",
        "{{tasks.a.exit_value}}", "{{tasks.a.error_code}}", "{{job.trigger.file_arrival.location}}",
    ]

    private func problems(_ change: (inout TaskSpec) -> Void) -> [String] {
        var task = TaskSpec(taskKey: "b", dependsOn: [TaskDependency(taskKey: "a")], jobClusterKey: "main")
        change(&task)
        let spec = JobSpec(
            name: "job",
            tasks: [
                TaskSpec(taskKey: "a", notebookTask: NotebookTask(notebookPath: "/a"), jobClusterKey: "main"), task,
            ], jobClusters: [JobCluster(jobClusterKey: "main", newCluster: ClusterSpec(clusterName: "main"))],
            trigger: TriggerSettings(fileArrival: FileArrivalTrigger(url: "/files/")),
            parameters: [JobParameter(name: "day", default: "")])
        return JobGraph(spec).problems.map(\.message)
    }

    @Test(arguments: allUnsafe) func whatPeopleSayStandsInNoProgram(_ reference: String) {
        for quote in ["", "'", "\""] {
            let text = "echo \(quote)\(reference)\(quote)"
            let shell = problems { $0.shellTask = ShellTask(command: text) }
            #expect(shell.count == 1 && shell[0].contains("environment of the shell_task"), "\(shell)")
            let sql = problems { $0.sqlTask = SqlTask(statement: text) }
            #expect(sql.count == 1 && sql[0].contains("parameters of the sql_task"), "\(sql)")
            let nested = NestedTask(taskKey: "c", shellTask: ShellTask(command: text), jobClusterKey: "main")
            let loop = problems {
                $0.jobClusterKey = nil
                $0.forEachTask = ForEachTask(inputs: "[1]", task: nested)
            }
            #expect(loop.count == 1 && loop[0].contains("the text that c runs"), "\(loop)")
        }
        #expect(problems { $0.shellTask = ShellTask(command: "x", environment: ["DAY": reference]) } == [])
        #expect(problems { $0.sqlTask = SqlTask(statement: "x", parameters: ["day": reference]) } == [])
    }

    @Test(arguments: allSafe) func whatThePlatformMakesMayStandAnywhere(_ reference: String) {
        #expect(problems { $0.shellTask = ShellTask(command: "echo \(reference)") } == [])
        #expect(problems { $0.sqlTask = SqlTask(statement: "SELECT '\(reference)'") } == [])
    }

    @Test(arguments: ["1A", "", "A-B", "A=B", "Ä", "BASH_FUNC_x%%"]) func namesOfVariablesAreNames(_ name: String) {
        let found = problems { $0.shellTask = ShellTask(command: "x", environment: [name: "1"]) }
        #expect(found.count == 1 && found[0].contains("no name of a variable"), "\(found)")
    }

    @Test func whatMakesBashRunThingsIsNotSetByReferences() {
        let found = problems {
            $0.shellTask = ShellTask(command: "x", environment: ["BASH_ENV": "{{job.parameters.day}}"])
        }
        #expect(found.count == 1 && found[0].contains("run other programs"))
        #expect(problems { $0.shellTask = ShellTask(command: "x", environment: ["PATH": "/opt/bin:/bin"]) } == [])
    }

    /// A definition that was frozen before there was the rule fails when its task's turn comes.
    @Test func anOldDefinitionIsNotRun() throws {
        let plan = RunPlan(tasks: [TaskPlan(key: "a")])
        let machine = RunMachine(plan: plan, facts: RunFacts(runID: 7, parameters: ["day": "1"]))
        let old = TaskSpec(taskKey: "a", shellTask: ShellTask(command: "echo {{job.parameters.day}} {{job.run_id}}"))
        do {
            _ = try machine.resolve(old, for: 0)
            Issue.record("it would run")
        } catch { #expect(error.code.name == "REFERENCE_NOT_ALLOWED" && error.message.contains("job.parameters.day")) }
        let fine = TaskSpec(taskKey: "a", shellTask: ShellTask(command: "echo {{job.run_id}} {{other}}"))
        #expect(try machine.resolve(fine, for: 0).shellTask?.command == "echo 7 {{other}}")
    }

    // MARK: Hostile values

    private static let hostile = [
        "$(touch CANARY)", "`touch CANARY`", "'; touch CANARY; '", "\"; touch CANARY; \"", "\n touch CANARY\n",
        "| touch CANARY", "&& touch CANARY #", "${IFS}touch${IFS}CANARY", "\\\"; touch CANARY",
        "EOF\ntouch CANARY\nEOF", "-e touch", "*", "~", "\"\"\"; import os; os.system('touch CANARY')",
        "'}); __import__('os').system('touch CANARY'); ({'", "ü😀\u{2028}", "() { :;}; touch CANARY",
        "%sh touch CANARY", "!touch CANARY", "{{job.run_id}}", "a\r\nb", "", " ", "\t",
    ]

    /// Bash itself gets the values, through the cell that a cluster would run, and has each as it was.
    @Test func bashReadsValuesAsDataAlone() throws {
        let words = ["$(", "`", "'", "\"", ";", "\n", "\\", "touch CANARY", "{{", "}}", "EOF", "&", "|"]
        let values =
            fuzzInputs(
                corpus: Self.hostile.map { Array($0.utf8) }, tokens: words.map { Array($0.utf8) }, count: 600,
                maximumLength: 200
            ).map { String(decoding: $0.filter { $0 != 0 }, as: UTF8.self) } + Self.hostile
        try check(values.filter { ReferenceText($0).references.allSatisfy { $0 == ["job", "run_id"] } })
    }

    private func check(_ values: [String]) throws {
        #expect(values.count > 400)
        let folder = try TemporaryDirectory()
        let runtime = #filePath.dropLast("Tests/Scheduler/CodeReferenceTests.swift".count) + "Libraries/Runtime"
        for start in stride(from: 0, to: values.count, by: 100) {
            let some = Array(values[start..<min(start + 100, values.count)])
            var facts = RunFacts(runID: 7)
            var environment: [String: String] = [:]
            for (number, value) in some.enumerated() {
                facts.parameters["p\(number)"] = value
                environment["V\(number)"] = "{{job.parameters.p\(number)}}"
            }
            let script = some.indices.map {
                """
                printf '%s' "$V\($0)" | base64 -w0; echo
                : $V\($0) '$V\($0)' [ "$V\($0)" = x ]
                cat > /dev/null <<EOF
                $V\($0)
                EOF
                """
            }.joined(separator: "\n")
            let machine = RunMachine(plan: RunPlan(tasks: [TaskPlan(key: "a")]), facts: facts)
            let task = try machine.resolve(
                TaskSpec(taskKey: "a", shellTask: ShellTask(command: "set -f\n\(script)", environment: environment)),
                for: 0)
            let cell = try TaskProgram(task: task, revisionID: nil).content(nil).cells[0].source
            let program =
                "import os, sys\nos.chdir(\(JSONValue.string(folder.path).jsonText()))\n"
                + "sys.path.insert(0, \(JSONValue.string(String(runtime)).jsonText()))\n\(cell)"
            let path = try folder.write("cell-\(start).py", Array(program.utf8))
            let lines = try runCommand(["python3", path]).split(separator: "\n", omittingEmptySubsequences: false)
            for (number, value) in some.enumerated() {
                let wanted = try ReferenceText(value).resolved { _ throws(HarbourError) in "7" }
                #expect(String(lines[number]) == Base64.encode(Array(wanted.utf8)), "\(value)")
            }
        }
        #expect(access("\(folder.path)/CANARY", F_OK) != 0, "a value was run")
    }

    @Test func whatDoesNotFitIntoAnEnvironmentIsRefused() {
        for value in [String(repeating: "x", count: 128 << 10), "a\u{0}b"] {
            let task = TaskSpec(taskKey: "a", shellTask: ShellTask(command: "x", environment: ["A": value]))
            #expect(throws: HarbourError.self) { try TaskProgram(task: task, revisionID: nil).content(nil) }
        }
    }
}
