internal import Core
internal import HarbourProtocol
internal import Postgres

/// Removes what was deleted for good, a piece at a time, each in a transaction of its own.
struct PurgeStore: Sendable {
    /// How many entries are removed at a time: none of the locks is held for long.
    static let batch: Int64 = 50

    // MARK: Marking

    /// Marks a deletion as deleted for good. False when there is none that could be restored.
    func mark(_ deletionID: Int64, at time: Timestamp, on runner: some StatementRunner) async throws(HarbourError)
        -> Bool
    {
        try await runner.query(
            "UPDATE trash SET purged_at = \(time) WHERE deletion_id = \(deletionID) AND purged_at IS NULL"
        ).affected == 1
    }

    /// Marks all that was deleted before a time.
    func mark(before time: Timestamp, at now: Timestamp, on runner: some StatementRunner) async throws(HarbourError) {
        try await runner.query(
            "UPDATE trash SET purged_at = \(now) WHERE purged_at IS NULL AND deleted_at < \(time)")
    }

    /// Up to a hundred marked deletions after one, the oldest first.
    func marked(after deletionID: Int64, on runner: some StatementRunner) async throws(HarbourError) -> [Int64] {
        let rows = try await runner.query(
            """
            SELECT deletion_id FROM trash WHERE purged_at IS NOT NULL AND deletion_id > \(deletionID)
            ORDER BY deletion_id LIMIT 100
            """)
        var ids: [Int64] = []
        for row in rows { ids.append(try row.decode(Int64.self)) }
        return ids
    }

    // MARK: Entries

    /// The next entries of a marked deletion. None when another process is at it, when all are gone, or when the rest
    /// still has something running, which ends by itself.
    func next(_ deletionID: Int64, in transaction: PostgresTransaction) async throws(HarbourError) -> [Int64] {
        let rows = try await transaction.query(
            """
            SELECT 1 AS one FROM trash WHERE deletion_id = \(deletionID) AND purged_at IS NOT NULL
            FOR UPDATE SKIP LOCKED
            """)
        if rows.isEmpty { return [] }
        let found = try await transaction.query(
            """
            SELECT o.object_id FROM objects o WHERE o.deletion_id = \(deletionID) AND NOT EXISTS (
                SELECT 1 FROM notebook_sessions s WHERE s.notebook_id = o.object_id AND s.has_work)
            ORDER BY o.object_id LIMIT \(PurgeStore.batch) FOR UPDATE OF o
            """)
        var ids: [Int64] = []
        for row in found { ids.append(try row.decode(Int64.self)) }
        return ids
    }

    /// Removes what was run in notebooks and what that put out, who looks at them, what was given on them, and the
    /// notes of how they were uploaded.
    func removeSurroundings(of ids: [Int64], in transaction: PostgresTransaction) async throws(HarbourError) {
        // Whoever changes something of a session has locked it.
        try await transaction.query(
            "SELECT 1 AS one FROM notebook_sessions WHERE notebook_id = ANY(\(ids)) FOR UPDATE")
        for statement: SQL in [
            "DELETE FROM cell_outputs WHERE notebook_id = ANY(\(ids))",
            // Frozen revisions stay without them.
            "DELETE FROM revision_outputs o USING revisions r WHERE r.revision_id = o.revision_id AND r.object_id = ANY(\(ids))",
            "DELETE FROM cell_events WHERE notebook_id = ANY(\(ids))",
            "DELETE FROM cell_commands WHERE notebook_id = ANY(\(ids))",
            "DELETE FROM notebook_widgets WHERE notebook_id = ANY(\(ids))",
            "DELETE FROM notebook_sessions WHERE notebook_id = ANY(\(ids))",
            "DELETE FROM live_presence WHERE notebook_id = ANY(\(ids))",
            "DELETE FROM grants WHERE kind = 'TREE' AND object_id = ANY(\(ids.map { String($0) }))",
            "DELETE FROM uploads WHERE object_id = ANY(\(ids)) AND state = 'COMPLETE'",
            // Of an archive that became this folder the bytes are still there, and only this row knows of them.
            "UPDATE uploads SET object_id = NULL WHERE object_id = ANY(\(ids))",
        ] { try await transaction.query(statement) }
    }

