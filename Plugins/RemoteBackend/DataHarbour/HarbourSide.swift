internal import ClusterBackend
internal import Core
internal import EventLoop
internal import HarbourProtocol

/// Another DataHarbour: its public contract is ours, and its clusters take the names we choose.
struct HarbourSide: FarSide {
    let client: FarClient
    /// The backend that clusters run on there; that platform's own choice when nil.
    let backend: String?
    /// Minutes after which an idle cluster ends there by itself; 0 leaves that to this platform.
    let idleMinutes: Int

    /// No stats: its contract has none of a cluster. Where the backend there cannot resize, it says so itself.
    let capabilities = Capabilities([.workers, .resize, .logs, .recovery], maximumWorkers: 1000)

    func problems(_ spec: BackendSpec) -> [SpecProblem] {
        // Four of its fifty labels are ours.
        spec.tags.count > 46 ? [SpecProblem("custom_tags", "must be 46 or less on this backend")] : []
    }

    func checks() async -> [PreflightReport.Check] {
        let name = "Other platform"
        do {
            let list = try await client.call(ClusterAPI.listBackends, .init(), until: .now + .seconds(5))
            let there = backend ?? list.backends.first?.name ?? "none"
            guard let found = list.backends.first(where: { $0.name == there }) else {
                let known = list.backends.map(\.name).joined(separator: ", ")
                return [
                    PreflightReport.Check(
                        name, passed: false,
                        message: "The platform \(client.url) has no backend \(there); it has \(known). Set "
                            + "HARBOUR_BACKEND_REMOTE_BACKEND to one of them.")
                ]
            }
            return [
                PreflightReport.Check(name, passed: true, message: "The platform \(client.url) answers."),
                PreflightReport.Check(
                    "Its backend \(there)", passed: found.available,
                    message: found.message ?? "The backend \(there) can start clusters there."),
            ]
        } catch {
            return [PreflightReport.Check(name, passed: false, message: error.message)]
        }
    }

    // MARK: Finding

    func find(_ mark: FarMark, farID: String?) async throws -> FarCluster? {
        do throws(HarbourError) {
            let info = try await client.call(ClusterAPI.getCluster, .init(clusterID: mark.name))
            guard let cluster = HarbourSide.cluster(info), cluster.cluster == mark.cluster,
                cluster.installation == mark.installation
            else { throw HarbourSide.foreign(mark) }
            return cluster
        } catch {
            if error.code.status == 404 { return nil }
            throw error
        }
    }

    private static func foreign(_ mark: FarMark) -> HarbourError {
        HarbourError(
            .conflict,
            "The other platform has a cluster \(mark.name) that is not ours. Remove it there, or choose "
                + "another id.")
    }

    func list(installation: String) async throws -> [FarCluster] {
        var found: [FarCluster] = []
        var page: String?
        repeat {
            let list = try await client.call(ClusterAPI.listClusters, .init(pageSize: 100, pageToken: page))
            found += list.clusters.compactMap(HarbourSide.cluster).filter { $0.installation == installation }
            page = list.nextPageToken
        } while page != nil
        return found
    }

    // MARK: Making and ending

    func create(_ wish: FarWish) async throws -> FarCluster {
        let spec = wish.spec
        var far = ClusterSpec(clusterName: spec.displayName.isEmpty ? wish.mark.name : spec.displayName)
        far.backend = backend
        far.numWorkers = spec.workers
        far.driverCores = spec.driver.cores
        far.driverMemoryMB = spec.driver.memoryMiB
        far.workerCores = spec.worker.cores
        far.workerMemoryMB = spec.worker.memoryMiB
        far.sparkConf = spec.sparkConf.isEmpty ? nil : spec.sparkConf
        far.customTags = wish.tags
        far.autoterminationMinutes = idleMinutes
        let variables = spec.environment.merging(try await storeSecrets(wish)) { $1 }
        far.sparkEnvVars = variables.isEmpty ? nil : variables
        far.initScripts = wish.setup.scripts.isEmpty ? nil : wish.setup.scripts
        far.libraries = wish.setup.libraries.isEmpty ? nil : wish.setup.libraries
        // The name is ours, so that asking twice makes one.
        let info = try await client.call(
            ClusterAPI.createCluster, .init(body: CreateCluster(spec: far, clusterID: wish.mark.name)),
            isRepeatable: true)
        guard let cluster = HarbourSide.cluster(info) else { throw HarbourSide.foreign(wish.mark) }
        return cluster
    }

