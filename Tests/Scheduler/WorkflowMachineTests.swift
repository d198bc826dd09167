import Core
import Testing

@testable import SchedulerService

/// Conditions, for-each tasks, disabled tasks, retries and repairs, decided by the machine alone.
@Suite struct WorkflowMachineTests {
    private func condition(_ left: String, _ op: Comparison, _ right: String) -> TaskWork {
        .condition(op, left: left, right: right)
    }

    private func loop(_ inputs: String, _ concurrency: Int, retries: Int = 0) -> TaskWork {
        .forEach(ForEachPlan(inputs: inputs, concurrency: concurrency, task: plan("each", retries: retries)))
    }

    @Test func aConditionSendsTheRunOneWay() {
        var yes = plan("yes")
        yes.dependencies = [Dependency(task: 1, outcome: true)]
        var no = plan("no")
        no.dependencies = [Dependency(task: 1, outcome: false)]
        let join = plan("join", after: [2, 3], if: .noneFailed)
        let strict = plan("strict", after: [2, 3])
        var check = plan("check", after: [0], work: condition("{{tasks.count.values.rows}}", .greater, "10"))
        check.cluster = nil
        var machine = RunMachine(plan: RunPlan(tasks: [plan("count"), check, yes, no, join, strict]))
        _ = machine.resume(at: at(0))
        var outcome = AttemptOutcome.success()
        outcome.values = ["rows": 12]
        #expect(machine.end(0, outcome) == [.runAttempt(task: 2, attempt: 0)])
        #expect(machine.tasks[1].attempts.last?.outcome?.branch == true)
        #expect(machine.tasks[3].phase == .ended(.excluded))
        #expect(machine.end(2) == [.runAttempt(task: 4, attempt: 0)])
        #expect(machine.tasks[5].phase == .ended(.excluded), "ALL_SUCCESS wants all of them to have run")
        _ = machine.end(4)
        #expect(machine.run.result == .success)
    }

    @Test func sidesThatAreNoNumbersFailTheCondition() {
        var machine = RunMachine(plan: RunPlan(tasks: [plan("c", work: condition("ten", .less, "10"))]))
        _ = machine.resume(at: at(0))
        #expect(machine.tasks[0].attempts[0].outcome?.errorCode == "CONDITION_NOT_COMPARABLE")
        #expect(machine.run.result == .failed)
        for (op, left, right, result) in [
            (Comparison.equal, "a", "a", true), (.notEqual, "12", "12.0", true), (.less, "9", "10", true),
            (.lessOrEqual, "10", "1e1", true), (.greaterOrEqual, "-1", "0", false), (.greater, "2", "1", true),
        ] {
            #expect(op.holds(left, right) == result)
        }
    }

