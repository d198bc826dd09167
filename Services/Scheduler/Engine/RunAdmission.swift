internal import Core
internal import EventLoop
internal import HarbourProtocol
internal import ServiceClients

/// Asks the workspace, before a run begins, whether the user that it acts for may still do what it does: whoever made a
/// job may have been deactivated since, or may have lost the cluster.
///
/// Runs that begin at the same time are asked for together, and an answer holds for a moment, so that a job that runs
/// many times a second asks as often as one that runs every few seconds. While the workspace is away runs wait; where it
/// cannot say, as of a cluster that cannot be looked up, only the runs wait that want that cluster.
struct RunAdmission: Sendable {
    /// What a run is going to do, and for whom.
    struct Question: Sendable, Hashable {
        var userName: String
        var clusterIDs: [String] = []
        var paths: [String] = []
        var jobIDs: [Int64] = []
    }

    private let desk: AdmissionDesk
    /// Two lanes, so that a call that takes long because of what cannot be answered holds no new question up.
    private let asking: LookLoop
    private let askingAgain: LookLoop

    init(loop: EventLoop, workspace: ServiceClient) {
        let desk = AdmissionDesk(loop: loop, workspace: workspace)
        let complaint = "runs that begin could not be asked about"
        let askingAgain = LookLoop(loop, complaint: complaint, slack: .zero) { await desk.askAgain() }
        self.desk = desk
        self.askingAgain = askingAgain
        asking = LookLoop(loop, complaint: complaint) {
            if await desk.askNew() { await askingAgain.look() }
            return nil
        }
    }

    /// Why the run may not begin; nil when it may. Waits for the workspace until the task is cancelled.
    func refusal(of question: Question) async throws -> RunRefusal? {
        try await desk.refusal(of: question) { asking.assumeIsolated { $0.look() } }
    }
}

/// Who waits for which answer, and the answers of the last moment.
private actor AdmissionDesk {
    fileprivate typealias Question = RunAdmission.Question

    private struct Known {
        var refusal: RunRefusal?
        var until: MonotonicTime
    }

    /// How long an answer holds.
    private static let memory = Duration.seconds(2)
    /// How many answers are kept, and how many runs are asked for at once.
    private static let limit = 10_000
    private static let batch = 100

    private let loop: EventLoop
    private let workspace: ServiceClient
    private var queue = AdmissionQueue<Question>()
    private var known: [Question: Known] = [:]
    private var waiting: [Question: [UInt64: CheckedContinuation<RunRefusal?, any Error>]] = [:]
    private var lastTicket: UInt64 = 0

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(loop: EventLoop, workspace: ServiceClient) {
        self.loop = loop
        self.workspace = workspace
    }

    /// - Parameter tellNew: called on the loop when there is a new question to ask.
    func refusal(
        of question: Question, tellNew: @Sendable () -> Void
    ) async throws -> RunRefusal? {
        if let known = known[question], known.until > .now { return known.refusal }
        lastTicket += 1
        let ticket = lastTicket
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                if Task.isCancelled { return continuation.resume(throwing: CancellationError()) }
                waiting[question, default: [:]][ticket] = continuation
                if queue.add(question) { tellNew() }
            }
        } onCancel: {
            loop.onLoop { [self] in assumeIsolated { $0.leave(question, ticket) } }
        }
    }

    private func leave(_ question: Question, _ ticket: UInt64) {
        waiting[question]?.removeValue(forKey: ticket)?.resume(throwing: CancellationError())
        guard waiting[question]?.isEmpty == true else { return }
        waiting[question] = nil
        queue.forget(question)
    }

    /// Asks all new questions.
    ///
    /// - Returns: whether any of them has to be asked again.
    func askNew() async -> Bool {
        while case let questions = queue.takeNew(Self.batch), !questions.isEmpty { await ask(questions) }
        return queue.next != nil
    }

    /// Asks again what is due.
    ///
    /// - Returns: how long until more is due; nil when all has been answered.
    func askAgain() async -> Duration? {
        while case let questions = queue.takeDue(.now, Self.batch), !questions.isEmpty { await ask(questions) }
        return queue.next.map { max($0 - .now, .zero) }
    }

    private func ask(_ questions: [Question]) async {
        var unanswered: (count: Int, why: String) = (0, "")
        do {
            for (question, verdict) in zip(questions, try await verdicts(on: questions)) {
                if verdict.unknown == true {
                    queue.putOff(question, .now)
                    unanswered = (unanswered.count + 1, verdict.message ?? "")
                } else {
                    settle(question, verdict)
                }
            }
        } catch {
            for question in questions { queue.putOff(question, .now) }
            unanswered = (questions.count, HarbourError.describe(error))
        }
        guard unanswered.count > 0 else { return }
        // Whatever it is: nobody has said that the runs may not begin, nor that they may.
        Logger("scheduler").warning(
            "runs wait for the workspace, which says who may run what",
            ["runs": unanswered.count, "error": unanswered.why])
    }

    private func verdicts(on questions: [Question]) async throws -> [RunVerdict] {
        let runs = questions.map {
            RunIntent(
                userName: $0.userName, clusterIds: $0.clusterIDs, paths: $0.paths,
                jobIds: $0.jobIDs.isEmpty ? nil : $0.jobIDs)
        }
        let verdicts = try await workspace.call(
            WorkspaceAPI.checkRuns, .init(body: CheckRuns(runs: runs)), context: .within(.seconds(30))
        ).verdicts
        guard verdicts.count == questions.count else {
            throw HarbourError(.badGateway, "The workspace has answered for other runs than it was asked for.")
        }
        return verdicts
    }

    private func settle(_ question: Question, _ verdict: RunVerdict) {
        var refusal: RunRefusal?
        if !verdict.allowed {
            refusal = RunRefusal(
                code: verdict.errorCode ?? Termination.permissionDenied.code,
                message: verdict.message ?? Termination.permissionDenied.sentence)
        }
        if known.count >= Self.limit { known = [:] }
        known[question] = Known(refusal: refusal, until: .now + Self.memory)
        queue.forget(question)
        let asked = waiting.removeValue(forKey: question) ?? [:]
        for continuation in asked.values { continuation.resume(returning: refusal) }
    }
}

extension RunRow {
    /// What has to be asked before the open tasks of the run begin.
    func question(about machine: RunMachine) -> RunAdmission.Question {
        var (clusters, paths): (Set<String>, Set<String>) = ([], [])
        var jobs: Set<Int64> = []
        // A task asked for this run, perhaps long after its own run was let in.
        if trigger == .runJobTask, let jobID { jobs.insert(jobID) }
        for (index, task) in settings.tasks.enumerated()
        where !machine.tasks[index].phase.isEnded && !machine.plan.tasks[index].isDisabled {
            let spec = task.forEachTask?.task.spec ?? task
            if let id = spec.existingClusterID { clusters.insert(id) }
            if let path = spec.sourcePath { paths.insert(path) }
            if let id = spec.runJobTask?.jobID { jobs.insert(id) }
        }
        return RunAdmission.Question(
            userName: creator, clusterIDs: clusters.sorted(), paths: paths.sorted(), jobIDs: jobs.sorted())
    }
}
