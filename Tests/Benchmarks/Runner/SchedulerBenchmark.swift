import Core
import EventLoop
import Glibc
import HTTPClient
import HarbourProtocol
import Postgres
import ServiceClients
import ServiceKit

/// One scheduler on one database, with tasks that do nothing:
/// `benchmarks scheduler --url URL --program .build/release/scheduler --sql schemas/sql`. The database is new;
/// `Tests/Benchmarks/scheduler` makes it.
func schedulerBenchmark(_ arguments: [String]) async throws {
    var options = [
        "program": ".build/release/scheduler", "url": "", "sql": "schemas/sql", "only": "", "scale": "1",
        "part": "tasks",
    ]
    var rest = arguments[...]
    while let name = rest.popFirst(), let value = rest.popFirst() { options[String(name.dropFirst(2))] = value }
    let loop = try EventLoop()
    let thread = loop.start()
    try await withTaskExecutorPreference(loop) { [options] in
        let bench = try await SchedulerBench.start(options, loop: loop)
        let scale = Int(options["scale"] ?? "") ?? 1
        switch options["part"] {
        case "schedules": try await bench.measureSchedules(scale: scale)
        case "history": try await bench.measureHistory(scale: scale)
        default:
            for row in SchedulerBench.rows where options["only"]?.isEmpty ?? true || options["only"] == row.name {
                try await bench.measure(row, scale: scale)
            }
        }
        try await bench.stop()
    }
    thread.stopAndJoin()
}

/// A scheduler that runs, the world around it, and its database.
struct SchedulerBench {
    /// What is measured: so many runs at once, each a chain of so many tasks.
    struct Row {
        enum Kind { case webhook, notebook, condition }
        var name: String
        var kind: Kind
        var runs: Int
        var tasks: Int
        /// How long a task takes, in milliseconds.
        var work: Int = 0
    }

    static let rows = [
        Row(name: "warm-up", kind: .webhook, runs: 20, tasks: 20),
        Row(name: "webhooks, one run", kind: .webhook, runs: 1, tasks: 300),
        Row(name: "notebooks, one run", kind: .notebook, runs: 1, tasks: 200),
        Row(name: "webhooks, paced", kind: .webhook, runs: 60, tasks: 100, work: 100),
        Row(name: "webhooks, full speed", kind: .webhook, runs: 100, tasks: 100),
        Row(name: "notebooks, full speed", kind: .notebook, runs: 100, tasks: 30),
        Row(name: "conditions, full speed", kind: .condition, runs: 200, tasks: 100),
        Row(name: "runs of one webhook", kind: .webhook, runs: 3000, tasks: 1),
    ]

    let loop: EventLoop
    let world: NoOpWorld
    let service: RunningService
    let process: ChildProcess
    let http: HTTPClient
    let client: ServiceClient
    let pool: PostgresPool
    let baseURL: String
    let folder: String
    let options: [String: String]

    static func start(_ options: [String: String], loop: EventLoop) async throws -> SchedulerBench {
        let folder = "/tmp/scheduler-benchmark-\(getpid())"
        mkdir(folder, 0o700)
        let world = NoOpWorld(loop: loop)
        let service = try await ServiceRuntime.start(
            world.definition, arguments: ["--listen", "127.0.0.1:0", "--service-token", "t", "--log-level", "warning"],
            loop: loop)
        let baseURL = try await service.baseURL
        let address = "\(folder)/address"
        let process = try await startScheduler(options, address, baseURL, loop: loop)
        let http = HTTPClient(loop: loop)
        let client = try ServiceClient(
            http: http, baseURL: "http://\(firstLine(of: address))", token: "t", service: "scheduler")
        let pool = PostgresPool(
            configuration: PostgresConfiguration(url: options["url"] ?? "", schema: "scheduler", maxConnections: 1),
            loop: loop)
        return SchedulerBench(
            loop: loop, world: world, service: service, process: process, http: http, client: client, pool: pool,
            baseURL: baseURL, folder: folder, options: options)
    }

    /// Starts the program and returns when it serves.
    static func startScheduler(
        _ options: [String: String], _ address: String, _ baseURL: String, loop: EventLoop
    ) async throws -> ChildProcess {
        var specification = ProcessSpecification(
            options["program"] ?? "", ["--schema-folder", options["sql"] ?? "", "--log-level", "warning"])
        specification.environment = .inherited(adding: [
            "HARBOUR_SCHEDULER_LISTEN": "127.0.0.1:0", "HARBOUR_SCHEDULER_ADDRESS_FILE": address,
            "HARBOUR_SCHEDULER_CLUSTER_URL": baseURL, "HARBOUR_SCHEDULER_WORKSPACE_URL": baseURL,
            "HARBOUR_SERVICE_TOKEN": "t", "HARBOUR_SCHEDULER_WEBHOOK_NETWORKS": "127.0.0.0/8",
            "HARBOUR_DATABASE_URL": options["url"] ?? "",
        ])
        specification.parentDeathSignal = SIGKILL
        let process = try await ChildProcess.start(specification, loop: loop)
        while access(address, R_OK) != 0 {
            guard process.exit == nil else { throw HarbourError(.unavailable, "The scheduler did not start.") }
            try await loop.sleep(for: .milliseconds(20))
        }
        return process
    }

