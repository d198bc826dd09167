import Core

@testable import SchedulerService

/// A task of a plan, in the words of the tests.
func plan(
    _ key: String, after dependencies: [Int] = [], if rule: RunRule = .allSuccess,
    cluster: ClusterChoice? = .shared("main"), timeout: Int64? = nil, retries: Int? = 0, interval: Int64 = 0,
    maxInterval: Int64? = nil, onTimeout: Bool = false, work: TaskWork = .attempts, disabled: Bool = false
) -> TaskPlan {
    TaskPlan(
        key: key, dependencies: dependencies.map { Dependency(task: $0) }, rule: rule, isDisabled: disabled, work: work,
        cluster: work == .attempts ? cluster : nil,
        policy: AttemptPolicy(
            timeout: timeout, maxRetries: retries, retryInterval: interval, maxRetryInterval: maxInterval,
            retriesOnTimeout: onTimeout))
}

func at(_ milliseconds: Int64) -> Timestamp { Timestamp(milliseconds: milliseconds) }

extension RunMachine {
    /// The running attempt of a task ends.
    mutating func end(_ task: Int, _ outcome: AttemptOutcome = .success(), at now: Timestamp = at(1)) -> [Action] {
        handle(.attemptEnded(task: task, attempt: tasks[task].runningAttempt ?? -1, outcome), at: now)
    }

    var results: [TaskResult?] { tasks.map(\.phase.result) }
}

let failure = AttemptOutcome.failure("COMMAND_FAILED", "no such column")
