internal import ClusterBackend
internal import Core
internal import DriverProcesses
internal import EventLoop

extension SparkBackend {
    /// How long executors may take to come or go before the resize is answered with what there is by then.
    private static let patience = Duration.seconds(60)

    /// Brings the number of a cluster's executors up or down.
    func changeExecutors(
        _ handle: ClusterHandle, to count: Int, _ progress: Receiver<ProvisionEvent>
    ) async throws -> ProvisionedCluster {
        let id = handle.cluster
        let lost = HarbourError(.clusterLost, "The cluster has ended. Start it again.")
        guard var plan = try await host.plan(of: id), try await host.isRunning(id) else { throw lost }
        guard (1...capabilities.maximumWorkers).contains(count) else {
            throw HarbourError(
                .invalidParameter, "A cluster can be resized to 1 to \(capabilities.maximumWorkers) workers.")
        }
        guard plan.workers > 0 else {
            throw HarbourError(
                .invalidState,
                "The cluster was started without workers, so its Spark runs in the driver. Start it again with workers."
            )
        }
        let isMore = count > plan.workers
        plan.workers = count
        if isMore { _ = try await checkRoom(plan) }
        try await progress(.phase(.workers))
        guard var cluster = try await host.setWorkers(of: id, to: count) else { throw lost }
        if let note = try await waitForExecutors(of: id, plan) { cluster.notes.append(note) }
        return cluster
    }

    /// Asks the master until the application has its executors; what is missing after a while is told.
    private func waitForExecutors(of id: ClusterIdentifier, _ plan: ProcessPlan) async throws -> String? {
        guard let master else { return nil }
        let end = MonotonicTime.now + SparkBackend.patience
        var machine = ExecutorMachine(
            application: application(id), planned: plan.workers, coresEach: plan.workerCores)
        while true {
            let status = machine.see(await master.look(), exactly: true)
            if status == .running(workers: plan.workers) { return nil }
            guard MonotonicTime.now < end, try await host.isRunning(id) else {
                if case .degraded(_, let message) = status { return message }
                return nil
            }
            try await loop.sleep(for: .milliseconds(250))
        }
    }
}
