import Core
import Glibc

/// Measures two ways of doing the same, alternated so that a noisy machine disturbs both alike.
enum Measuring {
    /// The median of the seconds that one call takes, for each of the two.
    static func alternate(rounds: Int, _ first: () -> Void, _ second: () -> Void) -> (first: Double, second: Double) {
        let firstCount = calls(for: first)
        let secondCount = calls(for: second)
        var firstTimes: [Double] = []
        var secondTimes: [Double] = []
        for _ in 0..<rounds {
            firstTimes.append(seconds(firstCount, first))
            secondTimes.append(seconds(secondCount, second))
        }
        return (median(firstTimes), median(secondTimes))
    }

    /// So many calls that they take about 50 ms.
    private static func calls(for work: () -> Void) -> Int {
        work()
        return max(1, Int(0.05 / max(seconds(1, work), 1e-7)))
    }

    /// Processor time, because the machine has other things to do.
    private static func seconds(_ calls: Int, _ work: () -> Void) -> Double {
        let begin = processorTime()
        for _ in 0..<calls { work() }
        return (processorTime() - begin) / Double(calls)
    }

    private static func processorTime() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    private static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
}

/// Keeps the optimiser from leaving out what nobody looks at.
@inline(never) func keep<Value>(_ value: Value) { _ = value }
