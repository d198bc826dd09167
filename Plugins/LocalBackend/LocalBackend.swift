public import ClusterBackend
public import Core
internal import DriverProcesses
public import EventLoop

/// Clusters as processes of this machine: the driver and, where there are workers, Spark's executors beside it.
///
/// All of it is `ProcessHost`'s work; this says what a specification comes to here.
public struct LocalBackend: ClusterBackend {
    /// `local`.
    public let name = "local"
    /// Workers, logs, stats and recovery. The sizes of single nodes are wishes that Spark keeps to; the cluster as a whole
    /// is held to their sum by control groups where this user may make some, and says in its notes which it is.
    public let capabilities: Capabilities
    private let host: ProcessHost

    /// Makes a backend; nothing is touched before the first call.
    ///
    /// Settings: `python` and `java_home` are looked at by `preflight`.
    public init(context: BackendContext, loop: EventLoop) {
        host = ProcessHost(
            backend: "local", context: context, loop: loop,
            notes: [], limits: true)
        capabilities = Capabilities(
            [.workers, .logs, .stats, .recovery], maximumWorkers: 64, maximumMemoryMiB: host.machine.memoryMiB)
    }

    /// The capabilities' problems, and whether the whole fits into this machine.
    public func validate(_ spec: BackendSpec) -> [SpecProblem] {
        var problems = capabilities.problems(of: spec)
        if problems.isEmpty {
            let total = plan(spec).totalMemoryMiB
            if total > host.machine.memoryMiB {
                problems.append(
                    SpecProblem(
                        "num_workers",
                        "asks for \(total) MiB with the driver, and this machine has \(host.machine.memoryMiB) MiB: "
                            + "take fewer or smaller workers"))
            }
        }
        for key in ["spark.master", "spark.driver.memory"] where spec.sparkConf[key] != nil {
            problems.append(SpecProblem("spark_conf", "cannot hold \(key): it follows from the cluster's size"))
        }
        return problems
    }

    private func plan(_ spec: BackendSpec) -> ProcessPlan { ProcessPlan(spec, processors: host.machine.processors) }

    /// Whether the folder can be written, and the programs, memory and disk a driver needs are there.
    public func preflight() async -> PreflightReport { PreflightReport(checks: await host.checks()) }

    /// Starts the driver's process, or finds it.
    public func provision(_ request: ProvisionRequest, progress: @escaping Receiver<ProvisionEvent>)
        async throws(HarbourError) -> ProvisionedCluster
    {
        try validate(request.spec).throwIfAny()
        return try await host.provision(request, plan(request.spec), progress: progress)
    }

    /// Whether the driver's process lives.
    public func status(of handle: ClusterHandle) async throws(HarbourError) -> ClusterStatus {
        try await host.status(of: handle)
    }

    /// Follows the driver's process.
    public func watch(_ handle: ClusterHandle, to receive: @escaping Receiver<ClusterStatus>) async throws {
        try await host.watch(handle, to: receive)
    }

    /// Lines of the driver's log file; the numbers are positions in it.
    public func logs(
        of handle: ClusterHandle, after sequence: Int64, follow: Bool, to receive: @escaping Receiver<BackendLogLine>
    ) async throws {
        try await host.logs(of: handle, after: sequence, follow: follow, to: receive)
    }

    /// Sums over the cluster's processes. All of them count as the driver's node: they share the machine.
    public func stats(
        of handle: ClusterHandle, after sequence: Int64, every interval: Duration,
        to receive: @escaping Receiver<NodeStats>
    ) async throws {
        try await host.stats(of: handle, after: sequence, every: interval, to: receive)
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
        try await host.terminate(id, handle: handle, grace: grace)
    }

    /// Reads the folders and looks for marked processes.
    public func recover(_ all: [RecoveryEntry], asOf time: Timestamp) async throws(HarbourError) -> RecoveryReport {
        try await host.recover(all, asOf: time)
    }

    /// Forgets the processes; they go on.
    public func close() async { await host.close() }
}
