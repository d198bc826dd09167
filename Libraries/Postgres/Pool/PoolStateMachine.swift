/// Which connection does what: a pure state machine. Events in, actions out; no sockets, no clock, no timers.
///
/// Reads share connections, because answers come in the order of the questions; everything else has a connection for
/// itself. Requests are served in the order they came, so neither kind starves the other.
struct PoolStateMachine<Request: Equatable> {
    enum Kind {
        /// May be sent behind other reads on the same connection.
        case shared
        /// Holds a connection from `assign` to `finished`.
        case exclusive
    }
    struct Limits {
        var connections = 10
        /// Connections that stay open though idle.
        var idleConnections = 1
        /// Reads under way on one connection.
        var depth = 64
        /// Requests without a connection.
        var waiting = 10_000
    }
    enum Event {
        case request(Request, Kind)
        /// Its deadline passed, or its task was cancelled.
        case withdraw(Request)
        /// A shared request was answered, or an exclusive one gave its connection back.
        case finished(connection: Int)
        case connected(Int)
        case connectFailed(Int)
        /// A connection that was ready is gone.
        case closed(Int)
        case backOffElapsed
        case idleTick
        /// Nobody asked, but a connection is wanted: at start.
        case warmUp
        case drain
        /// The budget of the drain is used up.
        case abort
    }
    enum Action {
        case connect(Int)
        case assign(Request, connection: Int)
        /// It was waiting and is not any more.
        case withdrawn(Request)
        case refuse(Request, Refusal)
        case close(Int)
        /// Answer with `backOffElapsed` after a time that grows with the number of failures.
        case armBackOff(failures: Int)
        /// Answer with `idleTick` after the time that a connection may be idle.
        case armIdleTick
        case drained
    }
    enum Refusal {
        case draining
        case tooMany
    }

    /// Exits: connecting -> shared or gone; shared <-> exclusive; all -> gone.
    private enum State: Equatable {
        case connecting
        /// With that many reads under way; idle at 0.
        case shared(Int)
        case exclusive
    }
    private struct Slot {
        let id: Int
        var state = State.connecting
        /// Since the last idle tick.
        var wasUsed = true
    }
    private struct Waiter {
        let request: Request
        let kind: Kind
    }
    /// Exits: running -> draining -> drained.
    private enum Phase {
        case running
        case draining
        case drained
    }

    private let limits: Limits
    private var slots: [Slot] = []
    private var waiting: [Waiter] = []
    private var waitingHead = 0
    private var nextID = 0
    private var failures = 0
    private var isBackingOff = false
    private var isTickArmed = false
    private var phase = Phase.running

    init(limits: Limits) { self.limits = limits }

    // MARK: What can be seen

    var waitingCount: Int { waiting.count - waitingHead }
    var connectionCount: Int { slots.count }
    var readyCount: Int { slots.count { $0.state != .connecting } }
    var busyCount: Int { slots.count { $0.state != .connecting && $0.state != .shared(0) } }

    // MARK: Events

    mutating func handle(_ event: Event) -> [Action] {
        switch event {
        case .request(let request, let kind): return requested(Waiter(request: request, kind: kind))
        case .withdraw(let request): return withdraw(request)
        case .finished(let id): return finished(id)
        case .connected(let id):
            guard let index = index(of: id), slots[index].state == .connecting else { return [] }
            failures = 0
            slots[index].state = .shared(0)
            return dispatch() + settle(id)
        case .connectFailed(let id):
            remove(id)
            failures += 1
            return waitingCount > 0 ? backOff() : settle(nil)
        case .closed(let id):
            remove(id)
            return dispatch() + settle(nil)
        case .backOffElapsed:
            isBackingOff = false
            return dispatch()
        case .idleTick: return idleTick()
        case .warmUp:
            guard phase == .running, slots.isEmpty, !isBackingOff else { return [] }
            return [connect()]
        case .drain: return drain()
        case .abort:
            let ids = slots.map(\.id)
            slots = []
            return ids.map { .close($0) } + settle(nil)
        }
    }

    private mutating func requested(_ waiter: Waiter) -> [Action] {
        guard phase == .running else { return [.refuse(waiter.request, .draining)] }
        // Nobody is overtaken, else a stream of reads would keep transactions waiting for ever.
        if waitingCount == 0, let id = place(waiter.kind) { return [.assign(waiter.request, connection: id)] }
        guard waitingCount < limits.waiting else { return [.refuse(waiter.request, .tooMany)] }
        waiting.append(waiter)
        return grow()
    }

