internal import ClusterBackend
internal import Core

extension ExamSession {
    func lifeCycle() async throws {
        let backend = try await backend()
        let id = try newID()
        try await expectNothing(of: id, "before it is started")
        let request = subject.request(id, workers: 0)
        let events = Collected<ProvisionEvent>()
        let cluster = try await backend.provision(request) { events.add($0) }
        try checkEvents(events.elements, cluster, backend)
        try expect(cluster.driverSize.cores != nil, "the size of the driver should be told")
        try expect(cluster.driverSize.memoryMiB != nil, "the memory of the driver should be told")
        let identity = try await identify(cluster, request)
        try expect(identity.cluster == id.text, "the driver should serve \(id), not \(identity.cluster)")
        do {
            _ = try await subject.identify(cluster.driver, token: Secret("wrong"))
            throw fail("the driver should refuse a wrong token")
        } catch let error as ConformanceFailure {
            throw error
        } catch {
            // Refused, as it should be.
        }
        try expect(
            try await backend.status(of: cluster.handle) == .running(workers: 0),
            "the status of a started cluster should be running")
        try await terminate(backend, id, cluster.handle)
        try await expectNothing(of: id, "after terminate")
        guard case .ended = try await backend.status(of: cluster.handle) else {
            throw fail("the status of a terminated cluster should be ended")
        }
        try await terminate(backend, id, cluster.handle)
        try await terminate(backend, id, nil)
        try await terminate(backend, newID(), nil)
    }

    private func checkEvents(
        _ events: [ProvisionEvent], _ cluster: ProvisionedCluster, _ backend: any ClusterBackend
    ) throws {
        let phases = events.compactMap { event -> StartPhase? in
            guard case .phase(let phase) = event else { return nil }
            return phase
        }
        try expect(!phases.isEmpty, "a start should tell its phases")
        try expect(Set(phases).count == phases.count, "each phase should be told once, not \(phases)")
        let told = events.contains { event in
            guard case .handle(let handle) = event else { return false }
            return handle.cluster == cluster.handle.cluster && handle.backend == backend.name
        }
        try expect(told, "a handle should be told while the cluster starts")
        try expect(cluster.handle.backend == backend.name, "the handle should name the backend")
        try expect(cluster.handle.payload.count <= 65_536, "the handle should be small")
    }

    func idempotentProvisioning() async throws {
        let backend = try await backend()
        let id = try newID()
        let (request, first) = try await start(backend, id)
        let identity = try await identify(first, request)
        let again = try await backend.provision(request) { _ in }
        try expect(again.driver == first.driver, "asking again should give the same address")
        let restarted = try await self.backend()
        let third = try await restarted.provision(request) { _ in }
        let identityNow = try await identify(third, request)
        try expect(identityNow == identity, "asking again after a restart should find the same driver")
        var other = request
        other.spec.sparkConf["spark.exam"] = "another wish"
        try await expectError("another specification under the same id", codes: [.conflict]) {
            try await restarted.provision(other) { _ in }
        }
        let identityAfter = try await identify(third, request)
        try expect(identityAfter == identity, "a refused wish should leave the cluster alone")
        try await terminate(restarted, id, third.handle)
        await backend.close()
    }

    func startingAgain() async throws {
        let backend = try await backend()
        let id = try newID()
        let (request, first) = try await start(backend, id)
        let before = try await identify(first, request)
        try await terminate(backend, id, first.handle)
        var changed = request
        changed.spec.sparkConf["spark.exam"] = "edited while it was off"
        let second = try await backend.provision(changed) { _ in }
        let after = try await identify(second, changed)
        try expect(after != before, "starting again should start a new driver")
        try await subject.kill(id)
        try await waitForEnd(backend, second.handle)
        let third = try await backend.provision(changed) { _ in }
        let last = try await identify(third, changed)
        try expect(last != after, "starting again after a death should start a new driver")
        try expect(
            try await backend.status(of: third.handle) == .running(workers: 0), "the new one should be seen running")
        try await terminate(backend, id, third.handle)
    }

