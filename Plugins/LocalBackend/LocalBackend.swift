public import ClusterBackend
public import Core
public import EventLoop
internal import Glibc

/// Clusters as processes of this machine: one driver each, with a session and a folder of its own.
///
/// The driver outlives the service. It is found again by what its folder says (process id with start time and boot) and
/// by the mark in its environment, and never by its address alone.
///
/// An actor on the service's event loop. Files and /proc are read on the blocking pool.
public actor LocalBackend: ClusterBackend {
    /// `local`.
    public nonisolated let name = "local"
    /// Workers, logs, stats and recovery. Sizes are wishes: Spark keeps to them, nothing enforces them.
    public nonisolated let capabilities: Capabilities
    nonisolated let context: BackendContext
    nonisolated let loop: EventLoop
    nonisolated let machine: Machine
    nonisolated let log = Logger("backend.local")

    /// The drivers that are being watched.
    var processes: [ClusterIdentifier: RunningProcess] = [:]
    /// How those that have ended in our time did.
    var ends: [ClusterIdentifier: ClusterEnd] = [:]

    /// The actor's executor is the loop, so that watching a process needs no hop.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    /// Makes a backend; nothing is touched before the first call.
    ///
    /// Settings: `python` and `java_home` are looked at by `preflight`.
    public init(context: BackendContext, loop: EventLoop) {
        self.context = context
        self.loop = loop
        machine = Machine()
        capabilities = Capabilities(
            [.workers, .logs, .stats, .recovery], maximumWorkers: 64, maximumMemoryMiB: machine.memoryMiB)
    }

    /// The capabilities' problems, and whether the whole fits into this machine.
    public nonisolated func validate(_ spec: BackendSpec) -> [SpecProblem] {
        var problems = capabilities.problems(of: spec)
        if problems.isEmpty {
            let plan = LocalPlan(spec, processors: machine.processors)
            if plan.totalMemoryMiB > machine.memoryMiB {
                problems.append(
                    SpecProblem(
                        "num_workers",
                        "asks for \(plan.totalMemoryMiB) MiB with the driver, and this machine has "
                            + "\(machine.memoryMiB) MiB: take fewer or smaller workers"))
            }
        }
        for key in ["spark.master", "spark.driver.memory"] where spec.sparkConf[key] != nil {
            problems.append(SpecProblem("spark_conf", "cannot hold \(key): it follows from the cluster's size"))
        }
        return problems
    }

    /// Starts the driver's process, or finds it.
    public func provision(_ request: ProvisionRequest, progress: @escaping Receiver<ProvisionEvent>)
        async throws(HarbourError) -> ProvisionedCluster
    {
        try validate(request.spec).throwIfAny()
        do {
            return try await start(request, progress)
        } catch let error as HarbourError {
            throw error
        } catch {
            throw .wrap(error)
        }
    }

    /// Whether the driver's process lives.
    public func status(of handle: ClusterHandle) async throws(HarbourError) -> ClusterStatus {
        do {
            guard let state = try await state(of: handle.cluster) else { return .ended(LocalBackend.removed) }
            if try await process(of: handle.cluster, state) != nil { return .running(workers: state.plan.workers) }
            return .ended(end(of: handle.cluster, state))
        } catch {
            throw .wrap(error)
        }
    }

    /// Follows the driver's process.
    public func watch(_ handle: ClusterHandle, to receive: @escaping Receiver<ClusterStatus>) async throws {
        let id = handle.cluster
        guard let state = try await state(of: id) else { return try await receive(.ended(LocalBackend.removed)) }
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
        let place = LocalPlace(root: context.folder, handle.cluster)
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

    /// Not offered: Spark's own cluster on one machine has its size from the start.
    public func resize(_ handle: ClusterHandle, workers: Int, progress: @escaping Receiver<ProvisionEvent>)
        async throws(HarbourError) -> ProvisionedCluster
    {
        try capabilities.require(.resize, of: name)
        throw HarbourError(.unsupported, "The local backend does not offer resize.")
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
    public func close() async { processes = [:] }

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
