internal import ClusterBackend
internal import Core
internal import EventLoop
internal import HarbourProtocol
internal import ServiceClients

// How a controller notices that nobody uses the cluster.
extension ClusterController {
    /// Starts the countdown of a cluster that runs.
    ///
    /// What was made for a run is ended by the run, unless it says itself how long it may be unused.
    func beginIdleness(since time: Timestamp) {
        let minutes = idleMinutes
        let owner = row.spec.autoterminationMinutes == nil ? row.owner : nil
        idle = IdleClock(
            limit: minutes == 0 ? nil : context.limits.minute * minutes, readyAt: time, owner: owner)
        armIdleTimer()
    }

    private var idleMinutes: Int { row.spec.autoterminationMinutes ?? context.limits.idleMinutes }

    func endIdleness() {
        idle = nil
        idleTimer?.cancel()
        idleTimer = nil
    }

    /// Sets the timer to the clock's deadline, which may have moved.
    func armIdleTimer() {
        idleTimer?.cancel()
        idleTimer = nil
        guard let deadline = idle?.deadline else { return }
        let rest = max(.zero, deadline - Timestamp.now)
        idleTimer = context.loop.schedule(after: rest) { [self] in
            context.loop.spawn { [self] in await endIfIdle() }
        }
    }

    private func endIfIdle() async {
        await askWhetherBusy()
        // Asked again when it is its turn: a command may have come in the meantime.
        let minutes = idleMinutes
        await take(.terminate(.inactivity(minutes: minutes))) { controller in
            controller.idle?.isDue(at: .now) != true
        }
        if idle != nil { armIdleTimer() }
    }

    /// Streams and jobs that run without a command are known to the driver alone.
    private func askWhetherBusy() async {
        guard idle?.isDue(at: .now) == true, let link else { return }
        do throws(HarbourError) {
            let status = try await link.client.call(DriverAPI.getStatus, .init(), context: .within(.seconds(5)))
            let work = status.backgroundWork
            if work.isEmpty { idle?.foundIdle() } else { idle?.foundBusy(work, at: .now) }
        } catch {
            if !Task.isCancelled { idle?.foundSilent(at: .now) }
        }
        publish()
    }

    /// The countdown as users see it.
    var autoTermination: AutoTermination? {
        guard let idle else { return nil }
        let rest = idle.deadline.map { max(0, ($0 - Timestamp.now).milliseconds) }
        return AutoTermination(minutes: idleMinutes, remainingMs: rest, busyWith: idle.busyWith)
    }
}

extension DriverStatus {
    /// What goes on in it beside commands, in words.
    var backgroundWork: [String] {
        var things: [String] = []
        if let streams, streams > 0 { things.append(streams == 1 ? "1 stream" : "\(streams) streams") }
        let tasks = (activeTasks ?? 0) + (pendingTasks ?? 0)
        if tasks > 0 { things.append(tasks == 1 ? "1 Spark task" : "\(tasks) Spark tasks") }
        return things
    }
}

extension ClusterInfo {
    /// The same without what merely passes, to tell whether anything has changed.
    var withoutCountdown: ClusterInfo {
        var info = self
        info.autoTermination?.remainingMs = nil
        return info
    }
}
