internal import ClusterBackend
internal import Core
internal import EventLoop
internal import HarbourProtocol
internal import ServiceClients

// How a controller follows the driver and its process, and notices that nobody uses the cluster.
extension ClusterController {
    /// Connects to the driver and follows it and its process until `stopFollowing`.
    func startFollowing() {
        stopFollowing()
        guard let handle = record.handle, let address = record.address else { return }
        let link: DriverLink
        do throws(HarbourError) {
            link = try DriverLink(
                address, token: row.driverToken, generation: record.generation, loop: context.loop)
        } catch {
            post(.lost(ClusterEnd(.removed, message: "The driver's address cannot be used."), log: nil))
            return
        }
        self.link = link
        if record.step == .running && idle == nil { goOnRunning(link) }
        following = [
            context.loop.spawn { [self] in await followProcess(handle) },
            context.loop.spawn { [self] in await followDriver(link) },
            context.loop.spawn { [self] in await checkWhileBusy(link) },
            context.loop.spawn { [self] in await autoscale(link) },
            context.loop.spawn { [self] in await keepLogs(handle, link) },
            context.loop.spawn { [self] in await answerAboutSecrets(link) },
        ]
    }

    /// After a restart of the service: what was open is open, and the countdown goes on where it was.
    private func goOnRunning(_ link: DriverLink) {
        beginIdleness(since: max(record.readyTime ?? record.startTime, row.lastActivityAt))
        for command in restored where command.generation == record.generation { follow(command, link) }
        restored = []
    }

    /// Lets go of the driver. What reads through the connection sees it break.
    func stopFollowing() {
        for task in following { task.cancel() }
        following = []
        driverStatus = nil
        for follower in followers.values { follower.task.cancel() }
        if let link { context.loop.spawn { await link.close() } }
        link = nil
    }

    /// The process, by the backend's eyes: its end is known at once.
    private func followProcess(_ handle: ClusterHandle) async {
        var pause = Pause(from: .milliseconds(100), to: .seconds(5))
        while !Task.isCancelled {
            do {
                try await backend.watch(handle) { [self] status in await see(status, handle) }
                return
            } catch {
                if Task.isCancelled { return }
                logger.warning("a cluster cannot be watched", ["error": HarbourError.describe(error)])
                guard (try? await pause.wait(on: context.loop)) != nil else { return }
            }
        }
    }

    private func see(_ status: ClusterStatus, _ handle: ClusterHandle) async {
        switch status {
        case .running(let workers): await take(.seen(workers: workers, problem: nil))
        case .degraded(let workers, let message):
            logger.warning("a cluster is degraded", ["reason": message])
            await take(.seen(workers: workers, problem: message))
        case .unknown(let message): logger.warning("a cluster cannot be seen", ["reason": message])
        case .ended(let end):
            let tail = record.step == .connecting ? await logTail(handle) : nil
            post(.lost(end, log: tail))
        }
    }

    /// The last lines of a driver that did not come up: what a user needs to see first.
    private func logTail(_ handle: ClusterHandle) async -> String? {
        guard backend.capabilities.has(.logs) else { return nil }
        let tail = LogTail(lines: 30)
        do {
            try await backend.logs(of: handle, after: 0, follow: false) { await tail.add($0.text) }
        } catch {
            logger.debug("the log of a failed start cannot be read", ["error": HarbourError.describe(error)])
        }
        let text = await tail.text
        return text.isEmpty ? nil : text
    }

    /// How often in a row a driver may refuse our token before it is no driver of ours.
    private static let refusalLimit = 5

    /// The driver's own word on how it is.
    private func followDriver(_ link: DriverLink) async {
        var pause = Pause()
        var silentSince: MonotonicTime?
        var refusals = 0
        while !Task.isCancelled {
            do {
                for try await status in try await link.client.stream(DriverAPI.streamStatus, .init()) {
                    guard status.clusterID == place.text else {
                        throw HarbourError(.badGateway, "Another cluster's driver answers there.")
                    }
                    silentSince = nil
                    pause = Pause()
                    refusals = 0
                    await heard(status, link)
                }
            } catch {
                if Task.isCancelled { return }
                logger.debug("the driver does not answer", ["error": HarbourError.describe(error)])
                refusals = HarbourError.wrap(error).code == .unauthenticated ? refusals + 1 : 0
                // Waiting does not help. The first times may be another's driver, where ours has just ended.
                if refusals == ClusterController.refusalLimit { return post(.refused) }
            }
            let since = silentSince ?? .now
            silentSince = since
            // A driver that starts may take its time; the limit of the whole start holds.
            if record.step == .running && .now - since > context.limits.silence {
                post(.unreachable)
                return
            }
            guard (try? await pause.wait(on: context.loop)) != nil else { return }
        }
    }

    private func heard(_ status: DriverStatus, _ link: DriverLink) async {
        guard self.link?.generation == link.generation else { return }
        var status = status
        // Its own port is for the driver's machine only; this is where users find the pages.
        if status.spark?.uiURL != nil { status.spark?.uiURL = SparkPageHandlers.live(id.text) + "/" }
        driverStatus = status
        await take(.driver(status))
        idle?.driverReported(
            busy: status.busyCommands ?? 0, lastActivity: status.lastActivityTime, at: .now)
        armIdleTimer()
        publish()
    }

    /// A driver that hangs keeps its connections open, so while commands wait for it, it is asked now and then.
    private func checkWhileBusy(_ link: DriverLink) async {
        var failures = 0
        let interval = context.limits.heartbeat
        while (try? await context.loop.sleep(for: interval)) != nil {
            guard record.step == .running else { continue }
            if idle?.hasCommands != true {
                failures = 0
                guard await untilBusy() else { return }
                continue
            }
            do throws(HarbourError) {
                _ = try await link.client.call(DriverAPI.getStatus, .init(), context: .within(interval))
                failures = 0
            } catch {
                failures += 1
                if failures < 2 || Task.isCancelled { continue }
                logger.warning("the driver hangs", ["error": error.describeChain()])
                post(.unreachable)
                return
            }
        }
    }

    /// Sleeps without a timer while nothing runs; false when there is nothing to wait for any more.
    private func untilBusy() async -> Bool {
        for await _ in changes() where idle?.hasCommands == true { return true }
        return false
    }
}

/// Keeps the last lines of a text.
private actor LogTail {
    private let limit: Int
    private var lines: [String] = []

    init(lines limit: Int) { self.limit = limit }

    func add(_ line: String) {
        lines.append(String(line.prefix(500)))
        if lines.count > limit { lines.removeFirst() }
    }

    var text: String { lines.joined(separator: "\n") }
}
