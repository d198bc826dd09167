internal import Core
internal import HarbourProtocol

// What a task of the contract is, and whether it makes sense by itself.

extension TaskSpec {
    /// The members that say what it does; exactly one has to be there.
    var kinds: [String] {
        let present = [
            notebookTask != nil, sparkPythonTask != nil, sqlTask != nil, pythonWheelTask != nil,
            sparkSubmitTask != nil, shellTask != nil, webhookTask != nil, airflowTask != nil, conditionTask != nil,
            runJobTask != nil, forEachTask != nil,
        ]
        return zip(TaskSpec.allKinds, present).filter(\.1).map(\.0)
    }

    static let allKinds = [
        "notebook_task", "spark_python_task", "sql_task", "python_wheel_task", "spark_submit_task",
        "shell_task", "webhook_task", "airflow_task", "condition_task", "run_job_task", "for_each_task",
    ]

    /// Whether it runs on a cluster.
    var needsCluster: Bool {
        notebookTask != nil || sparkPythonTask != nil || sqlTask != nil || pythonWheelTask != nil
            || sparkSubmitTask != nil || shellTask != nil
    }

    /// Whether it has attempts of its own that may fail and be tried again.
    var isTried: Bool { conditionTask == nil && forEachTask == nil }

    /// The file of the workspace that it runs, frozen when the run begins.
    var sourcePath: String? { notebookTask?.notebookPath ?? sparkPythonTask?.pythonFile ?? sqlTask?.file }

    /// The task with all its texts that may hold references changed.
    ///
    /// - Parameter code: for texts that are run, a script or a statement.
    func mapTexts(
        _ change: (String) throws(HarbourError) -> String, code: (String) throws(HarbourError) -> String
    ) throws(HarbourError) -> TaskSpec {
        func map(_ texts: [String: String]?) throws(HarbourError) -> [String: String]? {
            guard let texts else { return nil }
            var changed: [String: String] = [:]
            for (key, text) in texts { changed[key] = try change(text) }
            return changed
        }
        func map(_ texts: [String]?) throws(HarbourError) -> [String]? {
            guard let texts else { return nil }
            var changed: [String] = []
            for text in texts { changed.append(try change(text)) }
            return changed
        }
        func map(_ text: String?) throws(HarbourError) -> String? {
            guard let text else { return nil }
            return try change(text)
        }
        var spec = self
        spec.notebookTask?.baseParameters = try map(notebookTask?.baseParameters)
        spec.sparkPythonTask?.parameters = try map(sparkPythonTask?.parameters)
        spec.sqlTask?.parameters = try map(sqlTask?.parameters)
        if let statement = sqlTask?.statement { spec.sqlTask?.statement = try code(statement) }
        spec.pythonWheelTask?.parameters = try map(pythonWheelTask?.parameters)
        spec.pythonWheelTask?.namedParameters = try map(pythonWheelTask?.namedParameters)
        if let parameters = try map(sparkSubmitTask?.parameters) { spec.sparkSubmitTask?.parameters = parameters }
        if let command = shellTask?.command { spec.shellTask?.command = try code(command) }
        spec.shellTask?.environment = try map(shellTask?.environment)
        if let url = webhookTask?.url { spec.webhookTask?.url = try change(url) }
        spec.webhookTask?.headers = try map(webhookTask?.headers)
        spec.webhookTask?.body = try map(webhookTask?.body)
        spec.airflowTask?.conf = try map(airflowTask?.conf)
        spec.runJobTask?.jobParameters = try map(runJobTask?.jobParameters)
        if let conditionTask {
            spec.conditionTask?.left = try change(conditionTask.left)
            spec.conditionTask?.right = try change(conditionTask.right)
        }
        if let inputs = forEachTask?.inputs { spec.forEachTask?.inputs = try change(inputs) }
        return spec
    }

    /// The texts of it that may hold references.
    var texts: [String] {
        var texts: [String] = []
        func note(_ text: String) -> String {
            texts.append(text)
            return text
        }
        // Nothing is thrown where nothing is looked up.
        _ = try? mapTexts(note, code: note)
        return texts
    }
}

