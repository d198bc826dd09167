internal import Core

/// How a task, an attempt or a run ended.
enum TaskResult: String, Sendable, CaseIterable {
    case success
    case failed
    case timedOut
    case canceled
    case upstreamFailed
}

/// How an attempt ended, with what people and programs need to know.
struct AttemptOutcome: Sendable, Equatable {
    var result: TaskResult
    /// A stable name of the failure, such as `COMMAND_FAILED` or `DRIVER_LOST`.
    var errorCode: String?
    var message: String
    /// What the notebook ended itself with.
    var exitValue: String?

    static func success(exitValue: String? = nil) -> AttemptOutcome {
        AttemptOutcome(result: .success, message: "", exitValue: exitValue)
    }

    static func failure(_ code: String, _ message: String) -> AttemptOutcome {
        AttemptOutcome(result: .failed, errorCode: code, message: message)
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
    /// Stays.
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

/// A task of a run, as it is written down.
struct TaskRecord: Sendable, Equatable {
    var phase = TaskPhase.blocked
    var attempts: [AttemptRecord] = []
    var startTime: Timestamp?
    var endTime: Timestamp?

    /// The number of the attempt that has begun and not ended.
    var runningAttempt: Int? {
        switch phase {
        case .running, .stopping: attempts.count - 1
        case .blocked, .waitingForRetry, .ended: nil
        }
    }
}

/// A run, as it is written down.
struct RunRecord: Sendable, Equatable {
    var startTime: Timestamp?
    var endTime: Timestamp?
    /// Set when the run was cancelled or ran out of time, and still has attempts to stop.
    var ending: TaskResult?
    var result: TaskResult?
    /// Clusters that were given back.
    var released: Set<ClusterChoice> = []
}
