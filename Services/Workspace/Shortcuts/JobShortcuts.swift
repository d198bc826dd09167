internal import Core
internal import HarbourProtocol
internal import NotebookFormats
internal import ServiceClients
internal import ServiceKit

/// Routes that do with one plain request what takes several of the full API: code becomes a job, a job is stopped or
/// begun anew whatever runs of it there are, and what its newest run printed is text.
struct JobShortcuts: Sendable {
    let tree: WorkspaceTree
    let scheduler: ServiceClient

    /// How many runs of a job are asked for at once.
    private static let runs = 100

    func register(on router: ServiceRouter) {
        router.on(WorkspaceAPI.submitJob) { [self] input, context in try await submit(input.body, context) }
        router.on(WorkspaceAPI.killJob) { [self] input, context in
            KilledJob(jobID: input.jobID, runIds: try await kill(input.jobID, context))
        }
        router.on(WorkspaceAPI.restartJob) { [self] input, context in
            let killed = try await kill(input.jobID, context)
            let run = try await scheduler.call(
                SchedulerAPI.runNow, .init(jobID: input.jobID, body: RunNow()), context: context.call())
            return RestartedJob(jobID: input.jobID, runID: run.runID, killedRunIds: killed)
        }
        router.on(WorkspaceAPI.getJobLogs) { [self] input, context in
            try await logs(of: input.jobID, runID: input.runID, context)
        }
        router.on(WorkspaceAPI.getJobSparkPage) { [self] input, context in
            let runs = try await newest(input.jobID, count: 20, context)
            for run in runs {
                let clusters = run.tasks.flatMap(\.attempts).compactMap(\.clusterID)
                guard let cluster = clusters.last else { continue }
                return JobSparkPage(
                    jobID: input.jobID, runID: run.runID, clusterID: cluster,
                    url: "/api/v1/clusters/\(cluster)/spark-ui/")
            }
            throw HarbourError(.notFound, "No run of the job \(input.jobID) has had a cluster yet. Run it first.")
        }
    }

    // MARK: Submitting

    private func submit(_ body: SubmitJob, _ context: RequestContext) async throws -> SubmittedJob {
        let path = try await keep(body, context)
        var task = TaskSpec(taskKey: "main", notebookTask: NotebookTask(notebookPath: path.text))
        if let cluster = body.clusterID {
            task.existingClusterID = cluster
        } else {
            task.newCluster = ClusterSpec(clusterName: String(body.name.prefix(100)))
        }
        let job = try await scheduler.call(
            SchedulerAPI.createJob,
            .init(body: JobSpec(name: body.name, description: body.description, tasks: [task])),
            context: context.call())
        let run = try await scheduler.call(
            SchedulerAPI.runNow, .init(jobID: job.jobID, body: RunNow()), context: context.call())
        return SubmittedJob(
            jobID: job.jobID, runID: run.runID, name: body.name, status: LifeCycleState.pending.rawValue,
            notebookPath: path.text)
    }

    /// Writes what is to be run into a notebook of its own: one of that name may be another job's, or somebody's work.
    private func keep(_ body: SubmitJob, _ context: RequestContext) async throws -> WorkspacePath {
        let folder = "/Users/\(context.userName)/Jobs"
        let name = body.name.replacing("/", with: "-")
        func write(_ name: String) async throws -> WorkspacePath {
            let path = try WorkspacePath("\(folder)/\(name)")
            let notebook = Notebook(cells: [Cell(id: "code", source: body.code)])
            _ = try await tree.store(
                StoredContent.of(notebook, name: path.name), at: path, .init(overwrites: false), by: context.userName)
            return path
        }
        do { return try await write(name) } catch let error as HarbourError where error.code == .alreadyExists {
            return try await write("\(name) \(ISO8601.format(.now).replacing(":", with: "."))")
        }
    }

    // MARK: Runs

    /// Cancels all runs of a job that have not ended. They are listed to the end before the first is cancelled: those
    /// that wait for their turn move up when one ends.
    private func kill(_ jobID: Int64, _ context: RequestContext) async throws -> [Int64] {
        var active: [Int64] = []
        var page: String?
        repeat {
            let list = try await scheduler.call(
                SchedulerAPI.listRuns,
                .init(pageSize: JobShortcuts.runs, pageToken: page, jobID: jobID, activeOnly: true),
                context: context.call())
            active += list.runs.map(\.runID)
            page = list.nextPageToken
        } while page != nil
        for run in active {
            _ = try await scheduler.call(SchedulerAPI.cancelRun, .init(runID: run), context: context.call())
        }
        return active
    }

    private func newest(_ jobID: Int64, count: Int, _ context: RequestContext) async throws -> [Run] {
        try await scheduler.call(
            SchedulerAPI.listRuns, .init(pageSize: count, jobID: jobID), context: context.call()
        ).runs
    }

    private func logs(of jobID: Int64, runID: Int64?, _ context: RequestContext) async throws -> JobLogs {
        var run: Run?
        if let runID {
            let found = try await scheduler.call(SchedulerAPI.getRun, .init(runID: runID), context: context.call())
            // Who may see the job may see its runs, and no others by this way.
            guard found.jobID == jobID else {
                throw HarbourError(.notFound, "The job \(jobID) has no run \(runID).")
            }
            run = found
        } else {
            run = try await newest(jobID, count: 1, context).first
        }
        guard let run else { return JobLogs(jobID: jobID, logs: []) }
        var left = PrintedText.limit
        var logs: [TaskLog] = []
        for task in run.tasks where !task.attempts.isEmpty && left > 0 {
            let output = try await scheduler.call(
                SchedulerAPI.getTaskOutput, .init(runID: run.runID, taskKey: task.taskKey), context: context.call())
            var text = PrintedText(limit: left)
            text.add(output)
            left -= text.text.utf8.count
            logs.append(
                TaskLog(
                    taskKey: task.taskKey, status: task.state.word, text: text.text,
                    truncated: output.truncated || text.isCut))
        }
        return JobLogs(jobID: jobID, runID: run.runID, status: run.state.word, logs: logs)
    }
}

extension RunState {
    /// Where it stands in one word.
    var word: String { resultState?.rawValue ?? lifeCycleState.rawValue }
}

/// The outputs of an executed notebook as text, up to a limit.
struct PrintedText {
    /// The most that is answered at once.
    static let limit = 1 << 20

    private let limit: Int
    private(set) var text = ""
    private(set) var isCut = false

    init(limit: Int) { self.limit = limit }

    mutating func add(_ output: TaskOutput) {
        for cell in output.notebook?["cells"]?.array ?? [] {
            for one in cell["outputs"]?.array ?? [] { add(one) }
        }
        if let error = output.error, !text.contains(error.message) { add("\(error.name): \(error.message)\n") }
    }

    private mutating func add(_ output: JSONValue) {
        switch output["output_type"]?.string {
        case "stream": add(PrintedText.joined(output["text"]))
        case "error":
            add("\(output["ename"]?.string ?? "Error"): \(output["evalue"]?.string ?? "")\n")
        default:
            let shown = PrintedText.joined(output["data"]?["text/plain"])
            if !shown.isEmpty { add(shown + "\n") }
        }
    }

    private mutating func add(_ more: String) {
        let room = limit - text.utf8.count
        guard more.utf8.count > room else {
            text += more
            return
        }
        text += String(decoding: more.utf8.prefix(max(0, room)), as: UTF8.self)
        isCut = true
    }

    /// nbformat writes a text as one string or as a list of lines.
    private static func joined(_ value: JSONValue?) -> String {
        value?.string ?? (value?.array ?? []).compactMap(\.string).joined()
    }
}
