internal import ClusterBackend
internal import Core
internal import EventLoop
internal import HarbourProtocol

/// The shell around one cluster's state machine: takes one input at a time, stores what came of it, then does it.
///
/// An actor on the service's loop.
actor ClusterController {
    nonisolated let context: EngineContext
    nonisolated let id: ClusterIdentifier
    nonisolated let backend: any ClusterBackend
    nonisolated let logger: Logger
    /// Called on the loop when the controller has to be kept, need not be kept, or must not be found any more.
    private let retain: @Sendable (ClusterController, Retention) -> Void
    /// Called on the loop when the cluster is in another step, or forgotten.
    private let onMove: @Sendable (ClusterController, ClusterRow) -> Void

    /// The cluster as it is stored.
    private(set) var row: ClusterRow
    private var machine: ClusterMachine
    private var gate = AsyncGate()
    /// What was told last of it to those who follow all clusters.
    private var told: ClusterInfo?
    private var watchers: [Int: AsyncStream<Void>.Continuation] = [:]
    private var nextWatcher = 0
    var startTimer: LoopTimer?
    /// When it was last told how far a phase of the start is.
    var progressTime: MonotonicTime?
    private(set) var isForgotten = false
    private var isStopped = false
    /// It was ready in a pool and its row is lost, so that it is ended.
    private var isDoomed = false

    /// What is going on with the backend: a start or a removal.
    private var work: Task<Void, Never>?
    /// What follows the driver and its process.
    var following: [Task<Void, Never>] = []
    /// The connection to the driver, while there is one to talk to.
    var link: DriverLink?
    /// The newest that the driver has said about itself.
    var driverStatus: DriverStatus?
    /// The start of which everything has been kept that there was to keep, in its end.
    var keptStart: Int64?
    /// Counts down while it runs.
    var idle: IdleClock?
    var idleTimer: LoopTimer?
    /// Commands that were open when the service came back, until they are followed.
    var restored: [CommandRow] = []
    /// The open commands, each followed to its end.
    var followers: [CommandKey: CommandFollower] = [:]

    nonisolated var unownedExecutor: UnownedSerialExecutor { context.loop.asUnownedSerialExecutor() }

    /// A controller of a stored cluster. Nothing happens before `begin` or `recover`.
    init(
        _ row: ClusterRow, backend: any ClusterBackend, context: EngineContext,
        retain: @escaping @Sendable (ClusterController, Retention) -> Void,
        onMove: @escaping @Sendable (ClusterController, ClusterRow) -> Void
    ) {
        self.row = row
        id = row.id
        machine = ClusterMachine(row.record)
        self.backend = backend
        self.context = context
        self.retain = retain
        self.onMove = onMove
        logger = context.logger.with("cluster_id", row.id)
        context.metrics.cluster(row.id.text, is: row.record.state)
    }

    var record: ClusterRecord { machine.record }

    /// The name its place knows it by.
    var place: ClusterIdentifier { row.place }

    /// Whether somebody has to hold the controller of a cluster.
    enum Retention: Sendable {
        /// Something goes on or may exist.
        case keep
        /// It has ended: the row says all there is to know.
        case release
        /// It is gone for good.
        case forget
    }

    // MARK: Inputs

    /// A user's wish, with what it changes about the row. What could not be stored has not happened.
    func request(
        _ input: ClusterInput, taking member: ClusterIdentifier? = nil,
        changing change: (@Sendable (inout ClusterRow) -> Void)? = nil
    ) async throws -> ClusterInfo {
        try await context.uncancelled { [self] in
            try await apply(input, patiently: false, taking: member, changing: change)
            return await info
        }
    }

    /// News from the backend, the driver or the clock. They cannot be refused, so they wait for the database.
    nonisolated func post(_ input: ClusterInput) {
        context.loop.spawn { [self] in await take(input) }
    }

    /// The same, returning when the news have been stored and acted upon.
    func take(_ input: ClusterInput, unless isMoot: (@Sendable (isolated ClusterController) -> Bool)? = nil) async {
        do {
            try await context.uncancelled { [self] in try await apply(input, patiently: true, unless: isMoot) }
        } catch {
            logger.error("news of a cluster could not be taken", ["error": HarbourError.describe(error)])
        }
    }

    /// Gives the driver away: the body writes down to whom, and if that succeeds there is no such cluster any more.
    /// - Returns: nil when there is nothing to give; the cluster stays as it is.
    func handOver<Value: Sendable>(
        _ body: @escaping @Sendable (ReadyDriver, Secret) async throws -> Value
    ) async throws -> Value? {
        try await context.uncancelled { [self] in try await giveAway(body) }
    }

    private func giveAway<Value: Sendable>(
        _ body: @Sendable (ReadyDriver, Secret) async throws -> Value
    ) async throws -> Value? {
        if !gate.tryEnter() { await withCheckedContinuation { gate.wait($0) } }
        defer { gate.leave() }
        guard !isForgotten, !isStopped, !isDoomed, record.state == .running, record.problem == nil,
            let handle = record.handle, let address = record.address
        else { return nil }
        let driver = ReadyDriver(
            place: place, handle: handle, address: address, workers: record.workers, notes: record.notes)
        try context.crossing(.storing)
        let value: Value
        do {
            value = try await body(driver, row.driverToken)
        } catch {
            // Where only the answer of the database was lost, it is given away all the same.
            if let fate = try? await context.clusters.fate(ofReady: id) { settle(fate) }
            if error is ReadyRowIsGone { return nil }
            throw error
        }
        try context.crossing(.stored)
        perform([.forget])
        return value
    }

    /// Does the actions that a new cluster's first step asks for; its record is stored already.
    func begin(_ actions: [ClusterAction]) {
        perform(actions)
        publish()
    }

    /// Goes on with a cluster after a restart of the service.
    func recover(_ found: RecoveredCluster) async throws {
        restored = try await context.commands.open(id.text)
        if let last = try await context.commands.lastEnd(id.text) { used(at: last) }
        await take(.recovered(found))
    }

    private func apply(
        _ input: ClusterInput, patiently: Bool, taking member: ClusterIdentifier? = nil,
        changing change: (@Sendable (inout ClusterRow) -> Void)? = nil,
        unless isMoot: (@Sendable (isolated ClusterController) -> Bool)? = nil
    ) async throws {
        if !gate.tryEnter() { await withCheckedContinuation { gate.wait($0) } }
        defer { gate.leave() }
        if isForgotten { throw ClusterEngine.missing(id.text) }
        if isStopped || isMoot?(self) == true { return }
        var next = machine
        let now = Timestamp.now
        let outcome = try next.handle(input, at: now)
        var stored = row
        stored.record = next.record
        if next.record.generation != machine.record.generation { stored.driverToken = Secret(Identifier.secret()) }
        change?(&stored)
        guard outcome.changed || !outcome.actions.isEmpty || !outcome.notes.isEmpty || stored.spec != row.spec else {
            return
        }
        try context.crossing(.storing)
        let saved = try await store(stored, outcome, now, patiently: patiently, taking: member)
        try context.crossing(.stored)
        if saved == .givenAway { return settle(saved) }
        let before = machine.record.step
        machine = next
        row = stored
        for note in outcome.notes { logger.info(note.message, ["event": note.type]) }
        if before != next.record.step { context.metrics.moved(row, from: before) }
        perform(outcome.actions)
        moved(from: before)
        if before != next.record.step || isForgotten { onMove(self, row) }
        publish()
        settle(saved)
    }

    private func store(
        _ row: ClusterRow, _ outcome: ClusterMachine.Outcome, _ now: Timestamp, patiently: Bool,
        taking member: ClusterIdentifier?
    ) async throws -> SavedStep {
        var pause = Pause(from: .milliseconds(100), to: .seconds(5))
        var ending: EndingCommands?
        for case .failCommands(let code, let message) in outcome.actions {
            ending = EndingCommands(
                error: CommandError(code: code, name: code, message: message), open: followers.values.map(\.row))
        }
        while true {
            do {
                if outcome.actions.contains(.forget) {
                    try await context.clusters.delete(id)
                    return .saved
                }
                return try await context.clusters.save(
                    row, notes: outcome.notes, ending: ending, taking: member, now: now)
            } catch {
                guard patiently, !isStopped, (error as? HarbourError)?.code != .superseded else { throw error }
                logger.warning(
                    "a step of a cluster could not be stored yet", ["error": HarbourError.describe(error)])
                try await pause.wait(on: context.loop)
            }
        }
    }

    /// Writes the row again where the database has lost it, so that what belongs to it can be written too.
    func writeAgainIfLost() async throws {
        try await context.uncancelled { [self] in try await saveAsItIs() }
    }

    private func saveAsItIs() async throws {
        if !gate.tryEnter() { await withCheckedContinuation { gate.wait($0) } }
        defer { gate.leave() }
        guard !isForgotten, !isStopped else { return }
        settle(try await context.clusters.save(row, notes: [], ending: nil, now: .now))
    }

    /// Does what follows from a row that was not there.
    private func settle(_ saved: SavedStep) {
        switch saved {
        case .saved: break
        case .restored:
            logger.warning("the database had lost the record of a cluster, which was written again")
            // What was installed later went with the row; the driver still has it.
            if let link { context.loop.spawn { [self] in await keepLibraries(of: link) } }
        case .givenAway:
            // Whoever has the driver goes on with it.
            logger.warning("a ready cluster belongs to another by now, and is forgotten under its old name")
            perform([.forget])
            onMove(self, row)
            publish()
        case .gone:
            if isDoomed { return }
            isDoomed = true
            logger.warning("the database had lost the record of a ready cluster, which is ended")
            switch record.step {
            case .starting, .connecting, .running: post(.delete)
            case .ending, .stuck, .ended: break
            }
        }
    }

    /// It was used just now, as the row knows too.
    func used(at time: Timestamp) {
        row.lastActivityAt = max(row.lastActivityAt, time)
        idle?.touch(at: time)
        armIdleTimer()
    }

    // MARK: Actions

    private func perform(_ actions: [ClusterAction]) {
        for action in actions {
            switch action {
            case .provision:
                armStartTimer()
                startWork { await $0.runProvision() }
            case .follow:
                armStartTimer()
                startFollowing()
            case .resize(let workers): startWork { await $0.runResize(to: workers) }
            case .remove(let delay):
                startTimer?.cancel()
                stopFollowing()
                startWork { await $0.runRemoval(after: delay) }
            case .failCommands: commandsFailed()
            case .forget:
                isForgotten = true
                stopFollowing()
                for watcher in watchers.values { watcher.finish() }
                context.metrics.cluster(id.text, is: nil)
                retain(self, .forget)
            }
        }
    }

    /// What follows from being in another step.
    private func moved(from before: ClusterStep) {
        let step = machine.record.step
        if step == .running && before != .running {
            startTimer?.cancel()
            beginIdleness(since: machine.record.readyTime ?? .now)
        }
        if step != .running { endIdleness() }
        if !isForgotten && (step == .ended) != (before == .ended) { retain(self, step == .ended ? .release : .keep) }
    }

    /// A start or a removal, one at a time: the one before is cancelled and waited for.
    private func startWork(_ body: @escaping @Sendable (ClusterController) async -> Void) {
        let previous = work
        previous?.cancel()
        work = context.loop.spawn { [self] in
            await previous?.value
            if !Task.isCancelled { await body(self) }
        }
    }

    private func armStartTimer() {
        startTimer?.cancel()
        guard machine.record.step != .running else { return }
        let limit = context.limits.start
        let rest = max(.zero, machine.record.startTime + limit - Timestamp.now)
        startTimer = context.loop.schedule(after: rest) { [self] in post(.startTimedOut(limit)) }
    }

    // MARK: Watching

    /// Tells watchers that something has changed, and who follows all clusters, unless it is only the time that has passed.
    func publish() {
        for watcher in watchers.values { watcher.yield() }
        guard !context.news.isEmpty else {
            told = nil
            return
        }
        let now = info.withoutCountdown
        guard now != told || isForgotten else { return }
        told = now
        context.news.signal(ClusterNews(id: id, creator: row.creator, owner: row.owner))
    }

    /// Elements come whenever the cluster has changed, the first one at once.
    func changes() -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        nextWatcher += 1
        let key = nextWatcher
        watchers[key] = continuation
        continuation.onTermination = { [weak self, loop = context.loop] _ in
            loop.submit { [weak self] in self?.assumeIsolated { $0.watchers[key] = nil } }
        }
        continuation.yield()
        if isForgotten { continuation.finish() }
        return stream
    }

    /// The service ends: nothing is decided any more, and the cluster goes on without us.
    func stop() async {
        isStopped = true
        startTimer?.cancel()
        idleTimer?.cancel()
        stopFollowing()
        for watcher in watchers.values { watcher.finish() }
        work?.cancel()
        await work?.value
    }

    /// As users see it.
    var info: ClusterInfo {
        let record = machine.record
        return ClusterInfo(
            clusterID: id.text, spec: row.spec, backend: row.backend, state: record.state,
            stateMessage: record.message, terminationReason: record.reason, creatorUserName: row.creator,
            owner: row.owner, startTime: record.startTime, readyTime: record.readyTime,
            terminatedTime: record.endTime, lastActivityTime: idle?.lastActivity ?? row.lastActivityAt,
            autoterminationTime: idle?.deadline, phases: record.phases, spark: record.spark,
            contexts: driverStatus?.contexts, executors: driverStatus?.executors, autoTermination: autoTermination,
            workers: record.step == .ended ? nil : record.workers, pinned: record.isPinned,
            notes: record.notes.isEmpty ? nil : record.notes)
    }
}
