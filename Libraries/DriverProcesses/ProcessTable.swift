internal import ClusterBackend
internal import EventLoop
internal import Glibc

/// What /proc says about the processes of clusters (proc(5)). It blocks: call it on a pool.
///
/// A process belongs to a cluster when its environment carries the cluster's id and the installation, which a child
/// inherits, or when it is in the session of the cluster's driver.
enum ProcessTable {
    /// One process of a cluster.
    struct Entry: Sendable {
        var identity: ProcessIdentity
        /// Leads the session the backend made for the driver.
        var leadsSession: Bool
        var cpuTicks: Int64
        var residentPages: Int64
    }

    /// All processes of one cluster but our own.
    static func entries(of id: ClusterIdentifier, installation: String, session: Int32?) -> [Entry] {
        let marks = [mark(DriverStart.clusterID, id.text), mark(DriverStart.installation, installation)]
        return allProcesses().compactMap { pid in
            guard let stat = Stat(pid: pid), !stat.hasEnded else { return nil }
            let inSession = session != nil && stat.session == session
            guard inSession || carries(marks, pid: pid), let identity = ProcessIdentity(pid: pid) else { return nil }
            return Entry(
                identity: identity, leadsSession: stat.session == pid, cpuTicks: stat.cpuTicks,
                residentPages: stat.residentPages)
        }
    }

    /// The clusters of an installation that have processes and keep their files below a folder: other backends' clusters
    /// may have processes here too.
    static func clusters(of installation: String, below root: String) -> Set<ClusterIdentifier> {
        let owner = mark(DriverStart.installation, installation)
        let scratch = mark(DriverStart.scratch, "\(root)/")
        let prefix = Array("\(DriverStart.clusterID)=".utf8)
        var found: Set<ClusterIdentifier> = []
        for pid in allProcesses() {
            let variables = RunningEnvironment.variables(of: pid)
            guard variables.contains(where: { $0.elementsEqual(owner) }),
                variables.contains(where: { $0.starts(with: scratch) })
            else { continue }
            for variable in variables where variable.starts(with: prefix) {
                let text = String(decoding: variable.dropFirst(prefix.count), as: UTF8.self)
                if let id = ClusterIdentifier(text) { found.insert(id) }
            }
        }
        return found
    }

    /// How often the kernel has killed a process for lack of memory since the boot.
    static var memoryKills: Int64 {
        let text = String(decoding: Files.read("/proc/vmstat") ?? [], as: UTF8.self)
        let line = text.split(separator: "\n").first { $0.hasPrefix("oom_kill ") }
        return line.flatMap { Int64($0.dropFirst("oom_kill ".count)) } ?? 0
    }

    private static func mark(_ name: String, _ value: String) -> [UInt8] { Array("\(name)=\(value)".utf8) }

    private static func allProcesses() -> [Int32] {
        let own = getpid()
        return Files.names(in: "/proc").compactMap { Int32($0) }.filter { $0 != own }
    }

    private static func carries(_ marks: [[UInt8]], pid: Int32) -> Bool {
        let variables = RunningEnvironment.variables(of: pid)
        return marks.allSatisfy { mark in variables.contains { $0.elementsEqual(mark) } }
    }

    /// The fields of /proc/<pid>/stat that matter here.
    private struct Stat {
        var hasEnded: Bool
        var session: Int32
        var cpuTicks: Int64
        var residentPages: Int64

        init?(pid: Int32) {
            // The program's name, in parentheses, may hold anything: the last parenthesis ends it.
            guard let bytes = Files.read("/proc/\(pid)/stat"), let end = bytes.lastIndex(of: UInt8(ascii: ")")) else {
                return nil
            }
            let fields = bytes[(end + 1)...].split(whereSeparator: { $0 == 0x20 || $0 == 0x0a })
                .map { String(decoding: $0, as: UTF8.self) }
            guard fields.count > 21, let session = Int32(fields[3]) else { return nil }
            hasEnded = fields[0] == "Z" || fields[0] == "X"
            self.session = session
            // Own time and that of children which have ended and been waited for.
            cpuTicks = (11...14).reduce(0) { $0 + (Int64(fields[$1]) ?? 0) }
            residentPages = Int64(fields[21]) ?? 0
        }
    }
}
