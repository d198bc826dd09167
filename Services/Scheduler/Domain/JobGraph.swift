internal import Core
internal import HarbourProtocol

extension RunPlan {
    /// The plan of what a job, or a run without one, does.
    ///
    /// - Parameters:
    ///   - seed: where chance begins; the run's id.
    ///   - isFrozen: whether it is the definition of a run that was made. Its references were looked at then, by the rules
    ///     of that time; what is wrong with them by the rules of today fails their tasks, and not the whole run.
    /// - Throws: `INVALID_PARAMETER_VALUE` naming every problem of the graph at once: repeated keys, dependencies that
    ///   do not exist, a cycle with its path, cluster choices that are missing, doubled or dangling, references that
    ///   can have no value.
    init(_ spec: JobSpec, seed: Int64 = 0, isFrozen: Bool = false) throws(HarbourError) {
        let graph = JobGraph(spec)
        let problems = graph.problems(withReferences: !isFrozen)
        guard problems.isEmpty else {
            throw HarbourError(
                .invalidParameter, "The tasks cannot be run: " + problems.map(\.message).joined(separator: " "))
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
    let waitsForFiles: Bool
    let indices: [String: Int]
    private let repeatedNames: [JobProblem]

    init(_ spec: JobSpec) {
        tasks = spec.tasks
        let clusters = (spec.jobClusters ?? []).map(\.jobClusterKey)
        let parameters = (spec.parameters ?? []).map(\.name)
        clusterKeys = Set(clusters)
        parameterNames = Set(parameters)
        waitsForFiles = spec.trigger?.fileArrival != nil
        indices = Dictionary(tasks.enumerated().map { ($1.taskKey, $0) }, uniquingKeysWith: { first, _ in first })
        // An iteration is called after the nested task, so that its key has to be its own.
        let keys = tasks.flatMap { [$0.taskKey] + [$0.forEachTask?.task.taskKey].compactMap { $0 } }
        repeatedNames =
            JobGraph.repeated(keys).map { key in
                let last = spec.tasks.lastIndex { [$0.taskKey, $0.forEachTask?.task.taskKey].contains(key) } ?? 0
                return JobProblem(path: "/tasks/\(last)", message: "The task key \(key) is used more than once.")
            }
            + JobGraph.repeated(clusters).map { key in
                JobProblem(
                    path: "/job_clusters/\(clusters.lastIndex(of: key) ?? 0)",
                    message: "The job cluster key \(key) is used more than once.")
            }
            + JobGraph.repeated(parameters).map { name in
                JobProblem(
                    path: "/parameters/\(parameters.lastIndex(of: name) ?? 0)",
                    message: "The parameter \(name) is given more than once.")
            }
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

    /// Everything that is wrong, each with its place in the job; empty when the graph can be run.
    var problems: [JobProblem] { problems(withReferences: true) }

    fileprivate func problems(withReferences: Bool) -> [JobProblem] {
        var problems = repeatedNames
        for (index, task) in tasks.enumerated() {
            problems += dependencyProblems(of: task, index)
            problems += shapeProblems(of: task).map { JobProblem(path: "/tasks/\(index)", message: $0) }
        }
        if let cycle {
            let first = cycle.first.flatMap { indices[$0] } ?? 0
            let path = cycle.joined(separator: " -> ")
            return problems + [
                JobProblem(path: "/tasks/\(first)/depends_on", message: "The tasks wait for each other: \(path).")
            ]
        }
        if problems.isEmpty, withReferences { problems += ReferenceCheck(graph: self).problems }
        return problems
    }

    private func dependencyProblems(of task: TaskSpec, _ index: Int) -> [JobProblem] {
        let edges = task.dependsOn ?? []
        let names = edges.map { "\($0.taskKey)/\($0.outcome ?? "")" }
        var problems = JobGraph.repeated(names).map { name in
            JobProblem(
                path: "/tasks/\(index)/depends_on/\(names.lastIndex(of: name) ?? 0)",
                message: "\(task.taskKey) depends on \(name.split(separator: "/")[0]) more than once.")
        }
        for (number, edge) in edges.enumerated() {
            guard let message = problem(of: edge, task) else { continue }
            problems.append(JobProblem(path: "/tasks/\(index)/depends_on/\(number)", message: message))
        }
        return problems
    }

    private func problem(of edge: TaskDependency, _ task: TaskSpec) -> String? {
        guard let other = indices[edge.taskKey].map({ tasks[$0] }) else {
            return "\(task.taskKey) depends on \(edge.taskKey), which is no task of this job."
        }
        guard let outcome = edge.outcome else { return nil }
        if other.conditionTask == nil {
            return "\(task.taskKey) waits for an outcome of \(edge.taskKey), which is no condition task."
        }
        return outcome == "true" || outcome == "false"
            ? nil : "\(task.taskKey) waits for the outcome \(outcome); there are true and false."
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
