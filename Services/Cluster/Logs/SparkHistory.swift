internal import ClusterBackend
internal import Core
internal import EventLoop
internal import HarbourProtocol
internal import ServiceKit

/// How Spark's history server is started.
struct SparkHistorySettings: Sendable {
    var python: String
    /// The folder of the package `harbour_runtime`, where the interpreter does not find it by itself.
    var runtimeFolder: String?
    var javaHome: String?
    /// How long one stays that nobody asks.
    var idle = Duration.seconds(600)
    /// How long one may take to come up.
    var patience = Duration.seconds(60)
}

/// Spark's own pages of clusters that have ended: a history server for each cluster that is being looked at, made of the
/// events that were kept, and ended when nobody looks any more.
///
/// An actor on the service's loop.
actor SparkHistory {
    /// Where the pages are, and what opens them.
    struct Pages: Sendable {
        var address: String
        var key: SparkPageKey
    }

    private struct Session {
        var child: ChildProcess
        var pages: Pages
        var starts: [Int64]
        var used = MonotonicTime.now
    }

    /// Each costs a JVM of 512 MiB at most.
    private static let limit = 2

    nonisolated let loop: EventLoop
    private let keeper: LogKeeper
    private let settings: SparkHistorySettings
    private var sessions: [ClusterIdentifier: Session] = [:]
    private var opening: [ClusterIdentifier: Task<Pages, any Error>] = [:]
    private var timer: LoopTimer?
    private let logger = Logger("cluster.history")

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(keeper: LogKeeper, settings: SparkHistorySettings, loop: EventLoop) {
        self.keeper = keeper
        self.settings = settings
        self.loop = loop
    }

    /// The pages of a cluster's starts but for the one that runs; made when nobody has looked yet.
    /// - Throws: `RESOURCE_DOES_NOT_EXIST` when nothing was kept, `TEMPORARILY_UNAVAILABLE` when they do not come up.
    func pages(of cluster: ClusterIdentifier, but running: Int64?) async throws -> Pages {
        let starts = try await keeper.starts(.events, of: cluster).filter { $0 != running }
        guard let root = keeper.root, !starts.isEmpty else {
            throw HarbourError(.notFound, "No history of Spark is kept for cluster \(cluster).")
        }
        if let session = sessions[cluster], session.child.exit == nil, session.starts == starts {
            sessions[cluster]?.used = .now
            return session.pages
        }
        if let task = opening[cluster] { return try await task.value }
        let task = Task.immediate(executorPreference: loop) { [self] in
            try await open(cluster, starts, "\(root)/history/\(cluster.text)")
        }
        opening[cluster] = task
        defer { opening[cluster] = nil }
        return try await task.value
    }

    private func open(_ cluster: ClusterIdentifier, _ starts: [Int64], _ folder: String) async throws -> Pages {
        end(cluster)
        let key = SparkPageKey()
        try await BlockingPool.shared.run {
            KeptFiles.remove(folder)
            try KeptFiles.makeFolder("\(folder)/events")
            var conf = key.sparkConf
            conf["spark.history.fs.logDirectory"] = "file://\(folder)/events"
            conf["spark.history.ui.port"] = "0"
            conf["spark.history.fs.cleaner.enabled"] = "false"
            let text = conf.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)\n" }.joined()
            try KeptFiles.write(Array(text.utf8), to: "\(folder)/history.conf")
        }
        for start in starts { try await write(cluster, start, "\(folder)/events") }
        var variables = ["PATH": ProcessSpecification.Environment.ours["PATH"] ?? "/usr/bin:/bin", "HOME": folder]
        variables["PYTHONPATH"] = settings.runtimeFolder
        var arguments = ["-m", "harbour_runtime.history", "--folder", folder]
        if let home = settings.javaHome { arguments += ["--java-home", home] }
        var specification = ProcessSpecification(settings.python, arguments)
        specification.environment = .only(variables)
        specification.directory = folder
        specification.input = .pipe
        specification.output = .pipe
        let child = try await ChildProcess.start(specification, loop: loop)
        let address = try await ready(child)
        sessions[cluster] = Session(child: child, pages: Pages(address: address, key: key), starts: starts)
        for (other, _) in sessions.sorted(by: { $0.value.used < $1.value.used }).dropLast(SparkHistory.limit) {
            end(other)
        }
        arm()
        return Pages(address: address, key: key)
    }

    /// The events of one start as the plain file that they were.
    private func write(_ cluster: ClusterIdentifier, _ start: Int64, _ folder: String) async throws {
        guard let log = await keeper.log(.events, of: cluster, start: start) else { return }
        let path = "\(folder)/start-\(start)"
        let buffer = EventBuffer(path: path)
        try await log.read(after: 0, follow: false, try LogFilter()) { try await buffer.add($0) }
        try await buffer.finish()
    }

    /// Waits for its address.
    private func ready(_ child: ChildProcess) async throws -> String {
        let timer = loop.schedule(after: settings.patience) { child.kill() }
        defer { timer.cancel() }
        if let output = child.output {
            for try await line in output.lines(limit: 65_536) {
                guard let event = try? JSONObject(checkedJSON: Array(line.utf8)) else { continue }
                if let url = event["url"]?.string { return url.replacingHost("localhost", with: "127.0.0.1") }
                if let message = event["message"]?.string { throw HarbourError(.unavailable, message) }
            }
        }
        throw HarbourError(.unavailable, "Spark's history server did not come up. Look again in a moment.")
    }

    private func end(_ cluster: ClusterIdentifier) {
        guard let session = sessions.removeValue(forKey: cluster) else { return }
        session.child.kill()
        if let root = keeper.root {
            loop.spawn { try? await BlockingPool.shared.run { KeptFiles.remove("\(root)/history/\(cluster.text)") } }
        }
    }

    /// Looks once, when the next one may be idle for long enough.
    private func arm() {
        timer?.cancel()
        timer = nil
        guard let oldest = sessions.values.map(\.used).min() else { return }
        timer = loop.schedule(after: max(.seconds(1), oldest + settings.idle - .now)) { [self] in
            loop.spawn { [self] in await endIdle() }
        }
    }

    private func endIdle() {
        let now = MonotonicTime.now
        for (cluster, session) in sessions where now - session.used >= settings.idle { end(cluster) }
        arm()
    }

    /// Ends all of them.
    func stop() {
        timer?.cancel()
        for cluster in sessions.keys { end(cluster) }
    }
}

