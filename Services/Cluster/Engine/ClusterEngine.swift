public import ClusterBackend
internal import Core
public import EventLoop
internal import HarbourProtocol
internal import Synchronization

/// Makes a backend when the service starts, once it is known which installation it serves.
public struct BackendFactory: Sendable {
    /// The backend's name.
    public let name: String
    /// What an operator may set for it.
    let settings: [BackendSetting]
    let make: @Sendable (BackendContext, EventLoop) throws -> any ClusterBackend

    /// Names a backend and says how it is made.
    public init(
        _ name: String, settings: [BackendSetting] = [],
        make: @escaping @Sendable (BackendContext, EventLoop) throws -> any ClusterBackend
    ) {
        self.name = name
        self.settings = settings
        self.make = make
    }
}

/// All clusters of the service: finds them, makes them, and takes them up again after a restart.
actor ClusterEngine {
    nonisolated let context: EngineContext
    private let factories: [BackendFactory]
    private let backendContext: @Sendable (BackendFactory, _ installation: String) -> BackendContext
    private(set) var backends: [any ClusterBackend] = []
    private var controllers = ControllerTable()
    private var recoveries: [Task<Void, Never>] = []
    private var admission = AsyncGate()
    private(set) var isStopped = false
    var pools: [String: PoolState] = [:]

    nonisolated var unownedExecutor: UnownedSerialExecutor { context.loop.asUnownedSerialExecutor() }

    init(
        context: EngineContext, factories: [BackendFactory],
        backendContext: @escaping @Sendable (BackendFactory, _ installation: String) -> BackendContext
    ) {
        self.context = context
        self.factories = factories
        self.backendContext = backendContext
    }

    // MARK: Life

    /// Makes the backends and takes up all clusters again. A backend that cannot be reached is tried again later; its
    /// clusters stay as they were.
    func start() async throws {
        let installation = try await context.clusters.installation()
        backends = try factories.map { try $0.make(backendContext($0, installation), context.loop) }
        // Whatever is made after this moment is in no list of ours, and no orphan either.
        let now = Timestamp.now
        let rows = try await context.clusters.alive()
        for row in rows {
            guard let backend = backends.first(where: { $0.name == row.backend }) else {
                context.logger.error(
                    "a cluster's backend is not configured any more",
                    ["cluster_id": row.id, "backend": row.backend])
                continue
            }
            add(row, backend)
        }
        for backend in backends {
            let mine = rows.filter { $0.backend == backend.name }
            if await recover(backend, mine, now) { continue }
            recoveries.append(
                context.loop.spawn { [self] in
                    var pause = Pause(from: .seconds(1), to: .seconds(30))
                    while (try? await pause.wait(on: context.loop)) != nil {
                        if await recover(backend, mine, now) { return }
                    }
                })
        }
        try await startPools()
    }

    private func recover(_ backend: any ClusterBackend, _ rows: [ClusterRow], _ time: Timestamp) async -> Bool {
        let entries = rows.map { RecoveryEntry(id: $0.place, handle: $0.record.handle) }
        do {
            let report = try await backend.recover(entries, asOf: time)
            for id in report.swept {
                context.logger.warning(
                    "an orphan was ended", ["backend": backend.name, "cluster_id": id])
            }
            for row in rows {
                try await controllers[row.id]?.recover(report.clusters[row.place] ?? .absent)
            }
            return true
        } catch {
            context.logger.warning(
                "a backend's clusters cannot be taken up yet",
                ["backend": backend.name, "error": HarbourError.describe(error)])
            return false
        }
    }

    /// Lets go of everything; the clusters go on without us.
    func stop() async {
        isStopped = true
        for pool in pools.values { pool.timer?.cancel() }
        for recovery in recoveries { recovery.cancel() }
        for controller in controllers.all { await controller.stop() }
        for backend in backends { await backend.close() }
    }

    @discardableResult
    func add(_ row: ClusterRow, _ backend: any ClusterBackend) -> ClusterController {
        let controller = ClusterController(row, backend: backend, context: context) { [weak self] controller, how in
            self?.assumeIsolated { $0.controllers.set(controller, how) }
        } onMove: { [weak self] controller, row in
            guard row.poolID != nil || row.spec.instancePoolID != nil, let self else { return }
            context.loop.spawn { await self.moved(controller, row) }
        }
        controllers.set(controller, row.record.mayExist ? .keep : .release)
        return controller
    }

    // MARK: Finding

    nonisolated static func missing(_ id: String) -> HarbourError {
        HarbourError(.notFound, "Cluster \(id.prefix(64)) does not exist.")
    }

    /// The cluster of that name.
    /// - Throws: `RESOURCE_DOES_NOT_EXIST`.
    func controller(_ name: String) async throws -> ClusterController {
        guard let id = ClusterIdentifier(name) else { throw ClusterEngine.missing(name) }
        if let known = controllers[id] { return known }
        guard let row = try await context.clusters.get(id) else { throw ClusterEngine.missing(name) }
        return try await controller(of: row)
    }

    /// The controller of a row that was just read.
    private func controller(of row: ClusterRow) async throws -> ClusterController {
        if let known = controllers[row.id] { return known }
        var row = row
        if row.record.mayExist {
            // Whoever is making it right now has not come to register it yet.
            await enterAdmission()
            leaveAdmission()
            if let known = controllers[row.id] { return known }
            guard let now = try await context.clusters.get(row.id) else { throw ClusterEngine.missing(row.id.text) }
            if let known = controllers[row.id] { return known }
            row = now
        }
        guard let backend = backends.first(where: { $0.name == row.backend }) else {
            throw HarbourError(
                .unavailable,
                "The backend \(row.backend) of cluster \(row.id) is not configured. Add it, or delete the cluster.")
        }
        let controller = add(row, backend)
        // Written down by a request that broke off right then: nobody has acted on it yet.
        if row.record.mayExist { try await controller.recover(.incomplete) }
        return controller
    }

    /// A page of clusters, newest first.
    func list(
        before place: (time: Timestamp, id: String)?, state: ClusterState?, limit: Int
    ) async throws -> (clusters: [ClusterInfo], last: ClusterRow?) {
        let rows = try await context.clusters.list(before: place, state: state, limit: limit)
        var infos: [ClusterInfo] = []
        for row in rows {
            if let controller = controllers[row.id] {
                infos.append(await controller.info)
            } else {
                infos.append(row.info)
            }
        }
        return (infos, rows.count == limit ? rows.last : nil)
    }

    // MARK: Making

    /// Makes a cluster and starts it, or finds the one of that id.
    func create(_ wish: CreateCluster, creator: String) async throws -> ClusterInfo {
        guard let id = ClusterIdentifier(wish.clusterID ?? Identifier.make()) else {
            throw HarbourError(
                .invalidParameter,
                "cluster_id must have 1 to 64 letters, digits, dashes and underscores, and no dash in front.")
        }
        if let known = try await context.clusters.get(id) { return try await same(known, wish, creator) }
        let admitted = try await admit(wish.spec)
        return try await context.uncancelled { [self] in
            try await withinQuota(of: creator, id, admitted) { [self] in
                if let ready = try await makeOfReady(id, admitted, wish, creator) { return ready }
                return try await make(id, admitted, wish, creator)
            }
        }
    }

    /// Writes a cluster down and starts it; for a pool one that is nobody's yet.
    func make(
        _ id: ClusterIdentifier, _ admitted: Admitted, _ wish: CreateCluster, _ creator: String,
        readyFor pool: String? = nil
    ) async throws -> ClusterInfo {
        let now = Timestamp.now
        let (machine, outcome) = ClusterMachine.created(at: now)
        let row = ClusterRow(
            id: id, backend: admitted.backend.name, creator: creator, owner: wish.owner, spec: admitted.spec,
            asked: admitted.spec == wish.spec ? nil : wish.spec,
            demand: ClusterDemand(admitted.spec, context.nodeTypes), poolID: pool, record: machine.record,
            driverToken: Secret(Identifier.secret()), createdAt: now, lastActivityAt: now)
        try context.crossing(.storing)
        guard try await context.clusters.insert(row, notes: outcome.notes, now: now) else {
            guard let known = try await context.clusters.get(id) else { throw ClusterEngine.missing(id.text) }
            return try await same(known, wish, creator)
        }
        try context.crossing(.stored)
        let controller = add(row, admitted.backend)
        await controller.begin(outcome.actions)
        return await controller.info
    }

    /// Asking twice makes one; asking for something else under the same id is a mistake.
    private func same(_ row: ClusterRow, _ wish: CreateCluster, _ creator: String) async throws -> ClusterInfo {
        guard (row.asked ?? row.spec) == wish.spec, row.owner == wish.owner, row.creator == creator else {
            throw HarbourError(
                .alreadyExists,
                "Cluster \(row.id) exists with another specification, owner or maker. Choose another cluster_id.")
        }
        return await (try controller(of: row)).info
    }

    /// Waits until no other wish is being granted.
    func enterAdmission() async {
        if !admission.tryEnter() { await withCheckedContinuation { admission.wait($0) } }
    }

    func leaveAdmission() { admission.leave() }

    /// The controllers that are there, for what concerns all of them.
    var runningControllers: [ClusterController] { controllers.all }

    /// All backends and whether they could take a cluster now.
    func listBackends() async -> BackendList {
        var infos: [BackendInfo] = []
        for backend in backends {
            let (report, able) = (await backend.preflight(), context.limits.sizes.held(backend.capabilities))
            infos.append(
                BackendInfo(
                    name: backend.name, available: report.passed, message: report.passed ? nil : report.advice,
                    capabilities: able.features.map(\.rawValue).sorted(),
                    checks: report.checks.map {
                        BackendCheck(name: $0.name, passed: $0.passed, message: $0.message)
                    },
                    maximumWorkers: able.maximumWorkers, maximumCores: able.maximumCores,
                    maximumMemoryMB: able.maximumMemoryMiB.map { Int64($0) },
                    minimumMemoryMB: Int64(able.minimumMemoryMiB)))
        }
        return BackendList(backends: infos)
    }
}

