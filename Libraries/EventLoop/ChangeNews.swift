public import Core

/// Tells everybody who follows which of many things have changed since they looked last.
///
/// A follower that is slow hears of each thing once, however often it has changed meanwhile, so that what is kept for it
/// is bounded by the number of things, and by a limit of it: of what changes beyond that the follower hears no names, but
/// that there was more. Whatever it is told, it never takes for all when it is not.
///
/// `@unchecked Sendable`: touched on the loop only.
public final class ChangeNews<ID: Hashable & Comparable & Sendable>: @unchecked Sendable {
    /// What has changed since a follower was told last.
    public struct Changes: Sendable {
        /// The things, sorted.
        public let ids: [ID]
        /// Whether more have changed than are named: any may have.
        public let hasMissed: Bool

        /// All that have changed, for who can do nothing with less.
        /// - Throws: `TEMPORARILY_UNAVAILABLE` when more have changed than are named.
        public func all() throws(HarbourError) -> [ID] {
            guard hasMissed else { return ids }
            throw HarbourError(
                .unavailable, "More has changed at once than can be told. Read all of it again, and follow it anew.")
        }
    }

    private final class Follower {
        var changed: Set<ID> = []
        var hasMissed = false
        var waiter: CheckedContinuation<Void, Never>?

        var isUpToDate: Bool { changed.isEmpty && !hasMissed }

        func wake() {
            waiter?.resume()
            waiter = nil
        }
    }

    private let loop: EventLoop
    private let limit: Int
    private var followers: [UInt64: Follower] = [:]
    private var next: UInt64 = 0

    /// - Parameter limit: how many changed things are named to a follower at once; of others it hears that there are
    ///   some.
    public init(loop: EventLoop, limit: Int = 10_000) {
        self.loop = loop
        self.limit = limit
    }

    /// Whether nobody wants to know.
    public var isEmpty: Bool { followers.isEmpty }

    /// Says that a thing has changed.
    public func signal(_ id: ID) {
        loop.preconditionCurrent()
        for follower in followers.values where !follower.changed.contains(id) {
            if follower.changed.count < limit {
                follower.changed.insert(id)
            } else {
                follower.hasMissed = true
            }
            follower.wake()
        }
    }

    /// Calls `body` with what has changed since it was called last, until the task is cancelled.
    /// - Parameters:
    ///   - changed: what it is called with first.
    ///   - begun: called first of all: whatever changes from then on is told of.
    public func follow(
        from changed: Set<ID> = [], begun: () async throws -> Void = {},
        isolation: isolated (any Actor)? = #isolation, _ body: (Changes) async throws -> Void
    ) async throws {
        loop.preconditionCurrent()
        next += 1
        let ticket = next
        let follower = Follower()
        follower.changed = changed
        followers[ticket] = follower
        defer { followers[ticket] = nil }
        try await begun()
        while true {
            try Task.checkCancellation()
            guard follower.isUpToDate else {
                let changes = Changes(ids: follower.changed.sorted(), hasMissed: follower.hasMissed)
                (follower.changed, follower.hasMissed) = ([], false)
                try await body(changes)
                continue
            }
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    if Task.isCancelled || !follower.isUpToDate { return continuation.resume() }
                    follower.waiter = continuation
                }
            } onCancel: {
                loop.onLoop { [self] in followers[ticket]?.wake() }
            }
        }
    }
}
