import Core
import Testing

@testable import SchedulerService

private func task(
    _ key: String, after dependencies: [Int] = [], cluster: ClusterChoice = .shared("main"), timeout: Int64? = nil,
    retries: Int = 0, interval: Int64 = 0, onTimeout: Bool = false
) -> TaskPlan {
    TaskPlan(
        key: key, dependencies: dependencies, cluster: cluster, timeout: timeout, maxRetries: retries,
        retryInterval: interval, retriesOnTimeout: onTimeout)
}

private func at(_ milliseconds: Int64) -> Timestamp { Timestamp(milliseconds: milliseconds) }

@Suite struct RunMachineTests {
    @Test func aChainRunsInOrderAndGivesItsClusterBack() {
        var machine = RunMachine(plan: RunPlan(tasks: [task("a"), task("b", after: [0])]))
        #expect(machine.resume(at: at(0)) == [.runAttempt(task: 0, attempt: 0)])
        #expect(
            machine.handle(.attemptEnded(task: 0, attempt: 0, .success()), at: at(5))
                == [.runAttempt(task: 1, attempt: 0)])
        #expect(
            machine.handle(.attemptEnded(task: 1, attempt: 0, .success(exitValue: "x")), at: at(9))
                == [.releaseCluster(.shared("main")), .finish])
        #expect(machine.run.result == .success)
        #expect(machine.run.endTime == at(9))
    }

    @Test func aFailureEndsWhatDependsOnItAndNothingElse() {
        var machine = RunMachine(
            plan: RunPlan(tasks: [task("a"), task("b", after: [0]), task("c", after: [1]), task("d")]))
        _ = machine.resume(at: at(0))
        let actions = machine.handle(.attemptEnded(task: 0, attempt: 0, .failure("COMMAND_FAILED", "no")), at: at(1))
        #expect(actions.isEmpty)
        #expect(machine.tasks[1].phase == .ended(.upstreamFailed))
        #expect(machine.tasks[2].phase == .ended(.upstreamFailed))
        #expect(machine.tasks[3].phase == .running)
        _ = machine.handle(.attemptEnded(task: 3, attempt: 0, .success()), at: at(2))
        #expect(machine.run.result == .failed)
    }

    @Test func aFailedAttemptIsTriedAgainAfterItsInterval() {
        var machine = RunMachine(plan: RunPlan(tasks: [task("a", retries: 1, interval: 100)]))
        _ = machine.resume(at: at(0))
        let failure = AttemptOutcome.failure("DRIVER_LOST", "gone")
        #expect(machine.handle(.attemptEnded(task: 0, attempt: 0, failure), at: at(10)).isEmpty)
        #expect(machine.nextWake == at(110))
        #expect(machine.handle(.wake, at: at(109)).isEmpty)
        #expect(machine.handle(.wake, at: at(110)) == [.runAttempt(task: 0, attempt: 1)])
        #expect(
            machine.handle(.attemptEnded(task: 0, attempt: 0, .success()), at: at(111)).isEmpty,
            "the first attempt is over and cannot speak any more")
        _ = machine.handle(.attemptEnded(task: 0, attempt: 1, failure), at: at(120))
        #expect(machine.run.result == .failed)
    }

    @Test func anAttemptThatRunsOutOfTimeIsStoppedAndCountsAsTimedOut() {
        var machine = RunMachine(plan: RunPlan(tasks: [task("a", timeout: 50, retries: 1)]))
        _ = machine.resume(at: at(0))
        #expect(machine.nextWake == at(50))
        #expect(machine.handle(.wake, at: at(50)) == [.stopAttempt(task: 0, attempt: 0)])
        #expect(machine.nextWake == nil)
        let interrupted = AttemptOutcome(result: .canceled, message: "interrupted")
        _ = machine.handle(.attemptEnded(task: 0, attempt: 0, interrupted), at: at(60))
        #expect(machine.tasks[0].phase == .ended(.timedOut), "retry on timeout was not asked for")
        #expect(machine.run.result == .failed)
    }

    @Test func cancellingStopsWhatRunsAndEndsWhatWaits() {
        var machine = RunMachine(plan: RunPlan(tasks: [task("a", retries: 3), task("b", after: [0])]))
        _ = machine.resume(at: at(0))
        #expect(machine.handle(.cancel, at: at(5)) == [.stopAttempt(task: 0, attempt: 0)])
        #expect(machine.tasks[1].phase == .ended(.canceled))
        let interrupted = AttemptOutcome(result: .canceled, message: "interrupted")
        let actions = machine.handle(.attemptEnded(task: 0, attempt: 0, interrupted), at: at(6))
        #expect(actions == [.releaseCluster(.shared("main")), .finish])
        #expect(machine.run.result == .canceled)
    }

    @Test func aRunThatRunsOutOfTimeEndsTimedOut() {
        var machine = RunMachine(plan: RunPlan(tasks: [task("a")], timeout: 20))
        _ = machine.resume(at: at(0))
        #expect(machine.handle(.wake, at: at(20)) == [.stopAttempt(task: 0, attempt: 0)])
        let interrupted = AttemptOutcome(result: .canceled, message: "interrupted")
        _ = machine.handle(.attemptEnded(task: 0, attempt: 0, interrupted), at: at(21))
        #expect(machine.run.result == .timedOut)
    }

    @Test(arguments: 0..<300)
    func randomGraphsAlwaysEndAndHonourTheirDependencies(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let count = Int.random(in: 1...12, using: &generator)
        let plans = (0..<count).map { index in
            task(
                "t\(index)", after: (0..<index).filter { _ in Int.random(in: 0..<4, using: &generator) == 0 },
                cluster: Bool.random(using: &generator) ? .shared("s") : .own(taskKey: "t\(index)"),
                timeout: Bool.random(using: &generator) ? 40 : nil, retries: Int.random(in: 0...2, using: &generator),
                interval: Int64.random(in: 0...30, using: &generator), onTimeout: Bool.random(using: &generator))
        }
        var world = SimulatedRun(plan: RunPlan(tasks: plans, timeout: 400), generator: generator)
        world.play()
        #expect(world.machine.run.result != nil, "seed \(seed)")
        #expect(world.problems.isEmpty, "seed \(seed)")
    }
}

