internal import Compression
internal import Core
internal import HarbourProtocol
internal import Postgres

/// What happened in runs, for readers that follow or come later.
struct RunEventStore: Sendable {
    let pool: PostgresPool

    /// The next events after a number, in order.
    func events(of runID: Int64, after sequence: Int64, limit: Int) async throws -> [RunEvent] {
        let rows = try await pool.query(
            """
            SELECT sequence, payload FROM run_events WHERE run_id = \(runID) AND sequence > \(sequence)
            ORDER BY sequence LIMIT \(Int64(limit))
            """)
        return try rows.map { row in
            var event = try RunEvent(json: Array(try row["payload", as: String.self].utf8))
            event.sequence = try row["sequence", as: Int64.self]
            return event
        }
    }

    /// The executed notebook of an attempt; nil while it runs, and when it never got that far.
    func notebook(of runID: Int64, ordinal: Int, attempt: Int) async throws -> JSONValue? {
        let rows = try await pool.query(
            """
            SELECT notebook FROM attempts WHERE run_id = \(runID) AND task_ordinal = \(Int32(clamping: ordinal))
              AND attempt_number = \(Int32(clamping: attempt))
            """)
        guard let frame = try rows.first?["notebook", as: [UInt8]?.self] else { return nil }
        return try JSONValue(json: try LZ4Frame.decompress(frame, limit: RunProgress.notebookLimit))
    }
}

extension RunEventStore {
    /// The outputs of the cells of an attempt that have ended, by cell.
    func finishedCells(attempt: String) async throws -> [Int: JSONValue] {
        let rows = try await pool.query("SELECT ordinal, outputs FROM cells WHERE attempt_id = \(attempt)")
        var cells: [Int: JSONValue] = [:]
        for row in rows {
            let bytes = try LZ4Frame.decompress(try row["outputs", as: [UInt8].self], limit: RunProgress.notebookLimit)
            cells[try row["ordinal", as: Int.self]] = try JSONValue(json: bytes)
        }
        return cells
    }
}

/// The clusters that were made for a run.
struct RunClusterStore: Sendable {
    let pool: PostgresPool
    let runID: Int64
    /// The number of the execution that the clusters are for; those of earlier ones are on their way out.
    let repair: Int

    /// The cluster of a choice that has not been given back: its generation and id.
    func current(_ choice: ClusterChoice) async throws -> (generation: Int, clusterID: String)? {
        let rows = try await pool.query(
            """
            SELECT generation, cluster_id FROM run_clusters
            WHERE run_id = \(runID) AND cluster_key = \(choice.key) AND NOT released
              AND repair = \(Int32(clamping: repair)) ORDER BY generation DESC LIMIT 1
            """)
        guard let row = rows.first else { return nil }
        return (try row["generation", as: Int.self], try row["cluster_id", as: String.self])
    }

    /// How many clusters the choice has had.
    func generations(_ choice: ClusterChoice) async throws -> Int {
        let rows = try await pool.query(
            "SELECT count(*) AS count FROM run_clusters WHERE run_id = \(runID) AND cluster_key = \(choice.key)")
        return Int(try rows.first?["count", as: Int64.self] ?? 0)
    }

    /// Writes the wish for a cluster down before it is asked for.
    func add(_ choice: ClusterChoice, generation: Int, clusterID: String) async throws {
        try await pool.query(
            """
            INSERT INTO run_clusters (run_id, cluster_key, generation, cluster_id, repair)
            VALUES (\(runID), \(choice.key), \(Int32(clamping: generation)), \(clusterID),
                    \(Int32(clamping: repair))) ON CONFLICT DO NOTHING
            """)
    }

    /// The clusters of a choice that have not been given back.
    func unreleased(_ choice: ClusterChoice) async throws -> [String] {
        let rows = try await pool.query(
            """
            SELECT cluster_id FROM run_clusters
            WHERE run_id = \(runID) AND cluster_key = \(choice.key) AND NOT released
              AND repair <= \(Int32(clamping: repair))
            """)
        return try rows.map { try $0["cluster_id", as: String.self] }
    }

    func markReleased(_ clusterID: String) async throws {
        try await pool.query(
            "UPDATE run_clusters SET released = true WHERE run_id = \(runID) AND cluster_id = \(clusterID)")
    }
}