    private static func firstLine(of path: String) -> String {
        guard let file = fopen(path, "r") else { return "" }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 200)
        fgets(&line, Int32(line.count), file)
        return String(decoding: line.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func stop() async throws {
        process.kill()
        _ = try await process.wait()
        await pool.drain(budget: .seconds(1))
        await http.close()
        try await service.stop()
        unlink("\(folder)/address")
        rmdir(folder)
    }

    // MARK: Measuring

    func measure(_ row: Row, scale: Int) async throws {
        let runs = row.runs == 1 ? 1 : row.runs * scale
        let job = try await client.call(SchedulerAPI.createJob, .init(body: spec(row)))
        world.reset(work: .milliseconds(row.work))
        let before = try await counters()
        let begin = MonotonicTime.now
        try await startRuns(of: job.jobID, runs)
        try await waitForEnd(of: job.jobID, runs)
        let span = row.kind == .condition ? MonotonicTime.now - begin : world.span
        let after = try await counters()
        report(row, tasks: runs * row.tasks, span: span, before, after)
        guard row.kind == .condition || world.count == runs * row.tasks else {
            throw HarbourError(.internalError, "\(world.count) tasks ran instead of \(runs * row.tasks).")
        }
    }

    /// Sixteen callers ask for runs at once, as people and programs do.
    private func startRuns(of jobID: Int64, _ count: Int) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for caller in 0..<min(count, 16) {
                group.addTask {
                    for _ in stride(from: caller, to: count, by: 16) {
                        _ = try await client.call(SchedulerAPI.runNow, .init(jobID: jobID, body: RunNow()))
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private func waitForEnd(of jobID: Int64, _ count: Int) async throws {
        while true {
            let rows = try await pool.query(
                """
                SELECT count(*) FILTER (WHERE result = 'success') AS good, count(*) FILTER (WHERE result <> 'success') AS bad
                FROM runs WHERE job_id = \(jobID)
                """)
            let bad = try rows.first?["bad", as: Int.self] ?? 0
            guard bad == 0 else { throw HarbourError(.internalError, "\(bad) runs did not succeed.") }
            if try rows.first?["good", as: Int.self] == count { return }
            try await loop.sleep(for: .milliseconds(50))
        }
    }

    private func spec(_ row: Row) -> JobSpec {
        let tasks = (0..<row.tasks).map { number in
            var task = TaskSpec(taskKey: "t\(number)")
            if number > 0 { task.dependsOn = [TaskDependency(taskKey: "t\(number - 1)")] }
            switch row.kind {
            case .webhook: task.webhookTask = WebhookTask(url: "\(baseURL)/noop/{{job.run_id}}/{{task.name}}")
            case .notebook:
                task.notebookTask = NotebookTask(notebookPath: "/noop")
                task.existingClusterID = "lab"
            case .condition: task.conditionTask = ConditionTask(op: .equalTo, left: "1", right: "1")
            }
            return task
        }
        return JobSpec(name: row.name, tasks: tasks, maxConcurrentRuns: 1000)
    }

    /// What the database and the scheduler have done so far.
    struct Counters {
        var commits: Int64 = 0
        var statements: Int64 = 0
        var wal: Int64 = 0
        /// Clock ticks, hundredths of a second.
        var processor: Int64 = 0
    }

    func counters() async throws -> Counters {
        // The statistics of a transaction are visible a second after its end at the latest.
        try await loop.sleep(for: .milliseconds(1100))
        let rows = try await pool.query(
            """
            SELECT xact_commit, (SELECT sum(calls)::bigint FROM public.pg_stat_statements) AS statements,
                   (pg_current_wal_lsn() - '0/0')::bigint AS wal
            FROM pg_stat_database WHERE datname = current_database()
            """)
        guard let row = rows.first else { return Counters() }
        return Counters(
            commits: try row["xact_commit", as: Int64.self], statements: try row["statements", as: Int64.self],
            wal: try row["wal", as: Int64.self], processor: processorTicks())
    }

    func processorTicks() -> Int64 {
        let line = Self.firstLine(of: "/proc/\(process.pid)/stat")
        let fields = line[(line.lastIndex(of: ")") ?? line.startIndex)...].split(separator: " ")
        return fields.count > 13 ? (Int64(fields[12]) ?? 0) + (Int64(fields[13]) ?? 0) : 0
    }

    private func report(_ row: Row, tasks: Int, span: Duration, _ before: Counters, _ after: Counters) {
        func each(_ value: Int64) -> String { fixed(Double(value) / Double(tasks), 2) }
        let seconds = Double(span.nanoseconds) / 1e9
        var line = "\(row.name): \(Int(Double(tasks) / seconds)) tasks/s"
        let gaps = world.gaps
        if !gaps.isEmpty {
            func at(_ share: Double) -> String {
                fixed(Double(gaps[min(gaps.count - 1, Int(Double(gaps.count) * share))].nanoseconds) / 1e6, 1)
            }
            line += ", end to next start \(at(0.5)) ms median, \(at(0.99)) ms p99, \(at(1)) ms most"
        }
        line += "; a task: \(each(after.commits - before.commits)) transactions, "
        line +=
            "\(each(after.statements - before.statements)) statements, \(each(after.wal - before.wal)) bytes of WAL, "
        say(line + "\(each((after.processor - before.processor) * 10_000)) µs of the scheduler's processor")
    }
}

/// A number with so many places.
func fixed(_ value: Double, _ places: Int) -> String {
    let scale = (0..<places).reduce(1.0) { scale, _ in scale * 10 }
    let rounded = (value * scale).rounded() / scale
    let text = String(rounded)
    guard let dot = text.firstIndex(of: ".") else { return text }
    return String(text.prefix(text.distance(from: text.startIndex, to: dot) + 1 + places))
}
