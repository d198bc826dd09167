internal import Compression
internal import Core
internal import EventLoop
internal import HarbourProtocol
internal import Postgres

extension ErrorCode {
    /// Another scheduler has taken the run; whoever sees this stops working on it.
    static let leaseLost = ErrorCode("LEASE_LOST", status: 409)
}

/// What the owner of one run writes. It is gathered and goes out with the next group of `RunWriter`, in the order it was
/// said; each write carries the fence of the claim and is refused when it is an old one.
///
/// Only who has to be sure waits for it with `flush`: what comes before is then written too.
///
/// `@unchecked Sendable`: touched on the loop only.
final class RunProgress: @unchecked Sendable {
    let runID: Int64
    let fence: Int64
    /// The job that the run is of.
    let jobID: Int64?
    private let writer: RunWriter
    /// What has not been taken yet.
    private(set) var pending = RunWrite()
    private var waiters: [CheckedContinuation<Void, any Error>] = []
    /// Whether somebody waits for what has not been taken yet.
    var isAwaited: Bool { !waiters.isEmpty }
    /// How often this owner has written the run down: the same step written twice changes nothing.
    private var step: Int64 = 0
    /// Whether it waits in the writer's queue, and whether a group with it is under way.
    var isQueued = false
    private(set) var isUnderWay = false
    /// What made writing impossible for good.
    private var failure: HarbourError?

    /// The largest executed notebook that is read back, in bytes.
    static let notebookLimit = 256 << 20
    /// What may wait to be written before who produces it has to wait too, in bytes.
    static let patience = 4 << 20

    init(writer: RunWriter, runID: Int64, fence: Int64, jobID: Int64?) {
        self.writer = writer
        self.runID = runID
        self.fence = fence
        self.jobID = jobID
    }

    /// The name of an attempt, of its context, and the beginning of the names of its commands.
    func attemptID(_ key: RunWrite.AttemptKey) -> String { "run-\(runID)-\(key.ordinal)-\(key.number)" }

    // MARK: What happens

    /// Writes down how a machine has moved and tells of it, all or nothing, and waits until that is done.
    ///
    /// - Throws: `LEASE_LOST` when the fence is an old one.
    /// - Parameter endings: what attempts leave behind that have ended with this step.
    func save(
        from old: RunMachine, to new: RunMachine, events: [RunEvent], endings: [RunWrite.AttemptKey: RunWrite.Ending]
    ) async throws {
        try say { write in
            for (attempt, ending) in endings { write.end(attempt, ending) }
            write.add(from: old, to: new)
            for event in events { write.add(event, nil) }
        }
        try await flush()
    }

    /// Freezes the notebook of a task at a revision, unless that has been done.
    func freeze(ordinal: Int, notebookID: Int64, revisionID: Int64) throws {
        try say { $0.tasks[ordinal, default: .init()].frozen = (notebookID, revisionID) }
    }

    /// Says where an attempt runs, what, and when its first cell began.
    func place(_ attempt: RunWrite.AttemptKey, clusterID: String, revisionID: Int64?, executedAt: Timestamp?) throws {
        try say { write in
            write.attempts[attempt, default: .init()].clusterID = clusterID
            write.attempts[attempt]?.revisionID = revisionID
            if let executedAt { write.attempts[attempt]?.executedAt = executedAt }
        }
    }

    /// Says that an attempt that needs no cluster has begun, and for which run it waits if it is a run-job task's.
    func begun(_ attempt: RunWrite.AttemptKey, childRunID: Int64? = nil) throws {
        try say { write in
            write.attempts[attempt, default: .init()].executedAt = .now
            write.attempts[attempt]?.childRunID = childRunID
        }
    }

    /// Takes an event of a cell; it is written soon. One that is there already is left out, so that a command can be
    /// listened to again from its beginning.
    func tell(_ event: RunEvent, command: RunWrite.CommandPosition) async throws {
        try say { $0.add(event, command) }
        if pending.weight > Self.patience { try await flush() }
    }

    /// Keeps the outputs of a cell that has ended, so that whoever takes the run over begins with the next one.
    func finishCell(_ attempt: RunWrite.AttemptKey, cell: Int, outputs: JSONValue) async throws {
        let frame = LZ4Frame.compress(outputs.encodedJSON())
        try say { $0.add(RunWrite.Cell(attempt: attempt, ordinal: cell, outputs: frame)) }
        if pending.weight > Self.patience { try await flush() }
    }

    /// Waits until everything said so far has been written.
    /// - Throws: what made writing impossible, such as `LEASE_LOST`.
    func flush() async throws {
        if let failure { throw failure }
        if pending.isEmpty && !isUnderWay { return }
        try await withCheckedThrowingContinuation { continuation in
            waiters.append(continuation)
            writer.hurry()
        }
    }

    /// Makes sure that the run is still ours, which a write of nothing does too.
    /// - Throws: `LEASE_LOST` when it is not.
    func confirm() async throws {
        try say { $0.isConfirming = true }
        try await flush()
    }

    /// What has not been written never is: the run is somebody else's, or will be.
    func abandon(_ why: HarbourError? = nil) {
        guard failure == nil else { return }
        failure = why ?? lost
        pending = RunWrite()
        resumeWaiters(failure)
    }

    private func say(_ change: (inout RunWrite) -> Void) throws {
        if let failure { throw failure }
        change(&pending)
        writer.ask(self)
    }

    // MARK: The writer's side

    /// What goes out now, with the step it is, and who waits for it.
    func take() -> RunGroup.Member {
        step += 1
        isUnderWay = true
        defer {
            pending = RunWrite()
            waiters = []
        }
        return RunGroup.Member(progress: self, step: step, write: pending, waiters: waiters)
    }

    /// A part of it that goes out before the rest, when it is more than a group may hold: nobody waits for that alone.
    func takeFront(rows: Int, bytes: Int) -> RunGroup.Member? {
        guard let front = pending.takeFront(rows: rows, bytes: bytes) else { return nil }
        step += 1
        isUnderWay = true
        return RunGroup.Member(progress: self, step: step, write: front, waiters: [])
    }

    /// A member of a group was written, or will never be.
    func settle(_ member: RunGroup.Member, _ failure: HarbourError?) {
        isUnderWay = false
        guard let failure = failure ?? self.failure else {
            for waiter in member.waiters { waiter.resume() }
            // Who came while it was being written and added nothing waits for that alone.
            if pending.isEmpty { resumeWaiters(nil) }
            return
        }
        self.failure = failure
        pending = RunWrite()
        for waiter in member.waiters { waiter.resume(throwing: failure) }
        resumeWaiters(failure)
    }

    private func resumeWaiters(_ failure: HarbourError?) {
        let all = waiters
        waiters = []
        for waiter in all {
            if let failure { waiter.resume(throwing: failure) } else { waiter.resume() }
        }
    }

    /// Another scheduler has the run.
    var lost: HarbourError { HarbourError(.leaseLost, "Another scheduler has taken over run \(runID).") }
}
