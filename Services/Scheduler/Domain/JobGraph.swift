internal import Core
internal import HarbourProtocol

extension RunPlan {
    /// The plan of what a job, or a run without one, does.
    ///
    /// - Parameter seed: where chance begins; the run's id.
    /// - Throws: `INVALID_PARAMETER_VALUE` naming every problem of the graph at once: repeated keys, dependencies that
    ///   do not exist, a cycle with its path, cluster choices that are missing, doubled or dangling, references that
    ///   can have no value.
    init(_ spec: JobSpec, seed: Int64 = 0) throws(HarbourError) {
        let graph = JobGraph(spec)
        let problems = graph.problems
        guard problems.isEmpty else {
            throw HarbourError(.invalidParameter, "The tasks cannot be run: " + problems.joined(separator: " "))
        }
        tasks = spec.tasks.map { graph.plan($0) }
        timeout = JobGraph.limit(spec.timeoutSeconds)
        self.seed = UInt64(bitPattern: seed)
    }
}

/// The tasks of a job as a graph, and what is wrong with it.
struct JobGraph {
    let tasks: [TaskSpec]
    let clusterKeys: Set<String>
    let parameterNames: Set<String>
    let indices: [String: Int]
    private let repeatedNames: [String]

    init(_ spec: JobSpec) {
        tasks = spec.tasks
        let clusters = (spec.jobClusters ?? []).map(\.jobClusterKey)
        let parameters = (spec.parameters ?? []).map(\.name)
        clusterKeys = Set(clusters)
        parameterNames = Set(parameters)
        indices = Dictionary(tasks.enumerated().map { ($1.taskKey, $0) }, uniquingKeysWith: { first, _ in first })
        // An iteration is called after the nested task, so that its key has to be its own.
        let keys = tasks.flatMap { [$0.taskKey] + [$0.forEachTask?.task.taskKey].compactMap { $0 } }
        repeatedNames =
            JobGraph.repeated(keys).map { "The task key \($0) is used more than once." }
            + JobGraph.repeated(clusters).map { "The job cluster key \($0) is used more than once." }
            + JobGraph.repeated(parameters).map { "The parameter \($0) is given more than once." }
    }

    /// Zero means no limit, as Databricks has it.
    static func limit(_ seconds: Int?) -> Int64? {
        guard let seconds, seconds > 0 else { return nil }
        return Int64(seconds) * 1000
    }

    static func repeated(_ keys: [String]) -> [String] {
        var seen: Set<String> = []
        var repeated: [String] = []
        for key in keys where !seen.insert(key).inserted && !repeated.contains(key) { repeated.append(key) }
        return repeated
    }

    // MARK: The plan

    func plan(_ spec: TaskSpec) -> TaskPlan {
        var plan = TaskPlan(key: spec.taskKey)
        plan.dependencies = (spec.dependsOn ?? []).compactMap { edge in
            indices[edge.taskKey].map { Dependency(task: $0, outcome: edge.outcome.map { $0 == "true" }) }
        }
        plan.rule = spec.runIf?.rule ?? .allSuccess
        plan.isDisabled = spec.disabled ?? false
        plan.policy = AttemptPolicy(
            timeout: JobGraph.limit(spec.timeoutSeconds),
            maxRetries: spec.maxRetries == -1 ? nil : spec.maxRetries ?? 0,
            retryInterval: Int64(spec.minRetryIntervalMillis ?? 0),
            maxRetryInterval: spec.maxRetryIntervalMillis.map { Int64($0) },
            retriesOnTimeout: spec.retryOnTimeout ?? false)
        if let condition = spec.conditionTask {
            plan.work = .condition(condition.op.comparison, left: condition.left, right: condition.right)
        } else if let forEach = spec.forEachTask {
            plan.work = .forEach(
                ForEachPlan(
                    inputs: forEach.inputs, concurrency: forEach.concurrency ?? 1, task: self.plan(forEach.task.spec)))
        } else if spec.needsCluster {
            plan.cluster = choice(of: spec)
        }
        return plan
    }

    private func choice(of spec: TaskSpec) -> ClusterChoice {
        if let id = spec.existingClusterID { return .existing(id) }
        if let key = spec.jobClusterKey { return .shared(key) }
        return .own(taskKey: spec.taskKey)
    }

    // MARK: Problems

    /// A sentence for each problem; empty when the graph can be run.
    var problems: [String] {
        var problems = repeatedNames
        for task in tasks { problems += dependencyProblems(of: task) + shapeProblems(of: task) }
        if let cycle {
            return problems + ["The tasks wait for each other: \(cycle.joined(separator: " -> "))."]
        }
        if problems.isEmpty { problems += ReferenceCheck(graph: self).problems }
        return problems
    }

    private func dependencyProblems(of task: TaskSpec) -> [String] {
        let edges = task.dependsOn ?? []
        var problems = JobGraph.repeated(edges.map { "\($0.taskKey)/\($0.outcome ?? "")" }).map {
            "\(task.taskKey) depends on \($0.split(separator: "/")[0]) more than once."
        }
        for edge in edges {
            guard let other = indices[edge.taskKey].map({ tasks[$0] }) else {
                problems.append("\(task.taskKey) depends on \(edge.taskKey), which is no task of this job.")
                continue
            }
            guard let outcome = edge.outcome else { continue }
            if other.conditionTask == nil {
                problems.append("\(task.taskKey) waits for an outcome of \(edge.taskKey), which is no condition task.")
            } else if outcome != "true" && outcome != "false" {
                problems.append("\(task.taskKey) waits for the outcome \(outcome); there are true and false.")
            }
        }
        return problems
    }

    private func dependencies(of task: Int) -> [Int] {
        (tasks[task].dependsOn ?? []).compactMap { indices[$0.taskKey] }
    }

    /// All tasks that have to end before a task, however far away.
    func ancestors(of task: Int) -> Set<Int> {
        var found: Set<Int> = []
        var open = dependencies(of: task)
        while let next = open.popLast() {
            if found.insert(next).inserted { open += dependencies(of: next) }
        }
        return found
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
                let dependencies = dependencies(of: task)
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
