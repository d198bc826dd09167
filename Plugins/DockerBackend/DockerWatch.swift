public import ClusterBackend
internal import Core
internal import EventLoop
internal import HTTPMessage
internal import WebClient

extension DockerBackend {
    /// One look at a cluster's containers.
    struct View: Sendable {
        var status: ClusterStatus
        var driver: EngineContainer?
        var workers: [EngineContainer] = []
        /// Those that have died, and shall run again.
        var lost: [EngineContainer] = []

        var hasEnded: Bool { if case .ended = status { true } else { false } }
        var all: [EngineContainer] { [driver].compactMap { $0 } + workers }
    }

    /// Asks the engine what there is.
    func look(at handle: ClusterHandle) async throws -> View {
        var containers = try await engine.containers(names.of(handle.cluster))
        // The list of an older engine may lag behind its events; a closer look does not.
        for (index, container) in containers.enumerated() where !container.isAlive || died.contains(container.id) {
            if let known = try await engine.container(container.id) { containers[index] = known }
        }
        guard let driver = containers.first(where: { $0.isDriver }), isMeant(driver, by: handle) else {
            return View(status: .ended(DockerBackend.removed))
        }
        let workers = containers.filter { $0.workerIndex != nil }.sorted {
            ($0.workerIndex ?? 0) < ($1.workerIndex ?? 0)
        }
        var view = View(status: .running(workers: 0), driver: driver, workers: workers)
        guard driver.isAlive else {
            view.status = .ended(driver.isUnused ? DockerBackend.removed : end(of: driver))
            return view
        }
        let alive = workers.count { $0.isAlive }
        view.lost = workers.filter { !$0.isAlive && !$0.isUnused && !dismissed.contains($0.id) }
        view.status = .running(workers: alive)
        if let first = view.lost.first {
            view.status = .degraded(workers: alive, message: complaint(about: first))
        }
        return view
    }

    /// A handle that tells of another container than there is now stands for an earlier life of the cluster.
    private func isMeant(_ driver: EngineContainer, by handle: ClusterHandle) -> Bool {
        guard let value = try? JSONValue(json: handle.payload), let id = value["driver"]?.string else { return true }
        return id == driver.id
    }

    /// Follows the engine's events, so that an end is seen as it happens.
    public func watch(_ handle: ClusterHandle, to receive: @escaping Receiver<ClusterStatus>) async throws {
        let (token, changes) = listen(to: handle.cluster)
        defer { stopListening(token) }
        await untilHeard()
        var last: ClusterStatus?
        for await _ in changes {
            let now: ClusterStatus
            do {
                let view = try await look(at: handle)
                now = view.status
                for worker in view.lost { revive(worker, of: handle.cluster) }
            } catch let error as HarbourError where error.code == .backendUnavailable {
                now = .unknown(message: error.message)
            }
            if now != last {
                last = now
                try await receive(now)
            }
            if case .ended = now { return }
        }
        try Task.checkCancellation()
    }

    // MARK: Ends

    static let removed = ClusterEnd(
        .removed, message: "The cluster's containers are not on the engine any more. Start it again.")

    /// How a driver's container ended.
    func end(of driver: EngineContainer) -> ClusterEnd {
        let status = driver.exitStatus ?? 0
        switch status {
        case 137 where driver.ranOutOfMemory || starved.contains(driver.id):
            let size = driver.plan.map { " of \($0.driverMemoryMiB) MiB" } ?? ""
            return ClusterEnd(
                .outOfMemory, status: 9,
                message: "The driver ran out of its memory\(size) and was killed. Give the driver more memory, "
                    + "or collect less data.")
        case 126, 127:
            return ClusterEnd(
                .exited, status: status,
                message: "The image has no driver that runs: it ended with status \(status). Use an image made by "
                    + "deploy/images/build, or set HARBOUR_BACKEND_DOCKER_IMAGE_DRIVER.")
        case 255:
            return ClusterEnd(
                .hostRestarted,
                message: "The container engine was restarted, and the cluster ended with it. Start it again.")
        case 129...192:
            return ClusterEnd(
                .killed, status: status - 128,
                message: "The driver was ended by signal \(status - 128). Start the cluster again.")
        default:
            return ClusterEnd(
                .exited, status: status,
                message: "The driver ended by itself with status \(status). Its log has the reason.")
        }
    }

    private func complaint(about worker: EngineContainer) -> String {
        let why = worker.ranOutOfMemory || starved.contains(worker.id) ? "ran out of memory" : "ended"
        let next =
            revivals[worker.id]?.isExhausted == true
            ? "and is not started again, because that happened too often. Give the workers more memory."
            : "and is being started again."
        return "\(worker.node) \(why) \(next)"
    }

    // MARK: Listening

