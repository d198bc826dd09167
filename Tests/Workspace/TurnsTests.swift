import Core
import Synchronization
import TestSupport
import Testing

@testable import WorkspaceService

@Suite("Turns", .timeLimit(.minutes(10)))
struct TurnsTests {
    /// Holds turns until it is told to let go.
    private final class Holder: Sendable {
        private let ends: AsyncStream<Void>
        private let end: AsyncStream<Void>.Continuation
        let begun = Atomic(0)

        init() { (ends, end) = AsyncStream.makeStream(of: Void.self) }

        func hold() async {
            begun.wrappingAdd(1, ordering: .relaxed)
            for await _ in ends { break }
        }

        func letGo() { end.finish() }
    }

    @Test func fewSearchAFewWaitAndTheOthersAreToldSo() async throws {
        let turns = Turns(limit: 2, queue: 2, refusal: "Try again soon.")
        let holder = Holder()
        let running = (0..<2).map { _ in Task { try await turns.run { await holder.hold() } } }
        try await eventually("two search") { holder.begun.load(ordering: .relaxed) == 2 }
        let waiting = (0..<2).map { number in Task { try await turns.run { number } } }
        try await eventually("two wait") { turns.waiting == 2 }
        do {
            try await turns.run {}
            Issue.record("it was not refused")
        } catch let error as HarbourError {
            #expect(error.code == .resourceExhausted)
            #expect(error.message.contains("Try again soon"))
        }
        // Who gives up makes room.
        waiting[0].cancel()
        await #expect(throws: CancellationError.self) { try await waiting[0].value }
        #expect(turns.waiting == 1)
        holder.letGo()
        #expect(try await waiting[1].value == 1)
        for task in running { try await task.value }
        // Also after an error all turns are there again.
        for _ in 0..<4 {
            await #expect(throws: HarbourError.self) {
                try await turns.run { throw HarbourError(.unavailable, "The database is away.") }
            }
        }
        #expect(try await turns.run { 7 } == 7)
        // A turn that is kept ends with whoever keeps it.
        var kept: [Turns.Turn]? = [try await turns.take(), try await turns.take()]
        let next = Task { try await turns.run { 8 } }
        try await eventually("one waits") { turns.waiting == 1 }
        #expect(kept?.count == 2)
        kept = nil
        #expect(try await next.value == 8)
    }
}
