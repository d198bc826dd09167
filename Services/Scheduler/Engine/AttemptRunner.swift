internal import CellExecution
internal import Core
internal import EventLoop
internal import HarbourProtocol
internal import NotebookFormats
internal import ServiceClients

/// Makes one attempt happen.
protocol AttemptWork: Actor {
    /// Runs the attempt to its end. It never throws: whatever happens is an outcome.
    /// - Returns: nil when the attempt was left alone, because another scheduler goes on with it.
    func run() async -> AttemptReport?
    /// Interrupts the attempt; `run` returns soon after.
    func stop()
    /// Stops working on the attempt without touching what it runs.
    func abandon()
    /// Its end has been written down: gives back what it still holds.
    func leave() async
}

extension AttemptWork {
    func leave() async {}
}

/// How an attempt ended, and what it leaves behind to be written down with that.
struct AttemptReport: Sendable {
    var outcome: AttemptOutcome
    var ending: RunWrite.Ending?

    init(_ outcome: AttemptOutcome, _ ending: RunWrite.Ending? = nil) {
        self.outcome = outcome
        self.ending = ending
    }
}

/// What one attempt is to run.
struct AttemptOrder: Sendable {
    var attemptID: String
    var key: RunWrite.AttemptKey
    /// Whether another scheduler has begun it.
    var isTakenOver: Bool
    var task: TaskSpec
    var choice: ClusterChoice
    var program: TaskProgram
    /// Values for widgets.
    var parameters: [String: String]
    /// What earlier tasks left, by task.
    var taskValues: [String: JSONValue]
    var user: String
}

