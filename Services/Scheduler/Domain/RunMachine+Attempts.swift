internal import Core

// How a task begins, is stopped and ends.

extension RunMachine {
    mutating func start(_ index: Int, at now: Timestamp, _ actions: inout [Action]) {
        let number = tasks[index].attempts.count
        tasks[index].attempts.append(AttemptRecord(startTime: now))
        tasks[index].phase = .running
        if tasks[index].startTime == nil { tasks[index].startTime = now }
        switch plan(of: index).work {
        case .attempts: actions.append(.runAttempt(task: index, attempt: number))
        case .condition(let comparison, let left, let right):
            end(index, with: compare(index, comparison, left, right), at: now)
        case .forEach(let forEach):
            if let failure = expand(index, forEach) { return end(index, with: failure, at: now) }
            // There may be nothing to do: no inputs, or none that a repair has left.
            finishForEach(index, at: now)
        }
    }

    mutating func stop(_ index: Int, because result: TaskResult, at now: Timestamp, _ actions: inout [Action]) {
        tasks[index].phase = .stopping(result)
        switch plan(of: index).work {
        case .attempts: actions.append(.stopAttempt(task: index, attempt: tasks[index].attempts.count - 1))
        case .condition: break
        case .forEach:
            let childResult: TaskResult = run.ending == .timedOut ? .timedOut : .canceled
            for child in tasks[index].children ?? 0..<0 {
                switch tasks[child].phase {
                case .blocked, .waitingForRetry: end(child, as: childResult, at: now)
                case .running: stop(child, because: childResult, at: now, &actions)
                case .stopping, .ended: break
                }
            }
        }
    }

    /// Ends a task that has no attempt under way.
    mutating func end(_ index: Int, as result: TaskResult, at now: Timestamp) {
        tasks[index].phase = .ended(result)
        tasks[index].endTime = now
    }

    /// Ends the attempt of a task, and the task unless it is tried again.
    mutating func end(_ index: Int, with outcome: AttemptOutcome, at now: Timestamp) {
        // What we stopped ends as what we stopped it for, unless it had succeeded before the interrupt came.
        var outcome = outcome
        if case .stopping(let result) = tasks[index].phase, outcome.result != .success {
            let reason = Termination(task: result, isRunTimedOut: run.ending == .timedOut)
            outcome.result = result
            outcome.errorCode = reason?.code
            outcome.message = reason?.sentence ?? outcome.message
        }
        let last = tasks[index].attempts.count - 1
        tasks[index].attempts[last].outcome = outcome
        tasks[index].attempts[last].endTime = now
        if mayRetry(index, after: outcome.result) {
            let failures = tasks[index].attempts.count - tasks[index].earlierAttempts
            let pause = plan(of: index).policy.pause(afterFailures: failures, chance: chance(index))
            tasks[index].phase = .waitingForRetry(Timestamp(milliseconds: now.milliseconds + pause))
        } else {
            end(index, as: outcome.result, at: now)
        }
    }

    private func mayRetry(_ index: Int, after result: TaskResult) -> Bool {
        let policy = plan(of: index).policy
        guard run.ending == nil else { return false }
        if let place = tasks[index].place, tasks[place.parent].phase.isStopping { return false }
        let made = tasks[index].attempts.count - tasks[index].earlierAttempts
        if let most = policy.maxRetries, made > most { return false }
        return result == .failed || (result == .timedOut && policy.retriesOnTimeout)
    }

    /// The same for whoever asks after the same attempt.
    private func chance(_ index: Int) -> UInt64 {
        var generator = SeededGenerator(
            seed: plan.seed &* 1_000_003 &+ UInt64(index) &* 1009 &+ UInt64(tasks[index].attempts.count))
        return generator.next()
    }

    private func compare(
        _ index: Int, _ comparison: Comparison, _ left: String, _ right: String
    ) -> AttemptOutcome {
        do {
            let (left, right) = (try resolve(left, for: index), try resolve(right, for: index))
            guard let branch = comparison.holds(left, right) else {
                let words = "\(left.prefix(100)) and \(right.prefix(100))"
                return .failure(
                    Termination.notComparable.code, "The sides of the condition are no numbers: \(words).")
            }
            var outcome = AttemptOutcome.success()
            outcome.branch = branch
            return outcome
        } catch {
            return .failure(Termination.unresolved.code, error.message)
        }
    }
}

extension Comparison {
    /// Whether it holds; nil when the sides would have to be numbers and are not.
    func holds(_ left: String, _ right: String) -> Bool? {
        switch self {
        case .equal: return left == right
        case .notEqual: return left != right
        case .greater, .greaterOrEqual, .less, .lessOrEqual:
            guard let left = Double(left), let right = Double(right), !left.isNaN, !right.isNaN else { return nil }
            return switch self {
            case .greater: left > right
            case .greaterOrEqual: left >= right
            case .less: left < right
            default: left <= right
            }
        }
    }
}
