internal import Core
internal import EventLoop

/// Wakes those who follow runs when there is something new to read.
///
/// `@unchecked Sendable`: touched on the loop only.
final class RunSignals: @unchecked Sendable {
    private let loop: EventLoop
    private var waiters: [Int64: [UInt64: CheckedContinuation<Void, Never>]] = [:]
    private var versions: [Int64: UInt64] = [:]
    private var next: UInt64 = 0
    private var observers: [UInt64: Observer] = [:]

    /// One who wants to know which runs change, whichever they are.
    private final class Observer {
        var changed: Set<Int64> = []
        var waiter: CheckedContinuation<Void, Never>?

        func wake() {
            waiter?.resume()
            waiter = nil
        }
    }

    /// Of how many runs an observer is told at once; what more changes meanwhile it hears of when that changes again.
    private static let maxChanged = 10_000

    init(loop: EventLoop) { self.loop = loop }

    /// Says that the run has something new.
    func signal(_ runID: Int64) {
        loop.onLoop { [self] in
            for observer in observers.values where observer.changed.count < Self.maxChanged {
                observer.changed.insert(runID)
                observer.wake()
            }
            // Only runs that somebody follows are remembered.
            guard let waiting = waiters[runID] else { return }
            versions[runID, default: 0] += 1
            waiters[runID] = [:]
            for continuation in waiting.values { continuation.resume() }
        }
    }

    /// Says that several runs have something new, as a notification names them: `12 15 16`.
    func signal(all text: String) {
        if waiters.isEmpty && observers.isEmpty { return }
        for word in text.utf8.split(separator: UInt8(ascii: " ")) { signal(Int64(Substring(word)) ?? 0) }
    }

    func signalAll() {
        loop.onLoop { [self] in for runID in Array(waiters.keys) { signal(runID) } }
    }

    /// Follows a run: `body` is called at once and after each signal, until it returns true or the task is cancelled.
    func follow(
        _ runID: Int64, isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Bool
    ) async throws {
        loop.preconditionCurrent()
        if waiters[runID] == nil { waiters[runID] = [:] }
        followers[runID, default: 0] += 1
        defer { leave(runID) }
        while true {
            let seen = versions[runID, default: 0]
            if try await body() { return }
            try Task.checkCancellation()
            if versions[runID, default: 0] == seen { await wait(runID, after: seen) }
            try Task.checkCancellation()
        }
    }
    private var followers: [Int64: Int] = [:]

    /// Follows all runs: `body` is called with those that have changed since it was called last, until the task is
    /// cancelled.
    func followAll(
        isolation: isolated (any Actor)? = #isolation, _ body: ([Int64]) async throws -> Void
    ) async throws {
        loop.preconditionCurrent()
        next += 1
        let ticket = next
        let observer = Observer()
        observers[ticket] = observer
        defer { observers[ticket] = nil }
        while true {
            try Task.checkCancellation()
            guard observer.changed.isEmpty else {
                let changed = observer.changed.sorted()
                observer.changed = []
                try await body(changed)
                continue
            }
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    if Task.isCancelled || !observer.changed.isEmpty { return continuation.resume() }
                    observer.waiter = continuation
                }
            } onCancel: {
                loop.onLoop { [self] in observers[ticket]?.wake() }
            }
        }
    }

    /// Waits for a version beyond `seen`, which may have come on the way from the caller's actor to here.
    private func wait(_ runID: Int64, after seen: UInt64) async {
        next += 1
        let ticket = next
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                if Task.isCancelled || versions[runID, default: 0] != seen {
                    continuation.resume()
                } else {
                    waiters[runID, default: [:]][ticket] = continuation
                }
            }
        } onCancel: {
            loop.onLoop { [self] in waiters[runID]?.removeValue(forKey: ticket)?.resume() }
        }
    }

    private func leave(_ runID: Int64) {
        followers[runID, default: 1] -= 1
        guard followers[runID] == 0 else { return }
        followers[runID] = nil
        versions[runID] = nil
        if waiters[runID]?.isEmpty == true { waiters[runID] = nil }
    }
}
