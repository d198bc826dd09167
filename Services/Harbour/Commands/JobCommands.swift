internal import Core
internal import HarbourProtocol

/// `harbour jobs` and `harbour runs`.
enum JobCommands {
    private static let parameter = Flag.value(
        "parameter", "NAME=VALUE", "A value for the run, as often as wanted", isRepeated: true)
    private static let job = Argument(name: "job", help: "the id of the job")
    private static let run = Argument(name: "run", help: "the id of the run")

    static let jobs = Command(
        name: "jobs", summary: "Jobs: what runs, on what, and when.",
        subcommands: [
            Command(
                name: "create", summary: "Make a job from a JSON file.",
                arguments: [Argument(name: "file", help: "the job as JSON; - for standard input")], run: create),
            Command(
                name: "list", summary: "List the jobs, newest first.",
                flags: [.value("name", "NAME", "Only of this name")],
                run: list),
            Command(name: "get", summary: "Show a job as JSON.", arguments: [job], run: get),
            Command(name: "delete", summary: "Remove a job; its runs stay.", arguments: [job], run: delete),
            Command(
                name: "run", summary: "Run a job now.", arguments: [job],
                flags: [
                    parameter, .toggle("wait", "Show what it does and wait for its end"),
                    .value("idempotency-token", "TOKEN", "The same token gives the same run"),
                ], run: runNow),
        ])

    static let runs = Command(
        name: "runs", summary: "Runs: what is under way and what was.",
        subcommands: [
            Command(
                name: "list", summary: "List the runs, newest first.",
                flags: [.value("job", "JOB", "Only of this job"), .toggle("active", "Only those that have not ended")],
                run: listRuns),
            Command(name: "show", summary: "Show a run, its tasks and attempts.", arguments: [run], run: show),
            Command(
                name: "logs", summary: "Show what the cells of a run have printed; goes on until the run ends.",
                arguments: [run], run: logs),
            Command(
                name: "output", summary: "Get the executed notebook of a task.",
                arguments: [run, Argument(name: "task", help: "the key of the task")],
                flags: [.value("to", "FILE", "Write the notebook there; standard output when absent")], run: output),
            Command(name: "cancel", summary: "Cancel a run.", arguments: [run], run: cancel),
        ])

    // MARK: Jobs

    private static func create(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let spec = try JobSpec(json: try Files.read(invocation.word("file")))
        let job = try await PublicAPI(setting).call(SchedulerAPI.createJob, .init(body: spec))
        setting.terminal.say("Job \(job.jobID) is made: \(job.settings.name).")
        if let next = job.nextFireTime { setting.terminal.say("It runs next at \(Show.time(next)) UTC.") }
        setting.terminal.answer(job)
    }

    private static func list(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let list = try await PublicAPI(setting).call(
            SchedulerAPI.listJobs, .init(pageSize: 500, name: invocation.value("name")))
        setting.terminal.answer(list)
        setting.terminal.table(
            ["JOB", "NAME", "TASKS", "SCHEDULE", "NEXT RUN (UTC)"],
            list.jobs.map { job in
                [
                    "\(job.jobID)", job.settings.name, "\(job.settings.tasks.count)",
                    job.settings.schedule.map { "\($0.quartzCronExpression) \($0.timezoneID)" } ?? "-",
                    Show.time(job.nextFireTime),
                ]
            })
    }

    private static func get(_ invocation: Invocation) async throws {
        let job = try await PublicAPI(Setting(invocation)).call(
            SchedulerAPI.getJob, .init(jobID: try invocation.number("job")))
        Terminal.write(
            String(decoding: try JSONValue(json: job.encodedJSON()).prettyJSON(), as: UTF8.self) + "\n", to: 1)
    }

    private static func delete(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let answer = try await PublicAPI(setting).call(
            SchedulerAPI.deleteJob, .init(jobID: try invocation.number("job")))
        setting.terminal.say("Job \(invocation.word("job")) is removed; its runs stay.")
        setting.terminal.answer(answer)
    }

    private static func runNow(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let api = try PublicAPI(setting)
        let request = RunNow(
            idempotencyToken: invocation.value("idempotency-token"), parameters: try invocation.parameters())
        let created = try await api.call(
            SchedulerAPI.runNow, .init(jobID: try invocation.number("job"), body: request))
        setting.terminal.say("Run \(created.runID) is under way.")
        guard invocation.has("wait") else { return setting.terminal.answer(created) }
        let run = try await RunFollower(api: api, terminal: setting.terminal).follow(created.runID)
        setting.terminal.answer(run)
        try RunFollower.check(run)
    }

    // MARK: Runs

    private static func listRuns(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let jobID = try invocation.integer("job", in: 1...Int.max).map { Int64($0) }
        let list = try await PublicAPI(setting).call(
            SchedulerAPI.listRuns, .init(jobID: jobID, activeOnly: invocation.has("active") ? true : nil))
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
            .init(runID: try invocation.number("run"), taskKey: invocation.word("task")))
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
}
