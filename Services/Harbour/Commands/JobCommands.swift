internal import Core
internal import HarbourProtocol

/// `harbour jobs`.
enum JobCommands {
    static let parameter = Flag.value(
        "parameter", "NAME=VALUE", "A value for the run, as often as wanted", isRepeated: true)
    private static let job = JobNames.argument

    static let jobs = Command(
        name: "jobs", summary: "Jobs: what runs, on what, and when.",
        subcommands: [
            Command(
                name: "create", summary: "Make a job from a file.",
                arguments: [Argument(name: "file", help: "the job as YAML or JSON; - for standard input")],
                flags: [.value("idempotency-token", "TOKEN", "The same token gives the same job")], run: create),
            Command(
                name: "list", summary: "List the jobs, newest first.",
                flags: [
                    .value("name", "NAME", "Only of this name"),
                    .toggle("deleted", "Those that were deleted and can be restored"),
                ],
                run: list),
            Command(name: "get", summary: "Show a job as JSON.", arguments: [job], run: get),
            Command(name: "delete", summary: "Remove a job; its runs stay.", arguments: [job], run: delete),
            Command(
                name: "restore", summary: "Bring a deleted job back, with its schedule, permissions and runs.",
                arguments: [Argument(name: "id", help: "the id that it had")], run: restore),
            Command(
                name: "run", summary: "Run a job now.", arguments: [job],
                flags: [
                    parameter, .toggle("wait", "Show what it does and wait for its end"),
                    .value("idempotency-token", "TOKEN", "The same token gives the same run"),
                ], run: runNow),
            Command(
                name: "pause", summary: "Let a job not run by itself any more.", arguments: [job],
                run: { try await pause($0, .paused) }),
            Command(
                name: "resume", summary: "Let a paused job run by itself again.", arguments: [job],
                run: { try await pause($0, .unpaused) }),
            Command(
                name: "stats", summary: "Show how the runs of jobs have gone: success rate, queue and run time.",
                arguments: [Argument(name: "jobs", help: "ids or names", isRepeated: true)],
                flags: [.value("days", "N", "Of runs made within so many days; 30 when absent")], run: stats),
            BackfillCommands.group,
        ] + JobFileCommands.all)

    // MARK: Jobs

    private static func create(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let path = invocation.word("file")
        let files = try JobFile.read(path == "-" ? "standard input" : path, try Files.read(path))
        guard let file = files.first, files.count == 1 else {
            throw HarbourError.usage("\(path) holds \(files.count) jobs. See harbour jobs apply --help.")
        }
        let job = try await PublicAPI(setting).call(
            SchedulerAPI.createJob,
            .init(idempotencyToken: invocation.value("idempotency-token"), body: file.spec))
        setting.terminal.say("Job \(job.jobID) is made: \(job.settings.name).")
        if let next = job.nextFireTime { setting.terminal.say("It runs next at \(Show.time(next)) UTC.") }
        setting.terminal.answer(job)
    }

    private static func list(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        if invocation.has("deleted") { return try await listDeleted(setting, name: invocation.value("name")) }
        let list = try await PublicAPI(setting).call(
            SchedulerAPI.listJobs, .init(pageSize: 500, name: invocation.value("name")))
        setting.terminal.answer(list)
        setting.terminal.table(
            ["JOB", "NAME", "TASKS", "SCHEDULE", "NEXT RUN (UTC)"],
            list.jobs.map { job in
                [
                    "\(job.jobID)", job.settings.name, "\(job.settings.tasks.count)",
                    job.settings.trigger(),
                    Show.time(job.nextFireTime),
                ]
            })
        for job in list.jobs {
            if let message = job.triggerMessage { setting.terminal.say("\nJob \(job.jobID) waits in vain: \(message)") }
        }
    }

    private static func listDeleted(_ setting: Setting, name: String?) async throws {
        let api = try PublicAPI(setting)
        var list = try await api.call(SchedulerAPI.listDeletedJobs, .init(pageSize: 500))
        while let token = list.nextPageToken {
            let page = try await api.call(SchedulerAPI.listDeletedJobs, .init(pageSize: 500, pageToken: token))
            list.jobs += page.jobs
            list.nextPageToken = page.nextPageToken
        }
        if let name { list.jobs.removeAll { $0.name != name } }
        setting.terminal.answer(list)
        setting.terminal.table(
            ["JOB", "NAME", "DELETED (UTC)", "BY", "STAYS UNTIL (UTC)"],
            list.jobs.map { job in
                [
                    "\(job.jobID)", job.name, Show.time(job.deletedTime), job.deletedBy ?? "-",
                    Show.time(job.forgetTime),
                ]
            })
    }

    private static func get(_ invocation: Invocation) async throws {
        let job = try await PublicAPI(Setting(invocation)).job(invocation.word("job"))
        Terminal.write(
            String(decoding: try JSONValue(json: job.encodedJSON()).prettyJSON(), as: UTF8.self) + "\n", to: 1)
    }

