import Testing

@testable import Postgres

@Suite struct PipelineTests {
    private let key = StatementKey(text: "x", types: [])

    @Test func answersGoToThoseWhoAsked() {
        var pipeline = Pipeline<Int>()
        for entry: Pipeline<Int>.Entry in [.prepare(key), .query(1), .query(2), .sync, .query(3), .sync] {
            pipeline.append(entry)
        }
        #expect(pipeline.queries == 3)
        #expect(pipeline.segment == [1, 2])
        #expect("\(pipeline.receive(.success))" == "nothing")
        #expect("\(pipeline.receive(.success))" == "succeeded(1)")
        #expect("\(pipeline.receive(.failure))" == "failed(2)")
        pipeline.receiveSync()
        #expect(pipeline.segment == [3])
        #expect("\(pipeline.receive(.success))" == "succeeded(3)")
        pipeline.receiveSync()
        #expect(pipeline.isEmpty)
    }

    @Test func aFailureSendsItsNeighboursAgain() {
        var pipeline = Pipeline<Int>()
        for entry: Pipeline<Int>.Entry in [.query(1), .prepare(key), .query(2), .query(3), .sync] {
            pipeline.append(entry)
        }
        #expect("\(pipeline.receive(.failure))" == "failed(1)")
        // A statement that nobody tried to prepare is not prepared.
        guard case .unprepared = pipeline.receive(.aborted) else {
            Issue.record("the statement counts as prepared")
            return
        }
        #expect("\(pipeline.receive(.aborted))" == "retry(2)")
        #expect("\(pipeline.receive(.aborted))" == "retry(3)")
    }

    @Test func aFailedPreparationIsItsQuerysFailureOnly() {
        var pipeline = Pipeline<Int>()
        for entry: Pipeline<Int>.Entry in [.prepare(key), .query(1), .query(2), .sync] { pipeline.append(entry) }
        guard case .unprepared = pipeline.receive(.failure) else {
            Issue.record("the statement counts as prepared")
            return
        }
        #expect("\(pipeline.receive(.aborted))" == "failedBefore(1)")
        #expect("\(pipeline.receive(.aborted))" == "retry(2)")
    }

    @Test func aFailedBeginIsItsQuerysFailure() {
        var pipeline = Pipeline<Int>()
        for entry: Pipeline<Int>.Entry in [.preamble, .prepare(key), .query(1), .sync] { pipeline.append(entry) }
        #expect("\(pipeline.receive(.failure))" == "nothing")
        guard case .unprepared = pipeline.receive(.aborted) else {
            Issue.record("the statement counts as prepared")
            return
        }
        #expect("\(pipeline.receive(.aborted))" == "failedBefore(1)")
    }

    @Test func aLostConnectionGivesBackWhatWasUnderWay() {
        var pipeline = Pipeline<Int>()
        for entry: Pipeline<Int>.Entry in [.preamble, .query(1), .sync, .prepare(key), .query(2), .sync] {
            pipeline.append(entry)
        }
        #expect(pipeline.removeAll() == [1, 2])
        #expect(pipeline.isEmpty && pipeline.queries == 0)
    }
}
