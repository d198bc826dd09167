internal import Core
internal import EventLoop
internal import ObjectStorage

/// Finds out whether the object storage can be used at this moment. Whoever asks gets an answer in time, also where a
/// file system hangs; and as long as one look is under way no other begins.
actor StorageCheck {
    /// What a look has found.
    struct Outcome: Sendable {
        let time: Timestamp
        let duration: Duration
        let room: StorageRoom?
        let error: HarbourError?
    }

    private let storage: any ObjectStorage
    private let loop: EventLoop
    private let patience: Duration
    private var isUnderWay = false
    /// Those who wait for the look that is under way.
    private var waiting: [UInt64: AsyncStream<Outcome>.Continuation] = [:]
    private var nextWaiting: UInt64 = 0

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    init(_ storage: any ObjectStorage, loop: EventLoop, patience: Duration = .seconds(5)) {
        self.storage = storage
        self.loop = loop
        self.patience = patience
    }

    /// Looks, or waits for the look that somebody else has begun.
    func outcome() async -> Outcome {
        let (begun, start) = (Timestamp.now, MonotonicTime.now)
        let (answers, answer) = AsyncStream.makeStream(of: Outcome.self, bufferingPolicy: .bufferingOldest(1))
        let late = Outcome(
            time: begun, duration: patience, room: nil,
            error: HarbourError(
                .deadlineExceeded,
                "The object storage did not answer within \(patience.milliseconds / 1000) seconds."))
        // A little later than the storage gives up, for it knows more about why.
        let timer = loop.schedule(after: patience + .milliseconds(200)) { answer.yield(late) }
        nextWaiting += 1
        let own = nextWaiting
        waiting[own] = answer
        defer {
            timer.cancel()
            waiting[own] = nil
        }
        if !isUnderWay {
            isUnderWay = true
            Task { await tell() }
        }
        for await outcome in answers {
            return Outcome(
                time: begun, duration: MonotonicTime.now - start, room: outcome.room, error: outcome.error)
        }
        return late
    }

    private func tell() async {
        let outcome = await look()
        isUnderWay = false
        for one in waiting.values { one.yield(outcome) }
    }

    private func look() async -> Outcome {
        let (begun, start) = (Timestamp.now, MonotonicTime.now)
        do {
            let room = try await storage.look(patience: patience)
            return Outcome(time: begun, duration: MonotonicTime.now - start, room: room, error: nil)
        } catch {
            let reason =
                error as? HarbourError
                ?? HarbourError(.internalError, "The object storage could not be looked at.", cause: error)
            return Outcome(time: begun, duration: MonotonicTime.now - start, room: nil, error: reason)
        }
    }
}
