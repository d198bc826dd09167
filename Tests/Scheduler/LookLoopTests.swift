import Core
import EventLoop
import Synchronization
import TestSupport
import Testing

@testable import SchedulerService

/// What wakes the parts of the engine.
@Suite struct LookLoopTests {
    private final class Looked: Sendable {
        private let counter = Mutex(0)
        var count: Int { counter.withLock { $0 } }
        func add() -> Int {
            counter.withLock {
                $0 += 1
                return $0
            }
        }
    }

    @Test func whatIsToldDuringALookIsLookedAtAfterIt() async throws {
        try await withEventLoop { loop in
            let looked = Looked()
            let (gate, open) = AsyncStream<Void>.makeStream()
            let looks = LookLoop(loop, complaint: "it failed") {
                if looked.add() == 1 { for await _ in gate { break } }
                return nil
            }
            await looks.look()
            try await eventually("it looks") { looked.count == 1 }
            // However often it is told, one look more sees it all.
            for _ in 0..<5 { await looks.look() }
            #expect(looked.count == 1)
            open.yield()
            try await eventually("it looks again") { looked.count == 2 }
            await looks.stop()
            await looks.look()
            #expect(looked.count == 2)
        }
    }

    @Test func itLooksWhenItIsDueAndAfterAFailure() async throws {
        try await withEventLoop { loop in
            let looked = Looked()
            let looks = LookLoop(loop, complaint: "it failed", pause: .milliseconds(5)) {
                switch looked.add() {
                case 1: return .milliseconds(5)
                case 2: throw HarbourError(.internalError, "It cannot be read.")
                default: return nil
                }
            }
            await looks.look()
            try await eventually("it has looked because of time, and after the failure") { looked.count == 3 }
            await looks.stop()
        }
    }
}
