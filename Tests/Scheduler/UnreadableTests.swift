import Core
import EventLoop
import HarbourProtocol
import Postgres
import ServiceClients
import TestSupport
import Testing

@testable import SchedulerService

/// One row that cannot be read holds up no other.
@Suite(.timeLimit(.minutes(15))) struct UnreadableTests {
    private func withPool(
        _ body: @escaping @Sendable (SchedulerFixture, PostgresPool) async throws -> Void
    ) async throws {
        try await SchedulerFixture.with { fixture in
            let pool = PostgresPool(
                configuration: PostgresConfiguration(url: fixture.database.url, schema: "scheduler"),
                loop: fixture.loop)
            try await body(fixture, pool)
            await pool.drain(budget: .seconds(5))
        }
    }

    private func job(_ fixture: SchedulerFixture, _ change: (inout JobSpec) -> Void) async throws -> Job {
        let hook = TaskSpec(taskKey: "a", webhookTask: WebhookTask(url: "\(fixture.scriptedURL)/hooks/call"))
        var spec = JobSpec(name: "job", tasks: [hook])
        change(&spec)
        return try await fixture.client.call(SchedulerAPI.createJob, .init(body: spec))
    }

    /// A run whose definition cannot be read, one whose tasks cannot, and one job that waits and cannot be read.
    @Test func endsAreToldBesideThoseThatCannotBe() async throws {
        try await withPool { fixture, pool in
            let told = try await job(fixture) { spec in
                spec.webhookNotifications = WebhookNotifications(
                    onSuccess: [WebhookDestination(url: "\(fixture.scriptedURL)/hooks/told")])
            }
            let waiting = try await job(fixture) {
                $0.trigger = TriggerSettings(jobCompletion: JobCompletionTrigger(jobID: told.jobID))
            }
            let broken = try await job(fixture) {
                $0.trigger = TriggerSettings(jobCompletion: JobCompletionTrigger(jobID: told.jobID))
            }
            try await pool.query("UPDATE jobs SET settings = settings - 'tasks' WHERE job_id = \(broken.jobID)")
            let first = try await fixture.runNow(told)
            _ = try await fixture.finished(first)
            try await eventually("the first end is told") { fixture.outside.calls("told").count == 1 }
            // Their ends are to be told once more, and cannot be.
            let second = try await fixture.runNow(told)
            _ = try await fixture.finished(second)
            try await eventually("the second end is told") { fixture.outside.calls("told").count == 2 }
            try await pool.transaction { transaction in
                try await transaction.query(
                    "UPDATE runs SET settings = settings - 'tasks', announced = false WHERE run_id = \(first)")
                try await transaction.query("UPDATE tasks SET record = '{}' WHERE run_id = \(second)")
                try await transaction.query("UPDATE runs SET announced = false WHERE run_id = \(second)")
            }
            let third = try await fixture.runNow(told)
            _ = try await fixture.finished(third)
            try await eventually("the others are told") { fixture.outside.calls("told").count == 4 }
            let children = try await fixture.client.call(SchedulerAPI.listRuns, .init(jobID: waiting.jobID)).runs
            #expect(children.count == 3)
            // It is left to who can read it; the children's ends are told in their turn.
            try await eventually("only that one is untold") {
                let open = try await pool.query("SELECT run_id FROM runs WHERE NOT announced")
                return try open.map { try $0["run_id", as: Int64.self] } == [first]
            }
        }
    }

    @Test func schedulesFireBesideOneThatCannotBeRead() async throws {
        try await withPool { fixture, pool in
            let schedule = JobSchedule(quartzCronExpression: "* * * * * ?", timezoneID: "UTC")
            let broken = try await job(fixture) { $0.schedule = schedule }
            try await pool.query("UPDATE jobs SET settings = settings - 'tasks' WHERE job_id = \(broken.jobID)")
            let good = try await job(fixture) { $0.schedule = schedule }
            try await eventually("the other fires") {
                try await fixture.client.call(SchedulerAPI.listRuns, .init(jobID: good.jobID)).runs.count > 1
            }
        }
    }
}