    /// Puts secret values where the other platform keeps its own: a cluster's specification can be read by others.
    private func storeSecrets(_ wish: FarWish) async throws -> [String: String] {
        if wish.spec.secretEnvironment.isEmpty { return [:] }
        let scope = wish.mark.name
        do throws(HarbourError) {
            _ = try await client.call(
                WorkspaceAPI.createSecretScope, .init(body: CreateSecretScope(scope: scope)), isRepeatable: true)
        } catch {
            if error.code != .alreadyExists { throw error }
        }
        var references: [String: String] = [:]
        for (name, value) in wish.spec.secretEnvironment.sorted(by: { $0.key < $1.key }) {
            _ = try await client.call(
                WorkspaceAPI.putSecret,
                .init(body: PutSecret(scope: scope, key: name, stringValue: value.reveal())), isRepeatable: true)
            references[name] = "{{secrets/\(scope)/\(name)}}"
        }
        return references
    }

    func resize(_ mark: FarMark, farID: String, workers: Int) async throws -> FarCluster {
        do throws(HarbourError) {
            _ = try await client.call(
                ClusterAPI.resizeCluster, .init(clusterID: mark.name, body: ResizeCluster(numWorkers: workers)),
                isRepeatable: true)
        } catch {
            if error.code.status == 404 { throw RemoteBackend.lost }
            // An earlier request of ours, whose answer was not heard, may be under way.
            guard error.code == .invalidState, try await find(mark, farID: farID)?.isResizing == true else {
                throw error
            }
        }
        return try await waitForResize(mark, farID: farID, workers: workers, loop: client.loop)
    }

    func remove(_ mark: FarMark, farID: String) async throws {
        let end = MonotonicTime.now + .seconds(120)
        var pause = Duration.milliseconds(20)
        while true {
            do throws(HarbourError) {
                _ = try await client.call(ClusterAPI.deleteCluster, .init(clusterID: mark.name))
                _ = try await client.call(ClusterAPI.getCluster, .init(clusterID: mark.name))
            } catch {
                if error.code.status == 404 { break }
                // A cluster that is just changing may refuse for a moment.
                guard error.code == .invalidState || error.code == .conflict else { throw error }
            }
            guard MonotonicTime.now < end else {
                throw HarbourError(
                    .backendUnavailable,
                    "The other platform has not ended the cluster \(mark.name) yet. It is tried again; if this stays, "
                        + "look at it there.")
            }
            try await client.loop.sleep(for: pause)
            pause = min(pause * 2, .seconds(2))
        }
        do throws(HarbourError) {
            _ = try await client.call(
                WorkspaceAPI.deleteSecretScope, .init(body: DeleteSecretScope(scope: mark.name)), isRepeatable: true)
        } catch {
            if error.code.status != 404 { throw error }
        }
    }

    // MARK: Following

    func watch(_ mark: FarMark, farID: String, to receive: @escaping Receiver<FarCluster>) async throws {
        let stream = try await client.open(ClusterAPI.watchCluster, .init(clusterID: mark.name))
        try await stream.forEach { info in
            guard let cluster = HarbourSide.cluster(info) else { return true }
            try await receive(cluster)
            return true
        }
    }

    func driver(_ mark: FarMark, farID: String, folder: String) -> any FarDriver {
        HarbourDriver(client: client, mark: mark)
    }

    /// Nil when it is not one of ours.
    static func cluster(_ info: ClusterInfo) -> FarCluster? {
        guard let labels = FarCluster.labels(info.spec.customTags ?? [:]) else { return nil }
        let state: FarCluster.State =
            switch info.state {
            case .pending, .restarting: .starting
            case .running, .resizing: .running
            case .terminating: .stopping
            case .terminated, .error: .ended(end(info))
            }
        var spark = info.spark
        // Its page is at an address of that platform's machine, which means another one here.
        spark?.uiURL = nil
        // Until it runs, only what was asked for says how many there will be.
        let isUp = info.state == .running || info.state == .resizing
        var cluster = FarCluster(
            farID: info.clusterID, cluster: labels.cluster, installation: labels.installation, wish: labels.wish,
            created: labels.created, state: state, message: info.stateMessage, startTime: info.startTime,
            spark: spark, executors: info.executors, workers: (isUp ? info.workers : nil) ?? info.spec.numWorkers ?? 0,
            driverSize: NodeSize(cores: info.spec.driverCores, memoryMiB: info.spec.driverMemoryMB),
            workerSize: NodeSize(cores: info.spec.workerCores, memoryMiB: info.spec.workerMemoryMB))
        cluster.isResizing = info.state == .resizing
        return cluster
    }

    private static func end(_ info: ClusterInfo) -> ClusterEnd {
        let code = info.terminationReason?.code ?? ""
        let kind: ClusterEnd.Kind =
            switch code {
            case "OUT_OF_MEMORY": .outOfMemory
            case "USER_REQUEST", "INACTIVITY", "JOB_FINISHED": .removed
            default: .exited
            }
        let reason = info.stateMessage.isEmpty ? "\(code)." : info.stateMessage
        let stop = reason.hasSuffix(".") ? "" : "."
        return ClusterEnd(kind, message: "The cluster ended on the other platform: \(reason)\(stop)")
    }
}
