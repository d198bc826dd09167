import Core
import EventLoop
import Glibc
import HarbourProtocol
import Postgres
import ServiceClients

// A scheduler with much to keep: ten thousand schedules, a million runs that have ended.

extension SchedulerBench {
    /// Ten thousand jobs with schedules: what the scheduler uses when none is due, and how late they fire.
    func measureSchedules(scale: Int) async throws {
        let count = 10_000 * scale
        let time = ISO8601.format(.now)
        let hour = (Int(time.dropFirst(11).prefix(2)) ?? 0) + 12
        let begin = MonotonicTime.now
        // Spread over an hour that is far away.
        try await makeJobs(count) { "\($0 % 60) \($0 / 60 % 60) \(hour % 24) * * ?" }
        say("\(count) jobs with schedules made in \(seconds(since: begin)) s")
        try await loop.sleep(for: .seconds(5))
        let before = usage()
        try await loop.sleep(for: .seconds(30))
        let after = usage()
        say(
            "with nothing due: \(fixed(Double(after.switches - before.switches) / 30, 1)) wake-ups a second, "
                + "\((after.ticks - before.ticks) * 10) ms of processor in 30 s, \(after.resident / 1024) MiB resident")
        // Then all of them within the next minutes: some each second.
        try await pool.query(
            """
            UPDATE jobs SET next_fire_at = date_trunc('second', clock_timestamp()) + interval '3 s'
                + (job_id % 60) * interval '1 s'
            WHERE job_id % 10 = 0 AND job_id <= \(Int64(count))
            """)
        try await makeJobs(1) { _ in "0 0 0 1 1 ?" }
        try await awaitFires(count / 10)
        try await reportFires("\(count / 10) fires over a minute", count / 10)
        try await pool.query("DELETE FROM runs")
        try await pool.query(
            """
            UPDATE jobs SET next_fire_at = date_trunc('second', clock_timestamp()) + interval '3 s'
            WHERE job_id % 10 = 1 AND job_id <= \(Int64(count))
            """)
        try await makeJobs(1) { _ in "0 0 0 1 1 ?" }
        try await awaitFires(count / 10)
        try await reportFires("\(count / 10) fires at the same second", count / 10)
        say("afterwards: \(usage().resident / 1024) MiB resident")
    }

