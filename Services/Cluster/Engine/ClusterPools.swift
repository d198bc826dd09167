internal import ClusterBackend
internal import Core
internal import EventLoop
internal import HarbourProtocol

/// A pool while the service runs.
struct PoolState {
    var row: PoolRow
    var failures = 0
    var lastFailure: Timestamp?
    /// Why it is not as it should be.
    var message: String?
    var timer: LoopTimer?
    /// Whether it is being looked at, and whether that has to be done once more.
    var isReviewed = false
    var again = false

    init(row: PoolRow) { self.row = row }
}

// Pools: clusters are kept ready, and handed over to whom asks for one of them.
extension ClusterEngine {
    // MARK: What users do

    /// Makes a pool, or finds the one of that id.
    func createPool(_ wish: CreatePool, creator: String) async throws -> InstancePool {
        let id = wish.instancePoolID ?? Identifier.make()
        guard ClusterIdentifier(id) != nil else {
            throw HarbourError(
                .invalidParameter,
                "instance_pool_id must have 1 to 64 letters, digits, dashes and underscores, and no dash in front.")
        }
        if let known = pools[id] {
            guard known.row.spec == wish.spec else {
                throw HarbourError(.alreadyExists, "The pool \(id) is made of other clusters. Choose another id.")
            }
            return info(known)
        }
        guard wish.spec.instancePoolID == nil else {
            throw HarbourError(.invalidParameter, "The clusters of a pool cannot come from a pool.")
        }
        _ = try await admit(wish.spec)
        var row = PoolRow(
            id: id, name: wish.instancePoolName, spec: wish.spec, minimumIdle: 0, idleMinutes: 60, creator: creator,
            createdAt: .now)
        row.keep(
            wish.minIdleInstances, wish.maxCapacity, wish.idleInstanceAutoterminationMinutes)
        return try await keep(row)
    }

    /// Changes how a pool is kept.
    func editPool(_ id: String, _ wish: EditPool) async throws -> InstancePool {
        var row = try pool(id).row
        row.name = wish.instancePoolName
        row.keep(wish.minIdleInstances, wish.maxCapacity, wish.idleInstanceAutoterminationMinutes)
        return try await keep(row)
    }

    private func keep(_ row: PoolRow) async throws -> InstancePool {
        if let capacity = row.capacity, capacity < row.minimumIdle {
            throw HarbourError(.invalidParameter, "max_capacity must be at least min_idle_instances.")
        }
        try await context.pools.put(row)
        var state = pools[row.id] ?? PoolState(row: row)
        state.row = row
        pools[row.id] = state
        await review(row.id)
        return info(try pool(row.id))
    }

    /// Ends what is ready in a pool and forgets the pool. What was taken from it stays.
    func deletePool(_ id: String) async throws {
        _ = try pool(id)
        try await context.pools.delete(id)
        pools.removeValue(forKey: id)?.timer?.cancel()
        for member in members(of: id) { await endMember(member.controller) }
    }

    func getPool(_ id: String) throws(HarbourError) -> InstancePool { info(try pool(id)) }

    private func pool(_ id: String) throws(HarbourError) -> PoolState {
        guard let state = pools[id] else { throw HarbourError(.notFound, "There is no pool \(id.prefix(64)).") }
        return state
    }

    func listPools() -> InstancePoolList {
        InstancePoolList(
            instancePools: pools.values.sorted { ($0.row.createdAt, $0.row.id) < ($1.row.createdAt, $1.row.id) }
                .map(info))
    }

    private func info(_ state: PoolState) -> InstancePool {
        let view = view(state)
        let row = state.row
        return InstancePool(
            instancePoolID: row.id, instancePoolName: row.name, minIdleInstances: row.minimumIdle,
            maxCapacity: row.capacity, idleInstanceAutoterminationMinutes: row.idleMinutes, spec: row.spec,
            idleCount: view.ready.count, pendingIdleCount: view.starting, usedCount: view.used,
            message: state.message, creatorUserName: row.creator, createdTime: row.createdAt)
    }

    // MARK: Keeping them

