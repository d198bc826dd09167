import Core
import Testing

@testable import ClusterService

/// When a cluster that nobody uses is ended, and above all when not.
@Suite struct IdleClockTests {
    private let ready = Timestamp(milliseconds: 5_000_000)

    @Test func itEndsAfterTheLimit() {
        let clock = IdleClock(limit: .seconds(600), readyAt: ready)
        #expect(clock.deadline == ready + .seconds(600))
        #expect(!clock.isDue(at: ready + .seconds(599)))
        #expect(clock.isDue(at: ready + .seconds(600)))
    }

    @Test func withoutALimitItStays() {
        let clock = IdleClock(limit: nil, readyAt: ready)
        #expect(clock.deadline == nil)
        #expect(!clock.isDue(at: ready + .seconds(10_000_000)))
    }

    @Test func whatIsBusyIsNeverEnded() {
        var clock = IdleClock(limit: .seconds(60), readyAt: ready)
        clock.commandBegan(at: ready + .seconds(10))
        #expect(clock.deadline == nil)
        #expect(!clock.isDue(at: ready + .seconds(100_000)))
        clock.commandBegan(at: ready + .seconds(20))
        clock.commandEnded(at: ready + .seconds(1000))
        #expect(!clock.isDue(at: ready + .seconds(100_000)))
        clock.commandEnded(at: ready + .seconds(2000))
        #expect(clock.deadline == ready + .seconds(2060))
    }

    @Test func theDriversOwnCommandsCount() {
        var clock = IdleClock(limit: .seconds(60), readyAt: ready)
        clock.driverReported(busy: 1, lastActivity: nil, at: ready + .seconds(5))
        #expect(!clock.isDue(at: ready + .seconds(100_000)))
        clock.driverReported(busy: 0, lastActivity: ready + .seconds(50), at: ready + .seconds(90))
        #expect(clock.deadline == ready + .seconds(150))
    }

    @Test func aClockAheadOfOursDoesNotKeepItLonger() {
        var clock = IdleClock(limit: .seconds(60), readyAt: ready)
        clock.driverReported(busy: 0, lastActivity: ready + .seconds(100_000), at: ready + .seconds(10))
        #expect(clock.deadline == ready + .seconds(70))
    }

    /// Any history: never due while something is open, and due exactly the limit after the last use.
    @Test(arguments: 0..<100) func anyHistoryKeepsTheRules(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var clock = IdleClock(limit: .seconds(60), readyAt: ready)
        var (now, open, last) = (ready, 0, ready)
        for _ in 0..<200 {
            now = now + .milliseconds(Int64.random(in: 0...30_000, using: &generator))
            switch Int.random(in: 0..<3, using: &generator) {
            case 0:
                clock.commandBegan(at: now)
                open += 1
                last = now
            case 1 where open > 0:
                clock.commandEnded(at: now)
                open -= 1
                last = now
            case 2:
                clock.touch(at: now)
                last = now
            default: break
            }
            #expect(clock.deadline == (open > 0 ? nil : last + .seconds(60)), "seed \(seed)")
        }
    }
}
