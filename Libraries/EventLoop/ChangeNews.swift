/// Tells everybody who follows which of many things have changed since they looked last.
///
/// A follower that is slow hears of each thing once, however often it has changed meanwhile, so that what is kept for it
/// is bounded by the number of things.
///
/// `@unchecked Sendable`: touched on the loop only.
public final class ChangeNews<ID: Hashable & Comparable & Sendable>: @unchecked Sendable {
    private final class Follower {
        var changed: Set<ID> = []
        var waiter: CheckedContinuation<Void, Never>?

        func wake() {
            waiter?.resume()
            waiter = nil
        }
    }

    private let loop: EventLoop
    private let limit: Int
    private var followers: [UInt64: Follower] = [:]
    private var next: UInt64 = 0

    /// - Parameter limit: of how many changed things a follower is told at once; of what changes beyond it hears when that
    ///   changes again.
    public init(loop: EventLoop, limit: Int = 10_000) {
        self.loop = loop
        self.limit = limit
    }

    /// Whether nobody wants to know.
    public var isEmpty: Bool { followers.isEmpty }

    /// Says that a thing has changed.
    public func signal(_ id: ID) {
        loop.preconditionCurrent()
        for follower in followers.values where follower.changed.count < limit {
            follower.changed.insert(id)
            follower.wake()
        }
    }

    /// Calls `body` with what has changed since it was called last, sorted, until the task is cancelled.
    /// - Parameter changed: what it is called with first.
    public func follow(
        from changed: Set<ID> = [], isolation: isolated (any Actor)? = #isolation, _ body: ([ID]) async throws -> Void
    ) async throws {
        loop.preconditionCurrent()
        next += 1
        let ticket = next
        let follower = Follower()
        follower.changed = changed
        followers[ticket] = follower
        defer { followers[ticket] = nil }
        while true {
            try Task.checkCancellation()
            guard follower.changed.isEmpty else {
                let changed = follower.changed.sorted()
                follower.changed = []
                try await body(changed)
                continue
            }
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    if Task.isCancelled || !follower.changed.isEmpty { return continuation.resume() }
                    follower.waiter = continuation
                }
            } onCancel: {
                loop.onLoop { [self] in followers[ticket]?.wake() }
            }
        }
    }
}
