/// Which cluster a task runs on, as its job says. Tasks with the same choice share a cluster within a run.
enum ClusterChoice: Hashable, Sendable {
    /// A cluster that is there already and stays.
    case existing(String)
    /// A cluster of the job, shared by the tasks that name its key, ended with the run.
    case shared(String)
    /// A cluster for one task alone, ended with the task.
    case own(taskKey: String)
}

/// One node of the graph, as the machine needs it.
struct TaskPlan: Sendable, Hashable {
    var key: String
    /// Indices into `RunPlan.tasks`; they have to succeed first.
    var dependencies: [Int]
    var cluster: ClusterChoice
    /// Milliseconds that one attempt may take.
    var timeout: Int64?
    var maxRetries: Int
    /// Milliseconds from the end of an attempt to the start of the next.
    var retryInterval: Int64
    var retriesOnTimeout: Bool
}

/// What a run does, frozen when the run is made. The graph has been checked: it has no cycle.
struct RunPlan: Sendable, Hashable {
    var tasks: [TaskPlan]
    /// Milliseconds that the whole run may take.
    var timeout: Int64?

    /// The tasks that wait for each task.
    var dependents: [[Int]] {
        var dependents = [[Int]](repeating: [], count: tasks.count)
        for (index, task) in tasks.enumerated() {
            for dependency in task.dependencies { dependents[dependency].append(index) }
        }
        return dependents
    }
}
