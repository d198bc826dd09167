import Core
import EventLoop
import HarbourProtocol
import Synchronization
import TestSupport
import Testing

@testable import WorkspaceService

@Suite("What takes up room is counted once for many", .timeLimit(.minutes(15)))
struct StorageCountTests {
    /// A count that goes on when it is told to, over a clock that is set by hand.
    private final class Table: Sendable {
        private let state = Mutex((now: MonotonicTime.now, counts: 0, isBroken: false))
        private let gate: AsyncStream<Void>
        private let open: AsyncStream<Void>.Continuation

        init() { (gate, open) = AsyncStream.makeStream() }

        var counts: Int { state.withLock { $0.counts } }
        func release() { open.finish() }
        func advance(by time: Duration) { state.withLock { $0.now = $0.now + time } }
        func setBroken(_ isBroken: Bool) { state.withLock { $0.isBroken = isBroken } }

        func make(_ loop: EventLoop) -> StorageCount {
            StorageCount(loop: loop, now: { [self] in state.withLock { $0.now } }) { [self] in
                let number = state.withLock { state in
                    state.counts += 1
                    return state.counts
                }
                for await _ in gate {}
                if state.withLock({ $0.isBroken }) { throw HarbourError(.unavailable, "The database is away.") }
                return ([StorageUsage(kind: .files, objects: Int64(number), bytes: 1)], [])
            }
        }
    }

    /// Goal: however many ask at the same time, every row is read once.
    @Test func whoAsksAtTheSameTimeSharesOneCount() async throws {
        try await withEventLoop { loop in
            let table = Table()
            let count = table.make(loop)
            let callers = (1...20).map { _ in
                Task(executorPreference: loop) { try await count.outcome().objects.first?.objects }
            }
            try await eventually("it is being counted") { table.counts == 1 }
            // Somebody who does not wait any more takes nothing away from the others.
            callers[0].cancel()
            table.release()
            for caller in callers { #expect(try await caller.value == 1) }
            #expect(table.counts == 1)
        }
    }

    /// Goal: an answer holds for its time and not longer, and says of when it is.
    @Test func anAnswerHoldsForAMinute() async throws {
        try await withEventLoop { loop in
            let table = Table()
            table.release()
            let count = table.make(loop)
            let before = Timestamp.now
            let first = try await count.outcome()
            #expect(first.time >= before && first.time <= .now)
            table.advance(by: StorageCount.validity - .milliseconds(1))
            #expect(try await count.outcome().time == first.time)
            #expect(table.counts == 1)
            table.advance(by: .milliseconds(1))
            let next = try await count.outcome()
            #expect(next.objects.first?.objects == 2 && next.time >= first.time)
            #expect(table.counts == 2)
        }
    }

    /// Goal: a count that fails is told to those who wait for it, and is no answer to anybody else.
    @Test func aFailureIsNotKept() async throws {
        try await withEventLoop { loop in
            let table = Table()
            table.release()
            table.setBroken(true)
            let count = table.make(loop)
            for _ in 1...2 {
                await #expect(throws: HarbourError.self) { try await count.outcome() }
            }
            #expect(table.counts == 2)
            table.setBroken(false)
            let outcome = try await count.outcome()
            #expect(outcome.objects.first?.objects == 3)
        }
    }
}
