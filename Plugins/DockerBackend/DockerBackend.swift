public import ClusterBackend
public import Core
public import EventLoop

/// Clusters as containers of a Docker engine: a network, a driver and workers each, with limits that the kernel enforces.
///
/// Everything carries the installation and the cluster's id as labels, so that the engine itself is the memory of what
/// there is. It is spoken to by its HTTP API, over its unix socket or TLS. See README.md for how a driver is reached.
///
/// An actor on the service's event loop.
public actor DockerBackend: ClusterBackend {
    /// `docker`.
    public nonisolated let name = "docker"
    /// All but the scratch folder, which is inside the driver's container. Containers are limited by the kernel, and
    /// outlive the service.
    public nonisolated let capabilities = Capabilities(
        Set(Capability.allCases).subtracting([.scratch]), maximumWorkers: 64,
        minimumMemoryMiB: DockerPlan.leastMemoryMiB)
    /// What an operator may set, as `HARBOUR_BACKEND_DOCKER_<NAME>`.
    public static let settings = DockerSettings.declared
    nonisolated let context: BackendContext
    nonisolated let loop: EventLoop
    nonisolated let names: DockerNames
    nonisolated let log = Logger("backend.docker")
    nonisolated let configured: Result<(DockerSettings, EngineClient), HarbourError>

    /// The engine's machine and the way to drivers, once they have been asked for.
    var ground: Ground?
    /// Those who want to know when something happens to a cluster's containers.
    var listeners: [Int: (id: ClusterIdentifier, signal: AsyncStream<Void>.Continuation)] = [:]
    var nextListener = 0
    /// Follows the engine's events while somebody listens.
    var following: Task<Void, Never>?
    /// Resumed when the engine tells events, or cannot be reached.
    var isHeard = false
    var hearing: [CheckedContinuation<Void, Never>] = []
    /// Containers whose lack of memory the engine has told of.
    var starved: Set<String> = []
    /// Containers whose end the engine has told of.
    var died: Set<String> = []
    /// Worker containers that died and were started again.
    var revivals: [String: Revivals] = [:]
    /// Workers that a resize has sent away: their deaths are wanted.
    var dismissed: Set<String> = []
    /// Clusters whose removal has begun: their containers' deaths are wanted.
    var ending: Set<ClusterIdentifier> = []

    /// The actor's executor is the loop, as the HTTP client's is.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    /// Makes a backend; nothing is touched before the first call. Settings that cannot be used show in `preflight` and
    /// in each start.
    public init(context: BackendContext, loop: EventLoop) {
        self.context = context
        self.loop = loop
        names = DockerNames(installation: context.installation)
        do throws(HarbourError) {
            let settings = try DockerSettings(context.settings)
            configured = .success((settings, try EngineClient(settings.endpoint, loop: loop)))
        } catch {
            configured = .failure(error)
        }
    }

    /// The capabilities' problems, and properties of Spark that follow from the cluster's size.
    public nonisolated func validate(_ spec: BackendSpec) -> [SpecProblem] {
        var problems = capabilities.problems(of: spec)
        for key in ["spark.master", "spark.driver.memory", "spark.authenticate", "spark.authenticate.secret"]
        where spec.sparkConf[key] != nil {
            problems.append(SpecProblem("spark_conf", "cannot hold \(key): the platform sets it"))
        }
        return problems
    }

    /// Makes the cluster's network and containers, or goes on with those that are there.
    public func provision(_ request: ProvisionRequest, progress: @escaping Receiver<ProvisionEvent>)
        async throws(HarbourError) -> ProvisionedCluster
    {
        try validate(request.spec).throwIfAny()
        ending.remove(request.id)
        do {
            return try await start(request, progress)
        } catch {
            throw .wrap(error)
        }
    }

    /// What the engine says of the cluster's containers now.
    public func status(of handle: ClusterHandle) async throws(HarbourError) -> ClusterStatus {
        do {
            return try await look(at: handle).status
        } catch {
            throw .wrap(error)
        }
    }

    /// Not offered: the folder is inside the driver's container.
    public func scratch(of handle: ClusterHandle) async throws(HarbourError) -> String? {
        try capabilities.require(.scratch, of: name)
        return nil
    }

    /// Not without a scratch folder that others can read.
    public func halt(_ handle: ClusterHandle, grace: Duration) async throws(HarbourError) {
        try capabilities.require(.scratch, of: name)
    }

    /// Adds workers, or stops and removes the last ones.
    public func resize(_ handle: ClusterHandle, workers: Int, progress: @escaping Receiver<ProvisionEvent>)
        async throws(HarbourError) -> ProvisionedCluster
    {
        guard (1...capabilities.maximumWorkers).contains(workers) else {
            throw HarbourError(
                .invalidParameter, "A cluster can be resized to 1 to \(capabilities.maximumWorkers) workers.")
        }
        do {
            return try await changeWorkers(handle, to: workers, progress)
        } catch {
            throw .wrap(error)
        }
    }

    /// Stops the driver in order and removes all containers, the network and the folder.
    public func terminate(_ id: ClusterIdentifier, handle: ClusterHandle?, grace: Duration) async throws(HarbourError) {
        do {
            try await end(id, grace: grace)
        } catch {
            throw .wrap(error)
        }
    }

    /// Lists what carries the installation's label.
    public func recover(_ all: [RecoveryEntry], asOf time: Timestamp) async throws(HarbourError) -> RecoveryReport {
        do {
            return try await findAll(Set(all.map(\.id)), asOf: time)
        } catch {
            throw .wrap(error)
        }
    }

    /// Lets go of the engine; containers go on.
    public func close() async {
        following?.cancel()
        following = nil
        for listener in listeners.values { listener.signal.finish() }
        listeners = [:]
        wakeHearers()
    }

    nonisolated var engine: EngineClient {
        get throws(HarbourError) { try configured.get().1 }
    }

    nonisolated var settings: DockerSettings {
        get throws(HarbourError) { try configured.get().0 }
    }
}
