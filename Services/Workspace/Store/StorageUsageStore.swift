internal import Core
internal import HarbourProtocol
internal import Postgres

/// What takes up room, as far as the database knows.
struct StorageUsageStore: Sendable {
    let pool: PostgresPool

    /// What is in the object storage of that name, and in others. An object that several entries share counts once, as
    /// what it is to the one that needs it most.
    func objects(in storage: String) async throws(HarbourError) -> [StorageUsage] {
        let rows = try await pool.query(
            """
            SELECT CASE WHEN storage = \(storage) THEN kind ELSE 'ELSEWHERE' END AS kind, count(*) AS objects,
                sum(size)::bigint AS bytes
            FROM (
                SELECT s.storage, s.size, CASE
                    WHEN bool_or(o.deleted_at IS NULL AND o.revision_id = r.revision_id) THEN 'FILES'
                    WHEN bool_or(o.deletion_id IS NOT NULL) THEN 'TRASH' ELSE 'REVISIONS' END AS kind
                FROM stored_objects s
                LEFT JOIN revisions r ON r.object_key = s.object_key AND r.object_key IS NOT NULL
                LEFT JOIN objects o ON o.object_id = r.object_id
                GROUP BY s.object_key
                UNION ALL
                SELECT storage, stored, CASE state WHEN 'OPEN' THEN 'UPLOADS' ELSE 'SWEPT' END
                FROM uploads WHERE state <> 'COMPLETE'
                UNION ALL
                -- How large they were nobody has to know any more.
                SELECT storage, 0, 'SWEPT' FROM doomed_objects
            ) AS everything GROUP BY 1
            """)
        return try StorageUsageStore.read(rows)
    }

    /// What the tables of the service take up, with their indexes.
    func tables() async throws(HarbourError) -> [StorageUsage] {
        let rows = try await pool.query(
            """
            SELECT CASE
                    WHEN c.relname = 'revisions' THEN 'CONTENT'
                    WHEN c.relname IN ('cell_outputs', 'cell_events', 'revision_outputs', 'revision_documents',
                        'revision_cells') THEN 'OUTPUTS'
                    WHEN c.relname = 'search_passages' THEN 'SEARCH' ELSE 'RECORDS' END AS kind,
                NULL::bigint AS objects, sum(pg_total_relation_size(c.oid))::bigint AS bytes
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') GROUP BY 1
            """)
        return try StorageUsageStore.read(rows)
    }

    /// In the order in which the kinds are written down.
    private static func read(_ rows: PostgresRows) throws(HarbourError) -> [StorageUsage] {
        var usage: [StorageUsage] = []
        for row in rows {
            let (kind, objects, bytes) = try row.decode((String.self, Int64?.self, Int64.self))
            usage.append(StorageUsage(kind: StoredKind(rawValue: kind), objects: objects, bytes: bytes))
        }
        return usage.sorted { rank($0.kind) < rank($1.kind) }
    }

    private static let order: [StoredKind] = [
        .files, .revisions, .trash, .uploads, .swept, .elsewhere, .content, .outputs, .search, .records,
    ]

    private static func rank(_ kind: StoredKind) -> Int { order.firstIndex(of: kind) ?? order.count }
}
