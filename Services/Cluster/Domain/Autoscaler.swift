internal import Core

/// Decides how many workers a cluster has by the work that waits in Spark: no I/O, no clock.
///
/// It grows soon and in doubling steps, because somebody waits; it shrinks late, by half at most and never below what was
/// needed at any moment of the time it waited, because the next query may come any minute and executors carry shuffle
/// files and cached data.
struct Autoscaler: Sendable, Hashable {
    /// How long it waits before it acts.
    struct Patience: Sendable, Hashable {
        /// So long must tasks have waited for a core before workers are added.
        var up = Duration.seconds(5)
        /// So long must workers have been too many before some are let go.
        var down = Duration.seconds(120)
    }

    /// What Spark says at one moment.
    struct Load: Sendable, Hashable {
        /// Tasks that run.
        var active: Int
        /// Tasks that wait for a core.
        var pending: Int
    }

    let patience: Patience
    private var backlogSince: Timestamp?
    private var surplusSince: Timestamp?
    /// The most workers that were needed since there are too many.
    private var mostNeeded = 0

    init(patience: Patience) { self.patience = patience }

    /// Takes what Spark says of a cluster that has so many workers, and says how many it shall have instead; nil when it
    /// has the right number.
    mutating func sample(
        _ load: Load, workers: Int, coresPerWorker: Int, within range: ClosedRange<Int>, at now: Timestamp
    ) -> Int? {
        guard range.contains(workers) else {
            forget()
            return workers < range.lowerBound ? range.lowerBound : range.upperBound
        }
        let tasks = max(0, load.active) + max(0, load.pending)
        let cores = max(1, coresPerWorker)
        let needed = min(max(tasks / cores + (tasks % cores > 0 ? 1 : 0), range.lowerBound), range.upperBound)
        if load.pending > 0 && needed > workers {
            surplusSince = nil
            let since = backlogSince ?? now
            backlogSince = since
            guard since + patience.up <= now else { return nil }
            forget()
            return min(needed, max(1, workers * 2))
        }
        backlogSince = nil
        guard needed < workers else {
            surplusSince = nil
            return nil
        }
        let since = surplusSince ?? now
        mostNeeded = surplusSince == nil ? needed : max(mostNeeded, needed)
        surplusSince = since
        guard since + patience.down <= now else { return nil }
        let target = max(mostNeeded, workers / 2)
        forget()
        return target < workers ? target : nil
    }

    /// The cluster is another one from now on: what was seen of it says nothing any more.
    mutating func forget() {
        backlogSince = nil
        surplusSince = nil
        mostNeeded = 0
    }
}
