import Core
import Testing

@testable import SchedulerService

@Suite struct RecordCodingTests {
    @Test func everyPhaseComesBack() throws {
        let time = Timestamp(milliseconds: 1234)
        let phases: [TaskPhase] =
            [.blocked, .running, .waitingForRetry(time)]
            + TaskResult.allCases.flatMap { [.stopping($0), .ended($0)] }
        for phase in phases {
            let record = TaskRecord(phase: phase, startTime: time, endTime: nil)
            #expect(TaskRecord(record.json, attempts: []) == record)
        }
        let iteration = TaskRecord(
            phase: .running, earlierAttempts: 2, place: IterationPlace(parent: 3, number: 4, input: ["a": 1]))
        #expect(TaskRecord(iteration.json, attempts: []) == iteration)
        let parent = TaskRecord(phase: .running, children: 5..<9)
        #expect(TaskRecord(parent.json, attempts: []) == parent)
    }

    @Test func runsAndAttemptsComeBack() {
        let time = Timestamp(milliseconds: 9)
        let run = RunRecord(
            startTime: Timestamp(milliseconds: 5), endTime: nil, ending: .canceled, result: nil,
            released: [.shared("a"), .own(taskKey: "b/c")],
            past: [PastExecution(startTime: time, endTime: time, result: .failed, message: "m", taskKeys: ["a"])],
            repair: PastExecution(taskKeys: ["a"], parameters: ["p": "q"], userName: "me"))
        #expect(RunRecord(run.json) == run)
        let attempt = AttemptRecord(
            startTime: Timestamp(milliseconds: 5), endTime: Timestamp(milliseconds: 6),
            outcome: .failure("DRIVER_LOST", "the driver has gone"))
        #expect(AttemptRecord(attempt.json) == attempt)
        var outcome = AttemptOutcome.success(exitValue: "x")
        outcome.values = ["rows": 3, "names": ["a", "b"]]
        outcome.branch = false
        let good = AttemptRecord(startTime: time, endTime: time, outcome: outcome)
        #expect(AttemptRecord(good.json) == good)
    }

    @Test func whatIsNotARecordIsRefused() {
        #expect(TaskRecord(["phase": ["name": "flying"]] as JSONValue, attempts: []) == nil)
        #expect(AttemptRecord(["start_time": "soon"] as JSONValue) == nil)
        #expect(ClusterChoice(key: "nonsense") == nil)
    }
}