extension NestedTask {
    /// The same as a task by itself.
    var spec: TaskSpec {
        TaskSpec(
            taskKey: taskKey, description: description, notebookTask: notebookTask, sparkPythonTask: sparkPythonTask,
            sqlTask: sqlTask, pythonWheelTask: pythonWheelTask, sparkSubmitTask: sparkSubmitTask,
            shellTask: shellTask, webhookTask: webhookTask, airflowTask: airflowTask, runJobTask: runJobTask,
            existingClusterID: existingClusterID,
            jobClusterKey: jobClusterKey, newCluster: newCluster, libraries: libraries, timeoutSeconds: timeoutSeconds,
            maxRetries: maxRetries, minRetryIntervalMillis: minRetryIntervalMillis,
            maxRetryIntervalMillis: maxRetryIntervalMillis, retryOnTimeout: retryOnTimeout)
    }
}

extension JobGraph {
    /// What is wrong with a task whatever the others are.
    func shapeProblems(of task: TaskSpec) -> [String] {
        let key = task.taskKey
        guard task.kinds.count == 1 else {
            let given = task.kinds.isEmpty ? "none" : task.kinds.joined(separator: " and ")
            return ["\(key) needs exactly one of \(TaskSpec.allKinds.joined(separator: ", ")); it has \(given)."]
        }
        var problems = clusterProblems(of: task)
        if !task.isTried, (task.maxRetries ?? 0) != 0 || task.retryOnTimeout ?? false {
            problems.append("\(key) is not tried again by itself; put its retries into the nested task, if it has one.")
        }
        if let min = task.minRetryIntervalMillis, let max = task.maxRetryIntervalMillis, max < min {
            problems.append("\(key) has a max_retry_interval_millis below its min_retry_interval_millis.")
        }
        if let sql = task.sqlTask, (sql.statement == nil) == (sql.file == nil) {
            problems.append("\(key) needs exactly one of statement and file in its sql_task.")
        }
        problems += environmentProblems(of: task)
        if let url = task.webhookTask?.url, !JobGraph.isWebAddress(url) {
            problems.append("\(key) calls \(url), which is neither an http nor an https address.")
        }
        if let nested = task.forEachTask?.task { problems += shapeProblems(of: nested.spec) }
        return problems
    }

    /// Variables that bash or the system's loader take for programs, or for where to find them.
    private static let programVariables: Set<String> = [
        "BASHOPTS", "BASH_ENV", "ENV", "GLOBIGNORE", "IFS", "LD_AUDIT", "LD_LIBRARY_PATH", "LD_PRELOAD", "PATH",
        "PROMPT_COMMAND", "PS0", "PS1", "PS2", "PS4", "PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "SHELLOPTS",
    ]

    private func environmentProblems(of task: TaskSpec) -> [String] {
        (task.shellTask?.environment ?? [:]).sorted { $0.key < $1.key }.compactMap { name, value in
            let isName =
                name.utf8.first.map { !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ?? false
                && name.utf8.count <= 256 && CodeReference.isVariable(name)
            guard isName else {
                return "\(task.taskKey) has \(name) in its environment, which is no name of a variable: letters, "
                    + "digits and underscores, no digit first."
            }
            guard JobGraph.programVariables.contains(name), !ReferenceText(value).references.isEmpty else { return nil }
            return "\(task.taskKey) sets \(name) by a reference, whose value could make the script run other programs. "
                + "Use a variable of your own."
        }
    }

    static func isWebAddress(_ url: String) -> Bool {
        let text = url.lowercased()
        return text.hasPrefix("http://") || text.hasPrefix("https://") || text.hasPrefix("{{")
    }

    private func clusterProblems(of task: TaskSpec) -> [String] {
        let named = [task.existingClusterID != nil, task.jobClusterKey != nil, task.newCluster != nil].filter { $0 }
        guard task.needsCluster else {
            if !named.isEmpty { return ["\(task.taskKey) runs on no cluster and may not name one."] }
            return task.libraries == nil ? [] : ["\(task.taskKey) runs on no cluster and may not have libraries."]
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