    /// Elements come whenever something may have happened to the cluster's containers, the first one at once.
    func listen(to id: ClusterIdentifier) -> (token: Int, changes: AsyncStream<Void>) {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        nextListener += 1
        listeners[nextListener] = (id, continuation)
        continuation.yield()
        if following == nil { following = loop.spawn { [weak self] in await self?.follow() } }
        return (nextListener, stream)
    }

    func stopListening(_ token: Int) {
        listeners.removeValue(forKey: token)?.signal.finish()
        if listeners.isEmpty {
            following?.cancel()
            following = nil
            isHeard = false
        }
    }

    /// Those who listen look again.
    func notify(_ id: ClusterIdentifier) {
        for listener in listeners.values where listener.id == id { listener.signal.yield() }
    }

    /// Returns when events are told from here on, or when it is clear that the engine cannot be reached now.
    private func untilHeard() async {
        if isHeard { return }
        let timer = loop.schedule(after: .seconds(5)) { [weak self] in self?.assumeIsolated { $0.wakeHearers() } }
        defer { timer.cancel() }
        await withCheckedContinuation { hearing.append($0) }
    }

    func wakeHearers() {
        for hearer in hearing { hearer.resume() }
        hearing = []
    }

    /// Reads events until nobody listens any more, and connects again when the engine goes away.
    private func follow() async {
        // Events that have been told before are harmless: they only make listeners look again.
        var since = Timestamp.now.milliseconds / 1000 - 60
        var pause = Duration.milliseconds(100)
        while !Task.isCancelled {
            do {
                let response = try await engine.events([names.ofInstallation], since: since)
                isHeard = true
                pause = .milliseconds(100)
                wakeHearers()
                for listener in listeners.values { listener.signal.yield() }
                var lines = LineCutter()
                for try await bytes in response.body {
                    for line in lines.cut(bytes) { take(line, &since) }
                }
            } catch {
                log.debug("the engine tells no events", ["error": HarbourError.describe(error)])
            }
            if Task.isCancelled { return }
            isHeard = false
            // What comes back may be another engine.
            (try? engine)?.forgetVersion()
            wakeHearers()
            for listener in listeners.values { listener.signal.yield() }
            do { try await loop.sleep(for: pause) } catch { return }
            pause = min(pause * 2, .seconds(2))
        }
    }

    private func take(_ line: [UInt8], _ since: inout Int64) {
        guard let event = try? JSONValue(checkedJSON: line) else { return }
        if let time = event["time"]?.int64 { since = max(since, time) }
        guard let id = event["Actor"]?["ID"]?.string,
            let cluster = event["Actor"]?["Attributes"]?[DockerNames.cluster]?.string.flatMap(ClusterIdentifier.init)
        else { return }
        switch event["Action"]?.string {
        case "die": if died.count < 100_000 { died.insert(id) }
        case "start", "destroy": died.remove(id)
        default: break
        }
        if event["Action"]?.string == "oom", starved.count < 100_000, starved.insert(id).inserted {
            log.warning("a node of a cluster ran out of memory", ["cluster": cluster])
        }
        notify(cluster)
    }

    // MARK: Workers that died

    /// Starts a dead worker again, after a pause that grows, and not for ever.
    private func revive(_ worker: EngineContainer, of id: ClusterIdentifier) {
        guard !ending.contains(id), let engine = try? engine else { return }
        guard let pause = revivals[worker.id, default: Revivals()].next(at: loop.now) else { return }
        log.warning("starting a worker again that died", ["cluster": id, "worker": worker.node])
        loop.spawn { [weak self] in
            do {
                try await self?.loop.sleep(for: pause)
                try await engine.start(worker.id)
            } catch {
                self?.log.warning(
                    "a worker could not be started again",
                    ["cluster": id, "worker": worker.node, "error": HarbourError.describe(error)])
            }
            await self?.revived(worker.id, of: id)
        }
    }

    private func revived(_ container: String, of id: ClusterIdentifier) {
        revivals[container]?.isUnderWay = false
        notify(id)
    }
}

/// How often one worker has been started again.
struct Revivals: Sendable {
    private static let limit = 5
    private static let window = Duration.seconds(600)
    private var times: [MonotonicTime] = []
    var isUnderWay = false
    private(set) var isExhausted = false

    /// How long to wait before the next start; nil when one is under way or there were too many lately.
    mutating func next(at now: MonotonicTime) -> Duration? {
        guard !isUnderWay else { return nil }
        times.removeAll { now - $0 > Revivals.window }
        isExhausted = times.count >= Revivals.limit
        guard !isExhausted else { return nil }
        times.append(now)
        isUnderWay = true
        return times.count == 1 ? .zero : .milliseconds(250 << times.count)
    }
}
