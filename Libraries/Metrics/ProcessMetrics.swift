internal import Glibc

extension MetricsRegistry {
    /// Registers what every process tells about itself, under the names Prometheus' own clients use.
    ///
    /// `wakeUps` tells how often the event loop came back from waiting, such as `{ loop.wakeUps }`.
    public func registerProcessMetrics(wakeUps: (@Sendable () -> Int)? = nil) {
        func gauge(_ name: String, _ help: String, _ read: @escaping @Sendable () -> Double?) {
            computedGauge(name, help: help) { read().map { [MetricSample(value: $0)] } ?? [] }
        }
        computedCounter("process_cpu_seconds_total", help: "User and system CPU time used, in seconds.") {
            [MetricSample(value: ProcessFacts.cpuSeconds())]
        }
        gauge("process_resident_memory_bytes", "Resident memory size in bytes.") {
            ProcessFacts.residentBytes().map(Double.init)
        }
        gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.") {
            ProcessFacts.memoryPages(field: 0).map { Double($0 * ProcessFacts.pageSize) }
        }
        gauge("process_open_fds", "Number of open file descriptors.") {
            ProcessFacts.openDescriptors().map(Double.init)
        }
        gauge("process_max_fds", "Maximum number of open file descriptors.") {
            ProcessFacts.maximumDescriptors().map(Double.init)
        }
        gauge("process_threads", "Number of threads.") { ProcessFacts.statField(20).map(Double.init) }
        let start = ProcessFacts.startSeconds()
        gauge("process_start_time_seconds", "Start time since the epoch, in seconds.") { start }
        if let wakeUps {
            computedCounter(
                "harbour_loop_wakeups_total", help: "How often the event loop woke; an idle process stands still."
            ) { [MetricSample(value: Double(wakeUps()))] }
        }
    }
}

/// What Linux tells a process about itself in /proc.
public enum ProcessFacts {
    static var pageSize: Int { Int(sysconf(Int32(_SC_PAGESIZE))) }

    /// The memory this process keeps resident, in bytes.
    public static func residentBytes() -> Int? { memoryPages(field: 1).map { $0 * pageSize } }

    /// The processor time this process has used, in seconds.
    public static func cpuSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    static func memoryPages(field: Int) -> Int? {
        guard let fields = read("/proc/self/statm")?.split(separator: " "), fields.indices.contains(field) else {
            return nil
        }
        return Int(fields[field])
    }

    /// A field of /proc/self/stat by its number in proc(5), from the third on.
    static func statField(_ number: Int) -> Int? {
        // The second field is the program's name and may hold blanks and brackets; the rest follows the last bracket.
        guard let text = read("/proc/self/stat"), let bracket = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: bracket)...].split(separator: " ")
        let index = number - 3
        return fields.indices.contains(index) ? Int(fields[index]) : nil
    }

    static func startSeconds() -> Double? {
        // Field 22 counts clock ticks since the boot; /proc/stat knows when that was.
        guard let ticks = statField(22), let text = read("/proc/stat"),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("btime ") }),
            let boot = Double(line.dropFirst(6))
        else { return nil }
        return boot + Double(ticks) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    static func openDescriptors() -> Int? {
        guard let folder = opendir("/proc/self/fd") else { return nil }
        defer { closedir(folder) }
        var count = 0
        while let entry = readdir(folder) {
            if entry.pointee.d_name.0 != CChar(UInt8(ascii: ".")) { count += 1 }
        }
        // The folder itself is open while it is counted.
        return count - 1
    }

    static func maximumDescriptors() -> Int? {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return nil }
        return Int(clamping: limit.rlim_cur)
    }

    /// The whole of a file of /proc, whose size nothing tells; nil when it cannot be read.
    public static func read(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 8192)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { break }
            bytes += chunk[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
