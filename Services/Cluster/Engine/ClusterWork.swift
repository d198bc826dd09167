internal import ClusterBackend
internal import Core
internal import EventLoop

// What a controller has its backend do, one thing at a time.
extension ClusterController {
    func runProvision() async {
        let row = row
        let request = ProvisionRequest(
            id: id, spec: BackendSpec(row.spec, context.nodeTypes),
            launch: context.launch.launch(token: row.driverToken))
        do throws(HarbourError) {
            let request = try await complete(request, row.spec)
            let cluster = try await backend.provision(request) { [self] event in
                switch event {
                case .phase(let phase): await take(.phase(phase.name))
                case .handle(let handle): await take(.handle(handle))
                case .progress(let done, let total, let unit): await progressed(done, total, unit)
                }
            }
            for note in cluster.notes { logger.debug(note) }
            if !Task.isCancelled { await take(.provisioned(cluster)) }
        } catch {
            // Cancelled by a removal that waits for this to end, or by the end of the service.
            if Task.isCancelled { return }
            logger.warning("a cluster could not be started", ["error": error.describeChain()])
            await take(.provisionFailed(error))
        }
    }

    /// How far a phase is. Each news is stored, so a person's eye sets the pace.
    private func progressed(_ done: Int64, _ total: Int64?, _ unit: String) async {
        let now = MonotonicTime.now
        if let progressTime, now - progressTime < .seconds(1) { return }
        progressTime = now
        await take(.progress(done: done, total: total, unit: unit))
    }

    func runRemoval(after delay: Duration) async {
        do {
            if delay > .zero { try await context.loop.sleep(for: delay) }
        } catch {
            return
        }
        await keepOutputs()
        await finishLogs()
        if Task.isCancelled { return }
        do throws(HarbourError) {
            try await backend.terminate(place, handle: record.handle, grace: context.limits.grace)
            await take(.removed)
        } catch {
            if Task.isCancelled { return }
            logger.warning("a cluster could not be ended", ["error": error.describeChain()])
            await take(.removeFailed(error))
        }
    }

    func runResize(to workers: Int) async {
        guard let handle = record.handle else { return }
        do throws(HarbourError) {
            let cluster = try await backend.resize(handle, workers: workers) { [self] event in
                if case .handle(let handle) = event { await take(.handle(handle)) }
            }
            if Task.isCancelled { return }
            await take(.resized(cluster))
            await lookAgain(cluster.handle)
        } catch {
            // Cancelled by the cluster's end, which also ends what the resize has begun.
            if Task.isCancelled { return }
            logger.warning("a cluster could not be resized", ["error": error.describeChain()])
            await take(.resizeFailed(error))
            await lookAgain(handle)
        }
    }

    /// While a cluster is resized, workers come and go, and what is seen of it is no news. What is still so now is.
    private func lookAgain(_ handle: ClusterHandle) async {
        do throws(HarbourError) {
            switch try await backend.status(of: handle) {
            case .running(let workers): await take(.seen(workers: workers, problem: nil))
            case .degraded(let workers, let message): await take(.seen(workers: workers, problem: message))
            // Those that watch it tell of an end.
            case .unknown, .ended: break
            }
        } catch {
            logger.debug("a cluster cannot be seen after a resize", ["error": error.describeChain()])
        }
    }
}
