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
    }

    @Test func runsAndAttemptsComeBack() {
        let run = RunRecord(
            startTime: Timestamp(milliseconds: 5), endTime: nil, ending: .canceled, result: nil,
            released: [.shared("a"), .own(taskKey: "b/c")])
        #expect(RunRecord(run.json) == run)
        let attempt = AttemptRecord(
            startTime: Timestamp(milliseconds: 5), endTime: Timestamp(milliseconds: 6),
            outcome: .failure("DRIVER_LOST", "the driver has gone"))
        #expect(AttemptRecord(attempt.json) == attempt)
    }

    @Test func whatIsNotARecordIsRefused() {
        #expect(TaskRecord(["phase": ["name": "flying"]] as JSONValue, attempts: []) == nil)
        #expect(AttemptRecord(["start_time": "soon"] as JSONValue) == nil)
        #expect(ClusterChoice(key: "nonsense") == nil)
    }
}