/// Makes one attempt happen: a cluster, a context, and the notebook's cells one after the other.
///
/// The attempt's id names its context and its commands, so every step may be done twice: a scheduler that takes the
/// attempt over finds the command of the cell under way and goes on listening, and nothing is run a second time.
actor AttemptRunner: AttemptWork {
    private let context: EngineContext
    private let order: AttemptOrder
    private let progress: RunProgress
    private let keeper: ClusterKeeper
    private var work: Task<AttemptReport, Never>?
    /// The cluster on which its context still has to be ended.
    private var place: String?
    /// The command that runs now, so that it can be interrupted.
    private var current: (clusterID: String, commandID: String)?
    /// Commands of which the last event has been read.
    private var heard: [CommandPlace] = []
    private var isStopping = false

    nonisolated var unownedExecutor: UnownedSerialExecutor { context.loop.asUnownedSerialExecutor() }

    /// How long an interrupted command may take to end before its context is ended with it.
    static let stopGrace = Duration.seconds(20)

    init(
        context: EngineContext, order: AttemptOrder, progress: RunProgress, keeper: ClusterKeeper
    ) {
        self.context = context
        self.order = order
        self.progress = progress
        self.keeper = keeper
    }

    func run() async -> AttemptReport? {
        let task = Task.immediate(executorPreference: context.loop) { await perform() }
        work = task
        let report = await task.value
        return isAbandoned ? nil : report
    }

    func stop() {
        guard !isStopping else { return }
        isStopping = true
        guard let (clusterID, commandID) = current else {
            work?.cancel()
            return
        }
        context.loop.spawn { [self] in await interrupt(clusterID, commandID) }
    }

    func abandon() {
        isAbandoned = true
        work?.cancel()
    }
    private var isAbandoned = false

    private func interrupt(_ clusterID: String, _ commandID: String) async {
        do {
            _ = try await context.clusters.call(
                ClusterAPI.cancelCommand,
                .init(clusterID: clusterID, contextID: order.attemptID, commandID: commandID),
                context: .within(.seconds(10), user: order.user))
            try await context.loop.sleep(for: Self.stopGrace)
        } catch {
            Logger("scheduler").warning(
                "a command could not be interrupted and is given up",
                ["command": commandID, "error": HarbourError.describe(error)])
        }
        work?.cancel()
    }

    // MARK: The attempt

    private func perform() async -> AttemptReport {
        do {
            let content = try await readProgram()
            let clusterID = try await keeper.acquire(order.choice)
            let revisionID = order.program.revisionID
            try progress.place(order.key, clusterID: clusterID, revisionID: revisionID, executedAt: nil)
            place = clusterID
            try await makeContext(clusterID, content)
            try progress.place(order.key, clusterID: clusterID, revisionID: revisionID, executedAt: .now)
            let report = try await runCells(of: content, on: clusterID)
            // One that went well has nothing that still runs, and waits for nobody: its context is ended once its end is
            // written down. Until then, whoever took it over would find in it what has run.
            if report.outcome.result == .success { return report }
            // The next attempt must not find this one at work; whoever took it over finds its cells.
            try await progress.confirm()
            if !isAbandoned { await leave() }
            return report
        } catch {
            let report = AttemptReport(failure(HarbourError.wrap(error)))
            // Somebody else may have the run, and goes on in the same context.
            if !isAbandoned, place != nil, await isOurs() { await leave() }
            return report
        }
    }

    private func isOurs() async -> Bool {
        do {
            try await progress.confirm()
            return !isAbandoned
        } catch {
            Logger("scheduler").debug(
                "a context is left to another scheduler",
                ["context": order.attemptID, "error": HarbourError.describe(error)])
            return false
        }
    }

    func leave() async {
        guard let clusterID = place else { return }
        place = nil
        // What was heard of them has been written down.
        for command in heard { await context.confirmer.confirm(command) }
        heard = []
        await endContext(clusterID)
    }

    private func failure(_ error: HarbourError) -> AttemptOutcome {
        if isStopping || error.code == .cancelled { return .interrupted() }
        Logger("scheduler").warning(
            "an attempt failed", ["attempt": order.attemptID, "error": error.describeChain()])
        return .failure(error.code.name, error.message)
    }

    private func readProgram() async throws -> NotebookContent {
        guard let revisionID = order.program.revisionID else { return try order.program.content(nil) }
        let revision = try await context.persistently("reading a notebook") { [context, order] in
            try await context.workspace.call(
                WorkspaceAPI.readRevision, .init(revisionID: revisionID),
                context: .within(.seconds(30), user: order.user))
        }
        return try order.program.content(revision)
    }

    private func makeContext(_ clusterID: String, _ content: NotebookContent) async throws {
        let spec = ContextSpec(
            contextID: order.attemptID, language: content.language, parameters: order.parameters,
            taskValues: order.taskValues.isEmpty ? nil : order.taskValues)
        _ = try await context.persistently("making a context") { [context, order] in
            try await context.clusters.call(
                ClusterAPI.createContext, .init(clusterID: clusterID, body: spec),
                context: .within(.seconds(60), user: order.user))
        }
    }

    /// Gives back what the attempt held on the cluster. It has its outcome already, so a failure is only logged.
    private func endContext(_ clusterID: String) async {
        let (context, order) = (context, order)
        // A task of its own: this one may have been cancelled, and the context has to end all the same.
        await Task.immediate(executorPreference: context.loop) {
            do {
                _ = try await context.clusters.call(
                    ClusterAPI.deleteContext, .init(clusterID: clusterID, contextID: order.attemptID),
                    context: .within(.seconds(10), user: order.user))
            } catch {
                Logger("scheduler").debug(
                    "a context could not be ended", ["context": order.attemptID, "error": HarbourError.describe(error)])
            }
        }.value
    }

    private func runCells(of content: NotebookContent, on clusterID: String) async throws -> AttemptReport {
        var executed = ExecutedNotebook(content)
        let finished =
            order.isTakenOver
            ? try await RunEventStore(pool: context.pool).finishedCells(attempt: order.attemptID) : [:]
        var ending = CellEnding.finished
        for (index, cell) in content.cells.enumerated() where cell.kind == .code && !cell.source.isEmpty {
            if let outputs = finished[index] {
                executed.restore(outputs, cell: index)
            } else {
                let run = CellRun(
                    context: context, order: order, clusterID: clusterID, cell: cell, index: index,
                    progress: progress)
                current = (clusterID, run.commandID)
                let result = try await run.perform()
                current = nil
                heard.append(
                    CommandPlace(clusterID: clusterID, contextID: order.attemptID, commandID: run.commandID))
                executed.set(result, cell: index)
                if let outputs = executed.outputs(cell: index) {
                    try await progress.finishCell(order.key, cell: index, outputs: outputs)
                }
            }
            ending = executed.ending(cell: index)
            guard case .finished = ending else { break }
            if isStopping { ending = .interrupted }
        }
        var outcome = ending.outcome
        outcome.values = executed.values
        return AttemptReport(outcome, RunWrite.Ending(executed, error: ending.error))
    }
}
