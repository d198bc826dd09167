public import ClusterBackend
internal import Core
internal import Synchronization

/// A driver that a simulated place has been asked to start.
public struct SimulatedDriver: Sendable, Hashable {
    /// What was asked for.
    public var request: ProvisionRequest
    /// The installation that asked.
    public var installation: String
    /// Tells two drivers of one cluster apart: each start has a number of its own.
    public var incarnation: Int
}

/// The place where simulated clusters live. It outlives the backends made over it, as an engine outlives the service.
public final class SimulatedWorld: Sendable {
    struct Machine {
        var driver: SimulatedDriver
        var created: Timestamp
        /// The phases of the start that are done; all of them when it runs.
        var phasesDone = 0
        var address: DriverAddress?
        var workers: Int
        var status: ClusterStatus?
        var log: [BackendLogLine] = []
        var watchers: [Int: AsyncStream<Void>.Continuation] = [:]
    }
    struct State {
        var script: SimulatedScript
        var machines: [ClusterIdentifier: Machine] = [:]
        var incarnations = 0
        var watchers = 0
        var reachable = true
        var started: [SimulatedDriver] = []
    }

    /// Starts something that answers as the driver and says where it listens. Without one, an address that nobody
    /// answers is given out.
    public typealias Starter = @Sendable (SimulatedDriver) async throws -> DriverAddress
    /// Ends what the starter has started, whatever the reason.
    public typealias Stopper = @Sendable (SimulatedDriver) async -> Void

    /// Where the starter has a driver write.
    public typealias Scratch = @Sendable (SimulatedDriver) -> String

    /// The place's clock.
    public let time: VirtualTime
    let starter: Starter?
    let stopper: Stopper?
    let scratch: Scratch?
    let state: Mutex<State>

    /// Makes an empty place.
    public init(
        script: SimulatedScript = SimulatedScript(), time: VirtualTime = VirtualTime(), starter: Starter? = nil,
        stopper: Stopper? = nil, scratch: Scratch? = nil
    ) {
        self.time = time
        self.starter = starter
        self.stopper = stopper
        self.scratch = scratch
        state = Mutex(State(script: script))
    }

    // MARK: What tests see and do

    /// Changes the script from now on.
    public func edit(_ change: (inout SimulatedScript) -> Void) {
        state.withLock { state in change(&state.script) }
    }

    /// The clusters that exist, half-made and ended ones included.
    public var clusters: [ClusterIdentifier] { state.withLock { $0.machines.keys.sorted() } }

    /// How many workers a cluster has; nil when there is no such cluster.
    public func workers(of id: ClusterIdentifier) -> Int? { state.withLock { $0.machines[id]?.workers } }

    /// Every driver that was ever started, in order.
    public var started: [SimulatedDriver] { state.withLock { $0.started } }

    /// The driver that listens at the address, or nil when none does.
    public func driver(at address: DriverAddress) -> SimulatedDriver? {
        state.withLock { state in
            state.machines.values.first { $0.address == address && $0.status?.isAlive == true }?.driver
        }
    }

    /// The cluster ends by itself.
    public func end(_ id: ClusterIdentifier, _ end: ClusterEnd) async {
        let driver = change(id) { machine in
            machine.status = .ended(end)
            return machine.driver
        }
        if let driver { await stopper?(driver) }
    }

    /// A worker comes or goes, or the driver limps.
    public func setStatus(_ id: ClusterIdentifier, _ status: ClusterStatus) {
        _ = change(id) { $0.status = status }
    }

    /// The driver writes a line.
    public func say(_ text: String, in id: ClusterIdentifier) {
        let now = time.now
        _ = change(id) { machine in
            let sequence = (machine.log.last?.sequence ?? 0) + 1
            machine.log.append(BackendLogLine(sequence: sequence, timestamp: now, source: "driver", text: text))
        }
    }

    /// Whether the place answers; while it does not, calls fail with `BACKEND_UNAVAILABLE`.
    public func setReachable(_ reachable: Bool) {
        let watchers = state.withLock { state in
            state.reachable = reachable
            return state.machines.values.flatMap { Array($0.watchers.values) }
        }
        for watcher in watchers { watcher.yield() }
    }

    // MARK: For the backend

    /// Changes a cluster and tells its watchers.
    func change<Value>(_ id: ClusterIdentifier, _ body: (inout Machine) -> sending Value) -> sending Value? {
        let (value, watchers) = state.withLock { state -> (Value?, [AsyncStream<Void>.Continuation]) in
            guard var machine = state.machines[id] else { return (nil, []) }
            let value = body(&machine)
            state.machines[id] = machine
            return (value, Array(machine.watchers.values))
        }
        for watcher in watchers { watcher.yield() }
        return value
    }

    func machine(_ id: ClusterIdentifier) -> Machine? { state.withLock { $0.machines[id] } }

    /// Removes a cluster; its watchers see that it is gone.
    func remove(_ id: ClusterIdentifier) async {
        let machine = state.withLock { $0.machines.removeValue(forKey: id) }
        guard let machine else { return }
        for watcher in machine.watchers.values { watcher.finish() }
        if machine.status?.isAlive == true { await stopper?(machine.driver) }
    }

    /// Elements come whenever something about the cluster has changed; it ends when the cluster is removed.
    func changes(of id: ClusterIdentifier) -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let key = state.withLock { state -> Int? in
            guard state.machines[id] != nil else { return nil }
            state.watchers += 1
            state.machines[id]?.watchers[state.watchers] = continuation
            return state.watchers
        }
        guard let key else {
            continuation.finish()
            return stream
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { state in state.machines[id]?.watchers[key] = nil }
        }
        return stream
    }
}

extension ClusterStatus {
    /// Whether the driver may still be there.
    var isAlive: Bool {
        if case .ended = self { return false }
        return true
    }
}
