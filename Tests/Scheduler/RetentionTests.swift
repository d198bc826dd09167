import Core
import EventLoop
import HarbourProtocol
import Postgres
import ServiceClients
import ServiceKit
import TestSupport
import Testing

@testable import SchedulerService

/// What becomes of runs that ended long ago, and of what is hard to keep.
@Suite(.timeLimit(.minutes(15))) struct RetentionTests {
    private func ended(_ fixture: SchedulerFixture, _ runID: Int64) async throws -> Run {
        while true {
            let run = try await fixture.client.call(SchedulerAPI.getRun, .init(runID: runID))
            if run.endTime != nil { return run }
            try await fixture.loop.sleep(for: .milliseconds(20))
        }
    }

    private func task(_ path: String) -> TaskSpec {
        TaskSpec(taskKey: "a", notebookTask: NotebookTask(notebookPath: path), jobClusterKey: "main")
    }

    @Test func oldRunsGoWithAllThatBelongsToThem() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/a", ["print hello", "print again"])
            let job = try await fixture.job([task("/a")])
            var runs: [Int64] = []
            for _ in 0..<3 {
                runs.append(try await fixture.runNow(job))
                _ = try await ended(fixture, runs[runs.count - 1])
            }
            let pool = PostgresPool(
                configuration: PostgresConfiguration(url: fixture.database.url, schema: "scheduler"),
                loop: fixture.loop)
            // A cluster is given back right after its run has ended.
            try await eventually("all clusters are given back") {
                try await count(pool, "run_clusters WHERE NOT released") == 0
            }
            try await pool.query(
                "UPDATE runs SET ended_at = now() - interval '61 days' WHERE run_id = ANY(\(Array(runs[0...1])))")
            let other = try await SchedulerFixture.start(
                fixture.loop, fixture.database, fixture.scriptedURL, instance: "two")
            try await eventually("the old runs are gone") { try await count(pool, "runs") <= 1 }
            for table in ["tasks", "attempts", "run_clusters"] {
                #expect(try await count(pool, table) == 1, "\(table)")
            }
            #expect(try await count(pool, "run_events WHERE run_id <> \(runs[2])") == 0)
            #expect(try await count(pool, "cells") == 0)
            let left = try await fixture.client.call(SchedulerAPI.listRuns, .init(jobID: job.jobID)).runs
            #expect(left.map(\.runID) == [runs[2]])
            await pool.drain(budget: .seconds(5))
            try await other.stop()
        }
    }

    private func count(_ pool: PostgresPool, _ what: String) async throws -> Int {
        let rows = try await pool.query("SELECT count(*) AS count FROM \(unescaped: what)")
        return try rows.first?["count", as: Int.self] ?? 0
    }

    @Test func zeroCharactersAreWrittenAsWhatTheyAre() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/exit", ["exit a\u{0}b"])
            fixture.scripted.put("/fail", ["fail a\u{0}b"])
            let good = try await ended(fixture, try await fixture.runNow(try await fixture.job([task("/exit")])))
            #expect(good.tasks.first?.exitValue == "a\u{FFFD}b")
            let bad = try await ended(fixture, try await fixture.runNow(try await fixture.job([task("/fail")])))
            #expect(bad.tasks.first?.state.stateMessage == "ValueError: a\u{FFFD}b")
        }
    }

    /// As when the answer to a claim was lost: the run is ours, and nobody decides for it.
    @Test func aRunThatNobodyDecidesForIsGivenBack() async throws {
        try await SchedulerFixture.with { fixture in
            fixture.scripted.put("/wait", ["wait"])
            fixture.scripted.put("/a", ["print hello"])
            let pool = PostgresPool(
                configuration: PostgresConfiguration(url: fixture.database.url, schema: "scheduler"),
                loop: fixture.loop)
            // Another run keeps the lease alive all the while.
            _ = try await fixture.runNow(try await fixture.job([task("/wait")]))
            try await eventually("the other run has begun") { fixture.scripted.started.count == 1 }
            let job = try await fixture.job([task("/a")])
            let run = NewRun(
                jobID: job.jobID, runName: "job", trigger: .oneTime, creator: "ada", settings: job.settings,
                parameters: [:])
            try await pool.transaction { transaction in
                let runID = try await RunStore(pool: pool).insert(run, now: .now, in: transaction).runID
                try await transaction.query(
                    "UPDATE runs SET phase = 'RUNNING', owner = 'one', fence = 1 WHERE run_id = \(runID)")
            }
            let runs = try await fixture.client.call(SchedulerAPI.listRuns, .init(jobID: job.jobID)).runs
            let good = try await ended(fixture, try #require(runs.first).runID)
            #expect(good.state.resultState == .success)
            await pool.drain(budget: .seconds(5))
        }
    }
}
