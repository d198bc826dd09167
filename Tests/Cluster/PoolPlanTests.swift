import ClusterBackend
import Core
import HarbourProtocol
import TestSupport
import Testing

@testable import ClusterService

/// What is done about a pool, without a service and under a clock of the test's.
@Suite struct PoolPlanTests {
    private let now = Timestamp(milliseconds: 1_000_000)

    private func ready(_ number: Int, _ age: Duration = .zero) throws -> PoolView.Ready {
        .init(id: try #require(ClusterIdentifier("m\(number)")), since: now + (.zero - age))
    }

    @Test func theMinimumIsKeptWithinTheCapacity() {
        var view = PoolView(minimumIdle: 3, capacity: 4, idleLimit: .seconds(60))
        #expect(view.decide(at: now) == .init(make: 3))
        view.starting = 1
        view.used = 2
        #expect(view.decide(at: now) == .init(make: 1))
        view.used = 3
        #expect(view.decide(at: now) == .init())
        #expect(!view.hasRoom)
        view.capacity = nil
        view.minimumIdle = 50
        #expect(view.decide(at: now).make == PoolView.startsAtOnce - 1)
    }

    @Test func whatIsBeyondTheMinimumEndsWhenItsTimeIsUp() throws {
        var view = PoolView(minimumIdle: 1, idleLimit: .seconds(60))
        view.ready = [try ready(1, .seconds(10)), try ready(2, .seconds(61)), try ready(3, .seconds(20))]
        #expect(view.decide(at: now) == .init(end: [try ready(2).id], wake: now + .seconds(40)))
        view.ready.remove(at: 1)
        #expect(view.decide(at: now + .seconds(40)) == .init(end: [try ready(3).id]))
        view.capacity = 1
        view.used = 1
        #expect(view.decide(at: now).end.count == 2, "above a capacity that was lowered nothing stays unused")
    }

    @Test func failuresMakeItWait() {
        var view = PoolView(minimumIdle: 1, idleLimit: .seconds(60), failures: 3, lastFailure: now)
        #expect(view.decide(at: now) == .init(wake: now + .seconds(8)))
        #expect(view.decide(at: now + .seconds(8)) == .init(make: 1))
        view.failures = 1000
        #expect(view.decide(at: now) == .init(wake: now + .seconds(300)))
    }

    /// Whatever happens to a pool, it never has more than its capacity by what it makes itself, and when nothing more
    /// happens it comes to its minimum.
    @Test(arguments: 0..<200) func anySequenceOfEventsKeepsTheRules(_ seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var view = PoolView(minimumIdle: 2, capacity: 6, idleLimit: .seconds(30))
        var time = now
        var number = 0
        func act(_ view: inout PoolView) throws {
            let decision = view.decide(at: time)
            if decision.make > 0 { #expect(view.total + decision.make <= view.capacity ?? .max) }
            view.starting += decision.make
            for id in decision.end { view.ready.removeAll { $0.id == id } }
            view.ending += decision.end.count
            if let wake = decision.wake { #expect(wake > time) }
        }
        for _ in 0..<200 {
            time = time + .milliseconds(Int64.random(in: 0...20_000, using: &generator))
            switch Int.random(in: 0..<7, using: &generator) {
            case 0 where view.starting > 0:
                view.starting -= 1
                number += 1
                view.failures = 0
                view.ready.append(.init(id: try ready(number).id, since: time))
            case 1 where view.starting > 0:
                view.starting -= 1
                view.failures += 1
                view.lastFailure = time
            case 2 where !view.ready.isEmpty:
                view.ready.removeFirst()
                view.used += 1
            case 3 where view.used > 0: view.used -= 1
            case 4 where view.ending > 0: view.ending -= 1
            case 5: view.minimumIdle = Int.random(in: 0...3, using: &generator)
            case 6: view.capacity = Int.random(in: 3...8, using: &generator)
            default: break
            }
            try act(&view)
        }
        view.used = 0
        for _ in 0..<40 {
            time = time + .seconds(400)
            while view.starting > 0 {
                view.starting -= 1
                number += 1
                view.ready.append(.init(id: try ready(number).id, since: time))
            }
            view.ending = 0
            try act(&view)
        }
        #expect(view.ready.count + view.starting == view.minimumIdle, "seed \(seed)")
    }

    @Test func aSpecificationFitsWhenWhatRunsIsTheSame() throws {
        let pool = ClusterSpec(
            clusterName: "p", driverMemoryMB: 1024, sparkConf: ["a": "1"], autoterminationMinutes: 0)
        var wish = ClusterSpec(clusterName: "mine", customTags: ["x": "y"], instancePoolID: "p1")
        var filled = try wish.filled(from: pool)
        #expect(filled.clusterName == "mine")
        #expect(filled.driverMemoryMB == 1024)
        #expect(filled.differences(from: pool).isEmpty)
        wish.driverMemoryMB = 2048
        wish.sparkConf = ["a": "1", "b": "2"]
        filled = try wish.filled(from: pool)
        #expect(filled.differences(from: pool) == ["driver_memory_mb", "spark_conf"])
    }
}
