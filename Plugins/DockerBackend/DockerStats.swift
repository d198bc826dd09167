public import ClusterBackend
internal import Core
internal import EventLoop

extension DockerBackend {
    /// One sample per container at each interval. The engine's own stream has a pace of its own, so each sample is asked
    /// for; the counters in it are totals, and nothing is lost between two.
    public func stats(
        of handle: ClusterHandle, after sequence: Int64, every interval: Duration,
        to receive: @escaping Receiver<NodeStats>
    ) async throws {
        var last = sequence
        while true {
            let view = try await look(at: handle)
            guard let driver = view.driver, driver.isAlive else { return }
            let samples = try await measure(view.all.filter(\.isAlive))
            let now = Timestamp.now
            if now.milliseconds > last, !samples.isEmpty {
                last = now.milliseconds
                for (node, use) in samples {
                    try await receive(
                        NodeStats(
                            sequence: last, timestamp: now, node: node, cpuTime: .nanoseconds(use.cpuNanoseconds),
                            memoryBytes: use.memoryBytes, memoryLimitBytes: use.memoryLimit, processes: use.processes))
                }
            }
            try await pause(max(interval, .milliseconds(10)), orEndOf: handle)
        }
    }

    private func measure(_ containers: [EngineContainer]) async throws -> [(node: String, use: EngineStats)] {
        let engine = try engine
        return try await withThrowingTaskGroup(of: (Int, EngineStats?).self) { group in
            for (index, container) in containers.enumerated() {
                group.addTask { (index, try await engine.stats(container.id)) }
            }
            var uses: [Int: EngineStats] = [:]
            for try await (index, use) in group { uses[index] = use }
            return containers.enumerated().compactMap { index, container in uses[index].map { (container.node, $0) } }
        }
    }

    /// Waits for the interval, or for the end of the cluster when that comes first.
    private func pause(_ interval: Duration, orEndOf handle: ClusterHandle) async throws {
        let loop = loop
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await loop.sleep(for: interval) }
            group.addTask { [self] in try await untilEnded(handle) }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func untilEnded(_ handle: ClusterHandle) async throws {
        let (token, changes) = listen(to: handle.cluster)
        defer { stopListening(token) }
        for await _ in changes {
            if case .ended = try await look(at: handle).status { return }
        }
        try Task.checkCancellation()
    }
}
