internal import Core
internal import HarbourProtocol

extension RunPlan {
    /// The plan of a job's tasks, or of tasks submitted without a job.
    ///
    /// - Throws: `INVALID_PARAMETER_VALUE` naming every problem of the graph at once: repeated keys, dependencies that
    ///   do not exist, a cycle with its path, cluster choices that are missing, doubled or dangling.
    init(tasks specs: [TaskSpec], jobClusters: [JobCluster], timeoutSeconds: Int?) throws(HarbourError) {
        let graph = JobGraph(tasks: specs, jobClusters: jobClusters)
        let problems = graph.problems
        guard problems.isEmpty else {
            throw HarbourError(.invalidParameter, "The tasks cannot be run: " + problems.joined(separator: " "))
        }
        tasks = specs.map { spec in
            TaskPlan(
                key: spec.taskKey, dependencies: graph.dependencies(of: spec), cluster: graph.choice(of: spec),
                timeout: JobGraph.limit(spec.timeoutSeconds), maxRetries: spec.maxRetries ?? 0,
                retryInterval: Int64(spec.minRetryIntervalMillis ?? 0), retriesOnTimeout: spec.retryOnTimeout ?? false)
        }
        timeout = JobGraph.limit(timeoutSeconds)
    }
}

/// The tasks of a job as a graph, and what is wrong with it.
struct JobGraph {
    private let tasks: [TaskSpec]
    private let clusterKeys: Set<String>
    private let indices: [String: Int]

    init(tasks: [TaskSpec], jobClusters: [JobCluster]) {
        self.tasks = tasks
        clusterKeys = Set(jobClusters.map(\.jobClusterKey))
        indices = Dictionary(tasks.enumerated().map { ($1.taskKey, $0) }, uniquingKeysWith: { first, _ in first })
        repeatedClusters = JobGraph.repeated(jobClusters.map(\.jobClusterKey))
    }

    private let repeatedClusters: [String]

    /// Zero means no limit, as Databricks has it.
    static func limit(_ seconds: Int?) -> Int64? {
        guard let seconds, seconds > 0 else { return nil }
        return Int64(seconds) * 1000
    }

    func dependencies(of spec: TaskSpec) -> [Int] { (spec.dependsOn ?? []).compactMap { indices[$0.taskKey] } }

    func choice(of spec: TaskSpec) -> ClusterChoice {
        if let id = spec.existingClusterID { return .existing(id) }
        if let key = spec.jobClusterKey { return .shared(key) }
        return .own(taskKey: spec.taskKey)
    }

    /// A sentence for each problem; empty when the graph can be run.
    var problems: [String] {
        var problems = JobGraph.repeated(tasks.map(\.taskKey)).map { "The task key \($0) is used more than once." }
        problems += repeatedClusters.map { "The job cluster key \($0) is used more than once." }
        for task in tasks {
            problems += dependencyProblems(of: task)
            problems += clusterProblems(of: task)
        }
        if let cycle { problems.append("The tasks wait for each other: \(cycle.joined(separator: " -> ")).") }
        return problems
    }

    private func dependencyProblems(of task: TaskSpec) -> [String] {
        let keys = (task.dependsOn ?? []).map(\.taskKey)
        return keys.filter { indices[$0] == nil }.map {
            "\(task.taskKey) depends on \($0), which is no task of this job."
        }
            + JobGraph.repeated(keys).map { "\(task.taskKey) depends on \($0) more than once." }
    }

    private func clusterProblems(of task: TaskSpec) -> [String] {
        let named = [task.existingClusterID != nil, task.jobClusterKey != nil, task.newCluster != nil].filter { $0 }
        var problems: [String] = []
        if named.count != 1 {
            problems.append("\(task.taskKey) needs exactly one of existing_cluster_id, job_cluster_key, new_cluster.")
        }
        if let key = task.jobClusterKey, !clusterKeys.contains(key) {
            problems.append("\(task.taskKey) runs on the job cluster \(key), which job_clusters does not have.")
        }
        return problems
    }

    private static func repeated(_ keys: [String]) -> [String] {
        var seen: Set<String> = []
        var repeated: [String] = []
        for key in keys where !seen.insert(key).inserted && !repeated.contains(key) { repeated.append(key) }
        return repeated
    }

    /// The path of one cycle, its first key repeated at the end; nil when there is none.
    private var cycle: [String]? {
        enum Mark { case open, done }
        var marks: [Int: Mark] = [:]
        // Explicit stack: the graph comes from outside and may be a chain of a thousand.
        for start in tasks.indices where marks[start] == nil {
            var path: [(task: Int, next: Int)] = [(start, 0)]
            marks[start] = .open
            while let (task, next) = path.last {
                let dependencies = dependencies(of: tasks[task])
                guard next < dependencies.count else {
                    marks[task] = .done
                    path.removeLast()
                    continue
                }
                path[path.count - 1].next += 1
                let dependency = dependencies[next]
                switch marks[dependency] {
                case .done: break
                case nil:
                    marks[dependency] = .open
                    path.append((dependency, 0))
                case .open:
                    let from = path.firstIndex { $0.task == dependency } ?? 0
                    return path[from...].map { tasks[$0.task].taskKey } + [tasks[dependency].taskKey]
                }
            }
        }
        return nil
    }
}
