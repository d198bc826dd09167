import Core
import HarbourProtocol
import ServiceClients
import SimulatedBackend
import TestSupport
import Testing

@testable import ClusterService

/// Growing and shrinking by the work that waits: the decision in virtual time, and once through the service.
@Suite struct AutoscalerTests {
    /// A cluster of the test's: work comes in tasks of a second, and a worker has two cores.
    private struct World {
        var scaler = Autoscaler(patience: Autoscaler.Patience())
        var now = Timestamp(milliseconds: 0)
        var workers = 1
        var range = 1...8
        /// Seconds of work that has come and is not done.
        var backlog = 0
        var changes: [Int] = []

        mutating func pass(seconds: Int, arriving perSecond: Int = 0) {
            for _ in 0..<seconds {
                now = now + .seconds(1)
                backlog += perSecond
                let active = min(backlog, workers * 2)
                let load = Autoscaler.Load(active: active, pending: backlog - active)
                backlog -= active
                let target = scaler.sample(load, workers: workers, coresPerWorker: 2, within: range, at: now)
                if let target {
                    #expect(range.contains(target))
                    #expect(target != workers)
                    workers = target
                    changes.append(target)
                }
            }
        }
    }

    @Test func itGrowsInDoublingStepsWhileTasksWait() {
        var world = World()
        world.backlog = 10_000
        world.pass(seconds: 5)
        #expect(world.workers == 1, "not before tasks have waited")
        world.pass(seconds: 1)
        #expect(world.workers == 2)
        world.pass(seconds: 12)
        #expect(world.changes == [2, 4, 8])
        world.pass(seconds: 100)
        #expect(world.workers == 8)
    }

    @Test func itGrowsNoFurtherThanNeeded() {
        var world = World()
        world.workers = 4
        // Ten tasks at any time: five workers.
        for _ in 0..<20 {
            world.backlog = 10
            world.pass(seconds: 1)
        }
        #expect(world.changes == [5])
    }

    @Test func itShrinksLateByHalvesAndComesToTheMinimum() {
        var world = World()
        world.workers = 8
        world.pass(seconds: 120)
        #expect(world.workers == 8)
        world.pass(seconds: 1)
        #expect(world.workers == 4)
        world.pass(seconds: 400)
        #expect(world.changes == [4, 2, 1])
    }

    @Test func aBurstInBetweenKeepsWhatItNeeded() {
        var world = World()
        world.workers = 8
        world.pass(seconds: 60)
        world.backlog = 12
        world.pass(seconds: 1)
        world.pass(seconds: 60)
        #expect(world.changes == [6], "twelve tasks at once had needed six workers")
    }

    @Test func aSteadyLoadDoesNotMakeItFlap() {
        var world = World()
        world.pass(seconds: 3600, arriving: 7)
        #expect(world.changes.count <= 5, "\(world.changes)")
        #expect(world.workers >= 4)
        let changes = world.changes.count
        world.pass(seconds: 3600, arriving: 7)
        #expect(world.changes.count == changes, "once it fits it stays")
    }

    @Test func aRangeThatWasChangedIsObeyedAtOnce() {
        var world = World()
        world.workers = 8
        world.range = 1...3
        world.pass(seconds: 1)
        #expect(world.workers == 3)
        world.range = 5...6
        world.pass(seconds: 1)
        #expect(world.workers == 5)
    }

    @Test(arguments: 0..<200) func anyLoadKeepsItWithinItsRangeAndLetsItRest(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var world = World()
        world.range = Int.random(in: 0...2, using: &generator)...Int.random(in: 3...12, using: &generator)
        world.workers = world.range.lowerBound
        for _ in 0..<50 {
            world.pass(
                seconds: Int.random(in: 1...60, using: &generator),
                arriving: Int.random(in: 0...1, using: &generator) * Int.random(in: 0...30, using: &generator))
        }
        if world.range.lowerBound == 0 && world.workers == 0 { #expect(world.backlog >= 0) }
        world.backlog = 0
        world.pass(seconds: 2000)
        #expect(world.workers == max(world.range.lowerBound, world.range.lowerBound == 0 ? 0 : 1), "seed \(seed)")
    }

    @Test func aClusterFollowsItsBacklog() async throws {
        var limits = EngineLimits()
        limits.autoscaleInterval = .milliseconds(10)
        limits.autoscaleIdleInterval = .milliseconds(10)
        limits.autoscaling.up = .milliseconds(30)
        try await withService(limits: limits, arguments: ["--scale-down-after", "60ms"]) { fixture, client in
            let spec = ClusterSpec(clusterName: "a", autoscale: AutoScale(minWorkers: 1, maxWorkers: 4))
            _ = try await client.call(
                ClusterAPI.createCluster, .init(body: CreateCluster(spec: spec, clusterID: "c1")))
            #expect(try await fixture.wait("c1", for: .running).workers == 1)
            func workers(_ count: Int) async throws -> Bool {
                let info = try await client.call(ClusterAPI.getCluster, .init(clusterID: "c1"))
                return info.state == .running && info.workers == count
            }
            try await fixture.drivers.get("c1").setTasks(active: 1, pending: 100)
            try await eventually("it grows") { try await workers(4) }
            try await fixture.drivers.get("c1").setTasks(active: 2, pending: 0)
            try await eventually("it shrinks to what is needed") { try await workers(2) }
            let events = try await client.call(ClusterAPI.listClusterEvents, .init(clusterID: "c1")).events
            #expect(events.contains { $0.type == "RESIZING" && $0.details?["cause"] == "AUTOSCALE" })
            #expect(fixture.world.started.count == 1)
            // A fixed number ends it.
            _ = try await client.call(
                ClusterAPI.resizeCluster, .init(clusterID: "c1", body: ResizeCluster(numWorkers: 3)))
            try await eventually("it has the fixed number") { try await workers(3) }
            #expect(
                try await client.call(ClusterAPI.getCluster, .init(clusterID: "c1")).spec.autoscale == nil)
        }
    }
}
