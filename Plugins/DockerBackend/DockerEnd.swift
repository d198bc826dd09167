internal import ClusterBackend
internal import Core
internal import EventLoop

extension DockerBackend {
    /// Ends everything that carries the cluster's label, and removes its folder.
    func end(_ id: ClusterIdentifier, grace: Duration) async throws {
        let engine = try engine
        ending.insert(id)
        defer { ending.remove(id) }
        let containers = try await engine.containers(names.of(id))
        for driver in containers where driver.isDriver && driver.isAlive {
            try await engine.stop(driver.id, grace: grace)
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for container in containers { group.addTask { try await engine.remove(container.id) } }
            try await group.waitForAll()
        }
        for container in containers {
            starved.remove(container.id)
            revivals[container.id] = nil
        }
        for network in try await engine.networks(names.of(id)) { try await engine.removeNetwork(network.id) }
        let folder = folder(id)
        try await BlockingPool.shared.run { try folder.remove() }
        notify(id)
    }

    /// Looks at everything of this installation once.
    func findAll(_ known: Set<ClusterIdentifier>, asOf time: Timestamp) async throws -> RecoveryReport {
        let engine = try engine
        let ground = try await settle()
        let containers = try await engine.containers([names.ofInstallation])
        let networks = try await engine.networks([names.ofInstallation])
        let (root, names) = (context.folder, names)
        let folders = try await BlockingPool.shared.run { DockerFolder.all(in: root, names) }

        // The newest of what there is counts: a start may be going on.
        var found: [ClusterIdentifier: Timestamp] = [:]
        for labels in containers.map(\.labels) + networks.map(\.labels) {
            guard let id = labels.cluster else { continue }
            let made = labels.created ?? Timestamp(milliseconds: 0)
            found[id] = max(found[id] ?? made, made)
        }
        for folder in folders where folder.made < time {
            guard let id = ClusterIdentifier(folder.name), found[id] == nil else { continue }
            found[id] = folder.made
        }
        let orphans = found.filter { $0.value < time && !known.contains($0.key) }.keys.sorted()
        for id in orphans {
            log.warning("ending a cluster that nobody knows", ["cluster": id])
            try await end(id, grace: .seconds(5))
        }
        var clusters: [ClusterIdentifier: RecoveredCluster] = [:]
        for id in known {
            do {
                clusters[id] = try await recovered(
                    id, containers.filter { $0.labels.cluster == id }, hasTraces: found[id] != nil, ground)
            } catch {
                log.warning("a cluster is not understood", ["cluster": id, "error": HarbourError.describe(error)])
                clusters[id] = .incomplete
            }
        }
        return RecoveryReport(clusters: clusters, swept: orphans)
    }

    private func recovered(
        _ id: ClusterIdentifier, _ containers: [EngineContainer], hasTraces: Bool, _ ground: Ground
    ) async throws -> RecoveredCluster {
        guard let driver = containers.first(where: { $0.isDriver }), !driver.isUnused else {
            return hasTraces ? .incomplete : .absent
        }
        if driver.isAlive {
            // The service may be in another container than it was.
            try await join(id, ground)
            return .running(try await answer(id, ground))
        }
        guard let known = try await engine.container(driver.id) else { return .incomplete }
        return .ended(end(of: known))
    }
}
