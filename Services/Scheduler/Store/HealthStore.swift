internal import Core
internal import HarbourProtocol
internal import Postgres

/// Runs that take longer than their job's health allows.
struct HealthStore: Sendable {
    let pool: PostgresPool
    let notifications: NotificationStore

    private static let limit: SQL = """
        (SELECT min((rule ->> 'value')::bigint) FROM jsonb_array_elements(settings #> '{health,rules}') AS rule)
        """
    private static let open: SQL = """
        phase <> 'TERMINATED' AND settings -> 'health' IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM duration_warnings w WHERE w.run_id = runs.run_id)
        """

    /// Warns of the runs that are over their time, each once whoever looks.
    func warn() async throws {
        try await pool.transaction { [notifications] transaction in
            let rows = try await transaction.query(
                """
                SELECT \(unescaped: RunRow.columns) FROM runs
                WHERE \(Self.open) AND phase = 'RUNNING'
                  AND started_at + \(Self.limit) * interval '1 s' < clock_timestamp()
                ORDER BY run_id LIMIT 100
                """)
            for row in rows {
                let marked = try await transaction.query(
                    """
                    INSERT INTO duration_warnings (run_id, warned_at)
                    VALUES (\(try row["run_id", as: Int64.self]), clock_timestamp())
                    ON CONFLICT DO NOTHING RETURNING run_id
                    """)
                let run: RunRow
                do { run = try RunRow(row) } catch {
                    Unreadable.log(.runUnreadable, try row["run_id", as: Int64.self], error)
                    continue
                }
                let told = run.settings.destinations(of: .onDurationWarning)
                guard !marked.isEmpty, !told.isEmpty else { continue }
                try await notifications.add(
                    told, of: run.runID, payload: run.payload(.onDurationWarning, tasks: []), in: transaction)
            }
        }
    }

    /// How long until a run may be over its time; nil when there is none to look after. When a waiting run begins
    /// nobody tells, so it is looked after again within seconds.
    func untilNext() async throws -> Duration? {
        let rows = try await pool.query(
            """
            SELECT (extract(epoch FROM min(CASE WHEN phase = 'RUNNING'
                    THEN started_at + \(Self.limit) * interval '1 s' ELSE clock_timestamp() + interval '5 s' END)
                - clock_timestamp()) * 1000)::bigint AS next
            FROM runs WHERE \(Self.open)
            """)
        return try rows.first?["next", as: Int64?.self].map { .milliseconds(max(0, $0)) }
    }
}
