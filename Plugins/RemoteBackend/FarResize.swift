internal import ClusterBackend
internal import Core
internal import EventLoop

extension FarSide {
    /// Looks until the number of workers is not being changed any more.
    func waitForResize(
        _ mark: FarMark, farID: String, workers: Int, loop: EventLoop
    ) async throws -> FarCluster {
        let end = MonotonicTime.now + .seconds(300)
        var pause = Duration.milliseconds(50)
        while true {
            guard let cluster = try await find(mark, farID: farID) else { throw RemoteBackend.lost }
            if case .ended = cluster.state { throw RemoteBackend.lost }
            if !cluster.isResizing {
                if cluster.workers == workers { return cluster }
                throw HarbourError(
                    .launchFailed,
                    "The other platform did not change the number of workers to \(workers): "
                        + "\(cluster.message.isEmpty ? "it has \(cluster.workers)." : cluster.message)")
            }
            guard MonotonicTime.now < end else {
                throw HarbourError(
                    .backendUnavailable, "The other platform is still changing the number of workers. Look at it there."
                )
            }
            try await loop.sleep(for: pause)
            pause = min(pause * 2, .seconds(2))
        }
    }
}
