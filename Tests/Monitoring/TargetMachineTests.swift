import Core
import Testing

@testable import MonitoringService

/// When a target is looked at, and what is said of it while it starts.
@Suite struct TargetMachineTests {
    private static let begin = MonotonicTime(nanoseconds: 1_000_000_000_000)

    private static func make(
        interval: Duration = .seconds(15), startup: Duration = .seconds(15), share: Duration = .zero
    ) -> TargetMachine {
        TargetMachine(interval: interval, first: begin + share, begin: begin, startup: startup)
    }

    private static func fail(_ machine: inout TargetMachine, after time: Duration) {
        machine.failed(at: Timestamp(milliseconds: 5), now: begin + time, took: .milliseconds(1), reason: "refused")
    }

    private static func succeed(_ machine: inout TargetMachine) {
        machine.succeeded(at: Timestamp(milliseconds: 5), took: .milliseconds(1), samples: [])
    }

    /// When the next scrape is, in milliseconds after the begin.
    private static func next(_ machine: inout TargetMachine, after time: Duration) -> Int64 {
        (machine.nextScrape(after: begin + time) - begin).milliseconds
    }

    @Test func whatMayBeStartingIsLookedAtEachSecond() {
        var machine = TargetMachineTests.make(share: .seconds(9))
        #expect(TargetMachineTests.next(&machine, after: .milliseconds(-50)) == 0)
        for second in 0..<14 {
            TargetMachineTests.fail(&machine, after: .milliseconds(second * 1000 + 20))
            #expect(machine.health == .unknown)
            let next = TargetMachineTests.next(&machine, after: .milliseconds(second * 1000 + 20))
            #expect(next == Int64(second + 1) * 1000)
        }
        // A look that took long is not made up for.
        #expect(TargetMachineTests.next(&machine, after: .milliseconds(14_700)) == 15_000)
    }

    @Test func whatHasAnsweredIsScrapedAtItsPlaceInTheInterval() {
        var machine = TargetMachineTests.make(share: .seconds(9))
        TargetMachineTests.fail(&machine, after: .milliseconds(20))
        TargetMachineTests.succeed(&machine)
        #expect(machine.health == .up)
        #expect(TargetMachineTests.next(&machine, after: .milliseconds(1020)) == 9000)
        #expect(TargetMachineTests.next(&machine, after: .milliseconds(9020)) == 24_000)
        // It has been up: whatever it does not answer from now on is told at once.
        TargetMachineTests.fail(&machine, after: .milliseconds(9020))
        #expect(machine.health == .down("refused"))
        #expect(TargetMachineTests.next(&machine, after: .milliseconds(9030)) == 24_000)
        TargetMachineTests.succeed(&machine)
        #expect(machine.health == .up)
    }

    @Test func whatNeverComesIsDownWhenItsTimeIsOver() {
        var machine = TargetMachineTests.make(share: .seconds(3))
        TargetMachineTests.fail(&machine, after: .milliseconds(14_999))
        #expect(machine.health == .unknown)
        #expect(TargetMachineTests.next(&machine, after: .milliseconds(14_999)) == 15_000)
        TargetMachineTests.fail(&machine, after: .milliseconds(15_001))
        #expect(machine.health == .down("refused"))
        #expect(machine.lastScrape == Timestamp(milliseconds: 5))
        // From then on it is scraped like all others, and may still come.
        #expect(TargetMachineTests.next(&machine, after: .milliseconds(15_001)) == 18_000)
        #expect(TargetMachineTests.next(&machine, after: .milliseconds(18_001)) == 33_000)
        TargetMachineTests.succeed(&machine)
        #expect(machine.health == .up)
    }

    @Test func whatIsNotReadyYetIsLookedAtUntilItIs() {
        var machine = TargetMachineTests.make(share: .seconds(9))
        let answer = { (ready: Double) in [ExposedSample(name: "harbour_ready", labels: [], value: ready)] }
        machine.succeeded(at: Timestamp(milliseconds: 5), took: .zero, samples: answer(0))
        #expect(machine.health == .up && machine.isReady == false)
        #expect(TargetMachineTests.next(&machine, after: .milliseconds(20)) == 1000)
        machine.succeeded(at: Timestamp(milliseconds: 5), took: .zero, samples: answer(1))
        #expect(machine.health == .up && machine.isReady == true)
        #expect(TargetMachineTests.next(&machine, after: .milliseconds(1020)) == 9000)
        // It has answered: when it does so no more, it is down, also within the time for its start.
        machine = TargetMachineTests.make()
        machine.succeeded(at: Timestamp(milliseconds: 5), took: .zero, samples: answer(0))
        TargetMachineTests.fail(&machine, after: .milliseconds(1020))
        #expect(machine.health == .down("refused"))
        #expect(TargetMachineTests.next(&machine, after: .milliseconds(1020)) == 15_000)
    }

    @Test func aLookThatBeganInTimeAndEndedLateSaysThatItIsDown() {
        var machine = TargetMachineTests.make()
        #expect(TargetMachineTests.next(&machine, after: .milliseconds(14_500)) == 15_000)
        TargetMachineTests.fail(&machine, after: .seconds(24))
        #expect(machine.health == .down("refused"))
    }

    @Test func noOneIsLookedAtMoreOftenThanItIsScraped() {
        var machine = TargetMachineTests.make(interval: .milliseconds(200), startup: .seconds(1))
        TargetMachineTests.fail(&machine, after: .milliseconds(10))
        #expect(TargetMachineTests.next(&machine, after: .milliseconds(10)) == 200)
        // Also where the interval is longer than a start takes.
        machine = TargetMachineTests.make(interval: .seconds(3600), startup: .milliseconds(2500))
        #expect(TargetMachineTests.next(&machine, after: .milliseconds(1001)) == 2000)
        #expect(TargetMachineTests.next(&machine, after: .milliseconds(2001)) == 2500)
        TargetMachineTests.fail(&machine, after: .milliseconds(2501))
        #expect(machine.health == .down("refused"))
        #expect(TargetMachineTests.next(&machine, after: .milliseconds(2501)) == 3_600_000)
    }

    @Test func whatHasNoTimeToStartIsDownAtOnce() {
        var machine = TargetMachineTests.make(startup: .zero)
        TargetMachineTests.fail(&machine, after: .zero)
        #expect(machine.health == .down("refused"))
    }
}
