internal import Compression
internal import Core
internal import Postgres

/// The tables of the history.
struct HistoryStore: Sendable {
    let pool: PostgresPool

    /// The series there are.
    func allSeries() async throws -> [(id: Int64, key: SeriesKey)] {
        try await pool.query("SELECT series_id, name, labels FROM series").map { row in
            (
                try row["series_id", as: Int64.self],
                SeriesKey(name: try row["name", as: String.self], labelText: try row["labels", as: String.self])
            )
        }
    }

    /// Ids for new series; those that another process has added in the meantime are found.
    func add(_ keys: [SeriesKey], target: String) async throws -> [SeriesKey: Int64] {
        let rows = try await pool.query(
            """
            INSERT INTO series (name, target, labels)
            SELECT name, \(target), labels FROM unnest(\(keys.map(\.name))::text[], \(keys.map(\.labels))::text[])
                AS new (name, labels)
            ON CONFLICT (name, labels) DO UPDATE SET target = excluded.target
            RETURNING series_id, name, labels
            """)
        var ids: [SeriesKey: Int64] = [:]
        for row in rows {
            let key = SeriesKey(name: try row["name", as: String.self], labelText: try row["labels", as: String.self])
            ids[key] = try row["series_id", as: Int64.self]
        }
        return ids
    }

    /// Keeps a scrape.
    func add(_ samples: [(id: Int64, value: Double)], target: String, at time: Timestamp) async throws {
        let frame = LZ4Frame.compress(SampleFrame.encode(samples))
        try await pool.query(
            """
            INSERT INTO scrapes (target, scraped_at, samples) VALUES (\(target), \(time), \(frame))
            ON CONFLICT DO NOTHING
            """)
    }

    func names() async throws -> [String] {
        try await pool.query("SELECT DISTINCT name FROM series ORDER BY name").map { try $0["name", as: String.self] }
    }

    /// The series of a metric, with their targets.
    func series(named names: [String]) async throws -> [(id: Int64, target: String, key: SeriesKey)] {
        try await pool.query(
            "SELECT series_id, target, name, labels FROM series WHERE name = ANY(\(names)) ORDER BY series_id"
        ).map {
            (
                try $0["series_id", as: Int64.self], try $0["target", as: String.self],
                SeriesKey(name: try $0["name", as: String.self], labelText: try $0["labels", as: String.self])
            )
        }
    }

    /// The last scrape of each step and target between two times, oldest first: no more is read than is shown.
    func scrapes(
        of targets: [String], from start: Timestamp, to end: Timestamp, step: Int64, limit: Int
    ) async throws -> [(target: String, time: Timestamp, bytes: [UInt8])] {
        let rows = try await pool.query(
            """
            SELECT target, scraped_at, samples FROM (
                SELECT DISTINCT ON (target, bucket) target, scraped_at, samples FROM (
                    SELECT target, scraped_at, samples,
                           floor(extract(epoch FROM scraped_at) * 1000 / \(step)::bigint) AS bucket
                    FROM scrapes
                    WHERE target = ANY(\(targets)::text[]) AND scraped_at >= \(start) AND scraped_at <= \(end)
                ) AS bucketed
                ORDER BY target, bucket, scraped_at DESC
            ) AS newest
            ORDER BY scraped_at LIMIT \(Int64(limit))
            """)
        return try rows.map { row in
            (
                try row["target", as: String.self], try row["scraped_at", as: Timestamp.self],
                try LZ4Frame.decompress(try row["samples", as: [UInt8].self], limit: 64 << 20)
            )
        }
    }

    /// Drops what is older, a part at a time; true when there may be more.
    func dropScrapes(before time: Timestamp) async throws -> Bool {
        let rows = try await pool.query(
            """
            DELETE FROM scrapes WHERE (target, scraped_at) IN (
                SELECT target, scraped_at FROM scrapes WHERE scraped_at < \(time) LIMIT 5000)
            RETURNING 1 AS one
            """)
        return rows.count == 5000
    }
}
