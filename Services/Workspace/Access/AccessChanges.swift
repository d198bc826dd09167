internal import Core
internal import EventLoop
internal import Postgres

/// Hears, in every replica, that users, groups, permissions or tokens have changed, and has everybody look again who lets
/// somebody follow something.
///
/// `@unchecked Sendable`: touched on the loop only.
final class AccessChanges: @unchecked Sendable {
    private let pool: PostgresPool
    private let loop: EventLoop
    private let forget: @Sendable () -> Void
    private var followers: [String: () -> Void] = [:]
    private var pending: LoopTimer?
    private var listening: Task<Void, Never>?

    /// See `schemas/sql/workspace/007-access-changes.sql`.
    private static let channel = "workspace_access"
    /// Changes within this time are looked at once: a group of many users is changed by many statements.
    private static let pause = Duration.milliseconds(200)

    /// - Parameter forget: lets go of what is remembered about users and tokens.
    init(pool: PostgresPool, loop: EventLoop, forget: @escaping @Sendable () -> Void) {
        self.pool = pool
        self.loop = loop
        self.forget = forget
    }

    func start() {
        listening = loop.spawn { [self] in
            // Reconnected as well: what was said while the connection was away was not heard.
            for await _ in pool.listen(AccessChanges.channel) { heard() }
        }
    }

    func stop() {
        listening?.cancel()
        pending?.cancel()
        followers = [:]
    }

    /// Calls the closure after each change, until `unfollow`. Only on the loop.
    func follow(_ id: String, _ look: @escaping () -> Void) { followers[id] = look }

    /// Ends what `follow` began. Only on the loop.
    func unfollow(_ id: String) { followers[id] = nil }

    private func heard() {
        forget()
        guard pending == nil, !followers.isEmpty else { return }
        pending = loop.schedule(after: AccessChanges.pause) { [self] in
            pending = nil
            // What was looked up since then may be older than the change.
            forget()
            for look in followers.values { look() }
        }
    }
}
