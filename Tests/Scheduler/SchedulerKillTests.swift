import Core
import CronSchedule
import EventLoop
import Glibc
import HTTPClient
import HarbourProtocol
import ServiceClients
import ServiceKit
import Synchronization
import TestSupport
import Testing

/// Two schedulers on one database are killed with SIGKILL again and again, and stopped for longer than their leases,
/// while runs are under way and a schedule fires.
@Suite(.timeLimit(.minutes(15))) struct SchedulerKillTests {
    private struct World {
        let place: SchedulerProcess.Surroundings
        var schedulers: [SchedulerProcess]
        var generator: SeededGenerator
        var runs: [Int64] = []

        var first: ServiceClient { schedulers[0].client }

        mutating func startRuns(of job: Job, _ count: Int, through client: ServiceClient) async throws {
            for _ in 0..<count {
                runs.append(try await client.call(SchedulerAPI.runNow, .init(jobID: job.jobID, body: RunNow())).runID)
            }
        }

        /// Kills one of the two and starts it again, either at once or when the other had to take over.
        mutating func killOne() async throws {
            let victim = Int.random(in: 0...1, using: &generator)
            try await schedulers[victim].kill()
            if Int.random(in: 0..<3, using: &generator) == 0 {
                let survivor = schedulers[1 - victim].client
                try await ended(atLeast: try await endedCount(through: survivor) + 2, through: survivor)
            }
            schedulers[victim] = try await SchedulerProcess.start("s\(victim)", in: place)
        }

        /// Stops one for longer than its lease; it wakes up as somebody whose work is done by another.
        mutating func freezeOne() async throws {
            let victim = Int.random(in: 0...1, using: &generator)
            schedulers[victim].signal(SIGSTOP)
            try await place.loop.sleep(for: .milliseconds(place.leaseSeconds * 1000 + 400))
            schedulers[victim].signal(SIGCONT)
        }

        private func endedCount(through client: ServiceClient) async throws -> Int {
            let active = try await client.call(SchedulerAPI.listRuns, .init(pageSize: 500, activeOnly: true)).runs
            let open = Set(active.map(\.runID))
            return runs.filter { !open.contains($0) }.count
        }

        private func ended(atLeast count: Int, through client: ServiceClient) async throws {
            while try await endedCount(through: client) < min(count, runs.count) {
                try await place.loop.sleep(for: .milliseconds(20))
            }
        }

        func finish(through client: ServiceClient) async throws {
            try await ended(atLeast: runs.count, through: client)
        }
    }

    private static func withWorld(
        seed: UInt64, _ body: @escaping @Sendable (inout World, ScriptedServices) async throws -> Void
    ) async throws {
        try await withDatabase { database in
            try await withEventLoop { loop in
                var template = Array("/tmp/scheduler-kill-XXXXXX".utf8CString)
                try #require(mkdtemp(&template) != nil)
                let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
                let scripted = ScriptedServices()
                let below = try await ServiceRuntime.start(
                    scripted.definition, arguments: ["--listen", "127.0.0.1:0", "--service-token", "t"], loop: loop)
                let place = SchedulerProcess.Surroundings(
                    loop: loop, http: HTTPClient(loop: loop), database: database, below: try await below.baseURL,
                    folder: folder)
                let schedulers = [
                    try await SchedulerProcess.start("s0", in: place),
                    try await SchedulerProcess.start("s1", in: place),
                ]
                var world = World(place: place, schedulers: schedulers, generator: SeededGenerator(seed: seed))
                try await body(&world, scripted)
                for scheduler in world.schedulers { try await scheduler.kill() }
                await place.http.close()
                try await below.stop()
                for name in ["s0", "s1"] {
                    unlink("\(folder)/\(name).address")
                    unlink("\(folder)/\(name).log")
                }
                rmdir(folder)
            }
        }
    }

    private static let clusters = [
        JobCluster(jobClusterKey: "main", newCluster: ClusterSpec(clusterName: "main"))
    ]

    private static func task(_ key: String, after: [String] = [], _ path: String = "/work") -> TaskSpec {
        TaskSpec(
            taskKey: key, dependsOn: after.map { TaskDependency(taskKey: $0) },
            notebookTask: NotebookTask(notebookPath: path), jobClusterKey: "main")
    }

    @Test func killedAndFrozenInTheMiddleOfManyRuns() async throws {
        let seed = UInt64.random(in: 0..<1_000_000)
        print("SchedulerKillTests seed \(seed)")
        try await Self.withWorld(seed: seed) { world, scripted in
            scripted.put("/work", ["pause 10", "print once", "pause 10"])
            scripted.put("/tick", ["print tick"])
            let work = try await world.first.call(
                SchedulerAPI.createJob,
                .init(
                    body: JobSpec(
                        name: "work",
                        tasks: [
                            Self.task("a"), Self.task("b", after: ["a"]), Self.task("c", after: ["a"]),
                            Self.task("d", after: ["b", "c"]),
                        ], jobClusters: Self.clusters, maxConcurrentRuns: 1000)))
            let ticks = try await world.first.call(
                SchedulerAPI.createJob,
                .init(
                    body: JobSpec(
                        name: "ticks", tasks: [Self.task("tick", "/tick")], jobClusters: Self.clusters,
                        schedule: JobSchedule(quartzCronExpression: "* * * * * ?", timezoneID: "Europe/Berlin"),
                        maxConcurrentRuns: 1000)))
            for round in 0..<8 {
                try await world.startRuns(of: work, 6, through: world.schedulers[round % 2].client)
                if round == 3 { try await world.freezeOne() } else { try await world.killOne() }
            }
            try await world.finish(through: world.schedulers[1].client)
            for runID in world.runs { try await Self.check(runID, through: world.first, seed: seed) }
            try await Self.checkTicks(ticks, through: world.first, seed: seed)
            #expect(scripted.started.values.allSatisfy { $0 == 1 }, "seed \(seed)")
        }
    }

    /// The run ended once and well, each task had one attempt, and each line was printed once.
    private static func check(_ runID: Int64, through client: ServiceClient, seed: UInt64) async throws {
        let run = try await client.call(SchedulerAPI.getRun, .init(runID: runID))
        #expect(run.state.resultState == .success, "seed \(seed): run \(runID) \(run.state)")
        #expect(run.tasks.allSatisfy { $0.attempts.count == 1 }, "seed \(seed): run \(runID)")
        var events: [RunEvent] = []
        for try await event in try await client.stream(SchedulerAPI.streamRunEvents, .init(runID: runID, after: 0)) {
            events.append(event)
        }
        #expect(events.map(\.sequence) == Array(1...Int64(events.count)), "seed \(seed): run \(runID)")
        let ends = events.filter { $0.type == .runState && $0.state?.lifeCycleState == .terminated }
        #expect(ends.count == 1, "seed \(seed): run \(runID)")
        for task in run.tasks {
            let mine = events.filter { $0.taskKey == task.taskKey }
            #expect(mine.filter { $0.event?.text == "once\n" }.count == 1, "seed \(seed): run \(runID)")
            let finished = mine.filter { $0.type == .taskState && $0.state?.lifeCycleState == .terminated }
            #expect(finished.count == 1, "seed \(seed): run \(runID)")
        }
        for dependency in [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")] {
            let end = run.tasks.first { $0.taskKey == dependency.0 }?.endTime
            let start = run.tasks.first { $0.taskKey == dependency.1 }?.startTime
            if let end, let start { #expect(end <= start, "seed \(seed): run \(runID)") }
        }
    }

    /// Each fire is the first of its schedule after the one before was made: none is doubled, none is left out but
    /// those that a late scheduler makes up for with one run.
    private static func checkTicks(_ job: Job, through client: ServiceClient, seed: UInt64) async throws {
        _ = try await client.call(SchedulerAPI.deleteJob, .init(jobID: job.jobID))
        let runs = try await client.call(SchedulerAPI.listRuns, .init(pageSize: 500, jobID: job.jobID)).runs
        let fires = runs.reversed().compactMap { run in run.fireTime.map { (fire: $0, made: run.createdTime) } }
        let schedule = try CronSchedule("* * * * * ?", timeZone: "Europe/Berlin")
        #expect(fires.count == runs.count && fires.count >= 3, "seed \(seed)")
        for (before, after) in zip(fires, fires.dropFirst()) {
            #expect(schedule.next(after: max(before.fire, before.made)) == after.fire, "seed \(seed)")
        }
    }
}
