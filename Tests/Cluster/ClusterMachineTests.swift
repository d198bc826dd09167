import ClusterBackend
import Core
import HarbourProtocol
import Testing

@testable import ClusterService

/// The state machine alone: what it decides, and that no sequence of events leads it astray.
@Suite struct ClusterMachineTests {
    private let now = Timestamp(milliseconds: 1_000_000)

    private func provisioned(_ generation: Int64 = 1) throws -> ProvisionedCluster {
        let id = try #require(ClusterIdentifier("c1"))
        return ProvisionedCluster(
            handle: ClusterHandle(backend: "simulated", version: 1, cluster: id, payload: Array("\(generation)".utf8)),
            driver: .unix(path: "/run/\(generation).sock"), driverSize: NodeSize(cores: 1, memoryMiB: 1024),
            workerSize: NodeSize(cores: 1, memoryMiB: 1024), workers: 0)
    }

    private func status(_ phase: DriverPhase, code: String? = nil) -> DriverStatus {
        DriverStatus(
            clusterID: "c1", phase: phase, sequence: 1, errorCode: code, message: code.map { "It failed: \($0)." },
            startedTime: now, spark: SparkInfo(version: "4.1.0", applicationID: "app-1"))
    }

    private func running() throws -> ClusterMachine {
        var (machine, outcome) = ClusterMachine.created(at: now)
        #expect(outcome.actions == [.provision])
        #expect(machine.record.state == .pending)
        _ = try machine.handle(.phase("prepare"), at: now)
        outcome = try machine.handle(.provisioned(provisioned()), at: now + .seconds(2))
        #expect(outcome.actions == [.follow])
        outcome = try machine.handle(.driver(status(.running)), at: now + .seconds(5))
        #expect(outcome.notes.map(\.type) == ["RUNNING"])
        #expect(machine.record.state == .running)
        return machine
    }

    @Test func aStartIsTimedByPhases() throws {
        let machine = try running()
        let phases = [
            PhaseTiming(name: "prepare", milliseconds: 2000), PhaseTiming(name: "spark", milliseconds: 3000),
        ]
        #expect(machine.record.phases == phases)
        #expect(machine.record.readyTime == now + .seconds(5))
    }

    @Test func aResizeThatANewServiceGoesOnWithIsToldFromWhereItBegan() throws {
        var machine = try running()
        var cluster = try provisioned()
        cluster.workers = 3
        _ = try machine.handle(.resize(workers: 3, .user), at: now)
        _ = try machine.handle(.resized(cluster), at: now)
        _ = try machine.handle(.resize(workers: 1, .user), at: now)
        // Its place was told already, and the service died before it heard so.
        cluster.workers = 1
        let outcome = try machine.handle(.recovered(.running(cluster)), at: now)
        #expect(outcome.actions == [.follow, .resize(workers: 1)])
        let resized = try machine.handle(.resized(cluster), at: now)
        #expect(resized.notes.map(\.type) == ["DOWNSIZE_COMPLETED"])
        #expect(resized.notes.first?.details == ["from": "3", "to": "1"])
    }