    /// After the service's start, when all clusters have been taken up again.
    func startPools() async throws {
        try await context.pools.forgetEndedMembers()
        for row in try await context.pools.all() { pools[row.id] = PoolState(row: row) }
        for member in allMembers() where pools[member.row.poolID ?? ""] == nil { await endMember(member.controller) }
        for id in pools.keys { await review(id) }
    }

    /// A cluster is in another step than before: the pool it belongs or belonged to is looked at.
    func moved(_ controller: ClusterController, _ row: ClusterRow) async {
        if let id = row.poolID, await !controller.isForgotten {
            switch row.record.step {
            case .running: pools[id]?.recover()
            case .ending where row.record.reason?.type != .success: pools[id]?.fail(row.record.message)
            case .ended: await endMember(controller)
            default: break
            }
        }
        if let id = row.poolID ?? row.spec.instancePoolID { await review(id) }
    }

    /// Looks at a pool and does what is to be done, once more when something happens meanwhile.
    func review(_ id: String) async {
        guard !isStopped, pools[id] != nil else { return }
        pools[id]?.again = true
        guard pools[id]?.isReviewed == false else { return }
        pools[id]?.isReviewed = true
        while pools[id]?.again == true {
            pools[id]?.again = false
            // Nobody takes room that has been seen to be free.
            await enterAdmission()
            await reviewOnce(id)
            leaveAdmission()
        }
        pools[id]?.isReviewed = false
    }

    private func reviewOnce(_ id: String) async {
        guard !isStopped, let state = pools[id] else { return }
        let decision = view(state).decide(at: .now)
        state.timer?.cancel()
        pools[id]?.timer = decision.wake.map { wake in
            context.loop.schedule(after: max(.milliseconds(1), wake - Timestamp.now)) { [self] in
                context.loop.spawn { [self] in await review(id) }
            }
        }
        for member in members(of: id) where decision.end.contains(member.row.id) {
            await endMember(member.controller)
        }
        for _ in 0..<decision.make {
            do {
                try await makeMember(state.row)
            } catch {
                pools[id]?.fail(HarbourError.wrap(error).message)
                // The next look waits as long as the failures ask for.
                pools[id]?.again = true
                context.logger.warning(
                    "a pool cannot be filled", ["pool": id, "error": HarbourError.describe(error)])
                return
            }
        }
    }

    private func members(of id: String) -> [(controller: ClusterController, row: ClusterRow)] {
        allMembers().filter { $0.row.poolID == id }
    }

    /// Engine and controllers live on the same loop.
    private func allMembers() -> [(controller: ClusterController, row: ClusterRow)] {
        runningControllers.map { controller in (controller, controller.assumeIsolated { $0.row }) }
            .filter { $0.1.poolID != nil }
    }

    private func view(_ state: PoolState) -> PoolView {
        var view = PoolView(
            minimumIdle: state.row.minimumIdle, capacity: state.row.capacity,
            idleLimit: context.limits.minute * state.row.idleMinutes, failures: state.failures,
            lastFailure: state.lastFailure)
        for controller in runningControllers {
            let row = controller.assumeIsolated { $0.row }
            guard row.record.mayExist else { continue }
            if row.poolID == nil {
                if row.spec.instancePoolID == state.row.id { view.used += 1 }
                continue
            }
            guard row.poolID == state.row.id else { continue }
            switch row.record.step {
            case .starting, .connecting: view.starting += 1
            case .running: view.ready.append(.init(id: row.id, since: row.record.readyTime ?? row.createdAt))
            case .ending, .stuck: view.ending += 1
            case .ended: break
            }
        }
        return view
    }

    private func makeMember(_ pool: PoolRow) async throws {
        guard let id = ClusterIdentifier("ready-\(Identifier.make())") else { return }
        var spec = pool.spec
        spec.autoterminationMinutes = 0
        let admitted = try await admit(spec)
        _ = try await make(
            id, admitted, CreateCluster(spec: spec, clusterID: id.text), pool.creator, readyFor: pool.id)
    }

    private func endMember(_ controller: ClusterController) async {
        do {
            _ = try await controller.request(.delete)
        } catch {
            context.logger.warning(
                "a cluster of a pool could not be ended", ["error": HarbourError.describe(error)])
        }
    }

