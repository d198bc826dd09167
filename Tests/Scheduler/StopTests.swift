import Core
import EventLoop
import HarbourProtocol
import Postgres
import ServiceClients
import ServiceKit
import TestSupport
import Testing

@testable import SchedulerService

/// A scheduler that stops leaves nothing that others would have to wait for.
@Suite(.timeLimit(.minutes(15))) struct StopTests {
    /// The claim is held up while the scheduler stops, and is answered only then.
    @Test func whatAClaimBringsDuringTheStopIsGivenBack() async throws {
        try await SchedulerFixture.with { fixture in
            let pool = PostgresPool(
                configuration: PostgresConfiguration(url: fixture.database.url, schema: "scheduler"),
                loop: fixture.loop)
            var hook = TaskSpec(taskKey: "call")
            hook.webhookTask = WebhookTask(url: "\(fixture.scriptedURL)/hooks/call")
            let tasks = [hook]
            let runID = try await pool.transaction { transaction in
                try await transaction.query(
                    "SELECT pg_advisory_xact_lock(hashtextextended('scheduler.claims', 0))")
                let runID = try await fixture.client.call(
                    SchedulerAPI.submitRun, .init(body: SubmitRun(runName: "one", tasks: tasks))
                ).runID
                try await eventually("the claim waits") {
                    let waiting = try await pool.query(
                        """
                        SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
                        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                        """)
                    return !waiting.isEmpty
                }
                fixture.loop.spawn { try? await fixture.service.stop() }
                // The engine is stopped after the last request has been answered.
                try await eventually("requests are refused") {
                    do {
                        _ = try await fixture.client.call(SchedulerAPI.getRun, .init(runID: runID))
                        return false
                    } catch { return true }
                }
                return runID
            }
            try await fixture.service.stop()
            let rows = try await pool.query("SELECT phase, owner FROM runs WHERE run_id = \(runID)")
            #expect(try rows.first?["phase", as: String.self] == "RUNNING", "the claim has come")
            #expect(try rows.first?["owner", as: String?.self] ?? nil == nil, "and nobody has it")
            await pool.drain(budget: .seconds(5))
        }
    }
}
