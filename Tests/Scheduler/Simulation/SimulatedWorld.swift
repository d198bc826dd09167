import Core

@testable import SchedulerService

/// Two schedulers decide for one run under virtual time. They crash, freeze, lose their leases and have their clocks
/// set; clusters are slow, die and ignore interrupts; news come late and twice. Everything follows from the seed.
struct SimulatedWorld {
    struct Replica {
        var machine: RunMachine?
        var fence = 0
        /// What its civil clock shows beyond the true time.
        var offset: Int64 = 0
        /// Down until then.
        var upAt: Int64 = 0
        /// Stopped until then: it neither renews nor hears.
        var frozenUntil: Int64 = 0
        /// Goes up with each crash: what was on its way to the process before is lost.
        var life = 0
        var renewAt: Int64 = 0
        /// What it wrote down and was frozen before it could do it.
        var undone: (actions: [RunMachine.Action], epoch: Int)?
    }

    struct Delivery {
        var time: Int64
        var replica: Int
        var life: Int
        var event: RunMachine.Event
    }

    let plan: RunPlan
    let facts = RunFacts(runID: 1, jobName: "simulated")
    var generator: SeededGenerator
    var now: Int64 = 0
    var store: SimulatedStore
    var clusters = SimulatedClusters()
    var replicas = [Replica(), Replica()]
    var deliveries: [Delivery] = []
    /// How often the run has been repaired.
    var epoch = 0
    var released: Set<ClusterChoice> = []
    var used: Set<ClusterChoice> = []
    var problems: [String] = []
    var steps = 0

    init(plan: RunPlan, generator: SeededGenerator) {
        self.plan = plan
        self.generator = generator
        store = SimulatedStore(tasks: plan.tasks.map { _ in TaskRecord() })
    }

    mutating func chance(_ oneIn: Int) -> Bool { Int.random(in: 0..<oneIn, using: &generator) == 0 }

    mutating func span(_ range: ClosedRange<Int64>) -> Int64 { Int64.random(in: range, using: &generator) }

    var stored: RunMachine { RunMachine(plan: plan, facts: facts, run: store.run, tasks: store.tasks) }

    /// Plays to the end of the run, and of its repairs.
    mutating func play() {
        while problems.isEmpty {
            while store.isOpen, problems.isEmpty { step() }
            guard problems.isEmpty else { return }
            checkEnd()
            guard epoch < 2, chance(3), repair() else { return }
        }
    }

    private mutating func step() {
        steps += 1
        guard steps < 20_000, let next = nextMoment else {
            problems.append(steps < 20_000 ? "nothing will ever happen" : "the run does not end")
            return
        }
        now = max(now, next)
        disturb()
        endAttempts()
        deliver()
        for index in replicas.indices { act(index) }
    }

    /// The next time at which anything moves by itself.
    private var nextMoment: Int64? {
        var times = clusters.live.values.map(\.endsAt) + deliveries.map(\.time)
        for replica in replicas {
            let awake = max(replica.upAt, replica.frozenUntil)
            if let machine = replica.machine {
                times.append(max(awake, replica.renewAt))
                // A timer cannot go off before it is set, wherever the clock has been put.
                if let wake = machine.nextWake { times.append(max(awake, now + 1, wake.milliseconds - replica.offset)) }
            } else {
                times.append(max(awake, store.owner == nil ? now : store.leaseUntil + 1))
            }
        }
        return times.min()
    }

    // MARK: What goes wrong

    private mutating func disturb() {
        let victim = Int.random(in: 0..<replicas.count, using: &generator)
        if chance(25) { crash(victim) }
        if chance(40) { replicas[victim].frozenUntil = now + span(1...3 * SimulatedStore.lease) }
        if chance(40) { replicas[victim].offset += span(-100_000...100_000) }
        if chance(250) {
            store.isCancelRequested = true
            for index in replicas.indices { send(.cancel, to: index) }
        }
        if chance(60), let choice = plan.tasks.compactMap(\.cluster).randomElement(using: &generator) {
            for name in clusters.live.keys where stored.plan(of: name.task).cluster == choice {
                clusters.live[name]?.endsAt = now
                clusters.live[name]?.outcome = .failure("DRIVER_LOST", "The driver has gone.")
            }
        }
    }