/// Plays a run against a machine that is thrown away and rebuilt from its records at random moments.
private struct SimulatedRun {
    var machine: RunMachine
    var generator: SeededGenerator
    var now: Int64 = 0
    var live: [Int: (attempt: Int, endsAt: Int64)] = [:]
    var problems: [String] = []

    init(plan: RunPlan, generator: SeededGenerator) {
        machine = RunMachine(plan: plan)
        self.generator = generator
    }

    mutating func play() {
        perform(machine.resume(at: at(now)))
        for _ in 0..<2000 where machine.run.result == nil {
            if Int.random(in: 0..<6, using: &generator) == 0 { crash() }
            if Int.random(in: 0..<150, using: &generator) == 0 { perform(machine.handle(.cancel, at: at(now))) }
            let next = min(live.values.map(\.endsAt).min() ?? .max, machine.nextWake?.milliseconds ?? .max)
            guard next != .max else {
                if machine.run.result == nil { problems.append("nothing will ever happen at \(now)") }
                return
            }
            now = max(now, next)
            if let (task, run) = live.first(where: { $0.value.endsAt <= now }) {
                live[task] = nil
                let lucky = Int.random(in: 0..<3, using: &generator) > 0
                let outcome = lucky ? AttemptOutcome.success() : .failure("COMMAND_FAILED", "bad luck")
                perform(machine.handle(.attemptEnded(task: task, attempt: run.attempt, outcome), at: at(now)))
            } else {
                perform(machine.handle(.wake, at: at(now)))
            }
        }
    }

    /// The process dies after writing its state down; the attempts go on without it.
    mutating func crash() {
        machine = RunMachine(plan: machine.plan, run: machine.run, tasks: machine.tasks)
        perform(machine.resume(at: at(now)))
    }

    mutating func perform(_ actions: [RunMachine.Action]) {
        for action in actions {
            switch action {
            case .runAttempt(let task, let attempt):
                if let running = live[task] {
                    if running.attempt != attempt { problems.append("task \(task) runs twice") }
                    continue
                }
                for dependency in machine.plan.tasks[task].dependencies
                where machine.tasks[dependency].phase != .ended(.success) {
                    problems.append("task \(task) did not wait for \(dependency)")
                }
                live[task] = (attempt, now + Int64.random(in: 1...60, using: &generator))
            case .stopAttempt(let task, let attempt):
                guard let running = live[task], running.attempt == attempt else { continue }
                live[task] = (attempt, min(running.endsAt, now + 1))
            case .releaseCluster(let choice):
                for task in live.keys where machine.plan.tasks[task].cluster == choice {
                    problems.append("the cluster of task \(task) was taken away")
                }
            case .finish:
                if !live.isEmpty { problems.append("the run ended while an attempt was running") }
            }
        }
    }
}
