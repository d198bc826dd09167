internal import Core
internal import HarbourProtocol

/// `harbour runs`.
enum RunCommands {
    private static let run = Argument(name: "run", help: "the id of the run")

    static let runs = Command(
        name: "runs", summary: "Runs: what is under way and what was.",
        subcommands: [
            Command(
                name: "list", summary: "List the runs, newest first.",
                flags: [
                    .value("job", "JOB", "Only of this job, by id or name"),
                    .value("backfill", "BACKFILL", "Only of this backfill"),
                    .value("limit", "N", "How many; 50 when absent"),
                    .toggle("active", "Only those that have not ended"),
                ],
                run: listRuns),
            Command(name: "show", summary: "Show a run, its tasks and attempts.", arguments: [run], run: show),
            Command(
                name: "logs", summary: "Show what the cells of a run have printed; goes on until the run ends.",
                arguments: [run], run: logs),
            Command(
                name: "output", summary: "Get the executed notebook of a task.",
                arguments: [run, Argument(name: "task", help: "the key of the task")],
                flags: [
                    .value("to", "FILE", "Write the notebook there; standard output when absent"),
                    .value("attempt", "N", "Of this attempt, 0 for the first; the last when absent"),
                ], run: output),
            Command(name: "cancel", summary: "Cancel a run.", arguments: [run], run: cancel),
            Command(
                name: "repair", summary: "Run tasks of an ended run again, as part of the same run.", arguments: [run],
                flags: [
                    .value("task", "KEY", "This task; all that did not succeed when absent", isRepeated: true),
                    .toggle("failed", "All that did not succeed, besides those named by --task"),
                    .toggle("dependents", "Also all tasks after them, even those that succeeded"),
                    JobCommands.parameter, .toggle("wait", "Show what it does and wait for its end"),
                ], run: repair),
            Command(
                name: "submit", summary: "Run tasks once, without a job.",
                arguments: [Argument(name: "file", help: "run_name, tasks, ... as YAML or JSON; - for standard input")],
                flags: [.toggle("wait", "Show what it does and wait for its end")], run: submit),
        ])

    private static func listRuns(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let api = try PublicAPI(setting)
        var jobID: Int64?
        if let job = invocation.value("job") { jobID = try await api.job(job).jobID }
        let list = try await api.call(
            SchedulerAPI.listRuns,
            .init(
                pageSize: try invocation.integer("limit", in: 1...500), jobID: jobID,
                activeOnly: invocation.has("active") ? true : nil,
                backfillID: try invocation.integer("backfill", in: 1...Int.max).map { Int64($0) }))
        setting.terminal.answer(list)
        setting.terminal.table(
            ["RUN", "JOB", "NAME", "STATE", "STARTED (UTC)", "TOOK"],
            list.runs.map { run in
                [
                    "\(run.runID)", run.jobID.map { "\($0)" } ?? "-", run.runName, Show.state(run.state),
                    Show.time(run.startTime), Show.span(run.startTime, run.endTime),
                ]
            })
    }

    private static func show(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let run = try await PublicAPI(setting).call(SchedulerAPI.getRun, .init(runID: try invocation.number("run")))
        setting.terminal.answer(run)
        setting.terminal.say("Run \(run.runID), \(run.runName): \(Show.state(run.state)) \(run.state.stateMessage)")
        setting.terminal.say(
            "Started \(Show.time(run.startTime)) UTC, took \(Show.span(run.startTime, run.endTime)).\n")
        var rows: [[String]] = []
        for task in run.tasks {
            for attempt in task.attempts {
                rows.append([
                    task.taskKey, "\(attempt.attemptNumber)", Show.state(attempt.state), attempt.clusterID ?? "-",
                    Show.span(attempt.startTime, attempt.executionTime ?? attempt.endTime),
                    Show.span(attempt.executionTime, attempt.endTime), attempt.state.stateMessage,
                ])
            }
            if task.attempts.isEmpty {
                rows.append([task.taskKey, "-", Show.state(task.state), "-", "-", "-", task.state.stateMessage])
            }
        }
        setting.terminal.table(["TASK", "ATTEMPT", "STATE", "CLUSTER", "SET-UP", "RUNNING", "MESSAGE"], rows)
        for task in run.tasks {
            if let value = task.exitValue { setting.terminal.say("\n\(task.taskKey) ended with: \(value)") }
        }
    }

    private static func logs(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let run = try await RunFollower(api: PublicAPI(setting), terminal: setting.terminal).follow(
            try invocation.number("run"))
        setting.terminal.answer(run)
    }

    private static func output(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let output = try await PublicAPI(setting).call(
            SchedulerAPI.getTaskOutput,
            .init(
                runID: try invocation.number("run"), taskKey: invocation.word("task"),
                attemptNumber: try invocation.integer("attempt", in: 0...1_000_000)))
        guard let notebook = output.notebook else {
            throw HarbourError(
                .notFound, "The task has no executed notebook: \(output.state.stateMessage)")
        }
        let bytes = notebook.prettyJSON(indent: 1) + [UInt8(ascii: "\n")]
        if let file = invocation.value("to") {
            try Files.write(bytes, to: file)
            setting.terminal.say("The executed notebook is in \(file).")
        } else {
            Terminal.write(String(decoding: bytes, as: UTF8.self), to: 1)
        }
    }

    private static func cancel(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let run = try await PublicAPI(setting).call(SchedulerAPI.cancelRun, .init(runID: try invocation.number("run")))
        setting.terminal.say("Run \(run.runID): \(Show.state(run.state)) \(run.state.stateMessage)")
        setting.terminal.answer(run)
    }

    private static func repair(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let api = try PublicAPI(setting)
        let runID = try invocation.number("run")
        let run = try await api.call(SchedulerAPI.getRun, .init(runID: runID))
        let keys = invocation.all("task")
        let created = try await api.call(
            SchedulerAPI.repairRun,
            .init(
                runID: runID,
                body: RepairRun(
                    rerunTasks: keys.isEmpty ? nil : keys,
                    rerunAllFailedTasks: keys.isEmpty || invocation.has("failed") ? true : nil,
                    rerunDependentTasks: invocation.has("dependents") ? true : nil,
                    jobParameters: try invocation.parameters(), latestRepairID: run.history?.map(\.id).max())))
        setting.terminal.say("Repair \(created.repairID) of run \(runID) is under way.")
        guard invocation.has("wait") else { return setting.terminal.answer(created) }
        try await finish(runID, after: run.lastSequence, api, setting)
    }

    private static func submit(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let api = try PublicAPI(setting)
        let path = invocation.word("file")
        let request = try JobFile.submission(path == "-" ? "standard input" : path, try Files.read(path))
        let created = try await api.call(SchedulerAPI.submitRun, .init(body: request))
        setting.terminal.say("Run \(created.runID) is under way.")
        guard invocation.has("wait") else { return setting.terminal.answer(created) }
        try await finish(created.runID, after: nil, api, setting)
    }

    /// Shows the run to its end, and fails when it does.
    private static func finish(
        _ runID: Int64, after sequence: Int64?, _ api: PublicAPI, _ setting: Setting
    ) async throws {
        let run = try await RunFollower(api: api, terminal: setting.terminal).follow(runID, after: sequence ?? 0)
        setting.terminal.answer(run)
        try RunFollower.check(run)
    }
}
