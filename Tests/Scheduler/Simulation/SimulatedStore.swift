import Core

@testable import SchedulerService

/// The rows of one run as PostgreSQL keeps them: written by the holder of the newest fence alone, with leases that go
/// by the database's own clock.
struct SimulatedStore {
    var run = RunRecord()
    var tasks: [TaskRecord]
    var fence = 0
    var owner: Int?
    var leaseUntil: Int64 = 0
    var isCancelRequested = false

    static let lease: Int64 = 12_000

    var isOpen: Bool { run.result == nil }

    /// Takes the run for a scheduler; nil while another one holds it.
    mutating func claim(by replica: Int, at now: Int64) -> Int? {
        guard isOpen, owner == nil || leaseUntil < now else { return nil }
        owner = replica
        fence += 1
        leaseUntil = now + Self.lease
        return fence
    }

    mutating func renew(_ fence: Int, at now: Int64) -> Bool {
        guard isOpen, fence == self.fence, owner != nil else { return false }
        leaseUntil = now + Self.lease
        return true
    }

    /// Writes a machine down; false for whoever has lost the run.
    mutating func save(_ machine: RunMachine, _ fence: Int) -> Bool {
        guard fence == self.fence, isOpen else { return false }
        run = machine.run
        tasks = machine.tasks
        return true
    }
}

/// Names an attempt, as its id does.
struct AttemptName: Hashable {
    var task: Int
    var attempt: Int
}

/// The clusters: they run an attempt once however often they are asked, and tell its end to whoever listens.
struct SimulatedClusters {
    struct Live {
        var endsAt: Int64
        var outcome: AttemptOutcome
        var listeners: Set<Int>
    }

    var live: [AttemptName: Live] = [:]
    var ended: [AttemptName: AttemptOutcome] = [:]

    func liveAttempts(of task: Int) -> [AttemptName] { live.keys.filter { $0.task == task } }
}
