internal import CellExecution
internal import Core
internal import EventLoop
internal import HarbourProtocol
internal import ServiceClients

/// Acts for one notebook as long as it has work: does what its queue says, and tells the queue what came of it.
///
/// Every step can be done again by whoever takes the notebook over: commands are known to the cluster by their ids, and
/// what was heard of them is in the database.
actor NotebookRunner {
    private let context: ExecutionContext
    nonisolated let claim: ExecutionClaims.Claim
    private let progress: ExecutionProgress
    private let kernel: NotebookKernel
    private let ended: @Sendable (ExecutionClaims.Claim) -> Void
    private var queue = NotebookQueue()
    private var row: SessionRow
    private var open: [String: CommandRow] = [:]
    private var place: (cluster: String, context: String)?
    private var tasks: [Task<Void, Never>] = []
    private var running: (id: String, task: Task<Void, Never>)?
    /// The search for a kernel that is under way, on which cluster, and its number.
    private var preparing: (cluster: String?, task: Task<Void, Never>)?
    private var preparations = 0
    private var isOver = false
    private var isLoading = false
    private var isAskedAgain = false

    nonisolated var unownedExecutor: UnownedSerialExecutor { context.loop.asUnownedSerialExecutor() }

    /// - Parameter ended: called once, when the notebook is not this runner's any more.
    init(
        context: ExecutionContext, claim: ExecutionClaims.Claim,
        ended: @escaping @Sendable (ExecutionClaims.Claim) -> Void
    ) {
        self.context = context
        self.claim = claim
        self.ended = ended
        progress = ExecutionProgress(pool: context.pool, claim: claim)
        kernel = NotebookKernel(context: context, progress: progress, notebookID: claim.notebookID)
        row = SessionRow(notebookID: claim.notebookID)
    }

    /// Looks what is in the database now: when it begins, and when somebody has asked for something.
    func look() async {
        guard !isOver else { return }
        guard !isLoading else {
            isAskedAgain = true
            return
        }
        isLoading = true
        repeat {
            isAskedAgain = false
            await attempt("reading the queue") { [self] in
                let (row, commands) = try await context.persistently("reading a queue") { [progress] in
                    try await progress.load()
                }
                take(row, commands)
            }
        } while isAskedAgain && !isOver
        isLoading = false
    }

    private func take(_ row: SessionRow, _ commands: [CommandRow]) {
        self.row = row
        leaveOtherCluster()
        open = Dictionary(uniqueKeysWithValues: commands.map { ($0.command.commandID, $0) })
        let entries = commands.map { row in
            NotebookQueue.Entry(
                commandID: row.command.commandID, batchID: row.command.batchID, user: row.command.userName,
                isRunning: row.command.state == .running, isCancelling: row.command.isCancelling == true)
        }
        handle(.found(entries, restartWanted: row.restartWanted))
    }

    /// The notebook may have been attached to another cluster while its kernel was looked for, or since nothing runs.
    private func leaveOtherCluster() {
        let cluster = row.session.clusterID
        if let preparing, preparing.cluster != cluster {
            preparing.task.cancel()
            self.preparing = nil
            preparations += 1
            handle(.contextMoved)
        } else if let place, place.cluster != cluster {
            self.place = nil
            handle(.contextMoved)
        }
    }

    /// Stops without touching what runs: another process goes on with it.
    func abandon() {
        guard !isOver else { return }
        isOver = true
        for task in tasks { task.cancel() }
        preparing?.task.cancel()
        running?.task.cancel()
        ended(claim)
    }

    // MARK: Doing what the queue says

    private func handle(_ event: NotebookQueue.Event) {
        guard !isOver else { return }
        for action in queue.handle(event) { perform(action) }
    }

    private func perform(_ action: NotebookQueue.Action) {
        switch action {
        case .run(let id): running = (id, context.loop.spawn { [self] in await run(id) })
        case .prepareContext:
            preparations += 1
            let number = preparations
            preparing = (row.session.clusterID, context.loop.spawn { [self] in await prepare(number) })
        case .endContext: spawn { [self] in await endContext() }
        case .interrupt(let id): spawn { [self] in await interrupt(id) }
        case .finish(let id, let ending, let skip): spawn { [self] in await finish(id, ending, skip) }
        case .rest: spawn { [self] in await rest() }
        }
    }

    private func spawn(_ work: @escaping @Sendable () async -> Void) {
        tasks.removeAll(where: \.isCancelled)
        if tasks.count > 32 { tasks.removeFirst(tasks.count - 32) }
        tasks.append(context.loop.spawn(work))
    }

    /// Runs a step; when the notebook is somebody else's by now, or the step cannot be done at all, that is the end here.
    private func attempt(_ what: String, _ work: () async throws -> Void) async {
        do {
            try await work()
        } catch {
            guard !isOver else { return }
            let failure = HarbourError.wrap(error)
            // Its lease lapses, and it is tried again then.
            context.logger.warning(
                "a notebook is left alone",
                ["notebook": Int(claim.notebookID), "step": what, "error": failure.describeChain()])
            abandon()
        }
    }

    private func prepare(_ number: Int) async {
        let first = open.values.min { $0.command.submittedTime < $1.command.submittedTime }
        do {
            let current = try await context.persistently("reading a session") { [progress] in
                try await progress.load().session
            }
            let found = try await kernel.prepare(
                current, language: first.map { NotebookRunner.kernelLanguage($0.language) } ?? "python",
                user: first?.command.userName ?? "system")
            guard number == preparations else { return }
            preparing = nil
            place = found
            handle(.contextReady)
        } catch {
            let failure = HarbourError.wrap(error)
            guard !isOver, number == preparations else { return }
            preparing = nil
            // It was attached to another one a moment ago: the news of that is on its way, or has been.
            if failure.code == .conflict { return handle(.contextMoved) }
            if failure.code == .notebookTaken || failure.code == .cancelled { return abandon() }
            await attempt("telling of a kernel") {
                try await context.persistently("telling of a kernel") { [progress] in
                    try await progress.setKernel(.lost, on: nil, message: failure.message)
                }
                handle(.contextFailed(CommandError(failure)))
            }
        }
    }

    /// SQL, shell and pip cells run in the kernel of the notebook's language, as those of Python do.
    private static func kernelLanguage(_ language: String) -> String {
        ["sql", "sh", "pip", "md", "fs", "run"].contains(language) ? "python" : language
    }

    private func endContext() async {
        await attempt("ending a kernel") {
            try await kernel.end(row)
            place = nil
            handle(.contextEnded)
        }
    }

    private func interrupt(_ id: String) async {
        guard let command = open[id], let cluster = command.clusterID ?? place?.cluster,
            let contextID = command.contextID ?? place?.context
        else { return }
        while !isOver, running?.id == id {
            do {
                _ = try await context.persistently("interrupting a command") { [context] in
                    try await context.clusters.call(
                        ClusterAPI.cancelCommand, .init(clusterID: cluster, contextID: contextID, commandID: id),
                        context: .within(.seconds(10), user: command.command.userName))
                }
                return
            } catch {
                let failure = HarbourError.wrap(error)
                // It may not have come to the cluster yet.
                if failure.code == .notFound, (try? await context.loop.sleep(for: .milliseconds(100))) != nil {
                    continue
                }
                // It ends by itself, or with its kernel when that is restarted.
                return context.logger.warning(
                    "a command could not be interrupted", ["command": id, "error": failure.describeChain()])
            }
        }
    }

    private func rest() async {
        await attempt("giving a notebook back") {
            if try await context.persistently("giving a notebook back", { [progress] in try await progress.rest() }) {
                isOver = true
                ended(claim)
            } else {
                await look()
            }
        }
    }

    // MARK: One command

    private var results: [String: CellResult] = [:]
    /// Commands of which the last event has been read and stored.
    private var heard: Set<String> = []

    private func run(_ id: String) async {
        guard var command = open[id] else { return }
        var reader = CellOutputReader()
        await attempt("running a cell") {
            if command.command.state == .queued {
                guard let place else { return }
                let begun = try await context.persistently("beginning a command") { [progress] in
                    try await progress.begin(id, clusterID: place.cluster, contextID: place.context)
                }
                guard let begun else {
                    // Somebody has taken it out of the queue meanwhile.
                    handle(.heardEnd(id, .finished))
                    return
                }
                command = begun
                open[id] = begun
            } else {
                let events = try await context.persistently("reading what was heard") { [progress] in
                    try await progress.events(of: id)
                }
                reader = CellOutputReader(events)
            }
            // Its end may have been heard before the one who heard it was killed: then nothing more will come.
            let result: CellResult
            if let end = reader.result {
                result = end
                heard.insert(id)
            } else {
                result = try await follow(command, reader)
            }
            running = nil
            results[id] = result
            handle(.heardEnd(id, result.ending))
        }
    }

    private func follow(_ row: CommandRow, _ start: CellOutputReader) async throws -> CellResult {
        let (command, cell) = (row.command, row.command.cellID)
        let log = OutputLog(loop: context.loop) { [context, progress] events in
            try await context.persistently("writing outputs") {
                try await progress.append(events, cellID: cell, commandID: command.commandID)
            }
        }
        var reader = start
        var result: CellResult?
        do {
            let follower = CommandFollower(clusters: context.clusters, loop: context.loop, label: "workspace.execution")
            let widgets = try await context.persistently("reading widgets") { [context, progress] in
                try await progress.store.widgets.widgets(progress.claim.notebookID, on: context.pool)
            }
            let order = CommandFollower.Order(
                clusterID: row.clusterID ?? "", contextID: row.contextID ?? "", commandID: command.commandID,
                language: NotebookRunner.commandLanguage(row.language), source: row.source, user: command.userName,
                widgets: widgets)
            _ = try await follower.follow(order, from: start.reader) { event in
                result = reader.read(event)
                try await log.append(event)
            }
            heard.insert(command.commandID)
        } catch {
            let failure = HarbourError.wrap(error)
            if failure.code == .notebookTaken || failure.code == .cancelled || Task.isCancelled { throw failure }
            // The cluster or its kernel has gone: that is how the cell ended.
            let event = CommandEvent(
                sequence: reader.reader.last + 1, timestamp: .now, type: .state, state: .error,
                error: CommandError(failure))
            result = reader.read(event)
            try await log.append(event)
        }
        try await log.flush()
        guard let result else { throw HarbourError(.internalError, "A command ended without an end.") }
        return result
    }

    /// `%pip` is Python's own magic command.
    private static func commandLanguage(_ language: String) -> String { language == "pip" ? "python" : language }

    private func finish(_ id: String, _ ending: CellEnding, _ skip: [String]) async {
        let result = results.removeValue(forKey: id) ?? NotebookRunner.empty(ending)
        await attempt("writing the end of a cell") {
            try await context.persistently("writing the end of a cell") { [progress] in
                try await progress.finish(id, result, skip: skip)
            }
            if heard.remove(id) != nil, let row = open[id], let cluster = row.clusterID, let place = row.contextID {
                await context.confirmer.confirm(
                    CommandPlace(clusterID: cluster, contextID: place, commandID: id))
            }
            handle(.finished(id))
        }
    }

    /// Of a command that has not even begun.
    private static func empty(_ ending: CellEnding) -> CellResult {
        var outputs: [JSONValue] = []
        if let error = ending.error {
            var reader = CellReader()
            reader.read(
                CommandEvent(sequence: 1, timestamp: .now, type: .error, error: error))
            outputs = reader.outputs
        }
        return CellResult(ending: ending, outputs: outputs, executionCount: nil, isTruncated: false)
    }
}

extension CommandError {
    /// An error of the platform as that of a command.
    init(_ error: HarbourError) {
        self.init(code: error.code.name, name: "ClusterError", message: error.message)
    }
}
