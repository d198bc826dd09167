internal import ClusterBackend
internal import Core
internal import DriverProcesses
internal import EventLoop

extension RemoteBackend {
    /// The other side.
    /// - Throws: `BACKEND_UNAVAILABLE` when none is set.
    func other() throws(HarbourError) -> any FarSide {
        if let side { return side }
        throw HarbourError(.backendUnavailable, "The remote backend cannot be used: \(missing ?? "").")
    }

    func mark(_ id: ClusterIdentifier) -> FarMark { FarMark(id, installation: context.installation) }

    // MARK: Start

    func start(
        _ request: ProvisionRequest, _ side: any FarSide, _ progress: Receiver<ProvisionEvent>
    ) async throws -> ProvisionedCluster {
        let place = ProcessPlace(root: context.folder, request.id)
        guard place.fits else {
            throw HarbourError(
                .launchFailed, "The data folder's path is too long for a unix socket. Choose a shorter one.",
                detail: place.socket)
        }
        let mark = mark(request.id)
        let digest = SpecDigest.of(request.spec)
        var state = try await ownState(request.id)
        var known = try await side.find(mark, farID: state?.farID)
        if let found = known, case .ended = found.state {
            await detach(request.id)
            try await side.remove(mark, farID: found.farID)
            known = nil
        }
        if let known, known.wish != digest {
            throw HarbourError(
                .conflict,
                "The cluster id is in use with another specification. End that cluster, or choose another id.")
        }
        try await progress(.phase(.prepare))
        let created = known?.created ?? .now
        var next = RemoteState(
            request.id, installation: context.installation, digest: digest, created: created)
        next.farID = known?.farID
        state = next
        let token = Array(request.launch.token.reveal().utf8)
        try await BlockingPool.shared.run { [next] in
            try Files.makeFolder(place.folder)
            try Files.write(token, to: "\(place.folder)/\(RemoteState.tokenFile)")
            try Files.write(next.encoded(), to: place.stateFile)
        }
        try await progress(.handle(handle(next)))
        var cluster = known
        if cluster == nil {
            try await progress(.phase(.allocate))
            let wish = FarWish(
                mark: mark, spec: request.spec, digest: digest, created: created,
                setup: try FarSetup(request.launch.files))
            let made = try await side.create(wish)
            next.farID = made.farID
            try await BlockingPool.shared.run { [next] in try Files.write(next.encoded(), to: place.stateFile) }
            try await progress(.handle(handle(next)))
            cluster = made
        }
        guard let cluster else { throw CancellationError() }
        try await attach(cluster, request.launch.token)
        try Task.checkCancellation()
        return answer(cluster, next)
    }

    /// The state of a cluster's folder; nil when there is none.
    /// - Throws: `RESOURCE_CONFLICT` when it is another installation's.
    private func ownState(_ id: ClusterIdentifier) async throws -> RemoteState? {
        let place = ProcessPlace(root: context.folder, id)
        guard let state = try await BlockingPool.shared.run({ RemoteState.read(place) }) else { return nil }
        guard state.installation == context.installation, state.cluster == id else {
            throw HarbourError(
                .conflict, "The cluster id is in use by another installation on this machine. Choose another id.")
        }
        return state
    }

    /// Its name on the other platform, from the folder or the handle; nil when neither knows.
    func farID(_ handle: ClusterHandle?) async throws -> String? {
        guard let handle else { return nil }
        let place = ProcessPlace(root: context.folder, handle.cluster)
        let state = try await BlockingPool.shared.run { RemoteState.read(place) }
        return state?.farID ?? RemoteState(handle.payload)?.farID
    }

    // MARK: The bridge

    /// Follows a cluster and serves its driver's contract.
    func attach(_ cluster: FarCluster, _ token: Secret) async throws {
        let id = cluster.cluster
        if let known = followers[id], known.farID == cluster.farID, bridges[id] != nil, await !known.view.isOver {
            return
        }
        await detach(id)
        let place = ProcessPlace(root: context.folder, id)
        let follower = FarFollower(cluster, mark(id), side: try other(), loop: loop)
        let driver = try other().driver(mark(id), farID: cluster.farID, folder: place.folder)
        // The socket of a bridge that has died is in the way.
        try await BlockingPool.shared.run { try Files.remove(place.socket) }
        let bridge = Bridge(follower, driver, cluster: id, token: token, socket: place.socket, loop: loop)
        try await bridge.start()
        await follower.start()
        followers[id] = follower
        bridges[id] = bridge
    }

    func detach(_ id: ClusterIdentifier) async {
        if let bridge = bridges.removeValue(forKey: id) { await bridge.stop() }
        if let follower = followers.removeValue(forKey: id) { await follower.close() }
    }

