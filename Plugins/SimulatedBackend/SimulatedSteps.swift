internal import ClusterBackend
internal import Core
internal import Synchronization

extension SimulatedBackend {
    static let removed = ClusterEnd(.removed, message: "The cluster was removed from its place. Start it again.")

    /// Runs the start, from where an earlier one stopped.
    func start(_ request: ProvisionRequest, _ progress: @escaping Receiver<ProvisionEvent>) async throws
        -> ProvisionedCluster
    {
        try reach()
        if let running = try claim(request) { return running }
        try await progress(.handle(handle(request.id)))
        let phases = world.state.withLock { $0.script.phases }
        for (index, step) in phases.enumerated() {
            guard let machine = world.machine(request.id) else { throw gone() }
            if machine.phasesDone > index { continue }
            try await progress(.phase(step.phase))
            try await pass(.phase(step.phase), request.id)
            try await world.time.sleep(for: step.duration)
            _ = world.change(request.id) { $0.phasesDone = index + 1 }
        }
        guard let machine = world.machine(request.id) else { throw gone() }
        let address = try await world.starter?(machine.driver)
        let done = world.change(request.id) { machine in
            machine.address = address ?? .unix(path: "/simulated/\(machine.driver.incarnation)/driver.sock")
            machine.workers = machine.driver.request.spec.workers
            machine.status = .running(workers: machine.workers)
            return machine
        }
        world.state.withLock { state in state.started.append(machine.driver) }
        try await pass(.answer, request.id)
        guard let done else { throw gone() }
        return answer(done)
    }

    /// Makes the entry of the id, or answers with what runs under it already.
    private func claim(_ request: ProvisionRequest) throws -> ProvisionedCluster? {
        let now = world.time.now
        return try world.state.withLock { state -> ProvisionedCluster? in
            if let machine = state.machines[request.id], machine.status?.isAlive != false {
                guard machine.driver.request.spec == request.spec, machine.driver.installation == context.installation
                else {
                    throw HarbourError(
                        .conflict,
                        "The cluster id is in use with another specification. End that cluster, or choose another id.")
                }
                return machine.status == nil ? nil : answer(machine)
            }
            state.incarnations += 1
            let driver = SimulatedDriver(
                request: request, installation: context.installation, incarnation: state.incarnations)
            state.machines[request.id] = SimulatedWorld.Machine(driver: driver, created: now, workers: 0)
            return nil
        }
    }

    private func gone() -> HarbourError {
        HarbourError(.launchFailed, "The cluster was removed while it started. Start it again.")
    }

    private func reach() throws(HarbourError) {
        guard world.state.withLock({ $0.reachable }) else {
            throw HarbourError(.backendUnavailable, "The simulated place does not answer. Try again when it does.")
        }
    }

    /// Lets the planned fault of a step happen.
    func pass(_ step: SimulatedStep, _ id: ClusterIdentifier?) async throws {
        try Task.checkCancellation()
        try reach()
        let fault = world.state.withLock { state in state.script.take(step, id) }
        switch fault {
        case nil: return
        case .fail(let error): throw error
        case .delay(let duration): try await world.time.sleep(for: duration)
        case .hang:
            let (forever, continuation) = AsyncStream.makeStream(of: Void.self)
            for await _ in forever {}
            continuation.finish()
            try Task.checkCancellation()
        }
    }

    func handle(_ id: ClusterIdentifier) -> ClusterHandle {
        let incarnation = world.machine(id)?.driver.incarnation ?? 0
        return ClusterHandle(backend: name, version: 1, cluster: id, payload: Array("\(incarnation)".utf8))
    }

    func answer(_ machine: SimulatedWorld.Machine) -> ProvisionedCluster {
        let spec = machine.driver.request.spec
        let payload = Array("\(machine.driver.incarnation)".utf8)
        return ProvisionedCluster(
            handle: ClusterHandle(backend: name, version: 1, cluster: machine.driver.request.id, payload: payload),
            driver: machine.address ?? .unix(path: "/simulated"),
            driverSize: NodeSize(cores: spec.driver.cores ?? 1, memoryMiB: spec.driver.memoryMiB ?? 1024),
            workerSize: NodeSize(cores: spec.worker.cores ?? 1, memoryMiB: spec.worker.memoryMiB ?? 1024),
            workers: machine.workers)
    }

    func present(_ id: ClusterIdentifier) -> ClusterStatus {
        guard let machine = world.machine(id) else { return .ended(SimulatedBackend.removed) }
        return machine.status ?? .degraded(workers: 0, message: "It is still being started.")
    }

    /// As a watcher sees it, for whom an unreachable place is a state.
    func watched(_ id: ClusterIdentifier) -> ClusterStatus {
        guard world.state.withLock({ $0.reachable }) else {
            return .unknown(message: "The simulated place does not answer.")
        }
        return present(id)
    }

    func recovered(_ id: ClusterIdentifier) -> RecoveredCluster {
        guard let machine = world.machine(id), machine.driver.installation == context.installation else {
            return .absent
        }
        switch machine.status {
        case nil: return .incomplete
        case .ended(let end): return .ended(end)
        default: return .running(answer(machine))
        }
    }

    /// Sends the lines after the last one seen; true when there will be no more to send.
    func sendLines(
        of id: ClusterIdentifier, after last: inout Int64, to receive: Receiver<BackendLogLine>
    ) async throws -> Bool {
        let machine = world.machine(id)
        for line in machine?.log ?? [] where line.sequence > last {
            try await receive(line)
            last = line.sequence
        }
        return machine?.status?.isAlive == false
    }
}
