public import ClusterBackend
public import Core
internal import DriverProcesses
public import EventLoop

/// Clusters on an existing Spark standalone master: the driver is a process of this machine, its executors run on the
/// master's workers.
///
/// The driver's life is `ProcessHost`'s work. How many executors there are the master says; its executors end with the
/// driver, because the master takes an application away whose driver has gone.
public struct SparkBackend: ClusterBackend {
    /// `spark`.
    public let name = "spark"
    /// Workers, resize, logs, stats and recovery. Logs and stats are the driver's: the executors' are with Spark's workers.
    public let capabilities = Capabilities(
        [.workers, .resize, .logs, .stats, .recovery, .scratch], maximumWorkers: 1000)
    let context: BackendContext
    let host: ProcessHost
    let address: MasterAddress?
    let master: Master?
    let authentication: Secret?
    private let follower: MasterFollower?
    let loop: EventLoop
    private let log = Logger("backend.spark")

    /// What an operator may set.
    public static let settings = [
        BackendSetting(
            "master", help: "The standalone master, spark://host:port; several with commas.",
            aliases: ["SPARK_MASTER_URL"]),
        BackendSetting(
            "master_ui", help: "Where the master's page is, which also answers in JSON; http://HOST:8080 when absent."),
        BackendSetting("master_rest", help: "Where the master's submission server is; http://HOST:6066 when absent."),
        BackendSetting(
            "driver_host",
            help: "This machine's address as the workers see it; the one on the way to the master when absent."),
        BackendSetting("worker_python", help: "The interpreter on the workers; the driver's path when absent."),
        BackendSetting("auth_secret", help: "spark.authenticate.secret of the master and workers.", secret: true),
    ]

    /// Makes a backend; nothing is touched before the first call.
    /// - Throws: `TEMPORARILY_UNAVAILABLE` when libcurl has no memory.
    public init(context: BackendContext, loop: EventLoop) throws(HarbourError) {
        self.context = context
        self.loop = loop
        host = ProcessHost(
            backend: "spark", context: context, loop: loop,
            notes: ["Cores and memory are kept by Spark; the driver's are not enforced."])
        address = context.settings["master"].flatMap {
            MasterAddress(
                $0, pages: context.settings["master_ui"], submission: context.settings["master_rest"])
        }
        master = if let address { try Master(address, loop: loop) } else { nil }
        follower = master.map { MasterFollower($0, loop: loop) }
        authentication = context.settings["auth_secret"].map { Secret($0) }
    }

    /// Why there is no master.
    var missing: String {
        guard let text = context.settings["master"] else {
            return "no Spark master is set: set HARBOUR_BACKEND_SPARK_MASTER to its address, spark://host:port"
        }
        return "HARBOUR_BACKEND_SPARK_MASTER is \"\(text.prefix(100))\", which is not spark://host:port"
    }

    /// The capabilities' problems, a missing master, a driver larger than this machine, and properties of ours.
    public func validate(_ spec: BackendSpec) -> [SpecProblem] {
        var problems = capabilities.problems(of: spec)
        if address == nil { problems.append(SpecProblem("backend", "spark cannot be used: \(missing)")) }
        if let memory = spec.driver.memoryMiB, memory > host.machine.memoryMiB {
            problems.append(
                SpecProblem(
                    "driver_memory_mb",
                    "must be \(host.machine.memoryMiB) or less: the driver runs on the platform's machine"))
        }
        for key in SparkBackend.ownProperties where spec.sparkConf[key] != nil {
            problems.append(
                SpecProblem("spark_conf", "cannot hold \(key): it follows from the cluster's size and the backend"))
        }
        return problems
    }

    /// Starts the driver's process, or finds it. Spark asks the master for executors by itself.
    public func provision(_ request: ProvisionRequest, progress: @escaping Receiver<ProvisionEvent>)
        async throws(HarbourError) -> ProvisionedCluster
    {
        try validate(request.spec).throwIfAny()
        do {
            var notes: [String] = []
            var driverHost = "127.0.0.1"
            if request.spec.workers > 0, let address {
                driverHost = try await ownHost(towards: address)
                if try await !host.isRunning(request.id) {
                    try await progress(.phase(.allocate))
                    notes = try await checkRoom(plan(request.spec, request.id, driverHost: driverHost))
                }
            }
            let plan = plan(request.spec, request.id, driverHost: driverHost)
            var request = request
            if plan.workers > 0 {
                request.launch.files.append(
                    LaunchFile(name: DriverStart.executorsFileName, content: Array("\(plan.workers)\n".utf8)))
            }
            var cluster = try await host.provision(request, plan, progress: progress)
            cluster.notes += notes
            return cluster
        } catch {
            throw .wrap(error)
        }
    }

