/// Which cluster a task runs on, as its job says. Tasks with the same choice share a cluster within a run.
enum ClusterChoice: Hashable, Sendable {
    /// A cluster that is there already and stays.
    case existing(String)
    /// A cluster of the job, shared by the tasks that name its key, ended with the run.
    case shared(String)
    /// A cluster for one task alone, with all its iterations, ended with the task.
    case own(taskKey: String)
}

/// When a task runs, given what has become of the tasks it depends on.
enum RunRule: String, Sendable, CaseIterable {
    case allSuccess, allDone, noneFailed, atLeastOneSuccess, allFailed, atLeastOneFailed
}

/// How a condition compares its sides.
enum Comparison: String, Sendable, CaseIterable {
    case equal, notEqual, greater, greaterOrEqual, less, lessOrEqual
}

/// What a task does, as far as the machine decides about it.
enum TaskWork: Sendable, Hashable {
    /// The shell makes its attempts happen.
    case attempts
    /// The machine compares two texts when its turn comes; both may hold references.
    case condition(Comparison, left: String, right: String)
    /// The machine starts one task for each input.
    case forEach(ForEachPlan)
}

/// A task to be run once for each of several inputs.
struct ForEachPlan: Sendable, Hashable {
    /// A JSON array, or a reference to one.
    var inputs: String
    /// How many iterations at a time.
    var concurrency: Int
    /// A template without dependencies; an array because a structure cannot hold itself.
    private var template: [TaskPlan]

    var task: TaskPlan { template[0] }

    init(inputs: String, concurrency: Int, task: TaskPlan) {
        self.inputs = inputs
        self.concurrency = concurrency
        template = [task]
    }
}

/// An edge of the graph.
struct Dependency: Sendable, Hashable {
    /// Index into `RunPlan.tasks`.
    var task: Int
    /// Only after this outcome of a condition.
    var outcome: Bool?
}

/// When and how often a task is tried.
struct AttemptPolicy: Sendable, Hashable {
    /// Milliseconds that one attempt may take.
    var timeout: Int64?
    /// Nil for any number.
    var maxRetries: Int? = 0
    /// Milliseconds from the end of an attempt to the start of the next.
    var retryInterval: Int64 = 0
    /// When there is one, the interval doubles with each failure up to this, and chance lengthens it.
    var maxRetryInterval: Int64?
    var retriesOnTimeout = false

    /// How long to wait after so many failures, in milliseconds. Up to a tenth is added by chance, so that tasks that
    /// failed together do not come back together.
    func pause(afterFailures count: Int, chance: UInt64) -> Int64 {
        guard let maxRetryInterval else { return retryInterval }
        var pause = min(max(1, retryInterval), maxRetryInterval)
        for _ in 1..<max(1, count) where pause < maxRetryInterval { pause = min(pause * 2, maxRetryInterval) }
        return pause + Int64(chance % UInt64(max(1, pause / 10 + 1)))
    }
}

/// One node of the graph, as the machine needs it.
struct TaskPlan: Sendable, Hashable {
    var key: String
    var dependencies: [Dependency] = []
    var rule = RunRule.allSuccess
    var isDisabled = false
    var work = TaskWork.attempts
    /// Nil for what needs none.
    var cluster: ClusterChoice?
    var policy = AttemptPolicy()
}

/// What a run does, frozen when the run is made. The graph has been checked: it has no cycle.
struct RunPlan: Sendable, Hashable {
    var tasks: [TaskPlan]
    /// Milliseconds that the whole run may take.
    var timeout: Int64?
    /// Where chance begins; the same for whoever decides for the run.
    var seed: UInt64 = 0

    /// The tasks that wait for each task.
    var dependents: [[Int]] {
        var dependents = [[Int]](repeating: [], count: tasks.count)
        for (index, task) in tasks.enumerated() {
            for dependency in task.dependencies { dependents[dependency.task].append(index) }
        }
        return dependents
    }
}
