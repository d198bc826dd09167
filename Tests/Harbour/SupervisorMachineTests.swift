import Core
import Testing

@testable import HarbourService

private func at(_ milliseconds: Int64) -> MonotonicTime { MonotonicTime(nanoseconds: milliseconds * 1_000_000) }

@Suite struct SupervisorMachineTests {
    private func platform() -> SupervisorMachine {
        SupervisorMachine(programs: [
            .init(name: "db"), .init(name: "a", after: ["db"]), .init(name: "b", after: ["db"]),
        ])
    }

    @Test func programsStartWhenWhatTheyNeedIsReady() {
        var machine = platform()
        #expect(machine.handle(.start, at: at(0)) == [.spawn("db")])
        #expect(machine.handle(.becameReady("db"), at: at(5)) == [.spawn("a"), .spawn("b")])
        #expect(!machine.isReady)
        _ = machine.handle(.becameReady("a"), at: at(6))
        _ = machine.handle(.becameReady("b"), at: at(7))
        #expect(machine.isReady)
    }

    @Test func aProgramThatDiesComesBackAfterAPauseThatGrows() {
        var machine = platform()
        _ = machine.handle(.start, at: at(0))
        #expect(machine.handle(.exited("db", reason: "status 1"), at: at(10)).isEmpty)
        #expect(machine.nextWake == at(110))
        #expect(machine.handle(.wake, at: at(110)) == [.spawn("db")])
        _ = machine.handle(.exited("db", reason: "status 1"), at: at(120))
        #expect(machine.nextWake == at(320))
        #expect(machine.handle(.wake, at: at(320)) == [.spawn("db")])
        _ = machine.handle(.becameReady("db"), at: at(330))
        _ = machine.handle(.exited("db", reason: "signal 9"), at: at(40_000))
        #expect(machine.nextWake == at(40_100), "after a long time up the pause is short again")
        #expect(machine.status["db"]?.restarts == 3)
    }

    @Test func stoppingGoesInReverseAndKillsWhatDoesNotEnd() {
        var machine = platform()
        _ = machine.handle(.start, at: at(0))
        for name in ["db", "a", "b"] { _ = machine.handle(.becameReady(name), at: at(1)) }
        #expect(machine.handle(.stop, at: at(2)) == [.terminate("b"), .terminate("a")])
        #expect(machine.handle(.exited("a", reason: "status 0"), at: at(3)).isEmpty)
        #expect(machine.handle(.wake, at: at(20_002)) == [.kill("b")])
        #expect(machine.handle(.exited("b", reason: "signal 9"), at: at(20_003)) == [.terminate("db")])
        #expect(machine.handle(.exited("db", reason: "status 0"), at: at(20_004)) == [.allStopped])
    }

    @Test func stoppingBeforeAnythingStartedIsOverAtOnce() {
        var machine = platform()
        #expect(machine.handle(.stop, at: at(0)) == [.allStopped])
        #expect(machine.handle(.becameReady("db"), at: at(1)).isEmpty)
    }
}
