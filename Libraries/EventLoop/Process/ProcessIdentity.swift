internal import CPlatform
internal import Core
internal import Glibc

/// Names one process of this machine for good: its number, the tick it started at, and the boot those ticks count from.
/// A number that was given to another process later, or after a reboot, does not match.
public struct ProcessIdentity: Sendable, Hashable, CustomStringConvertible {
    /// The process id.
    public let pid: Int32
    /// Field 22 of `/proc/<pid>/stat`: clock ticks between the boot and the start of the process.
    public let startTicks: UInt64
    /// `/proc/sys/kernel/random/boot_id`.
    public let bootID: String

    /// The running process of that number, or nil when there is none.
    public init?(pid: Int32) {
        guard let stat = ProcessStat(pid: pid) else { return nil }
        self.pid = pid
        startTicks = stat.startTicks
        bootID = ProcessIdentity.currentBoot
    }

    /// Reads back what `description` wrote, or nil when that is not what the text is.
    public init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, let pid = Int32(parts[0]), pid > 0, let ticks = UInt64(parts[1]) else { return nil }
        self.pid = pid
        startTicks = ticks
        bootID = String(parts[2])
    }

    /// `pid:ticks:boot`, to be stored.
    public var description: String { "\(pid):\(startTicks):\(bootID)" }

    /// Whether this very process still runs; one that has ended and waits to be reaped counts as ended.
    public var isRunning: Bool {
        guard let stat = ProcessStat(pid: pid) else { return false }
        return matches(stat) && !stat.hasEnded
    }

    func matches(_ stat: ProcessStat) -> Bool {
        stat.startTicks == startTicks && bootID == ProcessIdentity.currentBoot
    }

    private static let currentBoot: String = {
        let bytes = ProcessStat.contents(of: "/proc/sys/kernel/random/boot_id") ?? []
        return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }()

    /// Kills what is left of a group whose leader has ended. While no process has the leader's number, no new group
    /// can have been given it.
    static func sweepLeaderlessGroup(_ group: Int32) {
        guard ProcessStat(pid: group) == nil else { return }
        _ = Glibc.kill(-group, SIGKILL)
    }
}

/// The parts of `/proc/<pid>/stat` that matter here (proc(5)).
struct ProcessStat {
    var state: UInt8
    var group: Int32
    var startTicks: UInt64

    /// Ended and not reaped yet.
    var hasEnded: Bool { state == UInt8(ascii: "Z") || state == UInt8(ascii: "X") }

    init?(pid: Int32) {
        guard let bytes = ProcessStat.contents(of: "/proc/\(pid)/stat") else { return nil }
        self.init(bytes)
    }

    /// The program's name, in parentheses, may hold anything, parentheses and spaces too: the last one ends it.
    init?(_ bytes: [UInt8]) {
        guard let end = bytes.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = bytes[(end + 1)...].split(whereSeparator: { $0 == 0x20 || $0 == 0x0a })
        guard fields.count > 19, let state = fields[0].first,
            let group = Int32(String(decoding: fields[2], as: UTF8.self)),
            let ticks = UInt64(String(decoding: fields[19], as: UTF8.self))
        else { return nil }
        self.state = state
        self.group = group
        startTicks = ticks
    }

    /// A small file of /proc, or nil when it is not there.
    static func contents(of path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = read(descriptor, &bytes, bytes.count)
        guard count > 0 else { return nil }
        return Array(bytes[..<count])
    }
}