    func validation() async throws {
        let backend = try await backend()
        let id = try newID()
        var request = subject.request(id, workers: 0)
        try expect(
            backend.validate(request.spec).isEmpty,
            "the exam's own request should be valid, not \(backend.validate(request.spec))")
        request.spec.workers = backend.capabilities.maximumWorkers + 1
        request.spec.driver.cores = 0
        request.spec.driver.memoryMiB = 1
        request.spec.environment = ["HARBOUR_CLUSTER_ID": "someone else's", "9 lives": "no"]
        let problems = backend.validate(request.spec)
        try expect(problems.count >= 5, "all problems should be listed at once, not only \(problems)")
        for problem in backend.capabilities.problems(of: request.spec) {
            try expect(problems.contains(problem), "a backend should also find what its capabilities say: \(problem)")
        }
        try await expectError("a bad specification", codes: [.invalidParameter, .unsupported]) { [request] in
            try await backend.provision(request) { _ in }
        }
        try await expectNothing(of: id, "after a refusal")
    }

    func capabilityHonesty() async throws {
        let backend = try await backend()
        let capabilities = backend.capabilities
        let id = try newID()
        let workers = capabilities.has(.workers) ? 1 : 0
        let (request, cluster) = try await start(backend, id, workers: workers)
        try expect(cluster.workers == workers, "the workers started should be \(workers), not \(cluster.workers)")
        _ = try await identify(cluster, request)
        try expect(capabilities.has(.workers) || capabilities.maximumWorkers == 0, "no workers, no number of them")
        if capabilities.has(.resize) {
            let resized = try await backend.resize(cluster.handle, workers: 2) { _ in }
            try expect(resized.workers == 2, "after resize there should be 2 workers, not \(resized.workers)")
            try expect(
                try await backend.status(of: resized.handle) == .running(workers: 2), "the status should say 2 workers")
        } else {
            try await expectError("resize", codes: [.unsupported]) {
                try await backend.resize(cluster.handle, workers: 2) { _ in }
            }
        }
        try await outlivesItsDriver(backend, id, cluster.handle)
        try await terminate(backend, id, cluster.handle)
        try await expectError("resize of a cluster that has ended", codes: [.clusterLost, .unsupported]) {
            try await backend.resize(cluster.handle, workers: 1) { _ in }
        }
        if !capabilities.has(.logs) {
            try await expectError("logs", codes: [.unsupported]) {
                try await backend.logs(of: cluster.handle, after: 0, follow: false) { _ in }
            }
        }
        if !capabilities.has(.stats) {
            try await expectError("stats", codes: [.unsupported]) {
                try await backend.stats(of: cluster.handle, after: 0, every: .seconds(1)) { _ in }
            }
        }
        try await refusesUnclaimed(backend)
    }

    /// What the driver has written stays until `terminate`, or is not claimed.
    private func outlivesItsDriver(
        _ backend: any ClusterBackend, _ id: ClusterIdentifier, _ handle: ClusterHandle
    ) async throws {
        guard backend.capabilities.has(.scratch) else {
            try await expectError("scratch", codes: [.unsupported]) { try await backend.scratch(of: handle) }
            try await expectError("halt", codes: [.unsupported]) {
                try await backend.halt(handle, grace: .seconds(10))
            }
            return
        }
        let alive = try await backend.scratch(of: handle)
        try expect(alive != nil, "a driver that runs should have a scratch folder")
        try await backend.halt(handle, grace: .seconds(10))
        guard case .ended = try await backend.status(of: handle) else {
            throw fail("the driver should have ended when `halt` returns")
        }
        try expect(try await backend.scratch(of: handle) == alive, "the folder should outlive the driver")
        try await backend.halt(handle, grace: .zero)
    }

    private func refusesUnclaimed(_ backend: any ClusterBackend) async throws {
        let id = try newID()
        if !backend.capabilities.has(.images) {
            var request = subject.request(id, workers: 0)
            request.spec.image = "registry.example/image:1"
            try await expectError("an image", codes: [.unsupported]) { [request] in
                try await backend.provision(request) { _ in }
            }
        }
        if !backend.capabilities.has(.workers) {
            let request = subject.request(id, workers: 1)
            try await expectError("a worker", codes: [.unsupported]) { try await backend.provision(request) { _ in } }
        }
        try await expectNothing(of: id, "after a refusal")
    }

    /// Follows a cluster until its end has been told.
    @discardableResult
    func waitForEnd(_ backend: any ClusterBackend, _ handle: ClusterHandle) async throws -> ClusterEnd {
        let seen = Collected<ClusterStatus>()
        try await within(ExamSession.patience, "seeing the end") {
            try await backend.watch(handle) { seen.add($0) }
        }
        guard case .ended(let end) = seen.elements.last else {
            throw fail("watch should return after it has sent the end, not after \(seen.elements)")
        }
        return end
    }
}
