internal import Core
internal import EventLoop
internal import HarbourProtocol
internal import ServiceClients

/// Asks the workspace, before a run begins, whether the user that it acts for may still do what it does: whoever made a
/// job may have been deactivated since, or may have lost the cluster.
///
/// Runs that begin at the same time are asked for together, and an answer holds for a moment, so that a job that runs
/// many times a second asks as often as one that runs every few seconds. While the workspace is away runs wait.
actor RunAdmission {
    /// What a run is going to do, and for whom.
    struct Question: Sendable, Hashable {
        var userName: String
        var clusterIDs: [String] = []
        var paths: [String] = []
    }

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
    private var known: [Question: Known] = [:]
    private var waiting: [Question: [UInt64: CheckedContinuation<RunRefusal?, any Error>]] = [:]
    private var lastTicket: UInt64 = 0
    private var isAsking = false

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(loop: EventLoop, workspace: ServiceClient) {
        self.loop = loop
        self.workspace = workspace
    }

    /// Why the run may not begin; nil when it may. Waits for the workspace until the task is cancelled.
    func refusal(of question: Question) async throws -> RunRefusal? {
        if let known = known[question], known.until > .now { return known.refusal }
        lastTicket += 1
        let ticket = lastTicket
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                if Task.isCancelled { return continuation.resume(throwing: CancellationError()) }
                waiting[question, default: [:]][ticket] = continuation
                ask()
            }
        } onCancel: {
            loop.onLoop { [self] in assumeIsolated { $0.leave(question, ticket) } }
        }
    }

    private func leave(_ question: Question, _ ticket: UInt64) {
        waiting[question]?.removeValue(forKey: ticket)?.resume(throwing: CancellationError())
        if waiting[question]?.isEmpty == true { waiting[question] = nil }
    }

    private func ask() {
        guard !isAsking else { return }
        isAsking = true
        // At the end of this turn of the loop, so that what else begins in it comes along.
        loop.later { [self] in assumeIsolated { engine in _ = engine.loop.spawn { await engine.askAll() } } }
    }

    private func askAll() async {
        var pause = Duration.milliseconds(100)
        while !waiting.isEmpty {
            let questions = Array(waiting.keys.prefix(Self.batch))
            do {
                let verdicts = try await verdicts(on: questions)
                for (question, verdict) in zip(questions, verdicts) { settle(question, verdict) }
                pause = .milliseconds(100)
            } catch {
                // Whatever it is: nobody has said that the runs may not begin, nor that they may.
                Logger("scheduler").warning(
                    "runs wait for the workspace, which says who may run what",
                    ["runs": questions.count, "error": HarbourError.describe(error)])
                do { try await loop.sleep(for: pause) } catch { break }
                pause = min(pause * 2, .seconds(2))
            }
        }
        isAsking = false
    }

    private func verdicts(on questions: [Question]) async throws -> [RunVerdict] {
        let runs = questions.map { RunIntent(userName: $0.userName, clusterIds: $0.clusterIDs, paths: $0.paths) }
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
        let asked = waiting.removeValue(forKey: question) ?? [:]
        for continuation in asked.values { continuation.resume(returning: refusal) }
    }
}

extension RunRow {
    /// What has to be asked before the open tasks of the run begin.
    func question(about machine: RunMachine) -> RunAdmission.Question {
        var (clusters, paths): (Set<String>, Set<String>) = ([], [])
        for (index, task) in settings.tasks.enumerated()
        where !machine.tasks[index].phase.isEnded && !machine.plan.tasks[index].isDisabled {
            let spec = task.forEachTask?.task.spec ?? task
            if let id = spec.existingClusterID { clusters.insert(id) }
            if let path = spec.sourcePath { paths.insert(path) }
        }
        return RunAdmission.Question(userName: creator, clusterIDs: clusters.sorted(), paths: paths.sorted())
    }
}
