internal import ClusterBackend
internal import Core

extension ExamSession {
    func failureAtEachStep() async throws {
        let backend = try await backend()
        try expect(!subject.failures.isEmpty, "the subject should offer a failure for each step of a start")
        for failure in subject.failures {
            let id = try newID()
            let request = subject.request(id, workers: 0)
            let failing = try await failure.arrange(request)
            try await expectError("a start with \(failure.name)") { try await backend.provision(failing) { _ in } }
            try await failure.undo(request)
            try await terminate(backend, id, nil)
            try await expectNothing(of: id, "after the failure of \(failure.name) and terminate")
            let cluster = try await backend.provision(request) { _ in }
            _ = try await identify(cluster, request)
            try await terminate(backend, id, cluster.handle)
        }
    }

    /// Runs a start until its event of that number and calls `interrupt` there; false when there are fewer events.
    private func startInterrupted(
        _ backend: any ClusterBackend, _ request: ProvisionRequest, at number: Int
    ) async throws -> (interrupted: Bool, handle: ClusterHandle?) {
        let events = Collected<ProvisionEvent>()
        let start = Task {
            try await backend.provision(request) { event in
                events.add(event)
                // The service dies here: nothing after this event is heard of, and the start is cancelled.
                if events.elements.count == number { withUnsafeCurrentTask { $0?.cancel() } }
            }
        }
        let result = await start.result
        let handle = events.elements.reversed().lazy.compactMap { event -> ClusterHandle? in
            guard case .handle(let handle) = event else { return nil }
            return handle
        }
        .first
        switch result {
        case .success(let cluster): return (events.elements.count >= number, cluster.handle)
        case .failure(let error):
            let cancelled = error is CancellationError || (error as? HarbourError)?.code == .cancelled
            try expect(cancelled, "a cancelled start should say so, not \(HarbourError.describe(error))")
            return (true, handle)
        }
    }

    func cancellationOfStart() async throws {
        let backend = try await backend()
        for number in 1...20 {
            let id = try newID()
            let request = subject.request(id, workers: 0)
            let (interrupted, _) = try await startInterrupted(backend, request, at: number)
            try await terminate(backend, id, nil)
            try await expectNothing(of: id, "after cancelling at event \(number) and terminate")
            if !interrupted { return }
        }
    }

    func interruptedStart() async throws {
        for number in 1...20 {
            let id = try newID()
            let request = subject.request(id, workers: 0)
            let first = try await backend()
            let (interrupted, handle) = try await startInterrupted(first, request, at: number)
            await first.close()
            let second = try await backend()
            let report = try await second.recover([RecoveryEntry(id: id, handle: handle)], asOf: .now)
            try expect(report.clusters[id] != nil, "recover should answer for a start interrupted at event \(number)")
            let cluster = try await second.provision(request) { _ in }
            let identity = try await identify(cluster, request)
            if case .running(let found) = report.clusters[id] {
                let before = try await identify(found, request)
                try expect(before == identity, "going on should keep the driver that was found")
            }
            try await terminate(second, id, cluster.handle)
            try await expectNothing(of: id, "after going on from event \(number) and terminate")
            await second.close()
            if !interrupted { return }
        }
    }

    func twoAtOnce() async throws {
        let backend = try await backend()
        let (firstID, secondID) = (try newID(), try newID())
        async let starting = start(backend, firstID)
        let (secondRequest, second) = try await start(backend, secondID)
        let (firstRequest, first) = try await starting
        try expect(first.driver != second.driver, "two clusters should have two addresses")
        let firstIdentity = try await identify(first, firstRequest)
        let secondIdentity = try await identify(second, secondRequest)
        try expect(firstIdentity.cluster == firstID.text, "the first address should lead to the first")
        try expect(secondIdentity.cluster == secondID.text, "the second address should lead to the second")
        try await terminate(backend, firstID, first.handle)
        try await expectNothing(of: firstID, "after terminate")
        let secondAfter = try await identify(second, secondRequest)
        try expect(secondAfter == secondIdentity, "ending one cluster should leave the other alone")
        try await terminate(backend, secondID, second.handle)
    }

    func deathIsSeen() async throws {
        let backend = try await backend()
        let id = try newID()
        let (request, cluster) = try await start(backend, id)
        _ = try await identify(cluster, request)
        let seen = Collected<ClusterStatus>()
        let watching = Task { try await backend.watch(cluster.handle) { seen.add($0) } }
        try await within(ExamSession.patience, "the first status") { await seen.wait { !$0.isEmpty } }
        try expect(seen.elements.first == .running(workers: 0), "the first status should be running")
        try await subject.kill(id)
        try await within(ExamSession.promptly, "seeing a death") { try await watching.value }
        guard case .ended(let end) = seen.elements.last else { throw fail("the last status should be ended") }
        try expect(end.message.hasSuffix("."), "an end should be told in a sentence, not \"\(end.message)\"")
        guard case .ended = try await backend.status(of: cluster.handle) else {
            throw fail("the status of a dead cluster should be ended")
        }
        try await waitForEnd(backend, cluster.handle)
        try await terminate(backend, id, cluster.handle)

        let secondID = try newID()
        let (secondRequest, second) = try await start(backend, secondID)
        _ = try await identify(second, secondRequest)
        await backend.close()
        let restarted = try await self.backend()
        _ = try await restarted.recover([RecoveryEntry(id: secondID, handle: second.handle)], asOf: .now)
        let seenAgain = Collected<ClusterStatus>()
        let watchingAgain = Task { try await restarted.watch(second.handle) { seenAgain.add($0) } }
        try await within(ExamSession.patience, "the first status after a restart") {
            await seenAgain.wait { !$0.isEmpty }
        }
        try await subject.kill(secondID)
        try await within(ExamSession.promptly, "seeing a death after a restart") { try await watchingAgain.value }
        try await terminate(restarted, secondID, second.handle)
    }

    func preflight() async throws {
        let report = try await backend().preflight()
        try expect(report.passed, "preflight should pass where the exam is held: \(report.advice)")
        try expect(!report.checks.isEmpty, "preflight should look at something")
        for check in report.checks {
            try expect(check.message.hasSuffix("."), "check \(check.name) should say a sentence")
        }
    }
}
