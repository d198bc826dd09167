internal import Core
internal import EventLoop
internal import HarbourProtocol
internal import ServiceClients

extension ErrorCode {
    /// The cluster of a task did not come up.
    static let clusterStartFailed = ErrorCode("CLUSTER_START_FAILED", status: 503)
}

/// Gets the clusters of one run and gives them back.
///
/// The wish for a cluster is written down under a name of ours before the cluster service is asked, so that a crash in
/// between neither loses a cluster nor makes a second one.
actor ClusterKeeper {
    private let context: EngineContext
    private let store: RunClusterStore
    private let run: RunRow
    private var underWay: [ClusterChoice: Task<String, any Error>] = [:]

    nonisolated var unownedExecutor: UnownedSerialExecutor { context.loop.asUnownedSerialExecutor() }

    init(context: EngineContext, run: RunRow) {
        self.context = context
        self.run = run
        store = RunClusterStore(pool: context.pool, runID: run.runID, repair: run.record.past.count)
    }

    /// The id of a running cluster for the choice; tasks that ask at the same time share one start.
    ///
    /// - Throws: `CLUSTER_START_FAILED` with the reason the cluster service gives.
    func acquire(_ choice: ClusterChoice) async throws -> String {
        if let task = underWay[choice] { return try await task.value }
        let task = Task.immediate(executorPreference: context.loop) { try await obtain(choice) }
        underWay[choice] = task
        defer { underWay[choice] = nil }
        return try await task.value
    }

    /// Ends the clusters that were made for the choice.
    func release(_ choice: ClusterChoice) async throws {
        underWay[choice]?.cancel()
        for clusterID in try await store.unreleased(choice) {
            try await ClusterKeeper.end(clusterID, context: context)
            try await store.markReleased(clusterID)
        }
    }

    /// Ends one cluster of a run; one that is gone already is fine.
    static func end(_ clusterID: String, context: EngineContext) async throws {
        try await context.persistently("giving a cluster back") {
            do {
                _ = try await context.clusters.call(
                    ClusterAPI.terminateCluster,
                    .init(clusterID: clusterID, body: TerminateCluster(reason: "JOB_FINISHED")),
                    context: .within(.seconds(30)))
            } catch let error as HarbourError where error.code == .notFound {
                return
            }
        }
    }

    private func obtain(_ choice: ClusterChoice) async throws -> String {
        if case .existing(let clusterID) = choice {
            let running = try await wake(clusterID)
            try await install(run.settings.libraries(on: choice, besides: []), on: running)
            return running
        }
        if let (_, clusterID) = try await store.current(choice) {
            // The wish may have been written without having been asked for, or the cluster may have been lost since.
            let info = try await create(choice, clusterID)
            if info.state != .terminated && info.state != .error && info.state != .terminating {
                return try await awaitRunning(clusterID)
            }
            try await store.markReleased(clusterID)
        }
        let generation = try await store.generations(choice)
        let clusterID = name(choice, generation)
        try await store.add(choice, generation: generation, clusterID: clusterID)
        _ = try await create(choice, clusterID)
        do {
            return try await awaitRunning(clusterID)
        } catch {
            try await store.markReleased(clusterID)
            throw error
        }
    }

    private func name(_ choice: ClusterChoice, _ generation: Int) -> String {
        let place: String
        switch choice {
        case .existing(let id): place = id
        case .shared(let key):
            place = "j\(run.settings.jobClusters?.firstIndex { $0.jobClusterKey == key } ?? 0)"
        case .own(let task): place = "t\(run.settings.clusterTasks.firstIndex { $0.taskKey == task } ?? 0)"
        }
        return "run-\(run.runID)-\(place)-\(generation)"
    }

    private func spec(_ choice: ClusterChoice) throws(HarbourError) -> ClusterSpec {
        let spec: ClusterSpec? =
            switch choice {
            case .existing: nil
            case .shared(let key): run.settings.jobClusters?.first { $0.jobClusterKey == key }?.newCluster
            case .own(let task): run.settings.clusterTasks.first { $0.taskKey == task }?.newCluster
            }
        guard var spec else {
            throw HarbourError(.internalError, "The definition of a cluster is missing.", detail: choice.key)
        }
        let libraries = run.settings.libraries(on: choice, besides: spec.libraries ?? [])
        if !libraries.isEmpty { spec.libraries = libraries }
        return spec
    }

    private func create(_ choice: ClusterChoice, _ clusterID: String) async throws -> ClusterInfo {
        let body = CreateCluster(spec: try spec(choice), clusterID: clusterID, owner: "run/\(run.runID)")
        let user = run.creator
        return try await context.persistently("making a cluster") { [context] in
            // Repeating is safe: the id is ours, and asking twice makes one.
            try await context.clusters.call(
                ClusterAPI.createCluster, .init(body: body), context: .within(.seconds(30), user: user))
        }
    }

    private func wake(_ clusterID: String) async throws -> String {
        let user = run.creator
        _ = try await context.persistently("starting a cluster") { [context] in
            try await context.clusters.call(
                ClusterAPI.startCluster, .init(clusterID: clusterID), context: .within(.seconds(30), user: user))
        }
        return try await awaitRunning(clusterID)
    }

    /// What a cluster has already is not installed again; its next context waits for the rest.
    private func install(_ libraries: [Library], on clusterID: String) async throws {
        guard !libraries.isEmpty else { return }
        let user = run.creator
        _ = try await context.persistently("installing libraries") { [context] in
            try await context.clusters.call(
                ClusterAPI.installLibraries, .init(body: .init(clusterID: clusterID, libraries: libraries)),
                context: .within(.seconds(30), user: user))
        }
    }

    private func awaitRunning(_ clusterID: String) async throws -> String {
        let user = run.creator
        return try await context.persistently("waiting for a cluster") { [context] in
            let states = try await context.clusters.stream(
                ClusterAPI.watchCluster, .init(clusterID: clusterID), context: CallContext(user: user))
            for try await info in states {
                switch info.state {
                case .running, .resizing: return clusterID
                case .terminated, .error, .terminating:
                    let reason = info.terminationReason.map { " (\($0.code))" } ?? ""
                    throw HarbourError(
                        .clusterStartFailed,
                        "The cluster \(clusterID) did not come up\(reason): \(info.stateMessage) "
                            + "Its events and logs say more.")
                case .pending, .restarting: continue
                }
            }
            throw HarbourError(.unavailable, "The cluster service stopped telling about \(clusterID).")
        }
    }
}

extension JobSpec {
    /// The tasks that may have a cluster of their own: of a for-each task, the nested one.
    fileprivate var clusterTasks: [TaskSpec] { tasks.map { $0.forEachTask?.task.spec ?? $0 } }

    /// The libraries of a cluster: its own, and those of all tasks that run on it, each once.
    func libraries(on choice: ClusterChoice, besides own: [Library]) -> [Library] {
        var libraries = own
        for task in clusterTasks {
            let isHere =
                switch choice {
                case .existing(let id): task.existingClusterID == id
                case .shared(let key): task.jobClusterKey == key
                case .own(let key): task.taskKey == key && task.newCluster != nil
                }
            guard isHere else { continue }
            for library in task.libraries ?? [] where !libraries.contains(library) { libraries.append(library) }
        }
        return libraries
    }
}
