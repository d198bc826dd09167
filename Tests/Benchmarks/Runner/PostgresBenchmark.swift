import Core
import EventLoop
import Glibc
import Postgres

/// Reads by key from pgbench's table, as `pgbench -S -M prepared` does: `benchmarks postgres --url URL
/// --connections 8 --depth 1 --seconds 3 --rows 100000`. Depth 1 keeps one read under way per connection, more pipelines.
/// Prints the reads per second and the CPU time of one in microseconds.
func postgresBenchmark(_ arguments: [String]) async throws {
    var options = ["connections": "1", "depth": "1", "seconds": "3", "rows": "100000", "url": ""]
    var rest = arguments[...]
    while let name = rest.popFirst(), let value = rest.popFirst() { options[String(name.dropFirst(2))] = value }
    func number(_ name: String) -> Int { options[name].flatMap(Int.init) ?? 1 }
    let connections = number("connections")
    let workers = connections * number("depth")
    let rows = number("rows")
    let duration = Duration.seconds(number("seconds"))

    let loop = try EventLoop()
    let thread = loop.start()
    var configuration = PostgresConfiguration(url: options["url"] ?? "", maxConnections: connections)
    configuration.minIdleConnections = connections
    let pool = PostgresPool(configuration: configuration, loop: loop)
    try await withTaskExecutorPreference(loop) {
        try await warmUp(pool, connections)
        let cpuStart = cpuNanoseconds()
        let start = MonotonicTime.now
        let end = start + duration
        let total = try await withThrowingTaskGroup { group in
            for worker in 0..<workers {
                group.addTask { try await readByKey(pool, rows: rows, seed: UInt64(worker), until: end) }
            }
            return try await group.reduce(0, +)
        }
        let elapsed = Double((MonotonicTime.now - start).nanoseconds)
        let cpu = Double(cpuNanoseconds() - cpuStart)
        print("\(Int(Double(total) * 1e9 / elapsed)) \(Int(cpu / Double(total)) / 100)")
    }
    await pool.drain(budget: .seconds(5))
    thread.stopAndJoin()
}

/// All connections are open and have prepared the statement before the clock starts.
private func warmUp(_ pool: PostgresPool, _ connections: Int) async throws {
    try await withThrowingTaskGroup { group in
        for _ in 0..<connections {
            group.addTask {
                try await pool.transaction { transaction in
                    try await transaction.query("SELECT pg_sleep(0.2)")
                    try await transaction.query("SELECT abalance FROM pgbench_accounts WHERE aid = \(Int32(1))")
                }
            }
        }
        try await group.waitForAll()
    }
}

private func readByKey(_ pool: PostgresPool, rows: Int, seed: UInt64, until end: MonotonicTime) async throws -> Int {
    var generator = SeededGenerator(seed: seed)
    var count = 0
    while true {
        let key = Int32.random(in: 1...Int32(rows), using: &generator)
        let rows = try await pool.read("SELECT abalance FROM pgbench_accounts WHERE aid = \(key)")
        guard let row = rows.first, try row.decode(Int32.self) == 0 else {
            throw HarbourError(.internalError, "Account \(key) has a balance or is missing.")
        }
        count += 1
        // The clock is read as rarely as pgbench reads it.
        if count % 16 == 0, MonotonicTime.now >= end { return count }
    }
}

private func cpuNanoseconds() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Int(time.tv_sec) * 1_000_000_000 + Int(time.tv_nsec)
}