    private func makeJobs(_ count: Int, _ schedule: @escaping @Sendable (Int) -> String) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for caller in 0..<min(count, 16) {
                group.addTask {
                    for number in stride(from: caller, to: count, by: 16) {
                        var task = TaskSpec(taskKey: "check")
                        task.conditionTask = ConditionTask(op: .equalTo, left: "1", right: "1")
                        let spec = JobSpec(
                            name: "job \(number)", tasks: [task],
                            schedule: JobSchedule(
                                quartzCronExpression: schedule(number), timezoneID: "Europe/Berlin"))
                        _ = try await client.call(SchedulerAPI.createJob, .init(body: spec))
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private func awaitFires(_ count: Int) async throws {
        while true {
            let rows = try await pool.query("SELECT count(*) AS count FROM runs WHERE phase = 'TERMINATED'")
            if try rows.first?["count", as: Int.self] ?? 0 >= count { return }
            try await loop.sleep(for: .milliseconds(500))
        }
    }

    /// From the time of a schedule to the moment at which its run was made, and at which a scheduler had taken it.
    private func reportFires(_ what: String, _ count: Int) async throws {
        let rows = try await pool.query(
            """
            SELECT count(*) AS count, percentile_disc(ARRAY[0.5, 0.99, 1]) WITHIN GROUP (
                       ORDER BY (extract(epoch FROM created_at - fire_at) * 1000)::double precision) AS made,
                   percentile_disc(ARRAY[0.5, 0.99, 1]) WITHIN GROUP (
                       ORDER BY (extract(epoch FROM ended_at - fire_at) * 1000)::double precision) AS over
            FROM runs
            """)
        guard let row = rows.first, try row["count", as: Int.self] == count else {
            throw HarbourError(.internalError, "Not every schedule has fired once.")
        }
        let (made, over) = (try row["made", as: [Double].self], try row["over", as: [Double].self])
        func text(_ values: [Double]) -> String { values.map { fixed($0, 1) }.joined(separator: ", ") }
        say("\(what): seen \(text(made)) ms late (median, p99, most), run to their ends \(text(over)) ms late")
    }

    // MARK: A million runs

    /// A million runs that have ended: lists, pages, filters, and how quickly old ones go.
    func measureHistory(scale: Int) async throws {
        let count = 1_000_000 * scale
        try await makeJobs(200) { _ in "0 0 0 1 1 ?" }
        let jobs = try await client.call(SchedulerAPI.listJobs, .init(pageSize: 100)).jobs.map(\.jobID)
        let begin = MonotonicTime.now
        try await fill(count)
        say("\(count) runs that have ended written in \(seconds(since: begin)) s")
        let token = try await middle(count)
        try await time("the newest runs") { _ in .init(pageSize: 50) }
        try await time("a page in the middle") { _ in .init(pageSize: 50, pageToken: token) }
        try await time("a job's runs") { .init(pageSize: 50, jobID: jobs[$0 % jobs.count]) }
        try await time("a job's runs, a page in the middle") {
            .init(pageSize: 50, pageToken: token, jobID: jobs[$0 % jobs.count])
        }
        try await time("runs under way") { _ in .init(pageSize: 50, activeOnly: true) }
        try await time("a job's runs under way") { .init(pageSize: 50, jobID: jobs[$0 % jobs.count], activeOnly: true) }
        try await measureTasksBesideHistory()
        try await measureRetention(count)
    }

    private func seconds(since begin: MonotonicTime) -> String {
        fixed(Double((MonotonicTime.now - begin).nanoseconds) / 1e9, 1)
    }

    /// Runs of two tasks over two years, the older half beyond what is kept, with their attempts and events.
    private func fill(_ count: Int) async throws {
        let limit = Duration.seconds(3600)
        try await pool.query(
            """
            INSERT INTO runs (job_id, run_name, trigger, creator, created_at, settings, parameters, phase, record,
                              result, started_at, ended_at, fence, last_sequence, step)
            SELECT job_id, name, 'PERIODIC', creator, t, settings, '{}', 'TERMINATED',
                   jsonb_build_object('released', '[]'::jsonb, 'result', 'success', 'start_time', ms, 'end_time', ms),
                   'success', t, t, 1, 6, 2
            FROM generate_series(1, \(Int64(count))) n,
                 LATERAL (SELECT job_id, name, creator, settings FROM jobs OFFSET n % 200 LIMIT 1) j,
                 LATERAL (SELECT clock_timestamp() - (\(Int64(count)) - n) * interval '120 days' / \(Int64(count)) AS t) times,
                 LATERAL (SELECT (extract(epoch FROM t) * 1000)::bigint AS ms) millis
            """, timeout: limit)
        try await pool.query(
            """
            INSERT INTO tasks (run_id, task_key, ordinal, record)
            SELECT run_id, 'check', 0,
                   '{"phase": {"name": "ended", "result": "success"}, "start_time": 1, "end_time": 1}'
            FROM runs
            """, timeout: limit)
        try await pool.query(
            """
            INSERT INTO attempts (attempt_id, run_id, task_ordinal, attempt_number, record)
            SELECT 'run-' || run_id || '-0-0', run_id, 0, 0,
                   '{"start_time": 1, "end_time": 1, "outcome": {"result": "success", "message": ""}}'
            FROM runs
            """, timeout: limit)
        try await pool.query(
            """
            INSERT INTO run_events (run_id, sequence, payload)
            SELECT run_id, n, '{"sequence":0,"timestamp":1,"type":"TASK_STATE","task_key":"check","state":{"life_cycle_state":"TERMINATED","result_state":"SUCCESS","state_message":""}}'
            FROM runs, generate_series(1, 6) n
            """, timeout: limit)
        try await pool.query("ANALYZE", timeout: limit)
    }

    /// What continues a list in the middle of the history.
    private func middle(_ count: Int) async throws -> String {
        let rows = try await pool.query("SELECT min(run_id) + \(Int64(count / 2)) AS run_id FROM runs")
        return PageToken(.integer(try rows.first?["run_id", as: Int64.self] ?? 0)).text
    }

    private func time(_ what: String, _ input: (Int) -> SchedulerAPI.ListRunsInput) async throws {
        var times: [Duration] = []
        for number in 0..<210 {
            let begin = MonotonicTime.now
            _ = try await client.call(SchedulerAPI.listRuns, input(number))
            if number >= 10 { times.append(MonotonicTime.now - begin) }
        }
        times.sort()
        func at(_ share: Double) -> String {
            fixed(Double(times[min(times.count - 1, Int(Double(times.count) * share))].nanoseconds) / 1e6, 1)
        }
        say("\(what): \(at(0.5)) ms median, \(at(0.99)) ms p99, over HTTP")
    }

    private func measureTasksBesideHistory() async throws {
        try await measure(Row(name: "beside them, webhooks, one run", kind: .webhook, runs: 1, tasks: 300), scale: 1)
        try await measure(Row(name: "beside them, webhooks", kind: .webhook, runs: 50, tasks: 100), scale: 1)
    }

    /// A scheduler that starts deletes what is too old.
    private func measureRetention(_ count: Int) async throws {
        let old = try await pool.query(
            "SELECT count(*) AS count FROM runs WHERE ended_at < clock_timestamp() - interval '60 days'")
        let before = try await counters()
        let begin = MonotonicTime.now
        let second = try await Self.startScheduler(options, "\(folder)/second", baseURL, loop: loop)
        while true {
            let rows = try await pool.query(
                "SELECT EXISTS (SELECT FROM runs WHERE ended_at < clock_timestamp() - interval '60 days') AS some")
            if try rows.first?["some", as: Bool.self] == false { break }
            try await loop.sleep(for: .milliseconds(200))
        }
        let took = Double((MonotonicTime.now - begin).nanoseconds) / 1e9
        let after = try await counters()
        second.kill()
        _ = try await second.wait()
        unlink("\(folder)/second")
        let gone = try old.first?["count", as: Int.self] ?? 0
        say(
            "\(gone) runs beyond what is kept deleted in \(fixed(took, 1)) s: \(Int(Double(gone) / took)) a second with pauses, "
                + "\((after.wal - before.wal) / Int64(max(1, gone))) bytes of WAL each")
    }

    /// What the scheduler has used: context switches, clock ticks, KiB of memory.
    private func usage() -> (switches: Int64, ticks: Int64, resident: Int64) {
        var switches: Int64 = 0
        var resident: Int64 = 0
        if let folder = opendir("/proc/\(process.pid)/task") {
            defer { closedir(folder) }
            while let entry = readdir(folder) {
                let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                }
                switches += Self.field("voluntary_ctxt_switches", of: "/proc/\(process.pid)/task/\(name)/status")
            }
        }
        resident = Self.field("VmRSS", of: "/proc/\(process.pid)/status")
        return (switches, processorTicks(), resident)
    }

    private static func field(_ name: String, of path: String) -> Int64 {
        guard let file = fopen(path, "r") else { return 0 }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 200)
        while fgets(&line, Int32(line.count), file) != nil {
            let text = String(
                decoding: line.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            guard text.hasPrefix("\(name):") else { continue }
            return Int64(text.dropFirst(name.count + 1).split(whereSeparator: { $0 == " " || $0 == "\t" }).first ?? "")
                ?? 0
        }
        return 0
    }
}

/// Prints a line at once, also into a pipe.
func say(_ line: String) {
    print(line)
    fflush(nil)
}
