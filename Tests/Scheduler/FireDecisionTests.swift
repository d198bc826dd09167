import Core
import CronSchedule
import HarbourProtocol
import Testing

@testable import SchedulerService

@Suite struct FireDecisionTests {
    /// Plays a job's life: a scheduler looks at random moments, late or in time, and its clock may be set.
    private func play(_ rule: FireRule, _ policy: MissedFirePolicy, seed: UInt64) -> [(
        fire: Timestamp, made: Timestamp
    )] {
        var generator = SeededGenerator(seed: seed)
        let anchor = at(Int64.random(in: 0...2_000_000_000_000, using: &generator))
        var next = rule.next(after: anchor, anchor: anchor)
        var now = anchor
        var fires: [(fire: Timestamp, made: Timestamp)] = []
        for _ in 0..<60 {
            guard let due = next else { break }
            let isLate = Int.random(in: 0..<4, using: &generator) == 0
            let delay = isLate ? Int64.random(in: 0...900_000, using: &generator) : 5
            now = max(now, at(due.milliseconds + delay))
            let decision = FireDecision(rule, due: due, now: now, policy: policy)
            fires += decision.fires.map { ($0, now) }
            #expect(decision.next ?? at(.max) > due, "seed \(seed): the rule does not get on")
            if policy == .runOnce { #expect(decision.next ?? at(.max) > now, "seed \(seed)") }
            next = decision.next
        }
        return fires
    }

    @Test(arguments: 0..<200) func nothingIsDoubledOrForgotten(seed: UInt64) throws {
        let rules: [FireRule] = [
            .every(1000 * Int64(1 + seed % 90)), .cron(try CronSchedule("0 0/3 * * * ?", timeZone: "Europe/Berlin")),
            .cron(try CronSchedule("0 30 2 * * ?", timeZone: "America/New_York")),
        ]
        let rule = rules[Int(seed) % rules.count]
        for policy in MissedFirePolicy.allCases {
            let fires = play(rule, policy, seed: seed)
            #expect(zip(fires, fires.dropFirst()).allSatisfy { $0.fire < $1.fire }, "seed \(seed) \(policy)")
            for (before, after) in zip(fires, fires.dropFirst()) {
                switch policy {
                case .runAll:
                    #expect(rule.next(after: before.fire, anchor: before.fire) == after.fire, "seed \(seed)")
                case .runOnce:
                    #expect(rule.next(after: before.made, anchor: before.fire) == after.fire, "seed \(seed)")
                case .skip:
                    // What lies between was more than a minute late.
                    #expect(after.made.milliseconds - after.fire.milliseconds <= 60_000, "seed \(seed)")
                    var time = rule.next(after: before.fire, anchor: before.fire)
                    while let left = time, left < after.fire {
                        #expect(after.made.milliseconds - left.milliseconds > 60_000, "seed \(seed)")
                        time = rule.next(after: left, anchor: before.fire)
                    }
                }
            }
        }
    }

    @Test func aLongAbsenceIsMadeUpForAsThePolicySays() {
        let rule = FireRule.every(60_000)
        let (due, now) = (at(0), at(10 * 60_000 + 30_000))
        let once = FireDecision(rule, due: due, now: now, policy: .runOnce)
        #expect(once.fires == [due] && once.next == at(11 * 60_000))
        let all = FireDecision(rule, due: due, now: now, policy: .runAll)
        #expect(all.fires.count == 11 && all.next == at(11 * 60_000))
        let skip = FireDecision(rule, due: due, now: now, policy: .skip)
        #expect(skip.fires == [at(10 * 60_000)] && skip.next == at(11 * 60_000))
        let far = FireDecision(rule, due: due, now: at(1000 * 60_000), policy: .runAll)
        #expect(far.fires.count == FireDecision.most && far.next == at(100 * 60_000), "the rest follows at once")
    }

    @Test func whatMakesAJobRunIsSaidOnce() {
        var spec = JobSpec(name: "j", tasks: [])
        spec.continuous = ContinuousSettings()
        #expect(spec.triggerProblem == nil)
        spec.maxConcurrentRuns = 2
        #expect(spec.triggerProblem != nil)
        spec.maxConcurrentRuns = nil
        spec.trigger = TriggerSettings(periodic: PeriodicTrigger(interval: 1, unit: .hours))
        #expect(spec.triggerProblem != nil)
        spec.continuous = nil
        #expect(spec.triggerProblem == nil)
        spec.trigger?.jobCompletion = JobCompletionTrigger(jobID: 1)
        #expect(spec.triggerProblem != nil)
    }
}
