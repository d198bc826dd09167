internal import ClusterBackend
internal import Core
internal import EventLoop

/// How a cluster on the other platform is, as far as that is known.
struct FarView: Sendable, Hashable {
    /// The newest that was heard.
    var cluster: FarCluster?
    /// Why nothing new is heard, as a sentence; nil while it is.
    var silence: String?
    /// It does not exist there any more.
    var isGone = false
    /// Grows with each change.
    var sequence: Int64 = 1

    var isOver: Bool {
        if isGone { return true }
        if case .ended? = cluster?.state { return true }
        return false
    }
}

/// Follows one cluster on the other platform for all who want to know, through partitions, until it has ended.
///
/// An actor on the loop.
actor FarFollower {
    private nonisolated let loop: EventLoop
    nonisolated let mark: FarMark
    nonisolated let farID: String
    private let side: any FarSide
    private(set) var view: FarView
    private var readers: [Int: AsyncStream<FarView>.Continuation] = [:]
    private var nextReader = 0
    private var following: Task<Void, Never>?
    private let log = Logger("backend.remote")

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(_ cluster: FarCluster, _ mark: FarMark, side: any FarSide, loop: EventLoop) {
        self.mark = mark
        self.side = side
        self.loop = loop
        farID = cluster.farID
        view = FarView(cluster: cluster)
    }

    /// The view now, and the newest each time it has changed; ends after the last one.
    func views() -> AsyncStream<FarView> {
        let (stream, continuation) = AsyncStream.makeStream(of: FarView.self, bufferingPolicy: .bufferingNewest(1))
        continuation.yield(view)
        if view.isOver || following?.isCancelled == true {
            continuation.finish()
            return stream
        }
        let reader = nextReader
        nextReader += 1
        readers[reader] = continuation
        continuation.onTermination = { [weak self, loop] _ in
            loop.submit { [weak self] in self?.assumeIsolated { $0.readers[reader] = nil } }
        }
        start()
        return stream
    }

    /// Begins to listen.
    func start() {
        if following == nil { following = loop.spawn { [self] in await follow() } }
    }

    /// It has just been removed there: those who follow it need not wait to hear so.
    func removed() { change { $0.isGone = true } }

    /// Listens no more.
    func close() {
        following?.cancel()
        for reader in readers.values { reader.finish() }
        readers = [:]
    }

    private func follow() async {
        var pause = Duration.milliseconds(100)
        while !Task.isCancelled && !view.isOver {
            do {
                try await side.watch(mark, farID: farID) { cluster in await self.heard(cluster) }
                pause = .milliseconds(100)
            } catch {
                if Task.isCancelled { return }
                let error = HarbourError.wrap(error)
                if error.code.status == 404 {
                    change { $0.isGone = true }
                } else {
                    log.debug("a cluster on the other platform is not heard", ["error": error.describeChain()])
                    change { $0.silence = "The other platform is not heard: \(error.message)" }
                }
            }
            do { try await loop.sleep(for: pause) } catch { return }
            pause = min(pause * 2, .seconds(5))
        }
    }

    private func heard(_ cluster: FarCluster) {
        change { view in
            view.cluster = cluster
            view.silence = nil
        }
    }

    private func change(_ body: (inout FarView) -> Void) {
        var new = view
        body(&new)
        guard new != view else { return }
        new.sequence += 1
        view = new
        for reader in readers.values {
            reader.yield(new)
            if new.isOver { reader.finish() }
        }
        if new.isOver { readers = [:] }
    }
}
