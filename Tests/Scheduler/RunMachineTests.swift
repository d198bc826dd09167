import Core
import Testing

@testable import SchedulerService

@Suite struct RunMachineTests {
    @Test func aChainRunsInOrderAndGivesItsClusterBack() {
        var machine = RunMachine(plan: RunPlan(tasks: [plan("a"), plan("b", after: [0])]))
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
            plan: RunPlan(tasks: [plan("a"), plan("b", after: [0]), plan("c", after: [1]), plan("d")]))
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
        var machine = RunMachine(plan: RunPlan(tasks: [plan("a", retries: 1, interval: 100)]))
        _ = machine.resume(at: at(0))
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
        var machine = RunMachine(plan: RunPlan(tasks: [plan("a", timeout: 50, retries: 1)]))
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
        var machine = RunMachine(plan: RunPlan(tasks: [plan("a", retries: 3), plan("b", after: [0])]))
        _ = machine.resume(at: at(0))
        #expect(machine.handle(.cancel, at: at(5)) == [.stopAttempt(task: 0, attempt: 0)])
        #expect(machine.tasks[1].phase == .ended(.canceled))
        let interrupted = AttemptOutcome(result: .canceled, message: "interrupted")
        let actions = machine.handle(.attemptEnded(task: 0, attempt: 0, interrupted), at: at(6))
        #expect(actions == [.releaseCluster(.shared("main")), .finish])
        #expect(machine.run.result == .canceled)
    }

    @Test func aRunThatRunsOutOfTimeEndsTimedOut() {
        var machine = RunMachine(plan: RunPlan(tasks: [plan("a")], timeout: 20))
        _ = machine.resume(at: at(0))
        #expect(machine.handle(.wake, at: at(20)) == [.stopAttempt(task: 0, attempt: 0)])
        let interrupted = AttemptOutcome(result: .canceled, message: "interrupted")
        _ = machine.handle(.attemptEnded(task: 0, attempt: 0, interrupted), at: at(21))
        #expect(machine.run.result == .timedOut)
    }
}
