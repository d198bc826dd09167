internal import Core
internal import EventLoop
internal import HarbourProtocol
internal import ServiceClients

/// Decides for one run that this scheduler owns: the shell around `RunMachine`.
///
/// Events are taken one batch at a time; the machine's new state is written down, with the fence of the claim, before
/// its actions are performed.
actor RunCoordinator {
    private let context: EngineContext
    private let row: RunRow
    private let progress: RunProgress
    private let keeper: ClusterKeeper
    private let onEnd: @Sendable (Int64, Int64, Leaving) -> Void

    private var machine: RunMachine
    private var saved: RunMachine
    private var taskRows: [TaskRow]
    private var events: [RunMachine.Event] = []
    private var isResumed = false
    /// What has to be known before the run begins, while it is being asked for.
    private var preparation: Task<Void, any Error>?
    private var isCancelled = false
    private var isBusy = false
    private var isGone = false
    private var attempts: [Int: (number: Int, runner: any AttemptWork)] = [:]
    /// Attempts whose ends are not written down yet, and what they leave behind.
    private var leaving: [any AttemptWork] = []
    private var endings: [RunWrite.AttemptKey: RunWrite.Ending] = [:]
    private var timer: LoopTimer?

    /// Why nothing is left to do here.
    enum Leaving: Sendable {
        /// The run has ended, or somebody else has it.
        case done
        /// It cannot be gone on with: somebody is to try anew.
        case gaveUp
    }

    nonisolated let runID: Int64
    nonisolated let fence: Int64
    nonisolated var unownedExecutor: UnownedSerialExecutor { context.loop.asUnownedSerialExecutor() }

    /// - Parameter onEnd: called when nothing is left to do here, whether the run has ended or was taken from us.
    init(
        context: EngineContext, row: RunRow, tasks: [TaskRow],
        onEnd: @escaping @Sendable (Int64, Int64, Leaving) -> Void
    ) throws(HarbourError) {
        self.context = context
        self.row = row
        self.onEnd = onEnd
        runID = row.runID
        fence = row.fence
        taskRows = tasks
        progress = RunProgress(writer: context.writer, runID: row.runID, fence: row.fence, jobID: row.jobID)
        keeper = ClusterKeeper(context: context, run: row)
        machine = try row.machine(tasks)
        saved = machine
        found = Dictionary(uniqueKeysWithValues: tasks.map { ($0.ordinal, $0.attempts.count) })
        if row.cancelRequested {
            isCancelled = true
            events.append(.cancel)
        }
    }

    func start() { process() }

    func cancel() {
        isCancelled = true
        preparation?.cancel()
        events.append(.cancel)
        process()
    }

    /// Another scheduler has the run, or this one ends: what runs is left alone.
    func abandon(_ why: Leaving = .done) async {
        guard !isGone else { return }
        isGone = true
        timer?.cancel()
        preparation?.cancel()
        progress.abandon()
        for (_, runner) in attempts.values { await runner.abandon() }
        onEnd(runID, fence, why)
    }

    private func process() {
        guard !isBusy && !isGone else { return }
        isBusy = true
        context.loop.spawn { [self] in await processAll() }
    }

    private func processAll() async {
        do {
            if !isResumed { try await prepare() }
            while !isGone && (!events.isEmpty || !isResumed) {
                let actions = decide()
                let left = leaving
                leaving = []
                try await save()
                for runner in left { context.loop.spawn { await runner.leave() } }
                for action in actions { perform(action) }
            }
        } catch {
            let failure = HarbourError.wrap(error)
            // Who has been told to leave hears of his last write as of a failure.
            if isGone {
                isBusy = false
                return
            }
            Logger("scheduler").error(
                "a run is given up by this scheduler", ["run": Int(runID), "error": failure.describeChain()])
            await abandon(failure.code == .leaseLost ? .done : .gaveUp)
        }
        isBusy = false
        if !events.isEmpty { process() } else { armTimer() }
    }

    private func decide() -> [RunMachine.Action] {
        var actions: [RunMachine.Action] = []
        let now = Timestamp.now
        let batch = events
        events = []
        if !isResumed {
            isResumed = true
            actions += machine.resume(at: now, after: batch)
        }
        for event in batch { actions += machine.handle(event, at: now) }
        return actions
    }

    private func save() async throws {
        let told = RunEventWriter().events(from: saved, to: machine, at: .now)
        let now = machine
        let left = endings
        endings = [:]
        try await progress.save(from: saved, to: now, events: told, endings: left)
        saved = now
    }

    private func armTimer() {
        timer?.cancel()
        timer = nil
        guard !isGone, let wake = machine.nextWake else { return }
        // The civil clock may be set while we wait.
        let delay = min(max(.zero, wake - .now) + .milliseconds(1), .seconds(3600))
        timer = context.loop.schedule(after: delay) { [self] in
            assumeIsolated { coordinator in
                coordinator.events.append(.wake)
                coordinator.process()
            }
        }
    }

    // MARK: Before it begins

    /// Asks whether the run may begin, and freezes its notebooks. Who cancels it does not have to wait for the workspace.
    private func prepare() async throws {
        guard !isCancelled else { return }
        let task = Task.immediate(executorPreference: context.loop) {
            // One that has begun was let begin.
            if machine.run.startTime == nil {
                let question = row.question(about: machine)
                if let refusal = try await context.admission.refusal(of: question) {
                    events.append(.refuse(refusal))
                    return
                }
            }
            try await freezeNotebooks()
        }
        preparation = task
        defer { preparation = nil }
        do { try await task.value } catch { if !isCancelled || isGone { throw error } }
    }

    /// Freezes the newest revision of every notebook once, so that all attempts run the same text.
    private func freezeNotebooks() async throws {
        // Tasks of the same file run the same text.
        var read: [String: NotebookContent] = [:]
        for index in machine.plan.tasks.indices where taskRows[index].revisionID == nil {
            let spec = row.settings.tasks[index]
            // A task that has ended keeps what it has run.
            guard let path = (spec.forEachTask?.task.spec ?? spec).sourcePath,
                !machine.tasks[index].phase.isEnded
            else { continue }
            do {
                let user = row.creator
                let content: NotebookContent
                if let known = read[path] {
                    content = known
                } else {
                    content = try await context.persistently("freezing a notebook") { [context] in
                        try await context.workspace.call(
                            WorkspaceAPI.readContent, .init(path: path), context: .within(.seconds(30), user: user))
                    }
                    read[path] = content
                }
                taskRows[index].notebookID = content.notebookID
                taskRows[index].revisionID = content.revisionID
                try progress.freeze(
                    ordinal: index, notebookID: content.notebookID, revisionID: content.revisionID)
            } catch let error as HarbourError
                where [.notFound, .invalidParameter, .permissionDenied].contains(error.code)
            {
                // The attempt fails with this reason when its turn comes; other tasks are not touched.
                missing[index] = error.message
            }
        }
    }
    private var missing: [Int: String] = [:]
    /// How many attempts each task had when the run was claimed.
    private let found: [Int: Int]

    // MARK: Actions

    private func perform(_ action: RunMachine.Action) {
        switch action {
        case .runAttempt(let task, let attempt): runAttempt(task, attempt)
        case .stopAttempt(let task, let attempt):
            guard let (number, runner) = attempts[task], number == attempt else { return }
            context.loop.spawn { await runner.stop() }
        case .releaseCluster(let choice):
            context.loop.spawn { [keeper, runID] in
                do { try await keeper.release(choice) } catch {
                    Logger("scheduler").warning(
                        "a cluster could not be given back",
                        ["run": Int(runID), "error": HarbourError.describe(error)])
                }
            }
        case .finish: finish()
        }
    }

    private func runAttempt(_ task: Int, _ attempt: Int) {
        if attempts[task]?.number == attempt { return }
        do {
            guard let runner = try runner(task, attempt) else { return }
            attempts[task] = (attempt, runner)
            context.loop.spawn { [self] in
                guard let report = await runner.run() else { return }
                await ended(task, attempt, report, runner)
            }
        } catch {
            let failure = HarbourError.wrap(error)
            events.append(
                .attemptEnded(task: task, attempt: attempt, .failure(failure.code.name, failure.message)))
        }
    }

    /// What makes the attempt happen; nil when there is nothing to be made.
    /// - Throws: why the attempt cannot be, such as a reference without a value.
    private func runner(_ task: Int, _ attempt: Int) throws(HarbourError) -> (any AttemptWork)? {
        guard var spec = row.settings.definition(of: task, machine.tasks[task]) else { return nil }
        spec = try machine.resolve(spec, for: task)
        spec.taskKey = machine.key(of: task)
        let attemptID = machine.attemptID(task, attempt)
        let key = RunWrite.AttemptKey(ordinal: task, number: attempt)
        if let runJob = spec.runJobTask {
            return ChildRun(
                context: context, progress: progress, task: runJob, parameters: runJob.jobParameters ?? [:],
                attempt: key, parent: ParentAttempt(runID: runID, attemptID: attemptID, depth: row.depth + 1),
                user: row.creator)
        }
        if spec.webhookTask != nil || spec.airflowTask != nil {
            return WebAttempt(context: context, progress: progress, task: spec, attempt: key)
        }
        // The iterations of a for-each task run the notebook that was frozen for it.
        let source = machine.tasks[task].place?.parent ?? task
        if let reason = missing[source] {
            throw HarbourError(ErrorCode(Termination.notebookNotFound.code, status: 404), reason)
        }
        let revisionID = taskRows[source].revisionID
        guard let choice = machine.plan(of: task).cluster, revisionID != nil || spec.sourcePath == nil else {
            return nil
        }
        let program = TaskProgram(task: spec, revisionID: revisionID)
        let order = AttemptOrder(
            attemptID: attemptID, key: key, isTakenOver: attempt < (found[task] ?? 0), task: spec, choice: choice,
            program: program,
            parameters: program.parameters.merging(try machine.resolve(row.parameters, for: task)) { $1 },
            taskValues: machine.taskValues, user: row.creator)
        return AttemptRunner(context: context, order: order, progress: progress, keeper: keeper)
    }

    private func ended(_ task: Int, _ attempt: Int, _ report: AttemptReport, _ runner: any AttemptWork) {
        if attempts[task]?.number == attempt { attempts[task] = nil }
        leaving.append(runner)
        endings[RunWrite.AttemptKey(ordinal: task, number: attempt)] = report.ending
        events.append(.attemptEnded(task: task, attempt: attempt, report.outcome.storable))
        process()
    }

    private func finish() {
        isGone = true
        timer?.cancel()
        onEnd(runID, fence, .done)
    }
}
