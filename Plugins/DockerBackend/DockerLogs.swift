public import ClusterBackend
internal import Core
internal import EventLoop
internal import HTTPMessage
internal import WebClient

extension DockerBackend {
    /// Lines of all the cluster's containers, in the order of the times that the engine gave them. These times, in
    /// nanoseconds, are their numbers.
    public func logs(
        of handle: ClusterHandle, after sequence: Int64, follow: Bool, to receive: @escaping Receiver<BackendLogLine>
    ) async throws {
        let view = try await look(at: handle)
        // Two lines of the same time get two numbers by their order. To find the same numbers again, reading begins a
        // little before the line that is resumed after.
        let start = max(0, sequence - 2_000_000_000)
        var merger = LogMerger(after: sequence)
        var heads = try await LogHeads(view.all, engine: engine, since: start)
        while let line = try await heads.next() {
            if let numbered = merger.number(line) { try await receive(numbered) }
        }
        guard follow else { return }
        try await followLogs(of: handle, merger, heads.ends, start, receive)
    }

    /// Goes on with new lines until the cluster has ended.
    private func followLogs(
        of handle: ClusterHandle, _ merger: LogMerger, _ ends: [String: Int64], _ start: Int64,
        _ receive: @escaping Receiver<BackendLogLine>
    ) async throws {
        let basin = LogBasin(ends: ends, start: start)
        let (token, changes) = listen(to: handle.cluster)
        defer { stopListening(token) }
        let pouring = loop.spawn { [self] in await pour(basin, merger, receive, or: token) }
        defer { pouring.cancel() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for await _ in changes {
                let view = try await lookIfPossible(at: handle)
                for container in view?.all ?? [] where basin.begin(container) {
                    group.addTask { [self] in try await fill(basin, from: container) }
                }
                if view?.hasEnded == true { stopListening(token) }
            }
            if basin.isAbandoned { group.cancelAll() }
            try await group.waitForAll()
        }
        basin.close()
        await pouring.value
        if let failure = basin.failure { throw failure }
        try Task.checkCancellation()
    }

    /// nil while the engine cannot be asked.
    private func lookIfPossible(at handle: ClusterHandle) async throws -> View? {
        do {
            return try await look(at: handle)
        } catch let error as HarbourError where error.code == .backendUnavailable {
            return nil
        }
    }

    /// Gives the lines on until there come no more. A receiver that fails ends the following.
    private func pour(
        _ basin: LogBasin, _ merger: LogMerger, _ receive: @escaping Receiver<BackendLogLine>, or token: Int
    ) async {
        do {
            try await pourAll(basin, merger, receive)
        } catch {
            basin.failure = error
            stopListening(token)
        }
        basin.abandon()
    }

    private func pourAll(
        _ basin: LogBasin, _ merger: LogMerger, _ receive: @escaping Receiver<BackendLogLine>
    ) async throws {
        var merger = merger
        for await _ in basin.signal {
            // Several containers' lines come by several connections: what belongs before may be a moment behind.
            if basin.hasSeveralSources { try await loop.sleep(for: .milliseconds(200)) }
            for line in basin.take() { try await receive(merger.number(late: line)) }
            if basin.isDry { return }
        }
    }

    /// Follows one container until it ends, from the last line that was read on.
    private func fill(_ basin: LogBasin, from container: EngineContainer) async throws {
        defer { basin.end(container) }
        let known = basin.position(of: container)
        guard let response = try await engine.logs(container.id, since: known, follow: true) else { return }
        do {
            try await copy(response, from: container, after: known, to: basin)
        } catch let error as HarbourError where error.code == .unavailable {
            // The engine went away. When it is back, reading goes on after the last line.
            log.debug("a log broke off", ["container": container.id])
        }
    }

    private func copy(
        _ response: WebResponse, from container: EngineContainer, after known: Int64, to basin: LogBasin
    ) async throws {
        var frames = LogDemultiplexer()
        for try await bytes in response.body {
            if basin.isAbandoned { return }
            if basin.add(frames.feed(bytes), of: container, after: known) {
                await withCheckedContinuation { basin.wait($0) }
            }
        }
        _ = basin.add(frames.finish(), of: container, after: known)
    }
}

/// A line with the container it is from.
struct SourcedLine: Sendable {
    var container: String
    var node: String
    var line: EngineLogLine
}

/// Gives lines their numbers: their times, made to grow.
struct LogMerger: Sendable {
    private let after: Int64
    private var last: Int64 = 0

    init(after sequence: Int64) { after = sequence }

    /// The line with its number; nil when it was read before.
    mutating func number(_ line: SourcedLine) -> BackendLogLine? {
        last = max(line.line.time, last + 1)
        return last > after ? numbered(line) : nil
    }

    /// A line that was not read before, whatever its time.
    mutating func number(late line: SourcedLine) -> BackendLogLine {
        last = max(line.line.time, last + 1, after + 1)
        return numbered(line)
    }

