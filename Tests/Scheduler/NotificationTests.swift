import Core
import EventLoop
import Glibc
import HarbourProtocol
import Postgres
import ServiceClients
import TestSupport
import Testing

@testable import SchedulerService

/// Who is told of runs, and how they have gone, with a real mail server.
@Suite struct NotificationTests {
    private func withMail(
        _ body: @escaping @Sendable (SchedulerFixture, PipeReader) async throws -> Void
    ) async throws {
        try await withEventLoop { loop in
            var specification = ProcessSpecification(
                PeerPython.executable, [PeerPython.script("../WebClient/smtp_peer.py")])
            specification.output = .pipe
            specification.input = .pipe
            specification.parentDeathSignal = SIGKILL
            let process = try await ChildProcess.start(specification, loop: loop)
            let output = try #require(process.output)
            let port = try #require(try await output.readLine())
            try await SchedulerFixture.with([
                "--smtp-url", "smtp://127.0.0.1:\(port)", "--smtp-from", "harbour@example.org", "--public-url",
                "https://harbour.example.org/",
            ]) { fixture in try await body(fixture, output) }
            process.kill()
            _ = try await process.wait()
        }
    }

    private func job(_ fixture: SchedulerFixture, _ path: String, _ change: (inout JobSpec) -> Void) async throws -> Job
    {
        var spec = try await fixture.job([
            TaskSpec(taskKey: "a", notebookTask: NotebookTask(notebookPath: path), jobClusterKey: "main")
        ]).settings
        change(&spec)
        return try await fixture.client.call(SchedulerAPI.createJob, .init(body: spec))
    }

