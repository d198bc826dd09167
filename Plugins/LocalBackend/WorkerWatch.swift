internal import ClusterBackend
internal import Core
internal import DriverProcesses

extension LocalBackend {
    /// Sends what the driver's reports come to, each change once, and the driver's end.
    func watchWorkers(_ handle: ClusterHandle, to receive: @escaping Receiver<ClusterStatus>) async throws {
        let (changes, continuation) = AsyncThrowingStream.makeStream(of: ClusterStatus.self)
        let (host, watch) = (host, WorkerWatch { continuation.yield($0) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    try await host.watch(handle) { status in
                        // That it runs, its workers say in more detail.
                        if case .running = status { return }
                        continuation.yield(status)
                    }
                } catch {
                    continuation.finish(throwing: error)
                }
            }
            group.addTask {
                do {
                    try await host.followExecutors(of: handle.cluster) { news in
                        // A resize may have changed it meanwhile.
                        guard let plan = try await host.plan(of: handle.cluster) else { return }
                        await watch.take(news, planned: plan.workers)
                    }
                } catch {
                    continuation.finish(throwing: error)
                }
            }
            defer { group.cancelAll() }
            for try await status in changes {
                try await receive(status)
                if case .ended = status { return }
            }
            try Task.checkCancellation()
        }
    }
}

/// What one watch has seen and sent.
private actor WorkerWatch {
    private var machine = WorkerMachine()
    private var isPresent = false
    private var last: ClusterStatus?
    private let send: @Sendable (ClusterStatus) -> Void

    init(send: @escaping @Sendable (ClusterStatus) -> Void) { self.send = send }

    /// Of what was reported before anybody watched, only what came of it is sent.
    func take(_ news: ExecutorNews, planned: Int) {
        for report in news.reports {
            machine.see(report, planned: planned)
            if isPresent { tell(planned) }
        }
        guard news.isPresent, !isPresent else { return }
        isPresent = true
        tell(planned)
    }

    private func tell(_ planned: Int) {
        let status = machine.status(planned: planned)
        if status != last { send(status) }
        last = status
    }
}
