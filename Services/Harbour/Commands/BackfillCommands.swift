internal import Core
internal import HarbourProtocol

/// `harbour jobs backfill`: runs for times that are over.
enum BackfillCommands {
    private static let backfill = Argument(name: "backfill", help: "the id of the backfill")

    static let group = Command(
        name: "backfill", summary: "Runs of a job for the times of a span.",
        subcommands: [
            Command(
                name: "create", summary: "Run a job for each time of a span at which its schedule fires.",
                arguments: [JobNames.argument],
                flags: [
                    .value("from", "TIME", "The first time: 2026-11-01 or 2026-11-01T06:00:00Z"),
                    .value("to", "TIME", "Up to and with this time; now when absent"),
                    .value("cron", "EXPRESSION", "Which times; those of the job's schedule when absent"),
                    .value("timezone", "ZONE", "The time zone of --cron; UTC when absent"), JobCommands.parameter,
                    .value("idempotency-token", "TOKEN", "The same token gives the same backfill"),
                ], run: create),
            Command(name: "list", summary: "List the backfills of a job.", arguments: [JobNames.argument], run: list),
            Command(name: "show", summary: "Show how far a backfill is.", arguments: [backfill], run: show),
            Command(
                name: "cancel", summary: "Cancel a backfill with its open runs.", arguments: [backfill], run: cancel),
        ])

    private static func table(_ backfills: [Backfill], _ terminal: Terminal) {
        terminal.table(
            ["BACKFILL", "JOB", "FROM (UTC)", "TO (UTC)", "STATE", "TOTAL", "QUEUED", "ACTIVE", "SUCCEEDED", "FAILED"],
            backfills.map { one in
                [
                    "\(one.backfillID)", "\(one.jobID)", Show.time(one.startTime), Show.time(one.endTime),
                    one.state.rawValue, "\(one.total)", "\(one.queued)", "\(one.active)", "\(one.succeeded)",
                    "\(one.failed)",
                ]
            })
    }

    private static func create(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        guard let start = try invocation.time("from") else {
            throw HarbourError.usage("A backfill needs its first time: --from 2026-11-01.")
        }
        let api = try PublicAPI(setting)
        let job = try await api.job(invocation.word("job"))
        let schedule = invocation.value("cron").map {
            JobSchedule(quartzCronExpression: $0, timezoneID: invocation.value("timezone") ?? "UTC")
        }
        let made = try await api.call(
            SchedulerAPI.createBackfill,
            .init(
                jobID: job.jobID,
                body: CreateBackfill(
                    startTime: start, endTime: try invocation.time("to") ?? .now, schedule: schedule,
                    parameters: try invocation.parameters(), idempotencyToken: invocation.value("idempotency-token"))))
        setting.terminal.say("Backfill \(made.backfillID) of \(job.settings.name) has \(made.total) runs.")
        setting.terminal.answer(made)
    }

    private static func list(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let api = try PublicAPI(setting)
        let job = try await api.job(invocation.word("job"))
        let list = try await api.call(SchedulerAPI.listBackfills, .init(jobID: job.jobID))
        setting.terminal.answer(list)
        table(list.backfills, setting.terminal)
    }

    private static func show(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let one = try await PublicAPI(setting).call(
            SchedulerAPI.getBackfill, .init(backfillID: try invocation.number("backfill")))
        setting.terminal.answer(one)
        table([one], setting.terminal)
    }

    private static func cancel(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let one = try await PublicAPI(setting).call(
            SchedulerAPI.cancelBackfill, .init(backfillID: try invocation.number("backfill")))
        setting.terminal.say(
            "Backfill \(one.backfillID) is cancelled: \(one.succeeded) runs had succeeded, "
                + "\(one.queued + one.active) end now.")
        setting.terminal.answer(one)
    }
}
