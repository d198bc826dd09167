import Core
import EventLoop
import Glibc
import HTTPClient
import HarbourProtocol
import Postgres
import ServiceClients
import ServiceKit
import TestSupport
import Testing

/// A graph of 200 tasks, while one of its two schedulers or PostgreSQL is killed with SIGKILL after every few tasks.
/// `HARBOUR_TEST_ROUNDS` plays more graphs, `HARBOUR_TEST_SEED` a failure again.
@Suite(.timeLimit(.minutes(10))) struct GraphKillTests {
    private struct World: Sendable {
        let place: SchedulerProcess.Surroundings
        let postgres: PostgresFixture
        let scripted: ScriptedServices
        var schedulers: [SchedulerProcess]

        /// Asks whoever answers, through all that is killed.
        func ask<Input, Output>(_ endpoint: Endpoint<Input, Output>, _ input: Input) async throws -> Output {
            var turn = 0
            let end = MonotonicTime.now + .seconds(60)
            while true {
                do {
                    return try await schedulers[turn % schedulers.count].client.call(
                        endpoint, input, context: .within(.seconds(20)))
                } catch {
                    let failure = HarbourError.wrap(error)
                    let isPassing = [.unavailable, .deadlineExceeded, .badGateway].contains(failure.code)
                    guard isPassing, MonotonicTime.now < end else { throw failure }
                }
                turn += 1
                try await place.loop.sleep(for: .milliseconds(50))
            }
        }
    }

    private static func with(leaseSeconds: Int, _ body: @escaping @Sendable (inout World) async throws -> Void)
        async throws
    {
        let postgres = try await PostgresFixture.start()
        let database = try await postgres.makeDatabase()
        let folder = try TemporaryDirectory()
        try await withEventLoop { loop in
            let scripted = ScriptedServices()
            let below = try await ServiceRuntime.start(
                scripted.definition, arguments: ["--listen", "127.0.0.1:0", "--service-token", "t"], loop: loop)
            let place = SchedulerProcess.Surroundings(
                loop: loop, http: HTTPClient(loop: loop), database: database, below: try await below.baseURL,
                folder: folder.path, leaseSeconds: leaseSeconds)
            var world = World(
                place: place, postgres: postgres, scripted: scripted,
                schedulers: [
                    try await SchedulerProcess.start("s0", in: place),
                    try await SchedulerProcess.start("s1", in: place),
                ])
            let outcome: Result<Void, any Error>
            do { outcome = .success(try await body(&world)) } catch { outcome = .failure(error) }
            for scheduler in world.schedulers { try await scheduler.kill() }
            await place.http.close()
            try await below.stop()
            try outcome.get()
        }
        try await postgres.stop()
    }

    private static let size = 200
    private static let clusters = [
        JobCluster(jobClusterKey: "main", newCluster: ClusterSpec(clusterName: "main"))
    ]

    /// Each task waits for up to three of the twelve before it.
    private static func graph(_ random: inout SeededGenerator) -> [TaskSpec] {
        (0..<size).map { number in
            let before = max(0, number - 12)..<number
            let wanted = before.shuffled(using: &random).prefix(Int.random(in: 1...3, using: &random)).sorted()
            return TaskSpec(
                taskKey: "t\(number)", dependsOn: wanted.map { TaskDependency(taskKey: "t\($0)") },
                notebookTask: NotebookTask(notebookPath: "/work"), jobClusterKey: "main")
        }
    }

    @Test func aGraphOf200TasksEndsRightWhoeverIsKilled() async throws {
        let variables = ProcessSpecification.Environment.ours
        let rounds = variables["HARBOUR_TEST_ROUNDS"].flatMap(Int.init) ?? 1
        let seed = variables["HARBOUR_TEST_SEED"].flatMap(UInt64.init) ?? UInt64.random(in: 0..<1_000_000_000)
        print("GraphKillTests HARBOUR_TEST_SEED=\(seed)")
        try await Self.with(leaseSeconds: 2) { world in
            world.scripted.put("/work", ["print once", "pause 20"])
            var random = SeededGenerator(seed: seed)
            for _ in 0..<rounds { try await Self.round(&world, &random) }
        }
    }

    private static func round(_ world: inout World, _ random: inout SeededGenerator) async throws {
        let tasks = graph(&random)
        let begun = world.scripted.started.count
        let runID = try await world.ask(
            SchedulerAPI.submitRun,
            .init(
                body: SubmitRun(
                    runName: "graph", tasks: tasks,
                    jobClusters: clusters, idempotencyToken: "\(random.next())"))
        ).runID
        var kills: [String] = []
        var target = begun
        // Two cells a task; the last kills come a little before the end.
        while target < begun + 2 * size - 40 {
            target += Int.random(in: 10...40, using: &random)
            try await eventually("cell \(target - begun) has begun", within: .seconds(240)) {
                world.scripted.started.count >= min(target, begun + 2 * size)
            }
            switch Int.random(in: 0...2, using: &random) {
            case 2:
                kills.append("postgres")
                try await world.postgres.kill()
                try await world.postgres.restart()
            case let victim:
                kills.append("s\(victim)")
                try await world.schedulers[victim].kill()
                world.schedulers[victim] = try await SchedulerProcess.start("s\(victim)", in: world.place)
            }
        }
        print("GraphKillTests killed \(kills.joined(separator: ", "))")
        try await eventually("the run is over", within: .seconds(300)) { [world] in
            try await world.ask(SchedulerAPI.getRun, .init(runID: runID)).endTime != nil
        }
        try await check(try await world.ask(SchedulerAPI.getRun, .init(runID: runID)), tasks, world)
    }

    private static func check(_ run: Run, _ tasks: [TaskSpec], _ world: World) async throws {
        #expect(run.state.resultState == .success, "\(run.state)")
        #expect(run.tasks.allSatisfy { $0.attempts.count == 1 && $0.state.resultState == .success })
        #expect(world.scripted.started.values.allSatisfy { $0 == 1 }, "a command ran twice")
        let byKey = Dictionary(uniqueKeysWithValues: run.tasks.map { ($0.taskKey, $0) })
        for task in tasks {
            for edge in task.dependsOn ?? [] {
                guard let end = byKey[edge.taskKey]?.endTime, let start = byKey[task.taskKey]?.startTime else {
                    Issue.record("\(task.taskKey) has not run")
                    continue
                }
                #expect(end <= start, "\(task.taskKey) began before \(edge.taskKey) had ended")
            }
        }
        var events: [RunEvent] = []
        for try await event in try await world.schedulers[0].client.stream(
            SchedulerAPI.streamRunEvents, .init(runID: run.runID, after: 0))
        { events.append(event) }
        #expect(events.map(\.sequence) == Array(1...Int64(max(1, events.count))))
        let printed = events.filter { $0.event?.text == "once\n" }.compactMap(\.taskKey)
        #expect(printed.sorted() == tasks.map(\.taskKey).sorted())
        let ends = events.filter { $0.type == .taskState && $0.state?.lifeCycleState == .terminated }
        #expect(ends.count == size)
    }

    /// With the lease that schedulers have unless told otherwise.
    @Test func theWorkOfADeadSchedulerIsTakenUpWithin15Seconds() async throws {
        try await Self.with(leaseSeconds: 12) { world in
            world.scripted.put("/wait", ["wait"])
            let task = TaskSpec(
                taskKey: "a", notebookTask: NotebookTask(notebookPath: "/wait"), jobClusterKey: "main")
            let runID = try await world.ask(
                SchedulerAPI.submitRun,
                .init(body: SubmitRun(runName: "held", tasks: [task], jobClusters: Self.clusters))
            ).runID
            let scripted = world.scripted
            try await eventually("the cell has begun", within: .seconds(240)) { scripted.started.count == 1 }
            let pool = PostgresPool(
                configuration: PostgresConfiguration(url: world.place.database.url, schema: "scheduler"),
                loop: world.place.loop)
            func owner() async throws -> String? {
                try await pool.query("SELECT owner FROM runs WHERE run_id = \(runID)").first?["owner", as: String?.self]
                    ?? nil
            }
            let holder = try #require(try await owner())
            let victim = holder == "s0" ? 0 : 1
            try await world.schedulers[victim].kill()
            let killed = MonotonicTime.now
            try await eventually("the other scheduler has the run", within: .seconds(240)) {
                try await owner() == "s\(1 - victim)"
            }
            let noticed = MonotonicTime.now - killed
            print("GraphKillTests: the work of a dead scheduler was taken up after \(noticed.milliseconds) ms")
            // The lease of twelve seconds, and what a busy machine takes to look after its end.
            #expect(noticed < .seconds(25))
            scripted.finish("run-\(runID)-0-0-0")
            let client = world.schedulers[1 - victim].client
            try await eventually("the run is over", within: .seconds(240)) {
                try await client.call(SchedulerAPI.getRun, .init(runID: runID)).state.resultState == .success
            }
            #expect(scripted.started.values.allSatisfy { $0 == 1 })
            await pool.drain(budget: .seconds(5))
        }
    }
}
