internal import ClusterBackend
internal import Core
internal import EventLoop
internal import HarbourProtocol
internal import ServiceClients

// How a controller keeps the number of workers by the work that waits.
extension ClusterController {
    /// Asks the driver how much waits, as long as the cluster shall be scaled, until the task is cancelled.
    func autoscale(_ link: DriverLink) async {
        guard backend.capabilities.has(.resize) else { return }
        var scaler = Autoscaler(patience: context.limits.autoscaling)
        while await untilScaled() {
            let interval =
                idle?.hasCommands == true ? context.limits.autoscaleInterval : context.limits.autoscaleIdleInterval
            guard (try? await context.loop.sleep(for: interval)) != nil else { return }
            guard record.state == .running, let range = row.spec.autoscale else {
                scaler.forget()
                continue
            }
            do throws(HarbourError) {
                let status = try await link.client.call(
                    DriverAPI.getStatus, .init(), context: .within(context.limits.heartbeat))
                guard let target = wanted(&scaler, status, range) else { continue }
                await take(.resize(workers: target, .autoscale))
            } catch {
                if Task.isCancelled { return }
                logger.debug("the driver does not say how much waits", ["error": error.describeChain()])
            }
        }
    }

    /// Waits without a timer while the cluster has a fixed number of workers; false when there is nothing to wait for.
    private func untilScaled() async -> Bool {
        if Task.isCancelled { return false }
        if row.spec.autoscale != nil { return true }
        for await _ in changes() where row.spec.autoscale != nil { return true }
        return false
    }

    private func wanted(_ scaler: inout Autoscaler, _ status: DriverStatus, _ range: AutoScale) -> Int? {
        guard record.state == .running, range.minWorkers <= range.maxWorkers else { return nil }
        return scaler.sample(
            Autoscaler.Load(active: status.activeTasks ?? 0, pending: status.pendingTasks ?? 0),
            workers: record.workers, coresPerWorker: BackendSpec(row.spec, context.nodeTypes).worker.cores ?? 1,
            within: range.minWorkers...range.maxWorkers, at: .now)
    }
}
