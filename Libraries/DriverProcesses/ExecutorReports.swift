public import ClusterBackend
internal import Core
internal import EventLoop

/// What a driver says of the executors beside it (`DriverStart.executorsSeenFileName`).
public struct ExecutorReport: Sendable, Hashable {
    /// An executor that has ended and was not told to.
    public struct Lost: Sendable, Hashable {
        /// Spark's number of it.
        public var id: String
        /// Its exit status, 128 more than the signal where one ended it; nil when Spark does not know.
        public var status: Int?
        /// Memory was what it died of.
        public var ranOutOfMemory: Bool
        /// Spark's words for it.
        public var reason: String

        /// Makes a value.
        public init(id: String, status: Int?, ranOutOfMemory: Bool = false, reason: String = "") {
            self.id = id
            self.status = status
            self.ranOutOfMemory = ranOutOfMemory
            self.reason = reason
        }
    }

    /// How many there are that may stay.
    public var running: Int
    /// How many have been told to leave and are still there.
    public var leaving: Int
    /// Those that were lost since the report before.
    public var lost: [Lost]

    /// Makes a report.
    public init(running: Int, leaving: Int = 0, lost: [Lost] = []) {
        self.running = running
        self.leaving = leaving
        self.lost = lost
    }

    /// The report of a line, or nil when it is none.
    public init?(line: some Sequence<UInt8>) {
        guard let value = try? JSONValue(checkedJSON: Array(line)), let running = value["running"]?.int,
            let leaving = value["leaving"]?.int, running >= 0, leaving >= 0
        else { return nil }
        self.init(
            running: running, leaving: leaving,
            lost: (value["lost"]?.array ?? []).map { lost in
                Lost(
                    id: lost["id"]?.string ?? "", status: lost["status"]?.int,
                    ranOutOfMemory: lost["out_of_memory"]?.bool ?? false, reason: lost["reason"]?.string ?? "")
            })
    }
}

/// Some of a driver's reports, oldest first.
public struct ExecutorNews: Sendable {
    /// They follow upon those of the news before.
    public var reports: [ExecutorReport]
    /// False while there are more of the time before somebody listened.
    public var isPresent: Bool
}

extension ProcessHost {
    /// Whether the driver follows the number of executors that is wanted, and tells what becomes of them. One that an
    /// older version of the platform has started does not.
    public func followsExecutors(_ id: ClusterIdentifier) async throws -> Bool {
        let place = ProcessPlace(root: context.folder, id)
        return try await BlockingPool.shared.run {
            Files.exists(place.executorsFile) && Files.exists(place.executorsSeenFile)
        }
    }

    /// All that a driver has reported so far.
    public func executorReports(of id: ClusterIdentifier) async throws -> [ExecutorReport] {
        var reader = ReportReader(path: ProcessPlace(root: context.folder, id).executorsSeenFile)
        var all: [ExecutorReport] = []
        while let reports = try await reader.next() { all += reports }
        return all
    }

    /// Sends what a driver has reported so far and, as it comes, what it reports from then on, until it has ended.
    public func followExecutors(of id: ClusterIdentifier, to receive: Receiver<ExecutorNews>) async throws {
        guard let state = try await state(of: id), let process = try await process(of: id, state) else { return }
        let path = ProcessPlace(root: context.folder, id).executorsSeenFile
        let changes = try FileChanges(path: path, loop: loop)
        defer { changes.close() }
        process.whenEnded { [changes] _ in changes.notify() }
        var reader = ReportReader(path: path)
        var isPresent = false
        for await _ in changes.stream {
            while let reports = try await reader.next() {
                try await receive(ExecutorNews(reports: reports, isPresent: isPresent))
            }
            if !isPresent {
                isPresent = true
                try await receive(ExecutorNews(reports: [], isPresent: true))
            }
            if process.exit != nil { return }
        }
        try Task.checkCancellation()
    }

    /// Waits until the driver's executors are as wanted.
    /// - Returns: the newest report, wanted or not, when the patience or the driver has ended; nil when there was none.
    public func waitForExecutors(
        of id: ClusterIdentifier, patience: Duration, _ isWanted: @escaping @Sendable (ExecutorReport) -> Bool
    ) async throws -> ExecutorReport? {
        let loop = loop
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    try await self.followExecutors(of: id) { news in
                        if let last = news.reports.last, news.isPresent, isWanted(last) { throw Reached() }
                        guard news.reports.isEmpty else { return }
                        // What was reported before somebody listened has all been seen now.
                        if let last = try await self.executorReports(of: id).last, isWanted(last) { throw Reached() }
                    }
                } catch is Reached {}
            }
            group.addTask { try await loop.sleep(for: patience) }
            defer { group.cancelAll() }
            try await group.next()
        }
        return try await executorReports(of: id).last
    }

    /// Gives a living cluster's control group the limits of a plan, where there are any.
    public func setLimits(of id: ClusterIdentifier, to plan: ProcessPlan) async throws {
        guard let groups else { return }
        let name = groupName(id)
        let isLimited = try await BlockingPool.shared.run { groups.make(name, plan.limits) }
        if !isLimited { log.warning("a cluster keeps the limits it had", ["cluster": id]) }
    }
}

/// Ends a wait.
private struct Reached: Error {}

/// Reads whole lines of reports from a file that grows.
private struct ReportReader {
    let path: String
    private var position: Int64 = 0

    init(path: String) { self.path = path }

    /// The next reports; nil at the present end.
    mutating func next() async throws -> [ExecutorReport]? {
        let (path, position) = (path, position)
        let bytes = try await BlockingPool.shared.run { LogReader.read(path, at: position) }
        guard let end = bytes.lastIndex(of: UInt8(ascii: "\n")) else {
            // A line is shorter than what is read at once, so a whole one without an end is none of the driver's.
            if bytes.count >= 65_536 { self.position += Int64(bytes.count) }
            return bytes.count >= 65_536 ? [] : nil
        }
        self.position += Int64(end + 1)
        return bytes[..<end].split(separator: UInt8(ascii: "\n")).compactMap { ExecutorReport(line: $0) }
    }
}
