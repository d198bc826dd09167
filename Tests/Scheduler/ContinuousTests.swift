import Core
import EventLoop
import HarbourProtocol
import Postgres
import TestSupport
import Testing

@testable import SchedulerService

/// A continuous job never comes to rest by itself.
@Suite(.timeLimit(.minutes(15))) struct ContinuousTests {
    private func withJob(
        _ body: @escaping @Sendable (PostgresPool, JobRow, [RunRow]) async throws -> Void
    ) async throws {
        let folder = #filePath.dropLast("Tests/Scheduler/ContinuousTests.swift".count) + "schemas/sql/scheduler"
        try await withDatabase { database in
            try await withEventLoop { loop in
                let pool = PostgresPool(
                    configuration: PostgresConfiguration(url: database.url, schema: "scheduler"), loop: loop)
                try await PostgresMigrator(directory: String(folder), schema: "scheduler").run(pool)
                let hook = TaskSpec(taskKey: "a", webhookTask: WebhookTask(url: "http://127.0.0.1/"))
                let spec = JobSpec(name: "job", tasks: [hook], continuous: ContinuousSettings())
                let job = try await JobStore(pool: pool).create(spec, creator: "ada", nextFireAt: nil, now: .now)
                try await pool.query("UPDATE jobs SET max_active = 2")
                for _ in 0..<2 {
                    _ = try await RunStore(pool: pool).insert(
                        NewRun(
                            jobID: job.jobID, runName: "job", trigger: .oneTime, creator: "ada", settings: spec,
                            parameters: [:]), now: .now)
                }
                let claims = RunClaims(pool: pool, owner: "one", lease: .seconds(12))
                let rows = try await claims.claim(limit: 10, renewing: true).map { try $0.row.get() }
                try #require(rows.count == 2)
                try await body(pool, job, rows)
                await pool.drain(budget: .seconds(5))
            }
        }
    }

    private func end(_ row: RunRow, _ writer: RunWriter) async throws {
        let progress = RunProgress(writer: writer, runID: row.runID, fence: row.fence, jobID: row.jobID)
        let old = try row.machine(row.newTasks)
        var new = old
        _ = new.resume(at: .now)
        _ = new.handle(.attemptEnded(task: 0, attempt: 0, .success()), at: .now)
        try await progress.save(from: old, to: new, events: [], endings: [:])
    }

    private func nextFire(_ pool: PostgresPool) async throws -> Timestamp? {
        try await pool.query("SELECT next_fire_at FROM jobs").first?["next_fire_at", as: Timestamp?.self] ?? nil
    }

    /// Both statements begin before either is over, as those of two schedulers may: each sees the other's run open.
    @Test func twoRunsThatEndAtTheSameMomentBringTheNext() async throws {
        try await withJob { pool, job, rows in
            let done = try await pool.transaction { transaction in
                try await transaction.query(
                    "SELECT 1 FROM runs WHERE run_id = ANY(\(rows.map(\.runID))::bigint[]) FOR UPDATE")
                let ends = rows.map { row in
                    Task(executorPreference: pool.loop) { try await end(row, RunWriter(pool: pool)) }
                }
                try await eventually("both have begun") {
                    let waiting = try await pool.query(
                        """
                        SELECT 1 FROM pg_stat_activity
                        WHERE datname = current_database() AND wait_event_type = 'Lock'
                        """)
                    return Array(waiting).count == 2
                }
                return ends
            }
            for end in done { try await end.value }
            #expect(try await nextFire(pool) != nil)
            // And one run is made when the time has come.
            let fires = DueFires(pool: pool)
            _ = try await fires.fire(now: .now + .seconds(5))
            let made = try await pool.query("SELECT 1 FROM runs WHERE phase = 'QUEUED'")
            #expect(Array(made).count == 1)
            #expect(try await nextFire(pool) == nil)
        }
    }

    @Test func whileAnotherRunIsOpenNoneIsMade() async throws {
        try await withJob { pool, job, rows in
            try await end(rows[0], RunWriter(pool: pool))
            let fires = DueFires(pool: pool)
            #expect(try await fires.fire(now: .now + .seconds(5)))
            #expect(Array(try await pool.query("SELECT 1 FROM runs WHERE phase = 'QUEUED'")).isEmpty)
            #expect(try await nextFire(pool) == nil)
            try await end(rows[1], RunWriter(pool: pool))
            #expect(try await nextFire(pool) != nil)
        }
    }
}
