internal import ClusterBackend

/// What becomes of a cluster's executors, from one look at the master to the next. No I/O and no clock.
struct ExecutorMachine: Sendable, Hashable {
    /// How long an application may wait for its executors before that is worth telling.
    static let startTime: Int64 = 10_000

    let application: String
    /// How many there shall be.
    var planned: Int
    let coresEach: Int
    /// All executors have been there once.
    private var wasComplete = false
    private var wasSeen = false
    private var running = 0

    init(application: String, planned: Int, coresEach: Int) {
        self.application = application
        self.planned = planned
        self.coresEach = max(1, coresEach)
    }

    /// The cluster's state, given that its driver lives. Executors that are about to leave count when it is to be `exactly`.
    mutating func see(_ view: MasterView, exactly: Bool = false) -> ClusterStatus {
        switch view {
        case .unreachable(let reason):
            return .degraded(
                workers: running,
                message: "Spark's master cannot be asked: \(reason) Executors that run go on; one that dies is not "
                    + "replaced until the master is back.")
        case .inactive(let status):
            return .degraded(
                workers: running,
                message: "Spark's master is \(status). Executors that run go on; one that dies is not replaced until "
                    + "a master is ALIVE.")
        case .alive(let state):
            return see(state, exactly)
        }
    }

    private mutating func see(_ state: MasterState, _ exactly: Bool) -> ClusterStatus {
        // A driver that was started anew is a new application of that name; the older one is about to leave.
        let mine = state.applications.filter { $0.name == application }.min { $0.age < $1.age }
        guard let mine else {
            running = 0
            if !wasSeen { return .running(workers: 0) }
            return .degraded(workers: 0, message: "Spark's master does not know the cluster's application any more.")
        }
        wasSeen = true
        let seen = max(0, mine.cores) / coresEach
        running = exactly ? seen : min(planned, seen)
        if running == planned {
            wasComplete = true
            return .running(workers: planned)
        }
        if !wasComplete && mine.age < ExecutorMachine.startTime { return .running(workers: running) }
        let workers = state.workers.count == 1 ? "1 worker" : "\(state.workers.count) workers"
        return .degraded(
            workers: running,
            message: "\(running) of \(planned) executors run. The master has \(workers) with \(state.coresFree) cores "
                + "and \(state.memoryFreeMiB) MiB free; the missing ones come when there is room.")
    }
}
