internal import Core
internal import Glibc
internal import HarbourProtocol
internal import Metrics

extension SystemMetrics {
    /// The machine as it is now. What cannot be read is 0.
    static func now() -> SystemMetrics {
        let memory = memory()
        let disk = disk()
        return SystemMetrics(
            processors: max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))), loadAverage: load(),
            memoryTotalBytes: memory.total, memoryAvailableBytes: memory.available, diskTotalBytes: disk.total,
            diskAvailableBytes: disk.available)
    }

    /// What the service says of the machine at `/metrics`, so that it has a history as everything has.
    private static let measures: [(name: String, help: String, read: @Sendable () -> Double)] = [
        ("harbour_machine_load_average", "Programs that run or want to, over a minute.", { load() }),
        ("harbour_machine_memory_bytes", "Memory of the machine.", { Double(memory().total) }),
        ("harbour_machine_memory_available_bytes", "Memory that is free.", { Double(memory().available) }),
        ("harbour_machine_disk_bytes", "Size of the disk that the platform is on.", { Double(disk().total) }),
        ("harbour_machine_disk_available_bytes", "Space that is free on it.", { Double(disk().available) }),
    ]

    /// The names of what is measured of the machine.
    static let names = measures.map(\.name)

    static func register(in registry: MetricsRegistry) {
        for (name, help, read) in measures {
            registry.computedGauge(name, help: help) { [MetricSample(value: read())] }
        }
    }

    private static func load() -> Double {
        var averages = [0.0]
        return getloadavg(&averages, 1) == 1 ? averages[0] : 0
    }

    private static func memory() -> (total: Int64, available: Int64) {
        guard let text = ProcessFacts.read("/proc/meminfo") else { return (0, 0) }
        var found: [Substring: Int64] = [:]
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count > 1, let kibibytes = Int64(words[1]) { found[words[0]] = kibibytes << 10 }
        }
        return (found["MemTotal:"] ?? 0, found["MemAvailable:"] ?? 0)
    }

    private static func disk() -> (total: Int64, available: Int64) {
        var info = statvfs()
        guard statvfs(".", &info) == 0 else { return (0, 0) }
        let block = Int64(info.f_frsize)
        return (Int64(info.f_blocks) * block, Int64(info.f_bavail) * block)
    }
}