/// The controllers of the clusters that are alive, and those of others as long as somebody uses them, so that there is
/// never a second one of the same cluster.
private struct ControllerTable {
    private struct Entry {
        var kept: ClusterController?
        weak var controller: ClusterController?
    }

    private var entries: [ClusterIdentifier: Entry] = [:]
    private var sweepAt = 256

    subscript(id: ClusterIdentifier) -> ClusterController? { entries[id]?.controller }

    var all: [ClusterController] { entries.values.compactMap(\.controller) }

    mutating func set(_ controller: ClusterController, _ how: ClusterController.Retention) {
        switch how {
        case .keep: entries[controller.id] = Entry(kept: controller, controller: controller)
        case .release: entries[controller.id] = Entry(kept: nil, controller: controller)
        case .forget: entries[controller.id] = nil
        }
        guard entries.count >= sweepAt else { return }
        entries = entries.filter { $0.value.controller != nil }
        sweepAt = max(256, entries.count * 2)
    }
}

extension ClusterRow {
    /// As users see it when nothing is going on.
    var info: ClusterInfo {
        ClusterInfo(
            clusterID: id.text, spec: spec, backend: backend, state: record.state, stateMessage: record.message,
            terminationReason: record.reason, creatorUserName: creator, owner: owner, startTime: record.startTime,
            readyTime: record.readyTime, terminatedTime: record.endTime, lastActivityTime: lastActivityAt,
            phases: record.phases, spark: record.spark,
            pinned: record.isPinned)
    }
}