    @Test func iterationsRunAsManyAtATimeAsAllowed() {
        var machine = RunMachine(plan: RunPlan(tasks: [plan("loop", work: loop("[10, \"b\", {\"k\": 3}]", 2))]))
        #expect(
            machine.resume(at: at(0)) == [.runAttempt(task: 1, attempt: 0), .runAttempt(task: 2, attempt: 0)])
        #expect(machine.key(of: 2) == "each[1]")
        #expect((try? machine.resolve("{{input}}", for: 2)) == "b")
        #expect(machine.end(2) == [.runAttempt(task: 3, attempt: 0)])
        #expect((try? machine.resolve("{{input.k}}", for: 3)) == "3")
        _ = machine.end(1, failure)
        #expect(machine.run.result == nil)
        #expect(machine.end(3) == [.releaseCluster(.shared("main")), .finish])
        #expect(machine.tasks[0].attempts[0].outcome?.errorCode == "ITERATIONS_FAILED")
        #expect(machine.tasks[0].attempts[0].outcome?.message.contains("1 of 3") == true)
        #expect(machine.run.result == .failed)
    }

    @Test func inputsMayBeNoneAndMustBeAnArray() {
        var empty = RunMachine(plan: RunPlan(tasks: [plan("loop", work: loop("[]", 2)), plan("b", after: [0])]))
        #expect(empty.resume(at: at(0)) == [.runAttempt(task: 1, attempt: 0)])
        for text in ["{}", "nonsense", "[1", "{{tasks.b.values.x}}"] {
            var machine = RunMachine(plan: RunPlan(tasks: [plan("loop", work: loop(text, 1)), plan("b")]))
            _ = machine.resume(at: at(0))
            #expect(machine.tasks[0].phase == .ended(.failed), "\(text)")
        }
    }

    @Test func cancellingAForEachStopsItsIterations() {
        var machine = RunMachine(plan: RunPlan(tasks: [plan("loop", work: loop("[1,2,3]", 2))]))
        _ = machine.resume(at: at(0))
        #expect(
            machine.handle(.cancel, at: at(1)) == [
                .stopAttempt(task: 1, attempt: 0), .stopAttempt(task: 2, attempt: 0),
            ])
        _ = machine.end(1, .interrupted())
        #expect(machine.end(2, .interrupted()) == [.releaseCluster(.shared("main")), .finish])
        #expect(machine.results == [.canceled, .canceled, .canceled, .canceled])
        #expect(machine.run.result == .canceled)
    }

    @Test func aDisabledTaskIsAsIfItWereNotThere() {
        var machine = RunMachine(
            plan: RunPlan(tasks: [plan("a"), plan("b", after: [0], disabled: true), plan("c", after: [1])]))
        #expect(machine.resume(at: at(0)) == [.runAttempt(task: 0, attempt: 0), .runAttempt(task: 2, attempt: 0)])
        _ = machine.end(0)
        _ = machine.end(2)
        #expect(machine.results == [.success, .disabled, .success])
        #expect(machine.run.result == .success)
    }

    @Test func whatTheLastTasksMendDoesNotFailTheRun() {
        var machine = RunMachine(plan: RunPlan(tasks: [plan("a"), plan("mend", after: [0], if: .atLeastOneFailed)]))
        _ = machine.resume(at: at(0))
        #expect(machine.end(0, failure) == [.runAttempt(task: 1, attempt: 0)])
        _ = machine.end(1)
        #expect(machine.run.result == .successWithFailures)
    }

    @Test func pausesGrowToTheirLimitAndChanceMakesThemLonger() {
        let policy = AttemptPolicy(maxRetries: nil, retryInterval: 100, maxRetryInterval: 1000)
        #expect((1...6).map { policy.pause(afterFailures: $0, chance: 0) } == [100, 200, 400, 800, 1000, 1000])
        for chance in [UInt64(1), 77, .max] {
            #expect((1000...1100).contains(policy.pause(afterFailures: 9, chance: chance)))
        }
        #expect(AttemptPolicy(retryInterval: 70).pause(afterFailures: 5, chance: 9) == 70)
        let twins = (0..<2).map { seed in
            var machine = RunMachine(
                plan: RunPlan(
                    tasks: [plan("a", retries: nil, interval: 1000, maxInterval: 100_000)], seed: UInt64(seed)))
            _ = machine.resume(at: at(0))
            _ = machine.end(0, failure, at: at(0))
            return machine.nextWake
        }
        #expect(twins[0] != twins[1], "two runs that failed together do not come back together")
    }

    @Test func aRepairRunsWhatFailedAndWhatComesAfterIt() throws {
        let plans = RunPlan(tasks: [plan("a"), plan("b", after: [0]), plan("c", after: [1]), plan("d", after: [0])])
        var machine = RunMachine(plan: plans)
        _ = machine.resume(at: at(0))
        _ = machine.end(0)
        _ = machine.end(1, failure)
        #expect(throws: HarbourError.self) { try machine.repair(RepairWish(allFailed: true)) }
        _ = machine.end(3, at: at(5))
        #expect(machine.results == [.success, .failed, .upstreamFailed, .success])
        try machine.repair(RepairWish(allFailed: true, userName: "me"))
        #expect(machine.run.repair?.taskKeys == ["b", "c"])
        #expect(machine.run.past.map(\.result) == [.failed])
        #expect(machine.resume(at: at(10)) == [.runAttempt(task: 1, attempt: 1)])
        _ = machine.end(1)
        let actions = machine.end(2)
        #expect(actions == [.releaseCluster(.shared("main")), .finish])
        #expect(machine.run.result == .success)
        #expect(machine.tasks[0].attempts.count == 1)
        #expect(throws: HarbourError.self) { try machine.repair(RepairWish(allFailed: true)) }
        try machine.repair(RepairWish(taskKeys: ["a"], dependents: true))
        #expect(machine.repairNumber == 2)
        #expect(machine.resume(at: at(20)) == [.runAttempt(task: 0, attempt: 1)])
    }

    @Test func aRepairOfAForEachRunsTheFailedIterationsOnly() throws {
        var machine = RunMachine(plan: RunPlan(tasks: [plan("loop", work: loop("[1,2]", 2, retries: 1))]))
        _ = machine.resume(at: at(0))
        _ = machine.end(1)
        _ = machine.end(2, failure)
        _ = machine.end(2, failure)
        #expect(machine.run.result == .failed)
        try machine.repair(RepairWish(allFailed: true))
        #expect(machine.resume(at: at(5)) == [.runAttempt(task: 2, attempt: 2)])
        #expect(machine.end(2, failure) == [.runAttempt(task: 2, attempt: 3)], "retries are counted anew")
        _ = machine.end(2)
        #expect(machine.run.result == .success)
    }

    @Test func referencesAreReplacedByWhatTheyStandFor() throws {
        let facts = RunFacts(
            runID: 7, jobID: 3, jobName: "nightly", trigger: "PERIODIC", fireTime: at(1_700_000_000_000),
            parameters: ["day": "{{job.trigger.time.iso_date}}", "loop": "{{job.parameters.day}}"])
        var machine = RunMachine(plan: RunPlan(tasks: [plan("a"), plan("b", after: [0])]), facts: facts)
        _ = machine.resume(at: at(86_400_000))
        var outcome = AttemptOutcome.success(exitValue: "bye")
        outcome.values = ["n": 3, "list": [1, "x"], "text": "hi"]
        _ = machine.end(0, outcome)
        for (text, value) in [
            ("{{job.run_id}}/{{job.id}}/{{job.name}}", "7/3/nightly"), ("{{ job.trigger.type }}", "PERIODIC"),
            ("{{job.parameters.day}}", "2023-11-14"), ("{{job.start_time.iso_date}}", "1970-01-02"),
            ("{{job.start_time.iso_weekday}}{{job.start_time.is_weekday}}", "5true"),
            ("{{tasks.a.values.n}} {{tasks.a.values.list}} {{tasks.a.values.text}}", "3 [1,\"x\"] hi"),
            ("{{tasks.a.exit_value}} {{tasks.a.result_state}} {{tasks.a.run_id}}", "bye success run-7-0-0"),
            ("{{task.name}} {{task.run_id}} {{task.execution_count}}", "b run-7-1-0 1"),
            ("{{job.trigger.time.hour}}:{{job.trigger.time.minute}}", "22:13"), ("{{ other }} {{", "{{ other }} {{"),
        ] {
            #expect(try machine.resolve(text, for: 1) == value)
        }
        for text in ["{{tasks.a.values.no}}", "{{job.parameters.no}}", "{{job.parameters.loop}}", "{{input}}"] {
            #expect(throws: HarbourError.self) { try machine.resolve(text, for: 1) }
        }
    }
}
