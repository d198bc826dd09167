internal import Core
internal import EventLoop
internal import Postgres

/// Writes down what all runs of this scheduler have to write, in groups: while one group is being written the next one
/// gathers. What somebody waits for is written at once, the rest soon; under load many steps of many runs share one
/// statement and one commit.
///
/// `@unchecked Sendable`: touched on the loop only.
final class RunWriter: @unchecked Sendable {
    /// Large notebooks do not hold up the rest.
    private enum Lane: CaseIterable { case light, heavy }

    /// What one group may hold: so many runs and rows, and about so many bytes. Only how the machine of one run has moved
    /// in one step may be more, since it is written as a whole: its tasks and attempts, which its definition bounds.
    static let mostRuns = 200
    static let mostRows = 4000
    static let mostBytes = 4 << 20
    /// From so many bytes on a run's write is heavy.
    private static let heavy = 1 << 20
    /// How long a group may take.
    private static let timeLimit = Duration.seconds(30)
    /// How long what nobody waits for may stay unwritten, so that it goes with what comes next.
    private static let patience = Duration.milliseconds(10)

    private let pool: PostgresPool
    private let loop: EventLoop
    /// Runs with something to write, in the order they came.
    private var queue: [RunProgress] = []
    private var busy: Set<Lane> = []
    private var isWakeDue = false
    private var linger: LoopTimer?
    /// Whether something has waited long enough.
    private var isOverdue = false
    private var isStopped = false
    /// The most that a group has held.
    private(set) var largest = (rows: 0, bytes: 0)

    init(pool: PostgresPool) {
        self.pool = pool
        loop = pool.loop
    }

    /// Something of a run is to be written, soon.
    func ask(_ progress: RunProgress) {
        loop.preconditionCurrent()
        if isStopped { return progress.abandon(Self.stopping) }
        guard !progress.isQueued else { return }
        progress.isQueued = true
        queue.append(progress)
        guard linger == nil, !isStopped else { return }
        linger = loop.schedule(after: Self.patience) { [self] in
            linger = nil
            isOverdue = true
            hurry()
        }
    }

    /// Somebody waits for what was asked: it is written at the end of this turn of the loop, with what else came in it.
    func hurry() {
        guard !isWakeDue, !isStopped else { return }
        isWakeDue = true
        loop.later { [self] in
            isWakeDue = false
            for lane in Lane.allCases { begin(lane) }
        }
    }

    /// Gives up what has not been written: the runs go to somebody else.
    func stop() {
        loop.onLoop { [self] in
            isStopped = true
            for progress in queue { progress.abandon(Self.stopping) }
            queue = []
        }
    }

    private static let stopping = HarbourError(.unavailable, "The scheduler is stopping. Try again in a few seconds.")

    private func begin(_ lane: Lane) {
        guard !isStopped, !busy.contains(lane) else { return }
        let members = takeMembers(lane)
        guard !members.isEmpty else { return }
        busy.insert(lane)
        loop.spawn { [self] in
            await write(members)
            loop.onLoop { [self] in
                busy.remove(lane)
                if isOverdue || queue.contains(where: \.isAwaited) { hurry() }
            }
        }
    }

    private func takeMembers(_ lane: Lane) -> [RunGroup.Member] {
        var members: [RunGroup.Member] = []
        // A run that was lost and claimed again may have two owners here: what the old one says has a group of its own.
        var runIDs: Set<Int64> = []
        var left: [RunProgress] = []
        var (rows, weight) = (0, 0)
        for progress in queue {
            let isHeavy = progress.pending.weight > Self.heavy
            let (newRows, newWeight) = (rows + progress.pending.rows, weight + progress.pending.weight)
            let isTooMuch = newRows > Self.mostRows || newWeight > Self.mostBytes
            let fits = members.count < Self.mostRuns && (members.isEmpty || !isTooMuch)
            guard !progress.isUnderWay, isHeavy == (lane == .heavy), fits, !runIDs.contains(progress.runID) else {
                left.append(progress)
                continue
            }
            let front = isTooMuch ? progress.takeFront(rows: Self.mostRows, bytes: Self.mostBytes) : nil
            progress.isQueued = front != nil
            if front != nil { left.append(progress) }
            // What failed for good has nothing left to write.
            guard let member = front ?? (progress.pending.isEmpty ? nil : progress.take()) else { continue }
            rows += member.write.rows
            weight += member.write.weight
            runIDs.insert(progress.runID)
            members.append(member)
        }
        largest = (max(largest.rows, rows), max(largest.bytes, weight))
        queue = left
        if left.isEmpty {
            isOverdue = false
            linger?.cancel()
            linger = nil
        }
        return members
    }

    // MARK: Writing

    private func write(_ members: [RunGroup.Member]) async {
        let group = RunGroup(members: members)
        do {
            let written = try await persistently(group)
            for member in members {
                let isWritten = written.contains(member.progress.runID)
                member.progress.settle(member, isWritten ? nil : member.progress.lost)
            }
        } catch  where members.count > 1 && !isStopped {
            // One of them cannot be written; the others are not to suffer from it.
            Logger("scheduler").warning("writing runs one by one", ["error": error.describeChain()])
            for member in members { await write([member]) }
        } catch {
            for member in members { member.progress.settle(member, error) }
        }
    }

    /// Repeats the same group until it has been written or refused: written twice it changes nothing more.
    private func persistently(_ group: RunGroup) async throws(HarbourError) -> Set<Int64> {
        var pause = Duration.milliseconds(50)
        var limit = Self.timeLimit
        while true {
            do {
                return try await group.write(pool, timeout: limit)
            } catch {
                let failure = HarbourError.wrap(error)
                guard failure.isLostRace || EngineContext.isPassing(failure), !isStopped else { throw failure }
                if failure.code == .deadlineExceeded {
                    // What is too much at once may be possible run by run, and one run alone with more time.
                    if group.members.count > 1 { throw failure }
                    limit = min(limit * 2, .seconds(600))
                }
                Logger("scheduler").debug("waiting to write runs down", ["error": failure.describeChain()])
                do { try await loop.sleep(for: pause) } catch { throw failure }
                pause = min(pause * 2, .seconds(2))
            }
        }
    }
}
