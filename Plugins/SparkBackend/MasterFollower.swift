internal import Core
internal import EventLoop

/// Looks at the master once a second while somebody wants to know, once for all of them: Spark tells nobody by itself
/// when an executor comes or goes.
///
/// An actor on the loop.
actor MasterFollower {
    private static let interval = Duration.seconds(1)

    private nonisolated let master: Master
    private nonisolated let loop: EventLoop
    private var readers: [Int: AsyncStream<MasterView>.Continuation] = [:]
    private var nextReader = 0
    private var looking: Task<Void, Never>?
    private var last: MasterView?

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(_ master: Master, loop: EventLoop) {
        self.master = master
        self.loop = loop
    }

    /// The state now, and each time it has changed. A slow reader sees the newest only.
    func views() -> AsyncStream<MasterView> {
        let (stream, continuation) = AsyncStream.makeStream(of: MasterView.self, bufferingPolicy: .bufferingNewest(1))
        let reader = nextReader
        nextReader += 1
        readers[reader] = continuation
        continuation.onTermination = { [weak self, loop] _ in
            loop.submit { [weak self] in self?.assumeIsolated { $0.leave(reader) } }
        }
        if let last, looking != nil { continuation.yield(last) }
        if looking == nil { looking = loop.spawn { [self] in await look() } }
        return stream
    }

    /// Ends all streams.
    func close() {
        for reader in readers.values { reader.finish() }
        readers = [:]
        looking?.cancel()
        looking = nil
    }

    private func leave(_ reader: Int) {
        readers[reader] = nil
        guard readers.isEmpty else { return }
        looking?.cancel()
        looking = nil
    }

    private func look() async {
        while !Task.isCancelled {
            let view = await master.look()
            if Task.isCancelled { return }
            last = view
            for reader in readers.values { reader.yield(view) }
            do { try await loop.sleep(for: MasterFollower.interval) } catch { return }
        }
    }
}
