public import ClusterBackend
public import Core
internal import DriverProcesses
public import EventLoop
internal import HarbourProtocol

/// Clusters on another platform: another DataHarbour, or Databricks.
///
/// The cluster runs there; here is a `Bridge` on a unix socket that speaks the driver's contract and passes everything on
/// by the other platform's public API, with our ids. So the rest of the service sees a driver like any other. A bridge
/// ends with the service and is made anew by `recover`.
///
/// An actor on the service's event loop.
public actor RemoteBackend: ClusterBackend {
    /// `remote`.
    public nonisolated let name = "remote"
    /// What the chosen kind of platform can give through its API.
    public nonisolated let capabilities: Capabilities
    nonisolated let context: BackendContext
    nonisolated let loop: EventLoop
    nonisolated let side: (any FarSide)?
    /// Why there is no other side, to be read after "it cannot be used".
    nonisolated let missing: String?
    nonisolated let log = Logger("backend.remote")

    var followers: [ClusterIdentifier: FarFollower] = [:]
    var bridges: [ClusterIdentifier: Bridge] = [:]

    /// The actor's executor is the loop, so that serving a bridge needs no hop.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    /// Makes a backend; nothing is asked before the first call.
    /// - Throws: `TEMPORARILY_UNAVAILABLE` when libcurl has no memory.
    public init(context: BackendContext, loop: EventLoop) throws(HarbourError) {
        self.context = context
        self.loop = loop
        switch try RemoteBackend.makeSide(context, loop) {
        case .made(let side):
            self.side = side
            missing = nil
            capabilities = side.capabilities
        case .missing(let reason):
            side = nil
            missing = reason
            capabilities = Capabilities([.recovery], maximumWorkers: 0)
        }
    }

    /// The capabilities' problems, and what the other platform cannot do.
    public nonisolated func validate(_ spec: BackendSpec) -> [SpecProblem] {
        var problems = capabilities.problems(of: spec)
        guard let side else {
            problems.append(SpecProblem("backend", "remote cannot be used: \(missing ?? "")"))
            return problems
        }
        problems += side.problems(spec)
        return problems
    }

    /// Whether the other platform answers, takes our token, and could start a cluster.
    public nonisolated func preflight() async -> PreflightReport {
        guard let side else {
            return PreflightReport(checks: [
                PreflightReport.Check("Other platform", passed: false, message: "\(missing ?? "").")
            ])
        }
        return PreflightReport(checks: await side.checks())
    }

    /// Makes the cluster there, or finds it, and opens the bridge to it.
    public func provision(_ request: ProvisionRequest, progress: @escaping Receiver<ProvisionEvent>)
        async throws(HarbourError) -> ProvisionedCluster
    {
        try validate(request.spec).throwIfAny()
        do {
            return try await start(request, try other(), progress)
        } catch {
            throw RemoteBackend.told(error)
        }
    }

    /// As the other platform tells it now.
    public func status(of handle: ClusterHandle) async throws(HarbourError) -> ClusterStatus {
        do {
            let mark = mark(handle.cluster)
            guard let cluster = try await other().find(mark, farID: try await farID(handle)) else {
                return .ended(RemoteBackend.removed)
            }
            return RemoteBackend.status(FarView(cluster: cluster))
        } catch {
            throw RemoteBackend.told(error)
        }
    }

    /// Follows the cluster there. While the other platform is not heard, the state is unknown.
    public func watch(_ handle: ClusterHandle, to receive: @escaping Receiver<ClusterStatus>) async throws {
        guard let follower = try await follower(handle) else { return try await receive(.ended(RemoteBackend.removed)) }
        var last: ClusterStatus?
        for await view in await follower.views() {
            let status = RemoteBackend.status(view)
            if status != last { try await receive(status) }
            if case .ended = status { return }
            last = status
        }
        try Task.checkCancellation()
        throw HarbourError(.unavailable, "The cluster is not followed any more.")
    }

    /// Lines of the other platform, with its numbers.
    public func logs(
        of handle: ClusterHandle, after sequence: Int64, follow: Bool, to receive: @escaping Receiver<BackendLogLine>
    ) async throws {
        try capabilities.require(.logs, of: name)
        let place = ProcessPlace(root: context.folder, handle.cluster)
        let driver = try other().driver(
            mark(handle.cluster), farID: try await farID(handle) ?? "", folder: place.folder)
        try await driver.logs(after: sequence, follow: follow) { line in
            try await receive(
                BackendLogLine(
                    sequence: line.sequence, timestamp: line.timestamp, source: line.source, text: line.text))
        }
    }

    /// Not offered: neither platform's public API has the use of one cluster's nodes.
    public func stats(
        of handle: ClusterHandle, after sequence: Int64, every interval: Duration,
        to receive: @escaping Receiver<NodeStats>
    ) async throws {
        try capabilities.require(.stats, of: name)
        throw HarbourError(.unsupported, "The remote backend does not offer stats.")
    }

    /// Not offered: the folder is on the other platform.
    public func scratch(of handle: ClusterHandle) async throws(HarbourError) -> String? {
        try capabilities.require(.scratch, of: name)
        return nil
    }

    /// Not without a scratch folder that others can read.
    public func halt(_ handle: ClusterHandle, grace: Duration) async throws(HarbourError) {
        try capabilities.require(.scratch, of: name)
    }

    /// Asks the other platform, and waits until it has done so. Whether a cluster there can change its size depends on
    /// where it runs there; one that cannot is refused with that platform's words.
    public func resize(_ handle: ClusterHandle, workers: Int, progress: @escaping Receiver<ProvisionEvent>)
        async throws(HarbourError) -> ProvisionedCluster
    {
        try capabilities.require(.resize, of: name)
        do {
            return try await changeWorkers(handle, to: workers)
        } catch {
            throw RemoteBackend.told(error)
        }
    }

    /// Ends and forgets the cluster there, and closes the bridge.
    public func terminate(_ id: ClusterIdentifier, handle: ClusterHandle?, grace: Duration) async throws(HarbourError) {
        do {
            try await end(id, handle)
        } catch {
            throw RemoteBackend.told(error)
        }
    }

    /// Lists our clusters there and opens the bridges again.
    public func recover(_ all: [RecoveryEntry], asOf time: Timestamp) async throws(HarbourError) -> RecoveryReport {
        // Without another side nothing can have been made, and nothing can be asked.
        guard let side else {
            guard all.isEmpty else {
                throw HarbourError(.backendUnavailable, "Clusters cannot be found again: \(missing ?? "").")
            }
            return RecoveryReport(clusters: [:], swept: [])
        }
        do {
            return try await findAll(Set(all.map(\.id)), side, asOf: time)
        } catch {
            throw RemoteBackend.told(error)
        }
    }

    /// Closes the bridges; the clusters go on.
    public func close() async {
        for follower in followers.values { await follower.close() }
        for bridge in bridges.values { await bridge.stop() }
        followers = [:]
        bridges = [:]
    }

    // MARK: Words

    static let removed = ClusterEnd(
        .removed, message: "The cluster is not on the other platform any more. Start it again.")

    static let lost = HarbourError(
        .clusterLost, "The cluster has ended on the other platform. Start it again.")

    static func status(_ view: FarView) -> ClusterStatus {
        if view.isGone { return .ended(removed) }
        if case .ended(let end)? = view.cluster?.state { return .ended(end) }
        if let silence = view.silence { return .unknown(message: silence) }
        return .running(workers: view.cluster?.workers ?? 0)
    }

    /// What the caller hears: that the other platform is away is that the backend is unavailable.
    static func told(_ error: any Error) -> HarbourError {
        let error = HarbourError.wrap(error)
        switch error.code {
        case .unavailable, .deadlineExceeded, .badGateway:
            return HarbourError(.backendUnavailable, error.message, detail: error.detail, cause: error.cause)
        default: return error
        }
    }
}