    // MARK: Handing them over

    /// Makes a cluster of a ready one of its pool; nil when there is none that is what the cluster shall be.
    /// - Throws: `RESOURCE_EXHAUSTED` when there is none and no room to start one.
    func makeOfReady(
        _ id: ClusterIdentifier, _ admitted: Admitted, _ wish: CreateCluster, _ creator: String
    ) async throws -> ClusterInfo? {
        let demand = ClusterDemand(admitted.spec, context.nodeTypes)
        let made = try await takeReady(for: admitted.spec, creator) { [self] member, driver, token in
            let now = Timestamp.now
            let (machine, outcome) = ClusterMachine.created(on: driver, at: now)
            let row = ClusterRow(
                id: id, backend: admitted.backend.name, creator: creator, owner: wish.owner, spec: admitted.spec,
                asked: admitted.spec == wish.spec ? nil : wish.spec, demand: demand, record: machine.record,
                driverToken: token, createdAt: now, lastActivityAt: now)
            let isNew: Bool
            do {
                isNew = try await context.clusters.insert(row, notes: outcome.notes, taking: member, now: now)
            } catch {
                // Where only the answer of the database was lost, it is there and somebody has to see to it.
                context.loop.spawn { [self] in await takeUp(id) }
                throw error
            }
            guard isNew else {
                throw HarbourError(.conflict, "Cluster \(id) is being made by somebody else. Try again.")
            }
            return (row, outcome.actions)
        }
        guard let (row, actions) = made else { return nil }
        let controller = add(row, admitted.backend)
        await controller.begin(actions)
        return await controller.info
    }

    private func takeUp(_ id: ClusterIdentifier) async {
        guard !isStopped else { return }
        _ = try? await controller(id.text)
    }

    /// Starts a cluster that has ended on a ready one of its pool; nil when there is none.
    func startOnReady(_ controller: ClusterController, _ row: ClusterRow) async throws -> ClusterInfo? {
        try await takeReady(for: row.spec, row.creator) { member, driver, token in
            try await controller.request(.adopt(driver), taking: member) { $0.driverToken = token }
        }
    }

    /// Hands a ready cluster over to the body, which writes down whose it is now.
    private func takeReady<Value: Sendable>(
        for spec: ClusterSpec, _ user: String,
        _ body: @escaping @Sendable (ClusterIdentifier, ReadyDriver, Secret) async throws -> Value
    ) async throws -> Value? {
        guard let id = spec.instancePoolID else { return nil }
        let state = try pool(id)
        defer { context.loop.spawn { [self] in await review(id) } }
        // A secret of the one who made the pool is not for everybody.
        if user == state.row.creator || !spec.namesSecrets {
            let ready = members(of: id).filter { $0.row.record.step == .running }
            for member in ready.sorted(by: { $0.row.createdAt < $1.row.createdAt })
            where spec.differences(from: member.row.spec).isEmpty {
                let taken = try await member.controller.handOver { driver, token in
                    try await body(member.row.id, driver, token)
                }
                if let taken { return taken }
            }
        }
        let view = view(state)
        guard view.hasRoom else {
            throw HarbourError(
                .resourceExhausted,
                "The pool has none ready for it, and its max_capacity of \(view.capacity ?? 0) clusters is reached. "
                    + "Terminate one, or raise it.")
        }
        return nil
    }
}

extension ClusterSpec {
    /// Whether a value in it stands for a secret.
    var namesSecrets: Bool {
        [sparkConf, sparkEnvVars].contains { $0?.values.contains { $0.contains("{{secrets/") } == true }
    }
}

extension PoolState {
    mutating func fail(_ reason: String) {
        failures += 1
        lastFailure = .now
        message = reason
    }

    mutating func recover() {
        failures = 0
        lastFailure = nil
        message = nil
    }
}

extension PoolRow {
    /// Takes what is said and leaves the rest at its default.
    mutating func keep(_ minimum: Int?, _ capacity: Int?, _ minutes: Int?) {
        minimumIdle = minimum ?? 0
        self.capacity = capacity
        idleMinutes = minutes ?? 60
    }
}