    /// Who follows a cluster; nil when it is gone.
    func follower(_ handle: ClusterHandle) async throws -> FarFollower? {
        if let known = followers[handle.cluster] { return known }
        let mark = mark(handle.cluster)
        guard let cluster = try await other().find(mark, farID: try await farID(handle)) else { return nil }
        if let known = followers[handle.cluster] { return known }
        let follower = FarFollower(cluster, mark, side: try other(), loop: loop)
        followers[handle.cluster] = follower
        return follower
    }

    // MARK: Workers

    func changeWorkers(_ handle: ClusterHandle, to count: Int) async throws -> ProvisionedCluster {
        let (id, place) = (handle.cluster, ProcessPlace(root: context.folder, handle.cluster))
        guard let state = try await BlockingPool.shared.run({ RemoteState.read(place) }),
            let farID = state.farID ?? RemoteState(handle.payload)?.farID
        else { throw RemoteBackend.lost }
        let cluster = try await other().resize(mark(id), farID: farID, workers: count)
        return answer(cluster, state)
    }

    // MARK: End

    func end(_ id: ClusterIdentifier, _ handle: ClusterHandle?) async throws {
        let place = ProcessPlace(root: context.folder, id)
        let state = try await BlockingPool.shared.run { RemoteState.read(place) }
        if let state, state.installation != context.installation || state.cluster != id { return }
        var hint = state?.farID
        if hint == nil { hint = try await farID(handle) }
        // Without another side nothing was ever made. With one, there may be two, where a making was not heard of.
        if let side {
            let mark = mark(id)
            for _ in 0..<8 {
                guard let cluster = try await side.find(mark, farID: hint) else { break }
                try await side.remove(mark, farID: cluster.farID)
            }
        }
        await followers[id]?.removed()
        await detach(id)
        try await BlockingPool.shared.run { try Files.remove(place.folder) }
    }

    // MARK: Recovery

    func findAll(
        _ known: Set<ClusterIdentifier>, _ side: any FarSide, asOf time: Timestamp
    ) async throws -> RecoveryReport {
        let (root, installation) = (context.folder, context.installation)
        let there = try await side.list(installation: installation)
        let states = try await BlockingPool.shared.run {
            Files.names(in: root).compactMap { name -> RemoteState? in
                guard let state = Files.read("\(root)/\(name)/state.json").flatMap({ RemoteState($0) }),
                    ProcessPlace(root: root, state.cluster).folder == "\(root)/\(name)"
                else { return nil }
                return state.installation == installation ? state : nil
            }
        }
        var orphans = Set(there.filter { $0.created < time }.map(\.cluster))
        orphans.formUnion(states.filter { $0.created < time }.map(\.cluster))
        orphans.subtract(known)
        for id in orphans.sorted() {
            log.warning("ending a cluster that nobody knows", ["cluster": id])
            try await end(id, nil)
        }
        var clusters: [ClusterIdentifier: RecoveredCluster] = [:]
        for id in known {
            let state = states.first { $0.cluster == id }
            // Two of one mark, should there ever be, are told apart by the name that was written down.
            let mine = there.filter { $0.cluster == id }
            let cluster = mine.first { $0.farID == state?.farID } ?? mine.first
            clusters[id] = try await found(id, cluster, state)
        }
        return RecoveryReport(clusters: clusters, swept: orphans.sorted())
    }

    private func found(
        _ id: ClusterIdentifier, _ cluster: FarCluster?, _ state: RemoteState?
    ) async throws -> RecoveredCluster {
        guard let cluster else {
            guard let state else { return .absent }
            return state.farID == nil ? .incomplete : .ended(RemoteBackend.removed)
        }
        if case .ended(let end) = cluster.state { return .ended(end) }
        let place = ProcessPlace(root: context.folder, id)
        let token = try await BlockingPool.shared.run { Files.read("\(place.folder)/\(RemoteState.tokenFile)") }
        // Without its token nobody could be let in; `provision` brings it.
        guard let token, var state else { return .incomplete }
        state.farID = cluster.farID
        try await attach(cluster, Secret(String(decoding: token, as: UTF8.self)))
        return .running(answer(cluster, state))
    }

    // MARK: Answers

    func handle(_ state: RemoteState) -> ClusterHandle {
        ClusterHandle(
            backend: name, version: RemoteState.version, cluster: state.cluster, payload: state.encoded())
    }

    private func answer(_ cluster: FarCluster, _ state: RemoteState) -> ProvisionedCluster {
        let place = ProcessPlace(root: context.folder, state.cluster)
        return ProvisionedCluster(
            handle: handle(state), driver: place.address, driverSize: cluster.driverSize,
            workerSize: cluster.workerSize, workers: cluster.workers,
            notes: ["It runs on another platform, where it is called \(cluster.farID)."])
    }
}
