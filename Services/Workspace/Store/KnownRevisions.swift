internal import Synchronization

/// Numbers of revisions of which something is known that never changes.
final class KnownRevisions: Sendable {
    private static let limit = 10_000
    private let ids = Mutex<Set<Int64>>([])

    func contains(_ id: Int64) -> Bool { ids.withLock { $0.contains(id) } }

    func insert(_ id: Int64) {
        ids.withLock { ids in
            if ids.count >= KnownRevisions.limit { ids.removeAll() }
            ids.insert(id)
        }
    }
}
