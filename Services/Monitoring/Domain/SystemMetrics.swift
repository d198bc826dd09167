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