/// Lines on their way to a file, some hundred KiB at a time.
private actor EventBuffer {
    private let path: String
    private var bytes: [UInt8] = []

    init(path: String) { self.path = path }

    private var hasEnd = false
    private var last: Int64 = 0

    func add(_ line: LogLine) async throws {
        if line.text.hasPrefix(#"{"Event":"SparkListenerApplicationEnd""#) { hasEnd = true }
        last = line.timestamp.milliseconds
        bytes += line.text.utf8
        bytes.append(UInt8(ascii: "\n"))
        if bytes.count > 1 << 19 { try await flush() }
    }

    /// A driver that was ended had no time to tell of Spark's end, and what has not ended is not in Spark's list.
    func finish() async throws {
        if !hasEnd {
            bytes += #"{"Event":"SparkListenerApplicationEnd","Timestamp":\#(last)}"#.utf8 + [UInt8(ascii: "\n")]
        }
        try await flush()
    }

    private func flush() async throws {
        let (now, path) = (bytes, path)
        bytes = []
        try await BlockingPool.shared.run { try KeptFiles.append(now, to: path) }
    }
}

extension String {
    fileprivate func replacingHost(_ old: String, with new: String) -> String {
        hasPrefix("http://\(old):") ? "http://\(new)" + dropFirst("http://\(old)".count) : self
    }
}