    private static func delete(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let api = try PublicAPI(setting)
        let job = try await api.job(invocation.word("job"))
        let answer = try await api.call(SchedulerAPI.deleteJob, .init(jobID: job.jobID))
        setting.terminal.say("Job \(job.jobID), \(job.settings.name), is removed; its runs stay.")
        setting.terminal.say("To bring it back: harbour jobs restore \(job.jobID)")
        setting.terminal.answer(answer)
    }

    private static func restore(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        // A deleted job is not found by its name any more.
        let job = try await PublicAPI(setting).call(
            SchedulerAPI.restoreJob, .init(jobID: try invocation.number("id")))
        let next = job.nextFireTime.map { " It runs next at \(Show.time($0)) UTC." } ?? ""
        setting.terminal.say("Job \(job.jobID), \(job.settings.name), is back.\(next)")
        setting.terminal.answer(job)
    }

    private static func runNow(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let api = try PublicAPI(setting)
        let request = RunNow(
            idempotencyToken: invocation.value("idempotency-token"), parameters: try invocation.parameters())
        let job = try await api.job(invocation.word("job"))
        let created = try await api.call(SchedulerAPI.runNow, .init(jobID: job.jobID, body: request))
        setting.terminal.say("Run \(created.runID) is under way.")
        guard invocation.has("wait") else { return setting.terminal.answer(created) }
        let run = try await RunFollower(api: api, terminal: setting.terminal).follow(created.runID)
        setting.terminal.answer(run)
        try RunFollower.check(run)
    }

    private static func stats(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let api = try PublicAPI(setting)
        var rows: [[String]] = []
        var answers: [JSONValue] = []
        for text in invocation.allWords("jobs") {
            let job = try await api.job(text)
            let stats = try await api.call(
                SchedulerAPI.getJobStats,
                .init(jobID: job.jobID, days: try invocation.integer("days", in: 1...3650)))
            answers.append(try JSONValue(json: stats.encodedJSON()))
            func span(_ milliseconds: Int64?) -> String {
                milliseconds.map { Terminal.duration(milliseconds: $0) } ?? "-"
            }
            rows.append([
                job.settings.name, "\(stats.total)", stats.successRate.map { "\(Int(($0 * 100).rounded())) %" } ?? "-",
                "\(stats.failed)", "\(stats.canceled)", "\(stats.active)", span(stats.queueMedianMillis),
                span(stats.queueP95Millis), span(stats.runMedianMillis), span(stats.runP95Millis),
                span(stats.runMaxMillis),
            ])
        }
        setting.terminal.answer(["stats": .array(answers)] as JSONValue)
        setting.terminal.table(
            [
                "JOB", "RUNS", "SUCCESS", "FAILED", "CANCELLED", "ACTIVE", "QUEUE P50", "P95", "RUN P50", "P95", "MAX",
            ], rows)
    }

    private static func pause(_ invocation: Invocation, _ status: PauseStatus) async throws {
        let setting = Setting(invocation)
        let api = try PublicAPI(setting)
        var job = try await api.job(invocation.word("job"))
        guard job.settings.setPause(status) else {
            throw HarbourError(
                .invalidParameter,
                "The job \(job.settings.name) runs only when asked to: it has no schedule, trigger or continuous.")
        }
        job = try await api.call(
            SchedulerAPI.updateJob,
            .init(jobID: job.jobID, ifUpdatedTime: job.updatedTime, body: job.settings))
        let next = job.nextFireTime.map { " It runs next at \(Show.time($0)) UTC." } ?? ""
        setting.terminal.say(
            status == .paused
                ? "Job \(job.jobID), \(job.settings.name), is paused. Runs under way go on."
                : "Job \(job.jobID), \(job.settings.name), runs by itself again.\(next)")
        setting.terminal.answer(job)
    }
}

extension JobSpec {
    /// Pauses or resumes what makes the job run by itself.
    /// - Returns: whether there is such a thing.
    mutating func setPause(_ status: PauseStatus) -> Bool {
        if schedule != nil {
            schedule?.pauseStatus = status
        } else if trigger != nil {
            trigger?.pauseStatus = status
        } else if continuous != nil {
            continuous?.pauseStatus = status
        } else {
            return false
        }
        return true
    }

    /// What makes the job run by itself, for tables.
    func trigger() -> String {
        let paused = [schedule?.pauseStatus, trigger?.pauseStatus, continuous?.pauseStatus].contains(.paused)
        var text = "-"
        if let schedule { text = "\(schedule.quartzCronExpression) \(schedule.timezoneID)" }
        if let periodic = trigger?.periodic {
            text = "every \(periodic.interval) \(periodic.unit.rawValue.lowercased())"
        }
        if let files = trigger?.fileArrival { text = "files in \(files.url)" }
        if let other = trigger?.jobCompletion { text = "after job \(other.jobID)" }
        if continuous != nil { text = "continuous" }
        return paused ? "\(text) (paused)" : text
    }
}
