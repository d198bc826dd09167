public import ClusterBackend
public import Core
internal import Synchronization

/// Clusters that exist in memory only, with scripted faults and in virtual time. The reference of how a backend behaves,
/// and what tests of everything above the seam run on. Not in release builds of the cluster service.
public struct SimulatedBackend: ClusterBackend {
    /// `simulated`.
    public let name = "simulated"
    /// As the script claims, at the time the value was made.
    public let capabilities: Capabilities
    let world: SimulatedWorld
    let context: BackendContext

    /// Makes a backend over a place; several may share one, as a restarted service does.
    public init(world: SimulatedWorld, context: BackendContext) {
        self.world = world
        self.context = context
        var capabilities = world.state.withLock { $0.script.capabilities }
        if world.scratch != nil { capabilities.features.insert(.scratch) }
        self.capabilities = capabilities
    }

    /// What the capabilities say.
    public func validate(_ spec: BackendSpec) -> [SpecProblem] { capabilities.problems(of: spec) }

    /// What the script says, and whether the place is reachable.
    public func preflight() async -> PreflightReport {
        world.state.withLock { state in
            if state.reachable { return state.script.preflight }
            let check = PreflightReport.Check(
                "reachable", passed: false, message: "The simulated place does not answer; set it reachable again.")
            return PreflightReport(checks: [check] + state.script.preflight.checks)
        }
    }

    /// Goes through the script's phases.
    public func provision(_ request: ProvisionRequest, progress: @escaping Receiver<ProvisionEvent>)
        async throws(HarbourError) -> ProvisionedCluster
    {
        try validate(request.spec).throwIfAny()
        do {
            return try await start(request, progress)
        } catch {
            throw .wrap(error)
        }
    }

    /// What the place says.
    public func status(of handle: ClusterHandle) async throws(HarbourError) -> ClusterStatus {
        do {
            try await pass(.status, handle.cluster)
        } catch {
            throw .wrap(error)
        }
        return present(handle.cluster)
    }

    /// Follows the place's changes.
    public func watch(_ handle: ClusterHandle, to receive: @escaping Receiver<ClusterStatus>) async throws {
        let changes = world.changes(of: handle.cluster)
        var last = watched(handle.cluster)
        try await receive(last)
        if !last.isAlive { return }
        for await _ in changes {
            let now = watched(handle.cluster)
            guard now != last else { continue }
            last = now
            try await receive(now)
            if !now.isAlive { return }
        }
        try Task.checkCancellation()
        if last.isAlive { try await receive(.ended(SimulatedBackend.removed)) }
    }

    /// Lines of `SimulatedWorld.say`.
    public func logs(
        of handle: ClusterHandle, after sequence: Int64, follow: Bool, to receive: @escaping Receiver<BackendLogLine>
    ) async throws {
        try capabilities.require(.logs, of: name)
        var last = sequence
        let changes = world.changes(of: handle.cluster)
        if try await sendLines(of: handle.cluster, after: &last, to: receive) || !follow { return }
        for await _ in changes {
            if try await sendLines(of: handle.cluster, after: &last, to: receive) { return }
        }
        try Task.checkCancellation()
    }

    /// Made-up numbers that grow with the virtual clock.
    public func stats(
        of handle: ClusterHandle, after sequence: Int64, every interval: Duration,
        to receive: @escaping Receiver<NodeStats>
    ) async throws {
        try capabilities.require(.stats, of: name)
        var last = sequence
        while let machine = world.machine(handle.cluster), machine.status?.isAlive == true {
            let now = world.time.now
            if now.milliseconds > last {
                last = now.milliseconds
                for node in ["driver"] + (0..<machine.workers).map({ "worker-\($0)" }) {
                    try await receive(
                        NodeStats(
                            sequence: last, timestamp: now, node: node, cpuTime: now - machine.created,
                            memoryBytes: 256 << 20, processes: 1))
                }
            }
            try await world.time.sleep(for: max(interval, .milliseconds(1)))
        }
    }

    /// What the place was made with, for as long as the cluster is in it.
    public func scratch(of handle: ClusterHandle) async throws(HarbourError) -> String? {
        try capabilities.require(.scratch, of: name)
        return world.machine(handle.cluster).flatMap { world.scratch?($0.driver) }
    }

    /// The driver ends, and the cluster stays in its place.
    public func halt(_ handle: ClusterHandle, grace: Duration) async throws(HarbourError) {
        try capabilities.require(.scratch, of: name)
        do {
            try await pass(.halt, handle.cluster)
        } catch {
            throw .wrap(error)
        }
        guard world.machine(handle.cluster)?.status?.isAlive == true else { return }
        await world.end(handle.cluster, ClusterEnd(.exited, status: 0, message: "The driver was ended."))
    }

    /// Sets the number of workers after the time of the phase `workers`.
    public func resize(_ handle: ClusterHandle, workers: Int, progress: @escaping Receiver<ProvisionEvent>)
        async throws(HarbourError) -> ProvisionedCluster
    {
        try capabilities.require(.resize, of: name)
        guard let machine = world.machine(handle.cluster), machine.status?.isAlive == true else {
            throw HarbourError(.clusterLost, "The cluster has ended. Start it again.")
        }
        var spec = machine.driver.request.spec
        spec.workers = workers
        try validate(spec).throwIfAny()
        do {
            try await progress(.phase(.workers))
            try await pass(.resize, handle.cluster)
        } catch {
            throw .wrap(error)
        }
        let resized = world.change(handle.cluster) { machine in
            machine.workers = workers
            machine.driver.request.spec.workers = workers
            machine.status = .running(workers: workers)
            return machine
        }
        guard let resized else { throw HarbourError(.clusterLost, "The cluster has ended. Start it again.") }
        return answer(resized)
    }

    /// Removes the cluster after the script's time for it.
    public func terminate(_ id: ClusterIdentifier, handle: ClusterHandle?, grace: Duration) async throws(HarbourError) {
        do {
            try await pass(.terminate, id)
            guard let machine = world.machine(id), machine.driver.installation == context.installation else { return }
            try await world.time.sleep(for: world.state.withLock { $0.script.terminationTime })
        } catch {
            throw .wrap(error)
        }
        await world.remove(id)
    }

    /// Finds what is in the place.
    public func recover(_ all: [RecoveryEntry], asOf time: Timestamp) async throws(HarbourError) -> RecoveryReport {
        do {
            try await pass(.recover, nil)
        } catch {
            throw .wrap(error)
        }
        let known = Set(all.map(\.id))
        let orphans = world.state.withLock { state in
            state.machines.filter { id, machine in
                machine.driver.installation == context.installation && !known.contains(id) && machine.created < time
            }
            .keys.sorted()
        }
        for id in orphans { await world.remove(id) }
        var clusters: [ClusterIdentifier: RecoveredCluster] = [:]
        for id in known { clusters[id] = recovered(id) }
        return RecoveryReport(clusters: clusters, swept: orphans)
    }

    /// Nothing to let go of.
    public func close() async {}
}
