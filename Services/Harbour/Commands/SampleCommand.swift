internal import Core
internal import EventLoop
internal import Glibc
internal import HarbourProtocol

/// `harbour sample`: the main job of the platform, from a notebook file to a result, as `deploy/up` shows it.
enum SampleCommand {
    static let command = Command(
        name: "sample", summary: "Import the sample notebooks and run them as a job.",
        flags: [
            .value("folder", "FOLDER", "Where the samples are; those of this installation when absent"),
            .toggle("if-new", "Only show the last result when these notebooks have succeeded already"),
        ], run: run)

    private static func run(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let api = try PublicAPI(setting)
        let folder = Setting.absolute(
            invocation.value("folder") ?? Setting.executableFolder() + "/../share/harbour/samples")
        let isChanged = try await importNotebooks(from: folder, api, setting.terminal)
        let job = try await prepareJob(from: folder, setting, api)
        if invocation.has("if-new"), !isChanged, let last = try await lastSuccess(of: job, api) {
            setting.terminal.say("The sample job has run before; its result:")
            return try await show(last, api, setting)
        }
        let created = try await api.call(SchedulerAPI.runNow, .init(jobID: job.jobID, body: RunNow()))
        setting.terminal.progress("The sample job runs as run \(created.runID); a cluster is started for it.")
        let quiet = Terminal(isJSON: true)
        let run = try await RunFollower(api: api, terminal: quiet).follow(created.runID)
        try RunFollower.check(run)
        try await show(run, api, setting)
    }

    /// Imports the notebooks that are not there or differ.
    /// - Returns: whether any did.
    private static func importNotebooks(from folder: String, _ api: PublicAPI, _ terminal: Terminal) async throws
        -> Bool
    {
        let target = "/Shared/samples"
        _ = try await api.call(WorkspaceAPI.makeDirectories, .init(body: MakeDirectories(path: target)))
        var isChanged = false
        for file in ["01_ingest.ipynb", "02_report.py", "03_explore.sql"] {
            let bytes = try Files.read("\(folder)/\(file)")
            let path = "\(target)/\(file.prefix { $0 != "." })"
            if try await stored(path, api) == bytes { continue }
            isChanged = true
            let body = ImportObject(path: path, content: Base64.encode(bytes), format: .auto, overwrite: true)
            let object = try await api.call(WorkspaceAPI.importObject, .init(body: body))
            terminal.progress("  imported \(object.path)")
        }
        return isChanged
    }

    private static func stored(_ path: String, _ api: PublicAPI) async throws -> [UInt8]? {
        do {
            let exported = try await api.call(WorkspaceAPI.exportObject, .init(path: path, format: .auto))
            return Base64.decode(exported.content)
        } catch let error as HarbourError where error.code == .notFound {
            return nil
        }
    }

    /// Makes the job once; a job of that name is taken as it is.
    private static func prepareJob(from folder: String, _ setting: Setting, _ api: PublicAPI) async throws -> Job {
        var spec = try JobSpec(json: try Files.read("\(folder)/job.json"))
        spec.parameters = [
            JobParameter(name: "source_dir", default: "\(folder)/data"),
            JobParameter(name: "data_dir", default: "\(try setting.layout().root)/samples"),
        ]
        let existing = try await api.call(SchedulerAPI.listJobs, .init(name: spec.name)).jobs.first
        guard let existing else { return try await api.call(SchedulerAPI.createJob, .init(body: spec)) }
        if existing.settings == spec { return existing }
        return try await api.call(SchedulerAPI.updateJob, .init(jobID: existing.jobID, body: spec))
    }

    private static func lastSuccess(of job: Job, _ api: PublicAPI) async throws -> Run? {
        let runs = try await api.call(SchedulerAPI.listRuns, .init(pageSize: 20, jobID: job.jobID)).runs
        return runs.first { $0.state.resultState == .success }
    }

    // MARK: Showing

    private static func show(_ run: Run, _ api: PublicAPI, _ setting: Setting) async throws {
        let terminal = setting.terminal
        terminal.answer(run)
        if let text = run.tasks.last?.exitValue { showResult(text, terminal) }
        terminal.say("")
        var rows: [[String]] = []
        for task in run.tasks {
            guard let attempt = task.attempts.last else { continue }
            rows.append([
                task.taskKey, Show.state(task.state), Show.span(attempt.startTime, attempt.executionTime),
                Show.span(attempt.executionTime, attempt.endTime),
            ])
        }
        terminal.table(["TASK", "RESULT", "CLUSTER AND CONTEXT", "CELLS"], rows)
        let url = setting.invocation.value("url") ?? Setting.variable("HARBOUR_URL")
        let front = try url ?? "http://127.0.0.1:\(setting.basePort())"
        terminal.say("\nThe whole run took \(Show.span(run.startTime, run.endTime)): \(front)\(run.runPagePath ?? "")")
        terminal.say("Its executed notebooks: harbour runs output \(run.runID) report")
    }

    private static func showResult(_ text: String, _ terminal: Terminal) {
        guard let result = try? JSONValue(json: Array(text.utf8)), let columns = result["columns"]?.array,
            let rows = result["rows"]?.array
        else { return terminal.say(text) }
        terminal.say("\n\(result["title"]?.string ?? "Result")\n")
        let cells = rows.map { row in (row.array ?? []).map { $0.string ?? $0.jsonText() } }
        guard cells.allSatisfy({ $0.count == columns.count }) else { return terminal.say(text) }
        terminal.table(columns.map { $0.string ?? "" }, cells)
    }
}