    private func numbered(_ line: SourcedLine) -> BackendLogLine {
        BackendLogLine(
            sequence: last, timestamp: Timestamp(milliseconds: line.line.time / 1_000_000), source: line.node,
            text: line.line.text)
    }
}

/// The present logs of several containers, read side by side and put in order.
struct LogHeads {
    private var readers: [LogReader] = []
    private var heads: [SourcedLine?] = []
    /// The time of the last line read, by container.
    private(set) var ends: [String: Int64] = [:]

    init(_ containers: [EngineContainer], engine: EngineClient, since start: Int64) async throws {
        for container in containers {
            guard let response = try await engine.logs(container.id, since: start, follow: false) else { continue }
            var reader = LogReader(container, response)
            heads.append(try await reader.next())
            readers.append(reader)
        }
    }

    mutating func next() async throws -> SourcedLine? {
        var first: Int?
        for (index, head) in heads.enumerated() {
            guard let head else { continue }
            if let best = first.flatMap({ heads[$0] }), best.line.time <= head.line.time { continue }
            first = index
        }
        guard let first, let line = heads[first] else { return nil }
        heads[first] = try await readers[first].next()
        ends[line.container] = max(ends[line.container] ?? 0, line.line.time)
        return line
    }
}

/// Reads one container's log line by line.
struct LogReader {
    private let container: EngineContainer
    private var body: HTTPBody.AsyncIterator
    private var frames = LogDemultiplexer()
    private var lines: ArraySlice<EngineLogLine> = []
    private var hasEnded = false

    init(_ container: EngineContainer, _ response: WebResponse) {
        self.container = container
        body = response.body.makeAsyncIterator()
    }

    mutating func next() async throws -> SourcedLine? {
        while lines.isEmpty && !hasEnded {
            if let bytes = try await body.next() {
                lines = frames.feed(bytes)[...]
            } else {
                hasEnded = true
                // A line without an end is still being written by a container that lives.
                if !container.isAlive { lines = frames.finish()[...] }
            }
        }
        return lines.popFirst().map { SourcedLine(container: container.id, node: container.node, line: $0) }
    }
}

/// Where the lines of several followed containers come together.
///
/// `@unchecked Sendable`: used by methods of the backend only, which is an actor.
final class LogBasin: @unchecked Sendable {
    private static let depth = 4096
    let signal: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation
    private let start: Int64
    private var ends: [String: Int64]
    private var lines: [SourcedLine] = []
    private var filling: Set<String> = []
    private var seen: Set<String> = []
    private var isClosed = false
    private(set) var isAbandoned = false
    /// What the receiver threw.
    var failure: (any Error)?
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(ends: [String: Int64], start: Int64) {
        self.ends = ends
        self.start = start
        (signal, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    var hasSeveralSources: Bool { seen.count > 1 }
    /// The last line of a container that has been read.
    func position(of container: EngineContainer) -> Int64 { ends[container.id] ?? start }
    /// Whether nothing comes any more.
    var isDry: Bool { isClosed && filling.isEmpty && lines.isEmpty }

    /// Whether the container's log is to be followed from now on: it is not yet, and was never or lives.
    func begin(_ container: EngineContainer) -> Bool {
        guard !container.isUnused, !filling.contains(container.id) else { return false }
        guard seen.insert(container.id).inserted || container.isAlive else { return false }
        filling.insert(container.id)
        return true
    }

    func end(_ container: EngineContainer) {
        filling.remove(container.id)
        wake.yield()
    }

    func close() {
        isClosed = true
        wake.yield()
    }

    /// The lines so far, in order.
    func take() -> [SourcedLine] {
        defer {
            lines = []
            for waiter in waiting { waiter.resume() }
            waiting = []
        }
        // Sorting by time alone would mix the lines of one moment.
        return lines.enumerated().sorted { ($0.element.line.time, $0.offset) < ($1.element.line.time, $1.offset) }
            .map(\.element)
    }

    /// Adds lines, and says whether there are so many now that the source has to wait.
    func add(_ new: [EngineLogLine], of container: EngineContainer, after known: Int64) -> Bool {
        let fresh = new.filter { $0.time > known }
        guard let last = fresh.last, !isAbandoned else { return false }
        ends[container.id] = max(ends[container.id] ?? 0, last.time)
        lines += fresh.map { SourcedLine(container: container.id, node: container.node, line: $0) }
        wake.yield()
        return lines.count > LogBasin.depth
    }

    /// Resumed when the lines have been taken.
    func wait(_ continuation: CheckedContinuation<Void, Never>) {
        if isAbandoned { continuation.resume() } else { waiting.append(continuation) }
    }

    /// Nobody takes lines any more.
    func abandon() {
        isAbandoned = true
        wake.finish()
        _ = take()
    }
}
