public import ClusterBackend
public import Core
public import EventLoop
internal import Glibc

/// Drivers as processes of this machine, with a session and a folder each: what every backend needs whose drivers run
/// here, wherever their executors do.
///
/// The driver outlives the service. It is found again by what its folder says (process id with start time and boot) and
/// by the mark in its environment, and never by its address alone. The methods keep to `ClusterBackend`.
///
/// An actor on the service's event loop. Files and /proc are read on the blocking pool.
public actor ProcessHost {
    /// The name of the backend it works for.
    public nonisolated let backend: String
    /// What this machine has.
    public nonisolated let machine: Machine
    nonisolated let context: BackendContext
    nonisolated let loop: EventLoop
    nonisolated let notes: [String]
    /// Whether the backend wants limits.
    nonisolated let wantsLimits: Bool
    /// Where limits are set; nil where the backend wants none or the machine permits none.
    nonisolated let groups: ControlGroups?
    nonisolated let log: Logger

    /// The drivers that are being watched.
    var processes: [ClusterIdentifier: RunningProcess] = [:]
    /// How those that have ended in our time did.
    var ends: [ClusterIdentifier: ClusterEnd] = [:]

    /// The actor's executor is the loop, so that watching a process needs no hop.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    /// Whether the kernel holds clusters to their cores and memory, each as a whole.
    public nonisolated var enforcesLimits: Bool { groups != nil }

    /// Makes a host. The notes come with every cluster; with `limits`, control groups are used where that is permitted,
    /// which is tried at once.
    public init(backend: String, context: BackendContext, loop: EventLoop, notes: [String], limits: Bool = false) {
        self.backend = backend
        self.context = context
        self.loop = loop
        wantsLimits = limits
        groups = limits ? ControlGroups.find() : nil
        self.notes = notes
        machine = Machine()
        log = Logger("backend.\(backend)")
    }

    /// Starts the driver's process, or finds it.
    public func provision(
        _ request: ProvisionRequest, _ plan: ProcessPlan, progress: @escaping Receiver<ProvisionEvent>
    ) async throws(HarbourError) -> ProvisionedCluster {
        do {
            return try await start(request, plan, progress)
        } catch let error as HarbourError {
            throw error
        } catch {
            throw .wrap(error)
        }
    }

    /// Whether the driver's process lives.
    public func status(of handle: ClusterHandle) async throws(HarbourError) -> ClusterStatus {
        do {
            guard let state = try await state(of: handle.cluster) else { return .ended(ProcessHost.removed) }
            if try await process(of: handle.cluster, state) != nil { return .running(workers: state.plan.workers) }
            return .ended(end(of: handle.cluster, state))
        } catch {
            throw .wrap(error)
        }
    }

    /// Follows the driver's process.
    public func watch(_ handle: ClusterHandle, to receive: @escaping Receiver<ClusterStatus>) async throws {
        let id = handle.cluster
        guard let state = try await state(of: id) else { return try await receive(.ended(ProcessHost.removed)) }
        if let process = try await process(of: id, state) {
            try await receive(.running(workers: state.plan.workers))
            _ = try await process.wait()
        }
        try await receive(.ended(end(of: id, state)))
    }

    /// Lines of the driver's log file; the numbers are positions in it.
    public func logs(
        of handle: ClusterHandle, after sequence: Int64, follow: Bool, to receive: @escaping Receiver<BackendLogLine>
    ) async throws {
        let place = ProcessPlace(root: context.folder, handle.cluster)
        let reader = LogReader(path: place.logFile, after: sequence)
        let process: RunningProcess? =
            if follow, let state = try await state(of: handle.cluster) {
                try await process(of: handle.cluster, state)
            } else { nil }
        guard let process else {
            try await reader.sendLines(ended: !follow, to: receive)
            return
        }
        let changes = try FileChanges(path: place.logFile, loop: loop)
        defer { changes.close() }
        process.whenEnded { [changes] _ in changes.notify() }
        for await _ in changes.stream {
            let ended = process.exit != nil
            try await reader.sendLines(ended: ended, to: receive)
            if ended { return }
        }
        try Task.checkCancellation()
    }

    /// Sums over the cluster's processes. All of them count as the driver's node: they share the machine.
    public func stats(
        of handle: ClusterHandle, after sequence: Int64, every interval: Duration,
        to receive: @escaping Receiver<NodeStats>
    ) async throws {
        var last = sequence
        var highestTicks: Int64 = 0
        while let state = try await state(of: handle.cluster),
            let process = try await process(of: handle.cluster, state)
        {
            let (installation, session) = (context.installation, process.pid)
            let entries = try await BlockingPool.shared.run {
                ProcessTable.entries(of: handle.cluster, installation: installation, session: session)
            }
            let now = Timestamp.now
            if now.milliseconds > last, !entries.isEmpty {
                last = now.milliseconds
                // A process that ended without being waited for takes its time with it; a total never falls.
                highestTicks = max(highestTicks, entries.reduce(0) { $0 + $1.cpuTicks })
                try await receive(
                    NodeStats(
                        sequence: last, timestamp: now, node: "driver",
                        cpuTime: .nanoseconds(highestTicks * (1_000_000_000 / machine.ticksPerSecond)),
                        memoryBytes: entries.reduce(0) { $0 + $1.residentPages } * machine.pageSize,
                        processes: entries.count))
            }
            try await pause(max(interval, .milliseconds(10)), or: process)
        }
    }

    /// The cluster's folder, while it is there.
    public func scratch(of handle: ClusterHandle) async throws(HarbourError) -> String? {
        let place = ProcessPlace(root: context.folder, handle.cluster)
        do {
            return try await state(of: handle.cluster) == nil ? nil : place.folder
        } catch {
            throw .wrap(error)
        }
    }

    /// Ends the driver in order and leaves everything else.
    public func halt(_ id: ClusterIdentifier, grace: Duration) async throws(HarbourError) {
        do {
            guard let state = try await state(of: id), let process = try await process(of: id, state) else { return }
            try await endDriver(process, grace: grace)
        } catch {
            throw .wrap(error)
        }
    }

    /// Ends the driver in order, whatever else carries the mark at once, and removes the folder.
    public func terminate(_ id: ClusterIdentifier, handle: ClusterHandle?, grace: Duration) async throws(HarbourError) {
        do {
            try await end(id, grace: grace)
        } catch let error as HarbourError {
            throw error
        } catch {
            throw .wrap(error)
        }
    }

    /// Reads the folders and looks for marked processes.
    public func recover(_ all: [RecoveryEntry], asOf time: Timestamp) async throws(HarbourError) -> RecoveryReport {
        do {
            return try await findAll(Set(all.map(\.id)), asOf: time)
        } catch let error as HarbourError {
            throw error
        } catch {
            throw .wrap(error)
        }
    }

    /// Forgets the processes; they go on.
    public func close() { processes = [:] }

    /// Whether the cluster's driver lives.
    public func isRunning(_ id: ClusterIdentifier) async throws -> Bool {
        guard let state = try await state(of: id) else { return false }
        return try await process(of: id, state) != nil
    }

    /// What a cluster of this machine was started as; nil when there is none of that id.
    public func plan(of id: ClusterIdentifier) async throws -> ProcessPlan? { try await state(of: id)?.plan }

    /// Tells a living driver that its cluster has another number of workers from now on, and writes that down.
    /// - Returns: the cluster as it is then; nil when its driver does not live.
    public func setWorkers(of id: ClusterIdentifier, to workers: Int) async throws -> ProvisionedCluster? {
        guard var state = try await state(of: id), let process = try await process(of: id, state) else { return nil }
        let place = ProcessPlace(root: context.folder, id)
        state.stage = .started
        state.process = process.identity
        state.plan.workers = workers
        try await BlockingPool.shared.run { [state] in
            try Files.append(Array("\(workers)\n".utf8), to: place.executorsFile)
            try Files.write(state.encoded(), to: place.stateFile)
        }
        return answer(state, place)
    }

    static let removed = ClusterEnd(.removed, message: "The cluster is not on this machine any more. Start it again.")

    /// Waits for the interval, or for the end of the process when that comes first.
    private func pause(_ interval: Duration, or process: RunningProcess) async throws {
        let loop = loop
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { _ = try await process.wait() }
            group.addTask { try await loop.sleep(for: interval) }
            defer { group.cancelAll() }
            try await group.next()
        }
    }
}
