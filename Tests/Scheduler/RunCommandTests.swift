import Core
import HarbourProtocol
import ServiceClients
import TestSupport
import Testing

/// What users do with jobs and runs from the command line.
@Suite struct RunCommandTests {
    @Test func aRunIsRepairedWithOtherParameters() async throws {
        try await SchedulerFixture.with { fixture in
            let harbour = try await HarbourProgram(fixture)
            fixture.scripted.put("/good", ["print fine"])
            fixture.scripted.put("/bad", ["fail no"])
            let file = try harbour.write(
                "job.yaml",
                """
                name: two
                parameters: [{name: day, default: monday}]
                tasks:
                - {task_key: good, notebook_task: {notebook_path: /good}, new_cluster: {cluster_name: x}}
                - {task_key: bad, notebook_task: {notebook_path: /bad}, new_cluster: {cluster_name: x}}
                """)
            _ = try await harbour.succeed("jobs", "create", file)
            let failed = try await harbour.fail("jobs", "run", "two", "--wait")
            #expect(failed.contains("harbour runs show"))
            let list = try await harbour.succeed("runs", "list", "--job", "two", "--output", "json")
            let runID = try #require(try RunList(json: Array(list.utf8)).runs.first).runID
            fixture.scripted.put("/bad", ["print mended"])
            let output = try await harbour.succeed(
                "runs", "repair", "\(runID)", "--parameter", "day=tuesday", "--wait")
            #expect(output.contains("mended") && !output.contains("fine"), "\(output)")
            let run = try await fixture.client.call(SchedulerAPI.getRun, .init(runID: runID))
            #expect(run.state.resultState == .success)
            #expect(run.parameters?["day"] == "tuesday")
            // A second repair knows of the first.
            _ = try await harbour.succeed("runs", "repair", "\(runID)", "--task", "good", "--wait")
            #expect(try await harbour.fail("runs", "repair", "\(runID)", "--task", "none").contains("none"))
        }
    }

    @Test func aJobIsPausedAndResumed() async throws {
        try await SchedulerFixture.with { fixture in
            let harbour = try await HarbourProgram(fixture)
            let scheduled = try await fixture.job(
                [TaskSpec(taskKey: "a", webhookTask: WebhookTask(url: "http://x"))],
                schedule: JobSchedule(quartzCronExpression: "0 0 6 * * ?", timezoneID: "UTC"))
            _ = try await harbour.succeed("jobs", "pause", "\(scheduled.jobID)")
            let paused = try await fixture.client.call(SchedulerAPI.getJob, .init(jobID: scheduled.jobID))
            #expect(paused.settings.schedule?.pauseStatus == .paused && paused.nextFireTime == nil)
            #expect(try await harbour.succeed("jobs", "list").contains("(paused)"))
            #expect(try await harbour.succeed("jobs", "resume", "\(scheduled.jobID)").contains("It runs next at"))
            let plain = try await fixture.job([TaskSpec(taskKey: "a", webhookTask: WebhookTask(url: "http://x"))])
            #expect(try await harbour.fail("jobs", "pause", "\(plain.jobID)").contains("runs only when asked to"))
        }
    }

    @Test func aBackfillIsMadeShownAndCancelled() async throws {
        try await SchedulerFixture.with { fixture in
            let harbour = try await HarbourProgram(fixture)
            fixture.scripted.put("/wait", ["wait"])
            let job = try await fixture.job([
                TaskSpec(taskKey: "a", notebookTask: NotebookTask(notebookPath: "/wait"), jobClusterKey: "main")
            ])
            let made = try await harbour.succeed(
                "jobs", "backfill", "create", "\(job.jobID)", "--from", "2026-01-01", "--to", "2026-01-05", "--cron",
                "0 0 * * *", "--output", "json")
            let backfill = try Backfill(json: Array(made.utf8))
            #expect(backfill.total == 5)
            let list = try await harbour.succeed("jobs", "backfill", "list", "\(job.jobID)")
            #expect(list.contains("RUNNING"))
            let runs = try await harbour.succeed("runs", "list", "--backfill", "\(backfill.backfillID)", "--limit", "3")
            #expect(runs.split(separator: "\n").count == 4)
            _ = try await harbour.succeed("jobs", "backfill", "cancel", "\(backfill.backfillID)")
            var isOver = false
            while !isOver {
                let now = try await fixture.client.call(
                    SchedulerAPI.getBackfill, .init(backfillID: backfill.backfillID))
                isOver = now.state == .terminated
            }
            #expect(
                try await harbour.succeed("jobs", "backfill", "show", "\(backfill.backfillID)").contains("TERMINATED"))
        }
    }

    @Test func tasksAreRunOnceWithoutAJob() async throws {
        try await SchedulerFixture.with { fixture in
            let harbour = try await HarbourProgram(fixture)
            fixture.scripted.put("/a", ["print once"])
            let file = try harbour.write(
                "run.yaml",
                "run_name: once\ntasks:\n- {task_key: a, notebook_task: {notebook_path: /a}, new_cluster: {cluster_name: x}}\n"
            )
            #expect(try await harbour.succeed("runs", "submit", file, "--wait").contains("once"))
        }
    }
}
