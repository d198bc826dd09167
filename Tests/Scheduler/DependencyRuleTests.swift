import Testing

@testable import SchedulerService

@Suite struct DependencyRuleTests {
    private typealias Standing = DependencyRule.Standing
    private typealias Verdict = DependencyRule.Verdict

    /// One dependency, and every rule: the table that people read in schemas/workflows.md.
    @Test func oneDependency() {
        let run = Verdict.run
        let out = Verdict.end(.excluded)
        let (failed, canceled) = (Verdict.end(.upstreamFailed), Verdict.end(.upstreamCanceled))
        let table: [(RunRule, [Verdict])] = [
            // succeeded, failed, canceled, left out, disabled, pending
            (.allSuccess, [run, failed, canceled, out, run, .wait]),
            (.allDone, [run, run, run, out, run, .wait]),
            (.noneFailed, [run, failed, canceled, out, run, .wait]),
            (.atLeastOneSuccess, [run, failed, canceled, out, run, .wait]),
            (.allFailed, [out, run, run, out, run, .wait]),
            (.atLeastOneFailed, [out, run, run, out, run, .wait]),
        ]
        let standings: [Standing] = [.succeeded, .failed, .canceled, .leftOut, .ignored, .pending]
        for (rule, verdicts) in table {
            for (standing, verdict) in zip(standings, verdicts) {
                #expect(DependencyRule.verdict(rule, [standing]) == verdict, "\(rule) after \(standing)")
            }
        }
        #expect(RunRule.allCases.allSatisfy { DependencyRule.verdict($0, [Standing]()) == .run })
    }

    /// Every rule and every three dependencies, against the words of the rules.
    @Test func threeDependencies() {
        for rule in RunRule.allCases {
            for first in Standing.allCases {
                for second in Standing.allCases {
                    for third in Standing.allCases { check(rule, [first, second, third]) }
                }
            }
        }
    }

    private func check(_ rule: RunRule, _ standings: [Standing]) {
        let verdict = DependencyRule.verdict(rule, standings)
        let there = standings.filter { $0 != .ignored }
        let good = there.filter { $0 == .succeeded }.count
        let bad = there.filter { $0 == .failed || $0 == .canceled }.count
        let left = there.filter { $0 == .leftOut }.count
        let isComplete = !there.contains(.pending)
        let isMet: Bool? =
            switch rule {
            case .allSuccess: bad > 0 ? false : isComplete ? good == there.count : nil
            case .noneFailed: bad > 0 ? false : isComplete ? good > 0 || there.isEmpty : nil
            case .allDone: isComplete ? good + bad > 0 || there.isEmpty : nil
            case .atLeastOneSuccess: isComplete ? good > 0 || there.isEmpty : nil
            case .allFailed: isComplete ? (bad > 0 && good == 0) || there.isEmpty : nil
            case .atLeastOneFailed: isComplete ? bad > 0 || there.isEmpty : nil
            }
        let message = "\(rule) \(standings)"
        switch isMet {
        case nil: #expect(verdict == .wait, "\(message)")
        case true?: #expect(verdict == .run, "\(message)")
        case false?:
            let onlyLeft = left == there.count
            let needsGood = rule == .allSuccess || rule == .noneFailed || rule == .atLeastOneSuccess
            if needsGood && bad > 0 && !onlyLeft {
                let isFailure = there.contains(.failed)
                #expect(verdict == .end(isFailure ? .upstreamFailed : .upstreamCanceled), "\(message)")
            } else {
                #expect(verdict == .end(.excluded), "\(message)")
            }
        }
    }
}
