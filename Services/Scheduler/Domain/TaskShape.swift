internal import HarbourProtocol

// What a task of the contract is, and whether it makes sense by itself.

extension TaskSpec {
    /// The members that say what it does; exactly one has to be there.
    var kinds: [String] {
        [
            ("notebook_task", notebookTask != nil), ("condition_task", conditionTask != nil),
            ("run_job_task", runJobTask != nil), ("for_each_task", forEachTask != nil),
        ].filter(\.1).map(\.0)
    }

    static let allKinds = "notebook_task, condition_task, run_job_task, for_each_task"

    /// Whether it runs on a cluster.
    var needsCluster: Bool { notebookTask != nil }

    /// Whether it has attempts of its own that may fail and be tried again.
    var isTried: Bool { conditionTask == nil && forEachTask == nil }

    /// The texts of it that may hold references.
    var texts: [String] {
        var texts = Array((notebookTask?.baseParameters ?? [:]).values)
        texts += Array((runJobTask?.jobParameters ?? [:]).values)
        if let conditionTask { texts += [conditionTask.left, conditionTask.right] }
        if let forEachTask { texts.append(forEachTask.inputs) }
        return texts
    }
}

extension NestedTask {
    /// The same as a task by itself.
    var spec: TaskSpec {
        TaskSpec(
            taskKey: taskKey, description: description, notebookTask: notebookTask, runJobTask: runJobTask,
            existingClusterID: existingClusterID, jobClusterKey: jobClusterKey, newCluster: newCluster,
            timeoutSeconds: timeoutSeconds, maxRetries: maxRetries, minRetryIntervalMillis: minRetryIntervalMillis,
            maxRetryIntervalMillis: maxRetryIntervalMillis, retryOnTimeout: retryOnTimeout)
    }
}

extension JobGraph {
    /// What is wrong with a task whatever the others are.
    func shapeProblems(of task: TaskSpec) -> [String] {
        let key = task.taskKey
        guard task.kinds.count == 1 else {
            let given = task.kinds.isEmpty ? "none" : task.kinds.joined(separator: " and ")
            return ["\(key) needs exactly one of \(TaskSpec.allKinds); it has \(given)."]
        }
        var problems = clusterProblems(of: task)
        if !task.isTried, (task.maxRetries ?? 0) != 0 || task.retryOnTimeout ?? false {
            problems.append("\(key) is not tried again by itself; put its retries into the nested task, if it has one.")
        }
        if let min = task.minRetryIntervalMillis, let max = task.maxRetryIntervalMillis, max < min {
            problems.append("\(key) has a max_retry_interval_millis below its min_retry_interval_millis.")
        }
        if let nested = task.forEachTask?.task { problems += shapeProblems(of: nested.spec) }
        return problems
    }

    private func clusterProblems(of task: TaskSpec) -> [String] {
        let named = [task.existingClusterID != nil, task.jobClusterKey != nil, task.newCluster != nil].filter { $0 }
        guard task.needsCluster else {
            return named.isEmpty ? [] : ["\(task.taskKey) runs on no cluster and may not name one."]
        }
        var problems: [String] = []
        if named.count != 1 {
            problems.append("\(task.taskKey) needs exactly one of existing_cluster_id, job_cluster_key, new_cluster.")
        }
        if let key = task.jobClusterKey, !clusterKeys.contains(key) {
            problems.append("\(task.taskKey) runs on the job cluster \(key), which job_clusters does not have.")
        }
        return problems
    }
}

extension RunIf {
    var rule: RunRule {
        switch self {
        case .allSuccess: .allSuccess
        case .allDone: .allDone
        case .noneFailed: .noneFailed
        case .atLeastOneSuccess: .atLeastOneSuccess
        case .allFailed: .allFailed
        case .atLeastOneFailed: .atLeastOneFailed
        }
    }
}

extension ConditionOperator {
    var comparison: Comparison {
        switch self {
        case .equalTo: .equal
        case .notEqual: .notEqual
        case .greaterThan: .greater
        case .greaterThanOrEqual: .greaterOrEqual
        case .lessThan: .less
        case .lessThanOrEqual: .lessOrEqual
        }
    }
}
