import Core
import EventLoop
import Glibc
import Lifecycle
import Synchronization
import TestSupport
import Testing

private final class Journal: Sendable {
    private let lines = Mutex<[String]>([])
    func add(_ line: String) { lines.withLock { $0.append(line) } }
    var all: [String] { lines.withLock { $0 } }
}

extension Journal {
    fileprivate func component(_ name: String, loop: EventLoop) -> LifecycleComponent {
        LifecycleComponent(
            name, start: { self.add("start \(name)") },
            run: {
                self.add("run \(name)")
                do { try await loop.sleep(for: .seconds(3600)) } catch { self.add("end \(name)") }
            }, drain: { _ in self.add("drain \(name)") })
    }
}

/// Serialized: signals belong to the whole process.
@Suite(.serialized) struct LifecycleTests {
    @Test func startsInOrderAndDrainsInReverse() async throws {
        let journal = Journal()
        let summary = try await withEventLoop { loop in
            let stop = LifecycleComponent(
                "stop", start: {}, run: { try await loop.sleep(for: .seconds(3600)) }, drain: { _ in })
            let group = Mutex<ServiceGroup?>(nil)
            let made = ServiceGroup(
                [journal.component("a", loop: loop), stop, journal.component("b", loop: loop)], loop: loop,
                ready: {
                    journal.add("ready")
                    group.withLock { $0 }?.shutDown(reason: "enough")
                })
            group.withLock { $0 = made }
            return try await made.run()
        }
        #expect(summary.reason == "enough")
        #expect(summary.abandoned == [])
        #expect(
            journal.all == ["start a", "run a", "start b", "run b", "ready", "drain b", "end b", "drain a", "end a"])
    }

    @Test func aFailureNamesItsComponent() async throws {
        let journal = Journal()
        let error = await #expect(throws: HarbourError.self) {
            try await withEventLoop { loop in
                let broken = LifecycleComponent(
                    "clock", run: { throw HarbourError(.unavailable, "The clock has stopped.") })
                try await ServiceGroup([journal.component("a", loop: loop), broken], loop: loop).run()
            }
        }
        #expect(error?.code == .unavailable)
        #expect(error?.message == "The part \"clock\" failed: The clock has stopped.")
        #expect(journal.all.suffix(2) == ["drain a", "end a"])
    }

    @Test func aDrainThatHangsIsGivenUp() async throws {
        let summary = try await withEventLoop { loop in
            let hanging = LifecycleComponent(
                "hanging", drain: { _ in try? await loop.sleep(for: .seconds(3600)) })
            let group = ServiceGroup([hanging], loop: loop, budget: .milliseconds(20))
            loop.spawn { group.shutDown(reason: "late") }
            return try await group.run()
        }
        // The stop came before the start, or during it; in the second case the drain hangs.
        #expect(summary.abandoned == [] || summary.abandoned == ["hanging"])
    }

    @Test func signalsStopReloadAndCutShort() async throws {
        let journal = Journal()
        let summary = try await withEventLoop { loop in
            // The tests' other threads do not block the signals, so they are sent to this thread.
            ServiceGroup.blockSignals()
            let hanging = LifecycleComponent(
                "hanging",
                drain: { _ in
                    pthread_kill(pthread_self(), SIGTERM)
                    try? await loop.sleep(for: .seconds(3600))
                    journal.add("cancelled")
                })
            let group = ServiceGroup(
                [hanging], loop: loop, budget: .seconds(3600), shortBudget: .milliseconds(10),
                reload: {
                    journal.add("reload")
                    pthread_kill(pthread_self(), SIGINT)
                }, ready: { pthread_kill(pthread_self(), SIGHUP) })
            return try await group.run()
        }
        #expect(summary.reason == "SIGINT")
        #expect(summary.abandoned == ["hanging"])
        #expect(journal.all.first == "reload")
    }

    @Test func aSignalBeforeRunIsRemembered() async throws {
        let journal = Journal()
        let summary = try await withEventLoop { loop in
            ServiceGroup.blockSignals()
            pthread_kill(pthread_self(), SIGTERM)
            return try await ServiceGroup([journal.component("a", loop: loop)], loop: loop).run()
        }
        #expect(summary.reason == "SIGTERM")
    }
}
