import Core
import EventLoop
import HarbourProtocol
import Postgres
import TestSupport
import Testing

@testable import SchedulerService

/// Groups of writes on a real PostgreSQL: what one run cannot write harms no other, and an old owner writes nothing.
@Suite(.timeLimit(.minutes(15))) struct RunWriterTests {
    private struct World: Sendable {
        let pool: PostgresPool
        let writer: RunWriter
        let claims: RunClaims
        let store: RunStore

        func makeRun() async throws {
            var task = TaskSpec(taskKey: "call")
            task.webhookTask = WebhookTask(url: "http://127.0.0.1/")
            _ = try await store.insert(
                NewRun(
                    runName: "one", trigger: .runSubmit, creator: "ada", settings: JobSpec(name: "one", tasks: [task]),
                    parameters: [:]), now: .now)
        }

        func progress(_ row: RunRow) -> RunProgress {
            RunProgress(writer: writer, runID: row.runID, fence: row.fence, jobID: nil)
        }

        /// The run from its beginning to its end, with what its only task says.
        func end(_ row: RunRow, _ progress: RunProgress, _ message: String) async throws {
            let old = try row.machine(row.newTasks)
            var new = old
            _ = new.resume(at: .now)
            _ = new.handle(.attemptEnded(task: 0, attempt: 0, .failure("WEBHOOK_FAILED", message)), at: .now)
            try await progress.save(
                from: old, to: new, events: RunEventWriter().events(from: old, to: new, at: .now), endings: [:])
        }
    }

    private static func with(_ body: @escaping @Sendable (World) async throws -> Void) async throws {
        let folder = #filePath.dropLast("Tests/Scheduler/RunWriterTests.swift".count) + "schemas/sql/scheduler"
        try await withDatabase { database in
            try await withEventLoop { loop in
                let pool = PostgresPool(
                    configuration: PostgresConfiguration(url: database.url, schema: "scheduler"), loop: loop)
                try await PostgresMigrator(directory: String(folder), schema: "scheduler").run(pool)
                try await body(
                    World(
                        pool: pool, writer: RunWriter(pool: pool),
                        claims: RunClaims(pool: pool, owner: "one", lease: .seconds(12)), store: RunStore(pool: pool)))
                await pool.drain(budget: .seconds(5))
            }
        }
    }

    /// What cells have put out in a moment may be any number of rows: a statement takes a bounded number of them.
    @Test func muchIsWrittenInManyGroups() async throws {
        try await Self.with { world in
            for _ in 0..<3 { try await world.makeRun() }
            let rows = try await world.claims.claim(limit: 10, renewing: true).map { try $0.row.get() }
            let count = 2 * RunWriter.mostRows + 500
            try await withThrowingTaskGroup(of: Void.self) { group in
                for row in rows {
                    group.addTask {
                        let progress = world.progress(row)
                        for number in 1...Int64(count) {
                            try await progress.tell(
                                RunEvent(
                                    sequence: 0, timestamp: .now, type: .cell, taskKey: "call", cellID: "\(number)"),
                                command: .init(commandID: "command-\(row.runID)", sequence: number))
                        }
                        let outputs = JSONValue.string(String(repeating: "x", count: 100))
                        for cell in 0..<20 {
                            try await progress.finishCell(
                                .init(ordinal: 0, number: 0), cell: cell, outputs: outputs)
                        }
                        try await world.end(row, progress, "no")
                    }
                }
                try await group.waitForAll()
            }
            #expect(world.writer.largest.rows <= RunWriter.mostRows + 10, "\(world.writer.largest)")
            #expect(world.writer.largest.bytes <= RunWriter.mostBytes + RunWriter.mostBytes / 4)
            for row in rows {
                let stored = try await world.store.get(row.runID)
                #expect(stored.phase == .terminated)
                let events = try await world.pool.query(
                    "SELECT sequence, payload FROM run_events WHERE run_id = \(row.runID) ORDER BY sequence")
                let cells = try events.compactMap { event in
                    try RunEvent(json: Array(try event["payload", as: String.self].utf8)).cellID
                }
                #expect(cells == (1...count).map { "\($0)" }, "in their order, each once")
                #expect(try events.map { try $0["sequence", as: Int64.self] } == Array(1...stored.lastSequence))
                let kept = try await world.pool.query(
                    "SELECT 1 FROM cells WHERE attempt_id = \("run-\(row.runID)-0-0")")
                #expect(Array(kept).count == 20)
            }
        }
    }

    @Test func whatCannotBeWrittenHarmsNoOther() async throws {
        try await Self.with { world in
            for _ in 0..<3 { try await world.makeRun() }
            let rows = try await world.claims.claim(limit: 10, renewing: true).map { try $0.row.get() }
                .sorted { $0.runID < $1.runID }
            #expect(rows.count == 3)
            let failed = try await withThrowingTaskGroup(of: Int64?.self) { group in
                for (number, row) in rows.enumerated() {
                    group.addTask {
                        // PostgreSQL's jsonb has no zero character.
                        let message = number == 1 ? "a\u{0}b" : "refused"
                        do { try await world.end(row, world.progress(row), message) } catch { return row.runID }
                        return nil
                    }
                }
                return try await group.reduce(into: [Int64]()) { if let runID = $1 { $0.append(runID) } }
            }
            #expect(failed == [rows[1].runID])
            for (number, row) in rows.enumerated() {
                let stored = try await world.store.get(row.runID)
                #expect(stored.phase == (number == 1 ? .running : .terminated))
                #expect(stored.lastSequence == (number == 1 ? 0 : 3))
            }
        }
    }

    @Test func anOldOwnerWritesNothing() async throws {
        try await Self.with { world in
            try await world.makeRun()
            let old = try #require(try await world.claims.claim(limit: 1, renewing: true).first).row.get()
            try await world.claims.releaseLeftovers()
            let new = try #require(try await world.claims.claim(limit: 1, renewing: false).first).row.get()
            #expect(new.fence == old.fence + 1)
            let late = world.progress(old)
            await #expect(throws: HarbourError.self) { try await world.end(old, late, "late") }
            // It does not come back either.
            await #expect(throws: HarbourError.self) { try await world.end(old, late, "again") }
            try await world.end(new, world.progress(new), "refused")
            let tasks = try await world.store.tasks(of: [new.runID])[new.runID]
            #expect(tasks?.first?.attempts.first?.record.outcome?.message == "refused")
        }
    }

    /// Both owners of a run are in this process, as when it was lost and claimed again: one group never has both.
    @Test func anOldOwnerDoesNotWriteWithTheFenceOfTheNew() async throws {
        try await Self.with { world in
            try await world.makeRun()
            let old = try #require(try await world.claims.claim(limit: 1, renewing: true).first).row.get()
            try await world.claims.releaseLeftovers()
            let new = try #require(try await world.claims.claim(limit: 1, renewing: false).first).row.get()
            let late = Task(executorPreference: world.pool.loop) {
                try await world.end(old, world.progress(old), "late")
            }
            try await world.end(new, world.progress(new), "refused")
            await #expect(throws: HarbourError.self) { try await late.value }
            let tasks = try await world.store.tasks(of: [new.runID])[new.runID]
            #expect(tasks?.first?.attempts.first?.record.outcome?.message == "refused")
            #expect(try await world.store.get(new.runID).lastSequence == 3)
        }
    }

    @Test func aRunThatCannotBeReadHoldsUpNoOther() async throws {
        try await Self.with { world in
            for _ in 0..<2 { try await world.makeRun() }
            try await world.pool.query(
                "UPDATE runs SET settings = '[]' WHERE run_id = (SELECT min(run_id) FROM runs)")
            let claimed = try await world.claims.claim(limit: 10, renewing: true).sorted { $0.runID < $1.runID }
            #expect(claimed.count == 2)
            #expect(throws: (any Error).self) { try claimed[0].row.get() }
            #expect(try claimed[1].row.get().runID == claimed[1].runID)
        }
    }

    @Test func placesAreForTheOldestAndCancelledOnesNeedNone() async throws {
        try await Self.with { world in
            let jobs = JobStore(pool: world.pool)
            var task = TaskSpec(taskKey: "check")
            task.conditionTask = ConditionTask(op: .equalTo, left: "1", right: "1")
            let spec = JobSpec(name: "two at a time", tasks: [task], maxConcurrentRuns: 2)
            let job = try await jobs.create(spec, creator: "ada", nextFireAt: nil, now: .now)
            var made: [Int64] = []
            for _ in 0..<5 {
                let run = NewRun(
                    jobID: job.jobID, runName: "two at a time", trigger: .oneTime, creator: "ada", settings: spec,
                    parameters: [:])
                made.append(try await world.store.insert(run, now: .now).runID)
            }
            func claim() async throws -> [Int64] {
                try await world.claims.claim(limit: 10, renewing: true).map(\.runID).sorted()
            }
            #expect(try await claim() == Array(made[0...1]))
            #expect(try await world.claims.look().isClaimable == false)
            try await world.store.requestCancel(made[4])
            #expect(try await world.claims.look().isClaimable)
            #expect(try await claim() == [made[4]])
            let over = [made[0], made[4]]
            try await world.pool.query("UPDATE runs SET phase = 'TERMINATED' WHERE run_id = ANY(\(over))")
            #expect(try await claim() == [made[2]])
        }
    }
}
