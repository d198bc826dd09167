internal import ClusterBackend
internal import Core
internal import HarbourProtocol

// What users change about a cluster that is there.
extension ClusterEngine {
    /// Restarts a running cluster as it is, or starts it anew with another specification.
    func restart(_ name: String) async throws -> ClusterInfo { try await controller(name).request(.restart) }

    /// Gives a cluster another specification: a running one is restarted, one that has ended starts with it next time.
    func edit(_ name: String, _ spec: ClusterSpec) async throws -> ClusterInfo {
        let controller = try await controller(name)
        let present = await controller.row
        let admitted = try await admit(spec)
        guard admitted.backend.name == present.backend else {
            throw HarbourError(
                .invalidParameter,
                "The backend of a cluster cannot be changed from \(present.backend). Make another cluster.")
        }
        return try await change(controller, .edit, admitted, asked: spec)
    }

    private func change(
        _ controller: ClusterController, _ input: ClusterInput, _ admitted: Admitted, asked: ClusterSpec
    ) async throws -> ClusterInfo {
        let row = await controller.row
        let demand = ClusterDemand(admitted.spec, context.nodeTypes)
        @Sendable func change(_ row: inout ClusterRow) {
            row.spec = admitted.spec
            row.asked = admitted.spec == asked ? nil : asked
            row.demand = demand
        }
        // What has ended takes nothing; its next start is asked again.
        if row.record.step == .ended { return try await controller.request(input, changing: change) }
        return try await withinQuota(of: row.creator, row.id, admitted) {
            try await controller.request(input, changing: change)
        }
    }

    /// Changes the number of workers of a running cluster, now and for its next starts.
    func resize(_ name: String, _ wish: ResizeCluster) async throws -> ClusterInfo {
        let controller = try await controller(name)
        let row = await controller.row
        var spec = row.asked ?? row.spec
        let workers: Int
        switch (wish.numWorkers, wish.autoscale) {
        case (let number?, nil):
            workers = number
            spec.numWorkers = number
            spec.autoscale = nil
        case (nil, let range?):
            workers = min(max(row.record.workers, range.minWorkers), range.maxWorkers)
            spec.autoscale = range
            spec.numWorkers = nil
        default:
            throw HarbourError(.invalidParameter, "Say either num_workers or autoscale, and not both.")
        }
        guard workers > 0 else {
            throw HarbourError(
                .invalidParameter,
                "A cluster that runs keeps one worker at least. To have Spark run in the driver, edit the cluster, which "
                    + "restarts it.")
        }
        guard controller.backend.capabilities.has(.resize) else {
            throw HarbourError(
                .unsupported,
                "The \(row.backend) backend cannot change a cluster while it runs. Edit the cluster, which restarts it."
            )
        }
        let admitted = try await admit(spec)
        return try await change(controller, .resize(workers: workers, .user), admitted, asked: spec)
    }

    /// Keeps a cluster until it is unpinned, or not.
    func pin(_ name: String, _ pinned: Bool) async throws -> ClusterInfo {
        try await controller(name).request(.pin(pinned))
    }
}