    private mutating func withdraw(_ request: Request) -> [Action] {
        guard let index = waiting[waitingHead...].firstIndex(where: { $0.request == request }) else { return [] }
        waiting.remove(at: index)
        // It may have been the transaction behind which reads were waiting.
        return [.withdrawn(request)] + dispatch()
    }

    private mutating func finished(_ id: Int) -> [Action] {
        guard let index = index(of: id) else { return [] }
        switch slots[index].state {
        case .shared(let count): slots[index].state = .shared(max(0, count - 1))
        case .exclusive: slots[index].state = .shared(0)
        case .connecting: return []
        }
        if waitingCount == 0 && phase == .running && (isTickArmed || slots.count <= limits.idleConnections) {
            return []
        }
        return dispatch() + settle(id)
    }

    // MARK: Placing

    /// Gives waiting requests to connections, the longest waiting first, and asks for more connections.
    private mutating func dispatch() -> [Action] {
        var actions: [Action] = []
        while waitingCount > 0, let id = place(waiting[waitingHead].kind) {
            actions.append(.assign(waiting[waitingHead].request, connection: id))
            waitingHead += 1
            if waitingHead == waiting.count {
                waiting.removeAll(keepingCapacity: true)
                waitingHead = 0
            } else if waitingHead > 1024 {
                waiting.removeSubrange(..<waitingHead)
                waitingHead = 0
            }
        }
        return actions + grow()
    }

    private mutating func place(_ kind: Kind) -> Int? {
        var best: Int?
        var least = Int.max
        for (index, slot) in slots.enumerated() {
            guard case .shared(let count) = slot.state, count < least else { continue }
            best = index
            least = count
            if count == 0 { break }
        }
        guard let best else { return nil }
        if least > 0 {
            // A connection that is idle soon is better than a place behind others; but not when no more can be had.
            guard kind == .shared, least < limits.depth, slots.count >= limits.connections || isBackingOff else {
                return nil
            }
        }
        slots[best].wasUsed = true
        slots[best].state = kind == .shared ? .shared(least + 1) : .exclusive
        return slots[best].id
    }

    /// As many new connections as there are requests that wait for one.
    private mutating func grow() -> [Action] {
        var actions: [Action] = []
        var connecting = slots.count { $0.state == .connecting }
        while !isBackingOff, connecting < waitingCount, slots.count < limits.connections, phase != .drained {
            actions.append(connect())
            connecting += 1
        }
        return actions
    }

    private mutating func connect() -> Action {
        nextID += 1
        slots.append(Slot(id: nextID))
        return .connect(nextID)
    }

    private mutating func backOff() -> [Action] {
        guard !isBackingOff else { return [] }
        isBackingOff = true
        // Reads that waited for a new connection may now go behind others.
        return [.armBackOff(failures: failures)] + dispatch()
    }

    // MARK: Idleness and the end

    /// What follows when a connection may have become idle.
    private mutating func settle(_ id: Int?) -> [Action] {
        guard phase == .running else {
            guard phase == .draining else { return [] }
            var actions: [Action] = []
            if let id, let index = index(of: id), slots[index].state == .shared(0), waitingCount == 0 {
                slots.remove(at: index)
                actions.append(.close(id))
            }
            if slots.isEmpty && waitingCount == 0 {
                phase = .drained
                actions.append(.drained)
            }
            return actions
        }
        guard !isTickArmed, slots.count > limits.idleConnections else { return [] }
        isTickArmed = true
        return [.armIdleTick]
    }

    /// Closes what nobody used since the last tick. There is no next tick once only the kept ones are left.
    private mutating func idleTick() -> [Action] {
        isTickArmed = false
        guard phase == .running else { return [] }
        var actions: [Action] = []
        for slot in slots where slot.state == .shared(0) && !slot.wasUsed {
            guard slots.count > limits.idleConnections else { break }
            remove(slot.id)
            actions.append(.close(slot.id))
        }
        for index in slots.indices { slots[index].wasUsed = false }
        return actions + settle(nil)
    }

    private mutating func drain() -> [Action] {
        guard phase == .running else { return [] }
        phase = .draining
        var actions: [Action] = waiting[waitingHead...].map { .refuse($0.request, .draining) }
        waiting = []
        waitingHead = 0
        for slot in slots where slot.state == .shared(0) || slot.state == .connecting {
            remove(slot.id)
            actions.append(.close(slot.id))
        }
        return actions + settle(nil)
    }

    private func index(of id: Int) -> Int? { slots.firstIndex { $0.id == id } }

    private mutating func remove(_ id: Int) { slots.removeAll { $0.id == id } }
}
