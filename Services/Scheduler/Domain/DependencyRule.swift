/// Whether a task may run, given what has become of the tasks it depends on: `run_if`.
///
/// A disabled task counts as if it were not there. A task that was left out (its own rule was not met, or a condition
/// went the other way) neither succeeded nor failed; where all were left out, so is what depends on them.
enum DependencyRule {
    /// What has become of one dependency.
    enum Standing: Hashable, CaseIterable, Sendable {
        case pending
        case succeeded
        /// It failed, ran out of time, or could not run because something before it failed.
        case failed
        /// It was cancelled, or could not run because something before it was.
        case canceled
        case leftOut
        /// It is disabled.
        case ignored
    }

    /// What follows from them.
    enum Verdict: Hashable, Sendable {
        case wait
        case run
        case end(TaskResult)
    }

    static func verdict(_ rule: RunRule, _ standings: some Collection<Standing>) -> Verdict {
        var counts: [Standing: Int] = [:]
        for standing in standings { counts[standing, default: 0] += 1 }
        func count(_ standing: Standing) -> Int { counts[standing, default: 0] }
        guard standings.count > count(.ignored) else { return .run }
        let bad = count(.failed) + count(.canceled)
        let upstream = TaskResult.upstream(onlyCanceled: count(.failed) == 0)
        // What can no longer be met is told at once: people see it, and clusters are given back early.
        if bad > 0, rule == .allSuccess || rule == .noneFailed { return .end(upstream) }
        if count(.pending) > 0 { return .wait }
        if bad + count(.succeeded) == 0 { return .end(.excluded) }
        switch rule {
        case .allSuccess: return count(.leftOut) == 0 ? .run : .end(.excluded)
        case .noneFailed, .allDone: return .run
        case .atLeastOneSuccess: return count(.succeeded) > 0 ? .run : .end(upstream)
        case .allFailed: return count(.succeeded) == 0 ? .run : .end(.excluded)
        case .atLeastOneFailed: return bad > 0 ? .run : .end(.excluded)
        }
    }
}

extension TaskResult {
    fileprivate static func upstream(onlyCanceled: Bool) -> TaskResult {
        onlyCanceled ? .upstreamCanceled : .upstreamFailed
    }

    /// What the result means to tasks that depend on the one that has it.
    var standing: DependencyRule.Standing {
        switch self {
        case .success, .successWithFailures: .succeeded
        case .failed, .timedOut, .upstreamFailed: .failed
        case .canceled, .upstreamCanceled: .canceled
        case .excluded, .skipped: .leftOut
        case .disabled: .ignored
        }
    }
}