    private func ownHost(towards address: MasterAddress) async throws -> String {
        if let host = context.settings["driver_host"] { return host }
        guard let endpoint = address.endpoints.first else { return "127.0.0.1" }
        return try await BlockingPool.shared.run { try LocalAddress.towards(endpoint) }
    }

    /// The driver's process, and the executors that the master counts.
    public func status(of handle: ClusterHandle) async throws(HarbourError) -> ClusterStatus {
        let status = try await host.status(of: handle)
        guard case .running(let workers) = status, workers > 0, let master,
            var machine = try await machine(of: handle.cluster)
        else { return status }
        return machine.see(await master.look())
    }

    private func machine(of id: ClusterIdentifier) async throws(HarbourError) -> ExecutorMachine? {
        do {
            guard let plan = try await host.plan(of: id), plan.workers > 0 else { return nil }
            return ExecutorMachine(application: application(id), planned: plan.workers, coresEach: plan.workerCores)
        } catch {
            throw .wrap(error)
        }
    }

    /// Follows the driver's process, whose end is told at once, and the executors, at which the master is asked.
    public func watch(_ handle: ClusterHandle, to receive: @escaping Receiver<ClusterStatus>) async throws {
        guard let follower, let machine = try await machine(of: handle.cluster) else {
            return try await host.watch(handle, to: receive)
        }
        let (changes, continuation) = AsyncThrowingStream.makeStream(of: ClusterStatus.self)
        let (host, id) = (host, handle.cluster)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    try await host.watch(handle) { status in
                        // That it runs, the master says in more detail.
                        if case .running = status { return }
                        continuation.yield(status)
                    }
                } catch {
                    continuation.finish(throwing: error)
                }
            }
            group.addTask {
                var machine = machine
                var last: ClusterStatus?
                for await view in await follower.views() {
                    // A resize may have changed it meanwhile.
                    if let plan = try await host.plan(of: id) { machine.planned = plan.workers }
                    let status = machine.see(view)
                    if status != last { continuation.yield(status) }
                    last = status
                }
            }
            defer { group.cancelAll() }
            for try await status in changes {
                try await receive(status)
                if case .ended = status { return }
            }
            try Task.checkCancellation()
        }
    }

    /// Lines of the driver's log file; the numbers are positions in it.
    public func logs(
        of handle: ClusterHandle, after sequence: Int64, follow: Bool, to receive: @escaping Receiver<BackendLogLine>
    ) async throws {
        try await host.logs(of: handle, after: sequence, follow: follow, to: receive)
    }

    /// Sums over the cluster's processes on this machine.
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

    /// Tells the driver, which asks the master for more executors or lets some go, and waits until the master says so.
    public func resize(_ handle: ClusterHandle, workers: Int, progress: @escaping Receiver<ProvisionEvent>)
        async throws(HarbourError) -> ProvisionedCluster
    {
        do {
            return try await changeExecutors(handle, to: workers, progress)
        } catch {
            throw .wrap(error)
        }
    }

    /// Ends the driver, and waits until the master has taken its application, and with it the executors, away.
    public func terminate(_ id: ClusterIdentifier, handle: ClusterHandle?, grace: Duration) async throws(HarbourError) {
        do {
            let plan = try await host.plan(of: id)
            try await host.terminate(id, handle: handle, grace: grace)
            if plan?.workers == 0 { return }
            try await waitForRelease(application(id))
            // Until the master knew of the driver's end it replaced executors that had ended, some on this machine perhaps.
            try await host.terminate(id, handle: nil, grace: .zero)
        } catch {
            throw .wrap(error)
        }
    }

    private func waitForRelease(_ application: String) async throws {
        guard let master else { return }
        let end = MonotonicTime.now + .seconds(15)
        while true {
            guard case .alive(let state) = await master.look() else {
                // Executors end by themselves when their driver is gone, whether or not the master knows.
                log.warning("the master cannot be asked whether an application has left", ["name": application])
                return
            }
            guard state.applications.contains(where: { $0.name == application }) else { return }
            guard MonotonicTime.now < end else {
                throw HarbourError(
                    .backendUnavailable,
                    "Spark's master still lists the cluster's application. It is tried again; if this stays, end "
                        + "\(application) on the master's page.")
            }
            try await loop.sleep(for: .milliseconds(250))
        }
    }

    /// Reads the folders and looks for marked processes.
    public func recover(_ all: [RecoveryEntry], asOf time: Timestamp) async throws(HarbourError) -> RecoveryReport {
        try await host.recover(all, asOf: time)
    }

    /// Forgets the processes, which go on, and asks the master no more.
    public func close() async {
        await follower?.close()
        await host.close()
    }
}
