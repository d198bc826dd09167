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
    /// Workers, resize, logs, stats, recovery and the scratch folder. The sizes of single nodes are wishes that Spark keeps to; the cluster as a whole
    /// is held to their sum by control groups where this user may make some, and says in its notes which it is.
    public let capabilities: Capabilities
    let host: ProcessHost

    /// Makes a backend; nothing is touched before the first call.
    ///
    /// Settings: `python` and `java_home` are looked at by `preflight`.
    public init(context: BackendContext, loop: EventLoop) {
        host = ProcessHost(
            backend: "local", context: context, loop: loop,
            notes: [], limits: true)
        capabilities = Capabilities(
            [.workers, .resize, .logs, .stats, .recovery, .scratch], maximumWorkers: 64,
            maximumCores: LocalBackend.maximumCores(processors: host.machine.processors),
            maximumMemoryMiB: host.machine.memoryMiB)
    }

    /// Cores are how many tasks run at once, which may be somewhat more than the machine has: most of them wait now and
    /// then. Beyond that they only take each other's time.
    static func maximumCores(processors: Int) -> Int { max(16, processors * 4) }

    /// The capabilities' problems, and whether the whole fits into this machine.
    public func validate(_ spec: BackendSpec) -> [SpecProblem] {
        var problems = capabilities.problems(of: spec)
        if problems.isEmpty, let problem = tooLarge(plan(spec)) {
            problems.append(SpecProblem("num_workers", problem))
        }
        for key in ["spark.master", "spark.driver.memory"] where spec.sparkConf[key] != nil {
            problems.append(SpecProblem("spark_conf", "cannot hold \(key): it follows from the cluster's size"))
        }
        for key in spec.sparkConf.keys.sorted() where spec.workers > 0 && LocalBackend.isOwnProperty(key) {
            problems.append(
                SpecProblem("spark_conf", "cannot hold \(key): it follows from the number of workers and their size"))
        }
        return problems
    }

    /// Why a cluster does not fit into this machine; nil when it does.
    func tooLarge(_ plan: ProcessPlan) -> String? {
        let total = plan.totalMemoryMiB
        if total <= host.machine.memoryMiB { return nil }
        return "asks for \(total) MiB with the driver, and this machine has \(host.machine.memoryMiB) MiB: "
            + "take fewer or smaller workers"
    }

    private func plan(_ spec: BackendSpec) -> ProcessPlan { ProcessPlan(spec, processors: host.machine.processors) }

    /// Whether the folder can be written, and the programs, memory and disk a driver needs are there.
    public func preflight() async -> PreflightReport { PreflightReport(checks: await host.checks()) }

    /// Starts the driver's process, or finds it.
    public func provision(_ request: ProvisionRequest, progress: @escaping Receiver<ProvisionEvent>)
        async throws(HarbourError) -> ProvisionedCluster
    {
        try validate(request.spec).throwIfAny()
        var request = request
        if request.spec.workers > 0 {
            request.launch.files += [
                LaunchFile(name: DriverStart.executorsFileName, content: Array("\(request.spec.workers)\n".utf8)),
                LaunchFile(name: DriverStart.executorsSeenFileName, content: []),
            ]
        }
        return try await host.provision(request, plan(request.spec), progress: progress)
    }

    /// Whether the driver's process lives, and what the driver says of its workers.
    public func status(of handle: ClusterHandle) async throws(HarbourError) -> ClusterStatus {
        let status = try await host.status(of: handle)
        guard case .running(let planned) = status, planned > 0 else { return status }
        do {
            var machine = WorkerMachine()
            for report in try await host.executorReports(of: handle.cluster) { machine.see(report, planned: planned) }
            return machine.status(planned: planned)
        } catch {
            throw .wrap(error)
        }
    }

    /// Follows the driver's process and what it says of its workers.
    public func watch(_ handle: ClusterHandle, to receive: @escaping Receiver<ClusterStatus>) async throws {
        let id = handle.cluster
        guard let plan = try await host.plan(of: id), plan.workers > 0, try await host.followsExecutors(id) else {
            return try await host.watch(handle, to: receive)
        }
        try await watchWorkers(handle, to: receive)
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

    /// The cluster's folder, which the driver's death leaves as it is.
    public func scratch(of handle: ClusterHandle) async throws(HarbourError) -> String? {
        try await host.scratch(of: handle)
    }

    /// Ends the driver and leaves its folder.
    public func halt(_ handle: ClusterHandle, grace: Duration) async throws(HarbourError) {
        try await host.halt(handle.cluster, grace: grace)
    }

    /// Tells the driver, whose Spark starts more executors or lets some end their tasks and leave, and waits until they
    /// have. Without workers Spark runs in the driver's threads, so from and to none only a new start leads.
    public func resize(_ handle: ClusterHandle, workers: Int, progress: @escaping Receiver<ProvisionEvent>)
        async throws(HarbourError) -> ProvisionedCluster
    {
        do {
            return try await changeWorkers(handle, to: workers, progress)
        } catch {
            throw .wrap(error)
        }
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
