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
    /// For who wants to know which runs change, whichever they are.
    private let all: ChangeNews<Int64>

    init(loop: EventLoop) {
        self.loop = loop
        all = ChangeNews(loop: loop)
    }

    /// Says that the run has something new.
    func signal(_ runID: Int64) {
        loop.onLoop { [self] in
            all.signal(runID)
            // Only runs that somebody follows are remembered.
            guard let waiting = waiters[runID] else { return }
            versions[runID, default: 0] += 1
            waiters[runID] = [:]
            for continuation in waiting.values { continuation.resume() }
        }
    }

    /// Says that several runs have something new, as a notification names them: `12 15 16`.
    func signal(all text: String) {
        if waiters.isEmpty && all.isEmpty { return }
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
        begun: () async throws -> Void, isolation: isolated (any Actor)? = #isolation,
        _ body: (ChangeNews<Int64>.Changes) async throws -> Void
    ) async throws {
        try await all.follow(begun: begun, body)
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
