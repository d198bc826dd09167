internal import ClusterBackend
internal import Core
internal import DriverProcesses

extension LocalBackend {
    /// How long workers may take to come or go before the resize is answered with what there is by then.
    private static let patience = Duration.seconds(60)

    /// What follows from the number of workers and their size, where there are any.
    static func isOwnProperty(_ key: String) -> Bool {
        ["spark.executor.memory", "spark.executor.cores", "spark.executor.instances", "spark.cores.max"].contains(key)
            || key.hasPrefix("spark.dynamicAllocation.")
    }

    /// Brings the number of a cluster's workers up or down.
    func changeWorkers(
        _ handle: ClusterHandle, to count: Int, _ progress: Receiver<ProvisionEvent>
    ) async throws -> ProvisionedCluster {
        let id = handle.cluster
        let lost = HarbourError(.clusterLost, "The cluster has ended. Start it again.")
        guard var plan = try await host.plan(of: id), try await host.isRunning(id) else { throw lost }
        let before = plan.workers
        plan.workers = count
        try await check(plan, of: id, before: before)
        try await progress(.phase(.workers))
        // More room comes before those who take it, and less after they have left.
        let newest = try await host.executorReports(of: id).last
        var widest = plan
        widest.workers = max(before, count, newest.map { $0.running + $0.leaving } ?? 0)
        try await host.setLimits(of: id, to: widest)
        guard var cluster = try await host.setWorkers(of: id, to: count) else { throw lost }
        let report = try await host.waitForExecutors(of: id, patience: LocalBackend.patience) {
            $0.running == count && $0.leaving == 0
        }
        guard try await host.isRunning(id) else { throw lost }
        if let report, report.leaving == 0, report.running <= count {
            try await host.setLimits(of: id, to: plan)
        }
        if let note = LocalBackend.note(report, count) { cluster.notes.append(note) }
        return cluster
    }

    private func check(_ plan: ProcessPlan, of id: ClusterIdentifier, before: Int) async throws {
        guard (1...capabilities.maximumWorkers).contains(plan.workers) else {
            throw HarbourError(
                .invalidParameter,
                "A cluster that runs can be resized to 1 to \(capabilities.maximumWorkers) workers. To have none, edit it, "
                    + "which starts it again.")
        }
        guard before > 0 else {
            throw HarbourError(
                .invalidState,
                "The cluster was started without workers, so its Spark runs in the driver. Edit it to have some, which "
                    + "starts it again.")
        }
        guard try await host.followsExecutors(id) else {
            throw HarbourError(
                .invalidState,
                "The cluster was started by an older version, which could not change it while it runs. Restart it first."
            )
        }
        if let problem = tooLarge(plan) {
            throw HarbourError(.invalidParameter, "The cluster would be too large: it \(problem).")
        }
    }

    private static func note(_ report: ExecutorReport?, _ count: Int) -> String? {
        guard let report else { return "The driver has not said yet how many workers run." }
        if report.leaving > 0 {
            return "\(report.leaving) workers still end their tasks and leave then."
        }
        return report.running < count ? "\(report.running) of \(count) workers run; the others are being started." : nil
    }
}