    private mutating func crash(_ index: Int) {
        replicas[index].machine = nil
        replicas[index].undone = nil
        replicas[index].life += 1
        replicas[index].upAt = now + span(10...30_000)
        // It may be started again under its name at once, and then gives up what its process before owned.
        if store.owner == index, chance(2) {
            replicas[index].upAt = now
            store.owner = nil
        }
    }

    mutating func send(_ event: RunMachine.Event, to index: Int) {
        guard replicas[index].machine != nil else { return }
        for _ in 0..<(chance(6) ? 2 : 1) {
            deliveries.append(
                Delivery(time: now + span(0...200), replica: index, life: replicas[index].life, event: event))
        }
    }

    // MARK: Schedulers

    private func isAwake(_ index: Int) -> Bool { max(replicas[index].upAt, replicas[index].frozenUntil) <= now }

    private mutating func deliver() {
        let due = deliveries.filter { $0.time <= now }
        deliveries.removeAll { $0.time <= now }
        for delivery in due where delivery.life == replicas[delivery.replica].life {
            if isAwake(delivery.replica) {
                take(delivery.event, delivery.replica)
            } else {
                var later = delivery
                later.time = max(now + 1, replicas[delivery.replica].upAt, replicas[delivery.replica].frozenUntil)
                deliveries.append(later)
            }
        }
    }

    private mutating func act(_ index: Int) {
        guard isAwake(index), store.isOpen else { return }
        if let (actions, madeIn) = replicas[index].undone {
            replicas[index].undone = nil
            perform(actions, index, madeIn)
        }
        guard let machine = replicas[index].machine else { return claim(index) }
        if replicas[index].renewAt <= now {
            replicas[index].renewAt = now + SimulatedStore.lease / 3
            if !store.renew(replicas[index].fence, at: now) { return drop(index) }
        }
        if let wake = machine.nextWake, wake.milliseconds <= now + replicas[index].offset { take(.wake, index) }
    }

    private mutating func claim(_ index: Int) {
        guard let fence = store.claim(by: index, at: now) else { return }
        replicas[index].fence = fence
        replicas[index].renewAt = now + SimulatedStore.lease / 3
        replicas[index].machine = stored
        decide(index) { machine, time in machine.resume(at: time) }
        if store.isCancelRequested { send(.cancel, to: index) }
    }

    private mutating func drop(_ index: Int) {
        replicas[index].machine = nil
        replicas[index].undone = nil
        replicas[index].life += 1
    }

    private mutating func take(_ event: RunMachine.Event, _ index: Int) {
        guard replicas[index].machine != nil else { return }
        decide(index) { machine, time in machine.handle(event, at: time) }
    }

    private mutating func decide(_ index: Int, _ body: (inout RunMachine, Timestamp) -> [RunMachine.Action]) {
        guard var machine = replicas[index].machine else { return }
        let actions = body(&machine, Timestamp(milliseconds: now + replicas[index].offset))
        guard store.save(machine, replicas[index].fence) else { return drop(index) }
        replicas[index].machine = machine
        if chance(60) { return crash(index) }
        if chance(60) {
            replicas[index].frozenUntil = now + span(1...3 * SimulatedStore.lease)
            replicas[index].undone = (actions, epoch)
            return
        }
        perform(actions, index, epoch)
    }

    /// Opens the run again, as the API does; false when there is nothing to be done again.
    private mutating func repair() -> Bool {
        var machine = stored
        let keys = plan.tasks.map(\.key).filter { _ in chance(4) }
        let wish = RepairWish(taskKeys: keys, allFailed: chance(2), dependents: chance(2))
        guard (try? machine.repair(wish)) != nil else { return false }
        (store.run, store.tasks, store.owner, store.isCancelRequested) = (machine.run, machine.tasks, nil, false)
        epoch += 1
        (released, used) = ([], [])
        for index in replicas.indices { replicas[index].machine = nil }
        return true
    }
}