    @Test(.enabled(if: PeerPython.has("aiosmtpd"), "aiosmtpd is not installed: see Tests/README.md"))
    func endsAreToldByMail() async throws {
        try await withMail { fixture, mail in
            fixture.scripted.put("/good", ["print fine"])
            fixture.scripted.put("/bad", ["fail because"])
            let told = EmailNotifications(onSuccess: ["good@example.org"], onFailure: ["bad@example.org"])
            let good = try await job(fixture, "/good") { $0.emailNotifications = told }
            let runID = try await fixture.runNow(good)
            let first = try JSONValue(json: Array(try #require(try await mail.readLine()).utf8))
            #expect(first["to"] == ["good@example.org"])
            #expect(first["subject"]?.string?.contains("run \(runID) succeeded") == true)
            #expect(first["text"]?.string?.contains("https://harbour.example.org/runs/\(runID)") == true)
            let bad = try await job(fixture, "/bad") { $0.emailNotifications = told }
            _ = try await fixture.runNow(bad)
            let second = try JSONValue(json: Array(try #require(try await mail.readLine()).utf8))
            #expect(second["to"] == ["bad@example.org"])
            #expect(second["text"]?.string?.contains("FAILED") == true)
        }
    }

    /// An address that nobody has, and one that is not called from here.
    @Test(.enabled(if: PeerPython.has("aiosmtpd"), "aiosmtpd is not installed: see Tests/README.md"))
    func whatCannotGetThereIsGivenUpAtOnce() async throws {
        try await withMail { fixture, _ in
            fixture.scripted.put("/good", ["print fine"])
            let job = try await job(fixture, "/good") { spec in
                spec.emailNotifications = EmailNotifications(onSuccess: ["nobody@example.org", "later@example.org"])
                spec.webhookNotifications = WebhookNotifications(
                    onSuccess: [WebhookDestination(url: "http://me:secret@169.254.169.254/latest?key=1")])
            }
            let runID = try await fixture.runNow(job)
            var failed: [FailedNotification] = []
            try await eventually("both are given up") {
                failed = try await fixture.finished(runID).events.compactMap(\.notification)
                return failed.count == 2
            }
            #expect(
                Set(failed.map { "\($0.destination) \($0.errorCode) \($0.tries)" }) == [
                    "nobody@example.org MAIL_REJECTED 1", "http://169.254.169.254 ADDRESS_NOT_ALLOWED 1",
                ], "\(failed)")
            let pool = PostgresPool(
                configuration: PostgresConfiguration(url: fixture.database.url, schema: "scheduler"),
                loop: fixture.loop)
            let open = try await pool.query("SELECT url FROM notifications WHERE next_try_at IS NOT NULL")
            #expect(try open.map { try $0["url", as: String.self] } == ["mailto:later@example.org"])
            await pool.drain(budget: .seconds(5))
        }
    }

    @Test(.enabled(if: PeerPython.has("aiosmtpd"), "aiosmtpd is not installed: see Tests/README.md"))
    func aLongRunIsWarnedOfOnce() async throws {
        try await withMail { fixture, mail in
            fixture.scripted.put("/wait", ["wait"])
            let slow = try await job(fixture, "/wait") { spec in
                spec.health = JobsHealthRules(rules: [
                    JobsHealthRule(metric: .runDurationSeconds, op: .greaterThan, value: 1)
                ])
                spec.webhookNotifications = WebhookNotifications(
                    onDurationWarningThresholdExceeded: [
                        WebhookDestination(url: "\(fixture.scriptedURL)/hooks/slow")
                    ])
                spec.emailNotifications = EmailNotifications(
                    onSuccess: ["done@example.org"], onDurationWarningThresholdExceeded: ["slow@example.org"])
            }
            let runID = try await fixture.runNow(slow)
            let warning = try JSONValue(json: Array(try #require(try await mail.readLine()).utf8))
            #expect(warning["to"] == ["slow@example.org"])
            #expect(warning["subject"]?.string?.contains("run \(runID) takes longer") == true)
            try await eventually("the webhook is called") { !fixture.outside.calls("slow").isEmpty }
            let payload = try JSONValue(json: fixture.outside.calls("slow")[0].body)
            #expect(payload["event_type"] == "jobs.on_duration_warning_threshold_exceeded")
            #expect(payload["run"]?["life_cycle_state"] == "RUNNING")
            fixture.scripted.finish("run-\(runID)-0-0-0")
            let done = try JSONValue(json: Array(try #require(try await mail.readLine()).utf8))
            #expect(done["to"] == ["done@example.org"])
            #expect(fixture.outside.calls("slow").count == 1)
        }
    }

    @Test func whomAJobTellsIsChecked() async throws {
        try await SchedulerFixture.with { fixture in
            for address in ["nobody", "a@b\r\nBcc: c@d", "<a@b>"] {
                let error = await #expect(throws: HarbourError.self) {
                    _ = try await job(fixture, "/a") {
                        $0.emailNotifications = EmailNotifications(onFailure: [address])
                    }
                }
                #expect(error?.code == .invalidParameter)
            }
        }
    }

    @Test func insideAddressesAreNotCalled() async throws {
        try await SchedulerFixture.with { fixture in
            let hook = TaskSpec(
                taskKey: "hook", webhookTask: WebhookTask(url: "http://169.254.169.254/latest/meta-data"))
            let run = try await fixture.finished(try await fixture.runNow(try await fixture.job([hook]))).run
            #expect(run.tasks[0].attempts[0].state.errorCode == "ADDRESS_NOT_ALLOWED")
        }
    }

    @Test func howTheRunsOfAJobHaveGoneIsCounted() async throws {
        try await SchedulerFixture.with { fixture in
            let harbour = try await HarbourProgram(fixture)
            fixture.scripted.put("/a", ["pause 20", "print fine"])
            let counted = try await job(fixture, "/a") { $0.name = "counted" }
            func stats() async throws -> JobStats {
                try await fixture.client.call(SchedulerAPI.getJobStats, .init(jobID: counted.jobID))
            }
            let none = try await stats()
            #expect(none.total == 0 && none.successRate == nil && none.runMedianMillis == nil)
            for _ in 0..<3 { _ = try await fixture.finished(try await fixture.runNow(counted)) }
            fixture.scripted.put("/a", ["fail no"])
            _ = try await fixture.finished(try await fixture.runNow(counted))
            let some = try await stats()
            #expect(some.total == 4 && some.succeeded == 3 && some.failed == 1 && some.active == 0)
            #expect(some.successRate == 0.75)
            #expect(try #require(some.runMedianMillis) >= 20)
            #expect(try #require(some.runMaxMillis) >= some.runMedianMillis ?? 0)
            #expect(some.queueMedianMillis != nil)
            let shown = try await harbour.succeed("jobs", "stats", "counted", "--days", "7")
            #expect(shown.contains("75 %"), "\(shown)")
        }
    }
}
