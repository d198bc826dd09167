internal import Core
internal import EventLoop
internal import HarbourProtocol

/// The log of one start of a cluster, numbered in one series whatever its lines come from, and readable while it is
/// written as well as long after.
///
/// Lines are on disk some milliseconds after they came; sealed parts are LZ4 frames. An actor on the service's loop.
actor KeptLog {
    /// Uncompressed bytes of which a segment is made.
    private static let sealAt = 1 << 20

    nonisolated let loop: EventLoop
    private let folder: LogFolder
    /// Compressed bytes; the oldest segments go when there are more.
    private let limit: Int
    private var segments: [LogSegment] = []
    private var recent: [KeptLine] = []
    private var recentBytes = 0
    private var pending: [UInt8] = []
    private var positions: [String: Int64] = [:]
    private var last: Int64 = 0
    private var ranking = LogRanking()
    private var isOpen = false
    private var opening: Task<Void, Never>?
    private var writing: Task<Void, Never>?
    private var isFinished = false
    private var readers: [Int: AsyncStream<Void>.Continuation] = [:]
    private var nextReader = 0
    private let logger = Logger("cluster.logs")

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(path: String, limit: Int, loop: EventLoop) {
        folder = LogFolder(path: path)
        self.limit = limit
        self.loop = loop
    }

    private func open() async {
        if isOpen { return }
        let task =
            opening
            ?? loop.spawn { [self, folder] in
                let contents = try? await BlockingPool.shared.run { folder.open() }
                await opened(contents ?? LogFolder.Contents())
            }
        opening = task
        await task.value
    }

    private func opened(_ contents: LogFolder.Contents) {
        segments = contents.segments
        recent = contents.recent
        positions = contents.positions
        recentBytes = recent.reduce(0) { $0 + $1.line.text.utf8.count }
        last = recent.last?.line.sequence ?? segments.last?.last ?? 0
        isOpen = true
    }

    // MARK: Writing

    /// The number of the last line that came from there.
    func position(of origin: String) async -> Int64 {
        await open()
        return positions[origin] ?? 0
    }

    /// Adds a line that has that number where it comes from; one that was added before is left out.
    func append(_ line: LogLine, from origin: String) async {
        await open()
        guard line.sequence > positions[origin] ?? 0 else { return }
        positions[origin] = line.sequence
        last += 1
        var kept = KeptLine(origin: origin, number: line.sequence, line: line)
        kept.line.sequence = last
        ranking.rank(&kept.line)
        let record = kept.record
        recent.append(kept)
        recentBytes += record.count
        pending += record
        if writing == nil { writing = loop.spawn { [self] in await write() } }
        for reader in readers.values { reader.yield() }
    }

    private func write() async {
        defer { writing = nil }
        while !pending.isEmpty {
            let (records, count) = (pending, recent.count)
            pending = []
            do {
                try await BlockingPool.shared.run { [folder] in try folder.append(records) }
                if recentBytes >= KeptLog.sealAt { try await seal(count) }
            } catch {
                logger.warning("Lines of a log are not kept.", ["error": HarbourError.describe(error)])
                // Those who read now still get the newest ones.
                if recentBytes > 4 * KeptLog.sealAt { forgetOldest() }
            }
        }
    }

    /// Makes a segment of the first lines, which are in the active file.
    private func seal(_ count: Int) async throws {
        let (lines, positions) = (Array(recent.prefix(count)), positions)
        let segment = try await BlockingPool.shared.run { [folder] in try folder.seal(lines, positions) }
        segments.append(segment)
        recent.removeFirst(count)
        recentBytes = recent.reduce(0) { $0 + $1.line.text.utf8.count }
        var total = segments.reduce(0) { $0 + $1.bytes }
        while total > limit, segments.count > 1 {
            let oldest = segments.removeFirst()
            total -= oldest.bytes
            try await BlockingPool.shared.run { [folder] in folder.remove(oldest) }
        }
    }

    private func forgetOldest() {
        recent.removeFirst(recent.count / 2)
        recentBytes = recent.reduce(0) { $0 + $1.line.text.utf8.count }
    }

    /// Nothing comes any more: everything is on disk, and those who follow have it all.
    func finish() async {
        await open()
        while let writing { await writing.value }
        isFinished = true
        for reader in readers.values { reader.yield() }
    }

    // MARK: Reading

    /// Gives the wanted lines after that number, and with `follow` those to come until the log is finished.
    /// - Throws: what `send` throws, `DATA_CORRUPTED` for a damaged file, `CancellationError`.
    func read(
        after sequence: Int64, follow: Bool, _ filter: LogFilter, _ send: @Sendable (LogLine) async throws -> Void
    ) async throws {
        await open()
        let (changes, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        nextReader += 1
        let reader = nextReader
        readers[reader] = continuation
        defer { readers[reader] = nil }
        var ticks = changes.makeAsyncIterator()
        var seen = sequence
        while true {
            try Task.checkCancellation()
            if let segment = segments.first(where: { $0.last > seen }) {
                if filter.mayAdmit(from: segment.firstTime, to: segment.lastTime) {
                    let lines = try await BlockingPool.shared.run { [folder] in try folder.lines(of: segment) }
                    for kept in lines where kept.line.sequence > seen && filter.admits(kept.line) {
                        try await send(kept.line)
                    }
                }
                seen = max(seen, segment.last)
                continue
            }
            if let first = recent.first?.line.sequence, last > seen {
                let batch = recent.dropFirst(max(0, Int(seen + 1 - first)))
                for kept in batch where kept.line.sequence > seen && filter.admits(kept.line) {
                    try await send(kept.line)
                }
                seen = max(seen, batch.last?.line.sequence ?? last)
                continue
            }
            if !follow || isFinished { return }
            guard await ticks.next(isolation: self) != nil else { return }
        }
    }

    /// What is kept.
    func summary(start: Int64) async -> ClusterLogStart? {
        await open()
        guard last > 0 else { return nil }
        let times = recent.map(\.line.timestamp.milliseconds)
        let first = segments.first?.firstTime ?? times.min()
        let newest = times.max() ?? segments.last?.lastTime
        return ClusterLogStart(
            start: start, firstTime: first.map(Timestamp.init(milliseconds:)),
            lastTime: newest.map(Timestamp.init(milliseconds:)),
            lines: segments.reduce(Int64(recent.count)) { $0 + $1.last - $1.first + 1 },
            bytes: Int64(segments.reduce(recentBytes) { $0 + $1.bytes }))
    }
}
