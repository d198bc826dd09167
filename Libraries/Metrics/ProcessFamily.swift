internal import Glibc
internal import Synchronization

/// What a process and all it has started use together: memory at a moment, and processor time.
///
/// Read from `/proc/<pid>/stat` and `/proc/<pid>/smaps_rollup` (proc(5)), a few milliseconds for all; what has left its
/// parent behind, as a daemon does, is not found.
public final class ProcessFamily: Sendable {
    /// What is used together.
    public struct Usage: Sendable, Equatable {
        /// Resident memory, what several share counted once.
        public var memoryBytes = 0
        /// Grows as long as the family is looked at; what a process used between the last look and its end is missing.
        public var cpuSeconds = 0.0
        /// How many processes there are.
        public var processes = 0
    }

    /// One process for good: a number is given to another one later.
    private struct Identity: Hashable {
        let pid: Int
        let startTicks: Int
    }

    private let root: Int
    private let last = Mutex(Usage())
    /// The processor time of each at the last look. Held for as long as a look takes: they come one after the other.
    private let looking = Mutex<[Identity: Int]>([:])

    /// The family of a process, this one if no other is said.
    public init(of pid: Int32? = nil) { root = Int(pid ?? getpid()) }

    /// As it was at the last look.
    public var usage: Usage { last.withLock { $0 } }

    /// Looks again. Blocks while the kernel is asked: not on a loop.
    @discardableResult
    public func look() -> Usage {
        looking.withLock { before in
            let members = ProcessFamily.members(of: root)
            let memory = members.reduce(0) { $0 + ProcessFamily.memory(of: $1) }
            let grown = members.reduce(0) { $0 + $1.ticks - (before[$1.identity] ?? 0) }
            before = Dictionary(uniqueKeysWithValues: members.map { ($0.identity, $0.ticks) })
            return last.withLock { usage in
                usage.memoryBytes = memory
                usage.processes = members.count
                usage.cpuSeconds += Double(grown) / Double(sysconf(Int32(_SC_CLK_TCK)))
                return usage
            }
        }
    }

    private struct Member {
        let identity: Identity
        let parent: Int
        let ticks: Int
        let residentBytes: Int
    }

    /// The process and those below it.
    private static func members(of root: Int) -> [Member] {
        var children: [Int: [Member]] = [:]
        var found: [Member] = []
        for pid in numbers() {
            guard let member = member(pid) else { continue }
            if pid == root { found.append(member) } else { children[member.parent, default: []].append(member) }
        }
        var next = 0
        while next < found.count {
            found += children.removeValue(forKey: found[next].identity.pid) ?? []
            next += 1
        }
        return found
    }

    private static func numbers() -> [Int] {
        guard let folder = opendir("/proc") else { return [] }
        defer { closedir(folder) }
        var numbers: [Int] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if let pid = Int(name) { numbers.append(pid) }
        }
        return numbers
    }

    /// Nil for a process that has ended.
    private static func member(_ pid: Int) -> Member? {
        // The second field is the program's name and may hold blanks and brackets; the rest follows the last bracket.
        guard let text = ProcessFacts.read("/proc/\(pid)/stat"), let bracket = text.lastIndex(of: ")") else {
            return nil
        }
        let fields = text[text.index(after: bracket)...].split(separator: " ")
        func field(_ number: Int) -> Int? { fields.indices.contains(number - 3) ? Int(fields[number - 3]) : nil }
        guard let parent = field(4), let user = field(14), let system = field(15),
            let start = field(22), let pages = field(24)
        else { return nil }
        return Member(
            identity: Identity(pid: pid, startTicks: start), parent: parent, ticks: user + system,
            residentBytes: pages * ProcessFacts.pageSize)
    }

    /// The memory of a process in bytes, its part of what it shares with others; without that right, all it shares.
    private static func memory(of member: Member) -> Int {
        guard let text = ProcessFacts.read("/proc/\(member.identity.pid)/smaps_rollup"),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("Pss:") }),
            let kibibytes = line.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
        else { return member.residentBytes }
        return kibibytes << 10
    }
}
