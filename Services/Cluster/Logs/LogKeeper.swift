internal import ClusterBackend
internal import Core
internal import EventLoop
internal import Glibc
internal import HarbourProtocol

/// How much is kept, and for how long.
struct LogLimits: Sendable {
    /// Compressed bytes of one start.
    var start = 64 << 20
    /// Bytes of all that is kept.
    var total = 10 << 30
    /// How long after its last line.
    var age = Duration.seconds(30 * 86_400)
}

/// All kept logs and event logs: `<root>/<kind>/<cluster>/<start>/`.
///
/// An actor on the service's loop.
actor LogKeeper {
    /// What is kept of a start.
    enum Kind: String, Sendable, CaseIterable {
        /// What its processes wrote.
        case logs
        /// Spark's events, of which its history pages are made.
        case events
    }

    private struct Entry { weak var log: KeptLog? }

    nonisolated let loop: EventLoop
    /// Nil keeps nothing.
    nonisolated let root: String?
    private let limits: LogLimits
    private var open: [String: Entry] = [:]
    private var timer: LoopTimer?
    private let logger = Logger("cluster.logs")

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(root: String?, limits: LogLimits, loop: EventLoop) {
        self.root = root
        self.limits = limits
        self.loop = loop
    }

    /// The log of a start, made with its first line; nil when nothing is kept.
    func log(_ kind: Kind, of cluster: ClusterIdentifier, start: Int64) -> KeptLog? {
        guard let root else { return nil }
        let path = "\(root)/\(kind.rawValue)/\(cluster.text)/\(start)"
        if let known = open[path]?.log { return known }
        let log = KeptLog(path: path, limit: limits.start, loop: loop)
        if open.count > 256 { open = open.filter { $0.value.log != nil } }
        open[path] = Entry(log: log)
        return log
    }

    /// The starts of which something is kept, newest first.
    func starts(_ kind: Kind, of cluster: ClusterIdentifier) async throws -> [Int64] {
        guard let root else { return [] }
        let path = "\(root)/\(kind.rawValue)/\(cluster.text)"
        return try await BlockingPool.shared.run { KeptFiles.names(in: path) }.compactMap { Int64($0) }.sorted(by: >)
    }

    // MARK: Bounds

    /// Begins to remove what is too old or too much, now and every six hours.
    func start() {
        guard root != nil else { return }
        loop.spawn { [self] in await sweep() }
        timer = loop.schedule(after: .seconds(6 * 3600)) { [self] in loop.spawn { [self] in await start() } }
    }

    func stop() { timer?.cancel() }

    /// Removes what is older than the age, then the oldest until the rest fits. What is being written or read stays.
    func sweep() async {
        guard let root else { return }
        let (limits, busy) = (limits, Set(open.filter { $0.value.log != nil }.keys))
        do {
            let removed = try await BlockingPool.shared.run { LogKeeper.sweep(root, limits, busy, now: .now) }
            if removed > 0 { logger.info("Kept logs were removed by age or size.", ["starts": removed]) }
        } catch {
            logger.warning("Kept logs could not be looked through.", ["error": HarbourError.describe(error)])
        }
    }

    private static func sweep(_ root: String, _ limits: LogLimits, _ busy: Set<String>, now: Timestamp) -> Int {
        struct Found {
            var path: String
            var bytes: Int
            var changed: Int
        }
        var found: [Found] = []
        for kind in Kind.allCases {
            for cluster in KeptFiles.names(in: "\(root)/\(kind.rawValue)") {
                let folder = "\(root)/\(kind.rawValue)/\(cluster)"
                for start in KeptFiles.names(in: folder) where !busy.contains("\(folder)/\(start)") {
                    let files = KeptFiles.names(in: "\(folder)/\(start)").map { "\(folder)/\(start)/\($0)" }
                    found.append(
                        Found(
                            path: "\(folder)/\(start)", bytes: files.reduce(0) { $0 + KeptFiles.size($1) },
                            changed: files.map(KeptFiles.changed).max() ?? 0))
                }
            }
        }
        let oldest = Int((now.milliseconds - limits.age.milliseconds) / 1000)
        var total = found.reduce(0) { $0 + $1.bytes }
        var removed = 0
        for each in found.sorted(by: { $0.changed < $1.changed }) where each.changed < oldest || total > limits.total {
            KeptFiles.remove(each.path)
            // The cluster's folder, when that was its last start: the operating system knows.
            rmdir(String(each.path[..<(each.path.lastIndex(of: "/") ?? each.path.endIndex)]))
            total -= each.bytes
            removed += 1
        }
        return removed
    }
}
