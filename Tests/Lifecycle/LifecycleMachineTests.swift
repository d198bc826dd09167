import Core
import Testing

@testable import Lifecycle

@Suite struct LifecycleMachineTests {
    private typealias Machine = LifecycleMachine

    /// Two components, both up.
    private func running() -> LifecycleMachine {
        var machine = Machine(count: 2)
        #expect(machine.handle(.begin) == [.start(0)])
        #expect(machine.handle(.started(0)) == [.run(0), .start(1)])
        #expect(machine.handle(.started(1)) == [.run(1), .ready])
        return machine
    }

    @Test func drainsInReverseAndWaitsForEachRunToEnd() {
        var machine = running()
        #expect(machine.handle(.stop("SIGTERM")) == [.armBudget(.full), .drain(1)])
        #expect(machine.handle(.drained(1)) == [.cancel(1)])
        #expect(machine.handle(.runEnded(1, nil)) == [.drain(0)])
        #expect(machine.handle(.runEnded(0, nil)) == [])
        #expect(machine.handle(.drained(0)) == [.finish(.stopped(reason: "SIGTERM", abandoned: []))])
        #expect(machine.handle(.stop("SIGTERM")) == [])
    }

    @Test func aRunThatEndsByItselfEndsTheProcessByName() {
        var machine = running()
        #expect(machine.handle(.runEnded(0, nil)) == [.armBudget(.full), .drain(1)])
        #expect(machine.handle(.drained(1)) == [.cancel(1)])
        // What the others say while they go down does not hide the first failure.
        #expect(machine.handle(.runEnded(1, "late")) == [.drain(0)])
        #expect(machine.handle(.drained(0)) == [.finish(.failed(0, "it ended by itself", abandoned: []))])
    }

    @Test func aFailedStartDrainsWhatIsUp() {
        var machine = Machine(count: 3)
        #expect(machine.handle(.begin) == [.start(0)])
        #expect(machine.handle(.started(0)) == [.run(0), .start(1)])
        #expect(machine.handle(.startFailed(1, "no port")) == [.armBudget(.full), .drain(0)])
        #expect(machine.handle(.drained(0)) == [.cancel(0)])
        #expect(machine.handle(.runEnded(0, nil)) == [.finish(.failed(1, "no port", abandoned: []))])
    }

    @Test func aStopBeforeBeginIsRemembered() {
        var machine = Machine(count: 2)
        #expect(machine.handle(.stop("SIGINT")) == [])
        #expect(machine.handle(.begin) == [.finish(.stopped(reason: "SIGINT", abandoned: []))])
    }

    @Test func aStopDuringStartCancelsItAndDrainsTheRest() {
        var machine = Machine(count: 3)
        _ = machine.handle(.begin)
        _ = machine.handle(.started(0))
        #expect(machine.handle(.stop("SIGTERM")) == [.armBudget(.full), .cancelStart(1)])
        #expect(machine.handle(.startFailed(1, "cancelled")) == [.drain(0)])
        // The same when the start won the race.
        machine = Machine(count: 3)
        _ = machine.handle(.begin)
        _ = machine.handle(.started(0))
        _ = machine.handle(.stop("SIGTERM"))
        #expect(machine.handle(.started(1)) == [.run(1), .drain(1)])
    }

    @Test func aSecondSignalShortensTheBudgetOnce() {
        var machine = running()
        _ = machine.handle(.stop("SIGTERM"))
        #expect(machine.handle(.stop("SIGTERM")) == [.armBudget(.short)])
        #expect(machine.handle(.stop("SIGTERM")) == [])
        #expect(
            machine.handle(.budgetExpired)
                == [.cancel(1), .cancel(0), .finish(.stopped(reason: "SIGTERM", abandoned: [1, 0]))])
    }

    @Test func noComponentsIsReadyAndStopsAtOnce() {
        var machine = Machine(count: 0)
        #expect(machine.handle(.begin) == [.ready])
        #expect(
            machine.handle(.stop("x")) == [.armBudget(.full), .finish(.stopped(reason: "x", abandoned: []))])
    }

    /// Whatever comes in whatever order: starts ascend, drains descend, nothing is drained that was not started, and the
    /// end is said exactly once.
    @Test func orderHoldsUnderRandomEvents() {
        let seed = UInt64(Timestamp.now.milliseconds)
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<5000 {
            let count = Int.random(in: 0...4, using: &generator)
            var machine = Machine(count: count)
            var started: [Int] = []
            var drained: [Int] = []
            var finished = 0
            var open: [Machine.Event] = [.begin]
            for _ in 0..<60 where finished == 0 {
                var event: Machine.Event = .stop("s")
                if !open.isEmpty, Int.random(in: 0..<10, using: &generator) > 0 {
                    event = open.remove(at: .random(in: 0..<open.count, using: &generator))
                }
                for action in machine.handle(event) {
                    switch action {
                    case .start(let index):
                        #expect(index == started.count, "seed \(seed)")
                        open.append(Bool.random(using: &generator) ? .started(index) : .startFailed(index, "f"))
                        if case .started = open.last { started.append(index) }
                    case .run(let index): open.append(.runEnded(index, nil))
                    case .drain(let index):
                        #expect(started.contains(index) && index < drained.last ?? .max, "seed \(seed)")
                        drained.append(index)
                        open.append(.drained(index))
                    case .armBudget: open.append(.budgetExpired)
                    case .finish: finished += 1
                    case .ready, .cancel, .cancelStart: break
                    }
                }
            }
            #expect(finished == 1, "seed \(seed)")
        }
    }
}