    /// Removes revisions, all but frozen ones, and dooms the objects that then belong to none.
    func removeRevisions(of ids: [Int64], in transaction: PostgresTransaction) async throws(HarbourError) {
        // A run that is freezing one right now is waited for.
        try await transaction.query("SELECT 1 AS one FROM revisions WHERE object_id = ANY(\(ids)) FOR UPDATE")
        let rows = try await transaction.query(
            """
            DELETE FROM revisions r WHERE object_id = ANY(\(ids))
                AND NOT EXISTS (SELECT 1 FROM frozen_revisions f WHERE f.revision_id = r.revision_id)
            RETURNING object_key
            """)
        var keys: [String] = []
        for row in rows { if let key = try row.decode(String?.self) { keys.append(key) } }
        if keys.isEmpty { return }
        // So is a copy that is being made of one. In one order, for another process may empty what shares them.
        try await transaction.query(
            "SELECT 1 AS one FROM stored_objects WHERE object_key = ANY(\(keys)) ORDER BY object_key FOR UPDATE")
        try await transaction.query(
            """
            WITH gone AS (
                DELETE FROM stored_objects s WHERE object_key = ANY(\(keys))
                    AND NOT EXISTS (SELECT 1 FROM revisions r WHERE r.object_key = s.object_key)
                RETURNING object_key, storage
            )
            INSERT INTO doomed_objects (object_key, storage) SELECT object_key, storage FROM gone
            """)
    }

    /// Removes entries. One with frozen revisions stays in no folder and in no deletion, for them alone; what the search
    /// knows of it goes, as the text may be of a revision that is gone.
    func removeEntries(_ ids: [Int64], in transaction: PostgresTransaction) async throws(HarbourError) {
        try await transaction.query("DELETE FROM search_passages WHERE object_id = ANY(\(ids))")
        try await transaction.query(
            """
            UPDATE objects SET deletion_id = NULL, revision_id = NULL, searched_revision_id = NULL
            WHERE object_id = ANY(\(ids))
                AND EXISTS (SELECT 1 FROM revisions r WHERE r.object_id = objects.object_id)
            """)
        try await transaction.query(
            """
            DELETE FROM objects WHERE object_id = ANY(\(ids))
                AND NOT EXISTS (SELECT 1 FROM revisions r WHERE r.object_id = objects.object_id)
            """)
    }

    /// Forgets a deletion of which nothing is left.
    func forget(_ deletionID: Int64, in transaction: PostgresTransaction) async throws(HarbourError) {
        try await transaction.query(
            """
            DELETE FROM trash WHERE deletion_id = \(deletionID) AND purged_at IS NOT NULL
                AND NOT EXISTS (SELECT 1 FROM objects WHERE deletion_id = \(deletionID))
            """)
    }

    // MARK: Objects

    /// Up to a hundred objects of a storage, after one, whose bytes are to be removed.
    func doomed(
        in storage: String, after key: String, on runner: some StatementRunner
    ) async throws(HarbourError) -> [String] {
        let rows = try await runner.query(
            """
            SELECT object_key FROM doomed_objects WHERE storage = \(storage) AND object_key > \(key)
            ORDER BY object_key LIMIT 100
            """)
        var keys: [String] = []
        for row in rows { keys.append(try row.decode(String.self)) }
        return keys
    }

    /// Forgets an object whose bytes are gone.
    func forget(object key: String, on runner: some StatementRunner) async throws(HarbourError) {
        try await runner.query("DELETE FROM doomed_objects WHERE object_key = \(key)")
    }
}

/// Revisions that runs have frozen, and that are kept as long as the platform is: the runs are another service's, which
/// reads them again by their number whenever it likes.
struct FrozenRevisions: Sendable {
    let pool: PostgresPool
    private let known = KnownRevisions()

    init(pool: PostgresPool) { self.pool = pool }

    /// Sees to it that a revision stays.
    /// - Returns: false when it has just been removed.
    func freeze(_ revisionID: Int64) async throws(HarbourError) -> Bool {
        // What is frozen stays frozen: runs of the same notebook ask once.
        if known.contains(revisionID) { return true }
        let rows = try await pool.query(
            """
            WITH there AS (SELECT revision_id FROM revisions WHERE revision_id = \(revisionID) FOR KEY SHARE),
            kept AS (INSERT INTO frozen_revisions SELECT revision_id FROM there ON CONFLICT DO NOTHING)
            SELECT 1 AS one FROM there
            """)
        guard !rows.isEmpty else { return false }
        known.insert(revisionID)
        return true
    }
}
