internal import Core
internal import HarbourProtocol
internal import Postgres

/// Copies of entries in the database.
struct CopyStore: Sendable {
    /// Large folders take longer than other statements may.
    static let patience = Duration.seconds(120)

    /// An entry and all below it that is not in the trash.
    static func below(_ path: WorkspacePath) -> SQL {
        """
        (o.path = \(path.text) OR (o.path >= \(path.prefix) AND o.path < \(path.prefixEnd))) AND o.deleted_at IS NULL
        """
    }

    /// Makes entries like those at the source under the destination, with the outputs that their cells have at the same
    /// moment. They name the revisions of the others, until `copyRevisions` gives them their own.
    /// - Returns: how many there are to copy, and how many were made: fewer when a path is taken.
    func copyObjects(
        _ source: WorkspacePath, to destination: WorkspacePath, by user: String, at time: Timestamp,
        in transaction: PostgresTransaction
    ) async throws(HarbourError) -> (wanted: Int, made: Int) {
        let kept = Int64(source.text.unicodeScalars.count + 1)
        let rows = try await transaction.query(
            """
            WITH source AS MATERIALIZED (SELECT * FROM objects o WHERE \(CopyStore.below(source))), made AS (
                INSERT INTO objects (path, folder, name, kind, language, revision_id, format, size, created_at,
                    modified_at, modified_by, owner)
                SELECT \(destination.text) || substr(path, \(kept)::integer),
                    CASE WHEN path = \(source.text) THEN \(destination.folder?.text ?? "")
                        ELSE \(destination.text) || substr(folder, \(kept)::integer) END,
                    CASE WHEN path = \(source.text) THEN \(destination.name) ELSE name END,
                    kind, language, revision_id, format, size, \(time), \(time), \(user), \(user)
                FROM source
                ON CONFLICT (path) WHERE deleted_at IS NULL DO NOTHING
                RETURNING object_id, path
            ), pair AS (
                SELECT source.object_id AS source, made.object_id AS copy FROM source
                JOIN made ON made.path = \(destination.text) || substr(source.path, \(kept)::integer)
                WHERE source.kind = 'NOTEBOOK'
            ), begun AS (
                INSERT INTO notebook_sessions (notebook_id)
                SELECT copy FROM pair WHERE EXISTS (SELECT FROM cell_outputs o WHERE o.notebook_id = pair.source)
            ), put AS (
                INSERT INTO cell_outputs (notebook_id, cell_id, command_id, execution_count, outputs, bytes, shown)
                SELECT copy, o.cell_id, o.command_id, o.execution_count, o.outputs, o.bytes, o.shown
                FROM pair JOIN cell_outputs o ON o.notebook_id = pair.source
            )
            SELECT (SELECT count(*) FROM source) AS wanted, (SELECT count(*) FROM made) AS made
            """, timeout: CopyStore.patience)
        guard let row = rows.first else { throw .missingRow("copied objects") }
        let (wanted, made) = try row.decode((Int64.self, Int64.self))
        return (Int(wanted), Int(made))
    }

    /// Gives new entries a first revision of their own: the content of the one they name. What is in the object storage
    /// is shared, for it never changes.
    func copyRevisions(
        below destination: WorkspacePath, from source: WorkspacePath, by user: String, at time: Timestamp,
        in transaction: PostgresTransaction
    ) async throws(HarbourError) {
        try await transaction.query(
            """
            WITH made AS (
                INSERT INTO revisions (object_id, created_at, created_by, message, format, content_hash, size, content,
                    object_key)
                SELECT o.object_id, \(time), \(user),
                    'Copied from ' || \(source.text)
                        || substr(o.path, \(Int64(destination.text.unicodeScalars.count + 1))::integer),
                    r.format, r.content_hash, r.size, r.content, r.object_key
                FROM objects o JOIN revisions r ON r.revision_id = o.revision_id
                WHERE \(CopyStore.below(destination))
                RETURNING revision_id, object_id
            )
            UPDATE objects SET revision_id = made.revision_id FROM made WHERE objects.object_id = made.object_id
            """, timeout: CopyStore.patience)
    }

    /// Gives new notebooks the widgets of the others with what was chosen for them; those that were removed are not.
    func copyWidgets(
        below destination: WorkspacePath, from source: WorkspacePath, in transaction: PostgresTransaction
    ) async throws(HarbourError) {
        let kept = Int64(source.text.unicodeScalars.count + 1)
        let pairs: SQL = """
            SELECT o.object_id AS source, copy.object_id AS copy
            FROM objects o JOIN objects copy ON copy.deleted_at IS NULL
                AND copy.path = \(destination.text) || substr(o.path, \(kept)::integer)
            WHERE \(CopyStore.below(source)) AND o.kind = 'NOTEBOOK'
            """
        try await transaction.query(
            """
            INSERT INTO notebook_sessions (notebook_id, widgets_kept)
            SELECT pair.copy, true FROM (\(pairs)) pair JOIN notebook_sessions s ON s.notebook_id = pair.source
            WHERE s.widgets_kept
            ON CONFLICT (notebook_id) DO UPDATE SET widgets_kept = true
            """, timeout: CopyStore.patience)
        try await transaction.query(
            """
            INSERT INTO notebook_widgets (notebook_id, name, position, widget)
            SELECT pair.copy, w.name, w.position, w.widget
            FROM (\(pairs)) pair JOIN notebook_widgets w ON w.notebook_id = pair.source WHERE w.removed_at IS NULL
            """, timeout: CopyStore.patience)
    }
}
