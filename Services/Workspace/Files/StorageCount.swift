internal import Core
internal import EventLoop
internal import HarbourProtocol

/// Counts what takes up room, which reads every row about an object: once for all who ask at the same time, and the
/// answer holds for a short while.
actor StorageCount {
    /// What a count has found.
    struct Outcome: Sendable {
        let time: Timestamp
        let objects: [StorageUsage]
        let tables: [StorageUsage]
    }

    /// How long an answer holds. The contract and the page say so.
    static let validity = Duration.seconds(60)

    private let count: @Sendable () async throws -> (objects: [StorageUsage], tables: [StorageUsage])
    private let now: @Sendable () -> MonotonicTime
    private let loop: EventLoop
    private var last: (outcome: Outcome, end: MonotonicTime)?
    /// The count that is under way. It goes on when whoever began it does not wait any more.
    private var running: Task<Outcome, any Error>?

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(
        loop: EventLoop, now: @escaping @Sendable () -> MonotonicTime = { .now },
        count: @escaping @Sendable () async throws -> (objects: [StorageUsage], tables: [StorageUsage])
    ) {
        self.loop = loop
        self.now = now
        self.count = count
    }

    /// The newest answer while it holds; else that of the count that is under way, or of a new one. A count that failed
    /// is no answer to those who come later.
    func outcome() async throws -> Outcome {
        if let last, now() < last.end { return last.outcome }
        if let running { return try await running.value }
        let task = Task { try await countAnew() }
        running = task
        return try await task.value
    }

    private func countAnew() async throws -> Outcome {
        defer { running = nil }
        // What has changed since it began may not be in it.
        let (time, end) = (Timestamp.now, now() + Self.validity)
        let (objects, tables) = try await count()
        let outcome = Outcome(time: time, objects: objects, tables: tables)
        last = (outcome, end)
        return outcome
    }
}
