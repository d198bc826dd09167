internal import Core
internal import EventLoop
internal import Lifecycle
internal import ObjectStorage
internal import Postgres

/// Removes what was deleted for good: at once when somebody says so, and otherwise when the time of the trash is over.
///
/// Every step is a transaction, or the removal of one object, and each leaves a state from which any process goes on:
/// first the deletion is marked, and nobody can restore it; then its entries go, in pieces, with all that is about them;
/// with a row of `stored_objects` that nothing refers to any more comes, in the same transaction, a row of
/// `doomed_objects`; last the bytes go, and then that row. So no row ever promises bytes that are gone, and no bytes stay
/// that no row knows.
final class TrashEmptier: Sendable {
    private let pool: PostgresPool
    private let store = PurgeStore()
    /// Nil when none was set up.
    private let storage: (any ObjectStorage)?
    /// How long things stay in the trash; nil for ever.
    private let retention: Duration?
    private let logger = Logger("trash")
    /// How many deletions of an older service are taken in at a time.
    private static let adoptions = 1000
    private let wishes: AsyncStream<Void>
    private let wish: AsyncStream<Void>.Continuation

    init(pool: PostgresPool, storage: (any ObjectStorage)?, retention: Duration?) {
        self.pool = pool
        self.storage = storage
        self.retention = retention
        (wishes, wish) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Has what is marked removed soon.
    func wake() { wish.yield() }

    /// Takes what an older service has deleted into the trash, marks what has been there for long enough, and has it
    /// removed.
    func sweep(at now: Timestamp = .now) async throws {
        var adopted = 0
        // Each is what was deleted at one moment; what is left over is for the next time.
        for _ in 0..<TrashEmptier.adoptions {
            let count = try await pool.transaction(timeout: CopyStore.patience) { try await TrashStore().adopt(in: $0) }
            if count == 0 { break }
            adopted += count
        }
        if adopted > 0 { logger.info("took into the trash what an older service deleted", ["entries": "\(adopted)"]) }
        if let retention {
            try await store.mark(
                before: Timestamp(milliseconds: now.milliseconds - retention.milliseconds), at: now, on: pool)
        }
        wake()
    }

    /// Removes all that is marked, and the bytes of it.
    func empty() async throws {
        var last: Int64 = 0
        while true {
            let ids = try await store.marked(after: last, on: pool)
            for id in ids { while try await removeEntries(of: id) {} }
            guard let end = ids.last else { break }
            last = end
        }
        try await removeBytes()
    }

    /// Removes the next entries of a marked deletion.
    /// - Returns: whether there may be more.
    func removeEntries(of deletionID: Int64) async throws -> Bool {
        try await pool.transaction { transaction in
            let ids = try await store.next(deletionID, in: transaction)
            if !ids.isEmpty {
                try await store.removeSurroundings(of: ids, in: transaction)
                try await store.removeRevisions(of: ids, in: transaction)
                try await store.removeEntries(ids, in: transaction)
            }
            try await store.forget(deletionID, in: transaction)
            return ids.count == PurgeStore.batch
        }
    }

    /// Removes the bytes of doomed objects. Those in another storage than is set up now wait until it is set up again.
    func removeBytes() async throws {
        guard let storage else { return }
        var last = ""
        while true {
            let keys = try await store.doomed(in: storage.name, after: last, on: pool)
            for text in keys {
                guard let key = ObjectKey(text) else { throw HarbourError.missingRow("object key") }
                try await storage.remove(key)
                try await store.forget(object: text, on: pool)
            }
            guard let end = keys.last else { return }
            last = end
        }
    }

    var component: LifecycleComponent {
        LifecycleComponent(
            "trash",
            run: { [self] in
                for await _ in wishes {
                    // What is left is gone on with at the next wish: housekeeping has one every hour.
                    do { try await empty() } catch {
                        logger.warning("the trash was not emptied", ["error": HarbourError.describe(error)])
                    }
                }
            })
    }
}
