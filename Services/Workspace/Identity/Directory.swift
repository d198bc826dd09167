internal import Core
internal import Synchronization

/// Looks up who users are. What was found is remembered for a moment, so that a busy page does not ask the database for
/// every request; a change made here counts here at once, and in other replicas after that moment.
final class Directory: Sendable {
    private struct Known {
        let principal: Principal?
        let until: MonotonicTime
    }

    private static let memory = Duration.seconds(15)
    private static let limit = 10_000
    private let store: PeopleStore
    private let known = Mutex<[String: Known]>([:])

    init(store: PeopleStore) { self.store = store }

    /// The user; nil when there is none of that name who may sign in.
    func principal(_ name: String) async throws(HarbourError) -> Principal? {
        let now = MonotonicTime.now
        if let known = known.withLock({ $0[name] }), known.until > now { return known.principal }
        let principal = try await store.principal(name)
        known.withLock { known in
            if known.count >= Directory.limit { known.removeAll() }
            known[name] = Known(principal: principal, until: now + Directory.memory)
        }
        return principal
    }

    /// Forgets all, because users or groups have changed.
    func forget() { known.withLock { $0.removeAll() } }
}
