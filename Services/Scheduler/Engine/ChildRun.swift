internal import Core
internal import EventLoop
internal import HarbourProtocol

/// Makes the attempt of a run-job task happen: a run of the other job, and its end.
///
/// The attempt's id names the run, so that asking twice makes one: whoever takes the attempt over finds the run and
/// goes on waiting.
actor ChildRun: AttemptWork {
    private let context: EngineContext
    private let progress: RunProgress
    private let task: RunJobTask
    private let parameters: [String: String]
    private let attempt: RunWrite.AttemptKey
    private let parent: ParentAttempt
    private let user: String
    private var work: Task<AttemptOutcome, Never>?
    private var childID: Int64?
    private var isStopping = false
    private var isAbandoned = false

    /// How many runs may be above one.
    static let maxDepth = 5

    nonisolated var unownedExecutor: UnownedSerialExecutor { context.loop.asUnownedSerialExecutor() }

    init(
        context: EngineContext, progress: RunProgress, task: RunJobTask, parameters: [String: String],
        attempt: RunWrite.AttemptKey, parent: ParentAttempt, user: String
    ) {
        self.context = context
        self.progress = progress
        self.task = task
        self.parameters = parameters
        self.attempt = attempt
        self.parent = parent
        self.user = user
    }

    func run() async -> AttemptReport? {
        let work = Task.immediate(executorPreference: context.loop) { await perform() }
        self.work = work
        let outcome = await work.value
        return isAbandoned ? nil : AttemptReport(outcome)
    }

    func stop() {
        guard !isStopping else { return }
        isStopping = true
        guard let childID else { return }
        context.loop.spawn { [self] in await cancel(childID) }
    }

    func abandon() {
        isAbandoned = true
        work?.cancel()
    }

    private func perform() async -> AttemptOutcome {
        do {
            guard parent.depth <= Self.maxDepth else {
                return .failure(Termination.runJobTooDeep.code, Termination.runJobTooDeep.sentence)
            }
            let runID = try await begin()
            childID = runID
            try progress.begun(attempt, childRunID: runID)
            if isStopping { await cancel(runID) }
            return try await end(of: runID)
        } catch {
            let failure = HarbourError.wrap(error)
            return isStopping ? .interrupted() : .failure(failure.code.name, failure.message)
        }
    }

    private func begin() async throws -> Int64 {
        let jobs = JobStore(pool: context.pool)
        let runs = RunStore(pool: context.pool)
        return try await context.persistently("starting the run of another job") { [task, parameters, parent, user] in
            let job: JobRow
            do { job = try await jobs.get(task.jobID) } catch let error as HarbourError where error.code == .notFound {
                throw HarbourError(
                    ErrorCode(Termination.runJobNotFound.code, status: 404), "The job \(task.jobID) does not exist.")
            }
            let run = NewRun(
                jobID: job.jobID, runName: job.settings.name, trigger: .runJobTask, creator: user,
                settings: job.settings, parameters: try job.settings.parameters(with: parameters), parent: parent)
            return try await runs.insert(run, now: .now).runID
        }
    }

    /// Waits for the end of the run, whoever decides for it.
    private func end(of runID: Int64) async throws -> AttemptOutcome {
        let runs = RunStore(pool: context.pool)
        var ended: RunRow?
        try await context.signals.follow(runID) {
            let row = try await context.persistently("waiting for a run") { try await runs.get(runID) }
            if row.phase == .terminated { ended = row }
            return row.phase == .terminated
        }
        guard let ended, let result = ended.record.result else { return .interrupted() }
        switch result {
        case .success, .successWithFailures: return .success()
        case .canceled where isStopping: return .interrupted()
        case .canceled: return .interrupted("Run \(runID) of the job \(ended.runName) was cancelled.")
        default:
            let tasks = try await context.persistently("reading a run") { try await runs.tasks(of: [runID]) }
            let state = ended.record.state(phase: .terminated, tasks: tasks[runID] ?? [])
            return .failure(
                Termination.runJobFailed.code,
                "Run \(runID) of the job \(ended.runName) ended as \(result.resultState.rawValue): \(state.stateMessage)"
            )
        }
    }

    private func cancel(_ runID: Int64) async {
        do {
            try await context.persistently("cancelling a run") { [context] in
                try await RunStore(pool: context.pool).requestCancel(runID)
            }
        } catch {
            Logger("scheduler").warning(
                "the run of a run-job task could not be cancelled",
                ["run": Int(runID), "error": HarbourError.describe(error)])
        }
    }
}
