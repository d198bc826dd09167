internal import Core

/// How a task, an attempt or a run ended.
enum TaskResult: String, Sendable, CaseIterable {
    case success
    /// Of a run: the last tasks of the graph succeeded, others did not.
    case successWithFailures
    case failed
    case timedOut
    case canceled
    case upstreamFailed
    case upstreamCanceled
    /// What it depends on did not end as its rule wants, or a condition went the other way.
    case excluded
    case disabled
    /// Of a run: all places of its job were taken.
    case skipped

    /// Whether a run with it has something to repair.
    var isBad: Bool { standing == .failed || standing == .canceled }
}

/// How an attempt ended, with what people and programs need to know.
struct AttemptOutcome: Sendable, Equatable {
    var result: TaskResult
    /// A stable name of the failure, such as `COMMAND_FAILED` or `DRIVER_LOST`.
    var errorCode: String?
    var message: String
    /// What the notebook ended itself with.
    var exitValue: String?
    /// What it left for later tasks.
    var values: [String: JSONValue] = [:]
    /// What a condition came to.
    var branch: Bool?

    static func success(exitValue: String? = nil) -> AttemptOutcome {
        AttemptOutcome(result: .success, message: "", exitValue: exitValue)
    }

    static func failure(_ code: String, _ message: String) -> AttemptOutcome {
        AttemptOutcome(result: .failed, errorCode: code, message: message)
    }

    static func interrupted(_ message: String = "It was interrupted.") -> AttemptOutcome {
        AttemptOutcome(result: .canceled, errorCode: Termination.canceled.code, message: message)
    }
}

/// Where a task stands.
enum TaskPhase: Sendable, Equatable {
    /// Waits for other tasks. Goes to running, or to ended when it can no longer run.
    case blocked
    /// Its last attempt runs. Goes to stopping, waitingForRetry or ended.
    case running
    /// Its last attempt is being interrupted and will end as this result. Goes to waitingForRetry or ended.
    case stopping(TaskResult)
    /// The next attempt starts at this time. Goes to running or ended.
    case waitingForRetry(Timestamp)
    /// Stays, unless the run is repaired.
    case ended(TaskResult)

    var isEnded: Bool { result != nil }

    var isStopping: Bool {
        if case .stopping = self { true } else { false }
    }

    var result: TaskResult? {
        if case .ended(let result) = self { result } else { nil }
    }
}

/// One try at a task.
struct AttemptRecord: Sendable, Equatable {
    var startTime: Timestamp
    var endTime: Timestamp?
    var outcome: AttemptOutcome?
}

/// Which iteration of which for-each task a task is.
struct IterationPlace: Sendable, Equatable {
    var parent: Int
    var number: Int
    var input: JSONValue
}

/// A task of a run, as it is written down.
struct TaskRecord: Sendable, Equatable {
    var phase = TaskPhase.blocked
    var attempts: [AttemptRecord] = []
    var startTime: Timestamp?
    var endTime: Timestamp?
    /// How many attempts there were when the run was last repaired; retries are counted from here.
    var earlierAttempts = 0
    /// Set for iterations.
    var place: IterationPlace?
    /// Where the iterations of a for-each task are among the tasks of the run.
    var children: Range<Int>?

    /// The number of the attempt that has begun and not ended.
    var runningAttempt: Int? {
        switch phase {
        case .running, .stopping: attempts.count - 1
        case .blocked, .waitingForRetry, .ended: nil
        }
    }
}

/// One time that the tasks of a run were run: the original, or a repair.
struct PastExecution: Sendable, Equatable {
    var startTime: Timestamp?
    var endTime: Timestamp?
    var result: TaskResult?
    var message = ""
    var taskKeys: [String] = []
    var parameters: [String: String] = [:]
    var userName = ""
}

/// Why a run was not let begin.
struct RunRefusal: Sendable, Equatable {
    /// A stable name of the reason, such as `PERMISSION_DENIED`.
    var code: String
    var message: String
}

/// A run, as it is written down.
struct RunRecord: Sendable, Equatable {
    var startTime: Timestamp?
    var endTime: Timestamp?
    /// Set when the run was cancelled or ran out of time, and still has attempts to stop; or when it was refused.
    var ending: TaskResult?
    /// Why it was not let begin, when its ending is a failure.
    var refusal: RunRefusal?
    var result: TaskResult?
    /// Clusters that were given back.
    var released: Set<ClusterChoice> = []
    /// What was before the present execution: empty until the first repair.
    var past: [PastExecution] = []
    /// The present execution's tasks and who asked for it, when it is a repair.
    var repair: PastExecution?
}
