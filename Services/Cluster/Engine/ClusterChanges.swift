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
        guard (spec.backend ?? backends.first?.name) == present.backend else {
            throw HarbourError(
                .invalidParameter,
                "The backend of a cluster cannot be changed from \(present.backend). Make another cluster.")
        }
        try controller.backend.validate(BackendSpec(spec)).throwIfAny()
        return try await controller.request(.edit) { $0.spec = spec }
    }

    /// Changes the number of workers of a running cluster, now and for its next starts.
    func resize(_ name: String, _ wish: ResizeCluster) async throws -> ClusterInfo {
        let controller = try await controller(name)
        let row = await controller.row
        var spec = row.spec
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
        guard controller.backend.capabilities.has(.resize) else {
            throw HarbourError(
                .unsupported,
                "The \(row.backend) backend cannot change a cluster while it runs. Edit the cluster, which restarts it."
            )
        }
        try controller.backend.validate(BackendSpec(spec)).throwIfAny()
        return try await controller.request(.resize(workers: workers, .user)) { [spec] in $0.spec = spec }
    }

    /// Keeps a cluster until it is unpinned, or not.
    func pin(_ name: String, _ pinned: Bool) async throws -> ClusterInfo {
        try await controller(name).request(.pin(pinned))
    }
}