    @Test func aLostDriverEndsItsCommandsAndTheCluster() throws {
        var machine = try running()
        let end = ClusterEnd(.killed, status: 9, message: "The driver was killed.")
        let outcome = try machine.handle(.lost(end, log: nil), at: now)
        #expect(
            outcome.actions == [
                .failCommands(code: "DRIVER_LOST", message: "The driver was killed."), .remove(after: .zero),
            ])
        #expect(outcome.notes.map(\.type) == ["DRIVER_UNAVAILABLE", "TERMINATING"])
        #expect(machine.record.state == .terminating)
        #expect(try machine.handle(.removed, at: now).notes.map(\.type) == ["TERMINATED"])
        #expect(machine.record.state == .terminated)
        #expect(machine.record.reason?.code == "DRIVER_LOST")
        #expect(machine.record.handle == nil)
    }

    @Test func aFailedStartSaysWhoseFaultItIs() throws {
        let errors: [(HarbourError, String, TerminationType)] = [
            (HarbourError(.unsupported, "No."), "INVALID_ARGUMENT", .clientError),
            (HarbourError(.backendUnavailable, "Gone."), "CLOUD_PROVIDER_LAUNCH_FAILURE", .cloudFailure),
            (HarbourError(.internalError, "Oops."), "INTERNAL_ERROR", .serviceFault),
        ]
        for (error, code, type) in errors {
            var (machine, _) = ClusterMachine.created(at: now)
            let outcome = try machine.handle(.provisionFailed(error), at: now)
            #expect(outcome.actions == [.remove(after: .zero)])
            #expect(machine.record.reason?.code == code)
            #expect(machine.record.reason?.type == type)
        }
        var (machine, _) = ClusterMachine.created(at: now)
        _ = try machine.handle(.provisioned(provisioned()), at: now)
        _ = try machine.handle(.driver(status(.failed, code: "JAVA_MISSING")), at: now)
        #expect(machine.record.reason?.code == "SPARK_STARTUP_FAILURE")
        #expect(machine.record.reason?.parameters?["error_code"] == "JAVA_MISSING")
    }

    @Test func startingWhileItEndsRestartsIt() throws {
        var machine = try running()
        _ = try machine.handle(.terminate(.userRequest), at: now)
        _ = try machine.handle(.start, at: now)
        #expect(machine.record.state == .restarting)
        let outcome = try machine.handle(.removed, at: now)
        #expect(outcome.actions == [.provision])
        #expect(machine.record.state == .restarting, "until it runs again")
        #expect(machine.record.generation == 2)
        #expect(machine.record.reason == nil)
    }

    @Test func anEndThatCannotBeReachedComesToRest() throws {
        var machine = try running()
        _ = try machine.handle(.terminate(.userRequest), at: now)
        for attempt in 1..<ClusterMachine.endAttempts {
            let outcome = try machine.handle(.removeFailed(HarbourError(.backendUnavailable, "Gone.")), at: now)
            #expect(outcome.actions == [.remove(after: ClusterMachine.pause(attempt))])
        }
        let outcome = try machine.handle(.removeFailed(HarbourError(.backendUnavailable, "Gone.")), at: now)
        #expect(outcome.actions.isEmpty)
        #expect(machine.record.state == .error)
        #expect(try machine.handle(.terminate(.userRequest), at: now).actions == [.remove(after: .zero)])
        #expect(try machine.handle(.removed, at: now).actions.isEmpty)
        #expect(machine.record.state == .terminated)
    }

    @Test func lateNewsOfAStartThatWasGivenUpChangesNothing() throws {
        var (machine, _) = ClusterMachine.created(at: now)
        _ = try machine.handle(.terminate(.userRequest), at: now)
        let before = machine
        #expect(try machine.handle(.provisioned(provisioned()), at: now).changed == false)
        #expect(try machine.handle(.driver(status(.running)), at: now).changed == false)
        #expect(try machine.handle(.startTimedOut(.seconds(1)), at: now).changed == false)
        #expect(machine == before)
    }

    @Test func recordsSurviveBeingWrittenDown() throws {
        var machine = try running()
        for input: ClusterInput? in [nil, .terminate(.inactivity(minutes: 5)), .start, .removed] {
            if let input { _ = try machine.handle(input, at: now) }
            #expect(ClusterRecord(machine.record.json) == machine.record)
        }
        #expect(ClusterRecord(.object([:])) == nil)
    }

    /// A world of the machine's: does its actions with luck of its own, and now and then forgets all but the record.
    private struct World {
        enum Work { case idle, provisioning, resizing, removing }
        var machine: ClusterMachine
        var generator: SeededGenerator
        var work = Work.idle
        /// Whether the backend has something of the cluster.
        var exists = false
        var follows = false
        var forgotten = false
        var openCommands = 0
        var generation: Int64 = 1

        mutating func perform(_ actions: [ClusterAction]) {
            for action in actions {
                switch action {
                case .provision:
                    #expect(machine.record.step == .starting)
                    #expect(work != .removing, "a start must wait for the end of the one before")
                    work = .provisioning
                case .follow:
                    #expect(exists, "only what is there can be followed")
                    follows = true
                case .resize(let workers):
                    #expect(machine.record.state == .resizing)
                    #expect(machine.record.resizeTo == workers)
                    #expect(work == .idle, "one thing at a time")
                    work = .resizing
                case .remove:
                    #expect(machine.record.step == .ending)
                    follows = false
                    work = .removing
                case .failCommands: openCommands = 0
                case .forget:
                    #expect(!exists, "nothing may be left of what is forgotten")
                    forgotten = true
                }
            }
        }

        mutating func check() {
            let record = machine.record
            #expect(record.generation >= generation, "starts are counted upwards")
            generation = record.generation
            switch record.step {
            case .starting: #expect(work == .provisioning)
            case .ending: #expect(work == .removing)
            case .connecting, .running:
                #expect(follows)
                #expect((work == .resizing) == (record.resizeTo != nil))
            case .ended:
                #expect(!exists, "nothing may be left of what has ended")
                #expect(openCommands == 0, "no command outlives its cluster")
            case .stuck: break
            }
            #expect(ClusterRecord(record.json) == record)
        }
    }

    @Test(arguments: 0..<300) func anySequenceOfEventsKeepsTheRules(_ seed: UInt64) throws {
        let (machine, outcome) = ClusterMachine.created(at: now)
        var world = World(machine: machine, generator: SeededGenerator(seed: seed))
        world.perform(outcome.actions)
        var time = now
        for _ in 0..<200 where !world.forgotten {
            time = time + .milliseconds(Int64.random(in: 0...2000, using: &world.generator))
            try step(&world, time)
            if !world.forgotten { world.check() }
        }
        // Then everything goes well, and it must come to rest.
        for _ in 0..<20 where !world.forgotten {
            switch world.work {
            case .provisioning:
                world.exists = true
                world.work = .idle
                try send(.provisioned(provisioned(world.generation)), to: &world, time)
            case .removing:
                world.exists = false
                world.work = .idle
                try send(.removed, to: &world, time)
            case .resizing:
                world.work = .idle
                try send(.resized(provisioned(world.generation)), to: &world, time)
            case .idle:
                if world.machine.record.step == .connecting { try send(.driver(status(.running)), to: &world, time) }
            }
        }
        let rest: Set<ClusterStep> = [.running, .ended, .stuck]
        #expect(world.forgotten || rest.contains(world.machine.record.step), "seed \(seed)")
    }

    private func send(_ input: ClusterInput, to world: inout World, _ time: Timestamp) throws {
        let before = world.machine
        do throws(HarbourError) {
            let outcome = try world.machine.handle(input, at: time)
            world.perform(outcome.actions)
        } catch {
            #expect(error.code == .invalidState)
            world.machine = before
        }
    }

    private func step(_ world: inout World, _ time: Timestamp) throws {
        let lost = ClusterEnd(.exited, status: 1, message: "It ended.")
        switch Int.random(in: 0..<20, using: &world.generator) {
        case 0: try send(.start, to: &world, time)
        case 1: try send(.terminate(.userRequest), to: &world, time)
        case 2 where Int.random(in: 0..<10, using: &world.generator) == 0: try send(.delete, to: &world, time)
        case 3 where world.work == .provisioning:
            world.exists = true
            world.work = .idle
            try send(.provisioned(provisioned(world.generation)), to: &world, time)
        case 4 where world.work == .provisioning:
            world.exists = Bool.random(using: &world.generator)
            world.work = .idle
            try send(.provisionFailed(HarbourError(.launchFailed, "No.")), to: &world, time)
        case 5 where world.work == .removing:
            world.exists = false
            world.work = .idle
            try send(.removed, to: &world, time)
        case 6 where world.work == .removing:
            world.work = .idle
            try send(.removeFailed(HarbourError(.backendUnavailable, "No.")), to: &world, time)
        case 7: try send(.driver(status(.running)), to: &world, time)
        case 8: try send(.driver(status(.failed, code: "SPARK_LOST")), to: &world, time)
        case 9 where world.follows: try send(.lost(lost, log: nil), to: &world, time)
        case 10: try send(.unreachable, to: &world, time)
        case 11: try send(.startTimedOut(.seconds(60)), to: &world, time)
        case 12: if world.machine.record.step == .running { world.openCommands += 1 }
        case 13: try restart(&world, time)
        case 14: try send(.restart, to: &world, time)
        case 15: try send(.edit, to: &world, time)
        case 16:
            let workers = Int.random(in: 0..<4, using: &world.generator)
            try send(.resize(workers: workers, .user), to: &world, time)
        case 17 where world.work == .resizing:
            world.work = .idle
            try send(.resized(provisioned(world.generation)), to: &world, time)
        case 18 where world.work == .resizing:
            world.work = .idle
            try send(.resizeFailed(HarbourError(.backendUnavailable, "No.")), to: &world, time)
        case 19:
            try send(.seen(workers: 1, problem: Bool.random(using: &world.generator) ? "Lame." : nil), to: &world, time)
        default: break
        }
    }

    /// The service dies and comes back with the record alone.
    private func restart(_ world: inout World, _ time: Timestamp) throws {
        let record = try #require(ClusterRecord(world.machine.record.json))
        world.machine = ClusterMachine(record)
        world.work = .idle
        world.follows = false
        guard record.mayExist else { return }
        let found: RecoveredCluster
        switch Int.random(in: 0..<3, using: &world.generator) {
        case 0 where world.exists: found = .running(try provisioned(world.generation))
        case 1 where world.exists: found = .ended(ClusterEnd(.exited, message: "It ended."))
        case _ where world.exists: found = record.step == .starting ? .incomplete : .running(try provisioned())
        default: found = .absent
        }
        try send(.recovered(found), to: &world, time)
    }
}
