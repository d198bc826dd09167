internal import Core
internal import HarbourProtocol
internal import Postgres

/// The text that is searched, beside the tree. See `schemas/sql/workspace/010-search.sql`.
struct SearchStore: Sendable {
    // MARK: Writing

    /// Replaces the text of an entry; cells that are as they were cost nothing but the comparison.
    func write(_ text: SearchText, of objectID: Int64, in transaction: PostgresTransaction) async throws(HarbourError) {
        let ids = text.passages.map(\.cellID)
        try await transaction.query(
            """
            WITH gone AS (DELETE FROM search_passages WHERE object_id = \(objectID) AND cell_id <> ALL(\(ids)))
            INSERT INTO search_passages AS old (object_id, cell_id, number, body)
            SELECT \(objectID), cell_id, number, body
            FROM unnest(\(ids), \(text.passages.map { Int32($0.number) }), \(text.passages.map(\.text)))
                AS new (cell_id, number, body)
            ON CONFLICT (object_id, cell_id) DO UPDATE SET number = excluded.number, body = excluded.body
                WHERE (old.number, old.body) IS DISTINCT FROM (excluded.number, excluded.body)
            """)
    }

    /// Makes the index of substrings where it is missing and can be made; false where it cannot.
    func ensureIndex(on pool: PostgresPool) async throws(HarbourError) -> Bool {
        try await pool.query("SELECT ensure_search_index()", timeout: .seconds(3600)).first?.decode(Bool.self) ?? false
    }

    /// Entries whose newest text is still to be read, also of the trash, which may come back; in the order of their ids.
    func unread(
        after objectID: Int64, count: Int, on runner: some StatementRunner
    ) async throws(HarbourError) -> [(objectID: Int64, revisionID: Int64, size: Int)] {
        let rows = try await runner.query(
            """
            SELECT object_id, revision_id, coalesce(size, 0) FROM objects
            WHERE revision_id IS DISTINCT FROM searched_revision_id AND revision_id IS NOT NULL
                AND object_id > \(objectID) ORDER BY object_id LIMIT \(Int64(count))
            """)
        var found: [(Int64, Int64, Int)] = []
        for row in rows {
            let (id, revision, size) = try row.decode((Int64.self, Int64.self, Int64.self))
            found.append((id, revision, Int(size)))
        }
        return found
    }

    /// Whether any entry's text is still to be read.
    func isReading(on runner: some StatementRunner) async throws(HarbourError) -> Bool {
        try await !unread(after: 0, count: 1, on: runner).isEmpty
    }

    /// Puts in the text of a revision that was stored before, unless another is the newest by now or somebody else has
    /// done it.
    func fill(
        _ text: SearchText, of objectID: Int64, _ revisionID: Int64, in transaction: PostgresTransaction
    ) async throws(HarbourError) {
        let rows = try await transaction.query(
            """
            SELECT 1 AS one FROM objects WHERE object_id = \(objectID) AND revision_id = \(revisionID)
                AND searched_revision_id IS DISTINCT FROM revision_id FOR UPDATE
            """)
        if rows.isEmpty { return }
        try await write(text, of: objectID, in: transaction)
        try await transaction.query(
            "UPDATE objects SET searched_revision_id = \(revisionID) WHERE object_id = \(objectID)")
    }

    // MARK: Searching

    /// What is looked for, and where.
    struct Wish: Sendable {
        var query: SearchQuery
        var folder: WorkspacePath?
        var kind: ObjectType?
        /// What the asker may see; nil for everything.
        var sight: PermissionStore.Sight?
    }

    /// The last entry of the page before: when it was changed, in microseconds, and its number.
    struct Place: Sendable, Hashable {
        var changed: Int64
        var objectID: Int64
    }

    /// An entry that was found.
    struct Found: Sendable {
        var place: Place
        var result: SearchResult
    }

    /// The longest that a search may take; what has no three letters in a row, or is not in an index, reads everything.
    private static let timeout = Duration.seconds(10)
    private static let columns: SQL = """
        o.object_id, o.path, o.kind, o.language, o.modified_at,
        (extract(epoch FROM o.modified_at) * 1000000)::bigint AS changed
        """

    /// A statement that is made once for all words, long and short, fits none of them.
    func prepare(_ transaction: PostgresTransaction) async throws(HarbourError) {
        try await transaction.query("SELECT set_config('plan_cache_mode', 'force_custom_plan', true)")
    }

    private static func has(_ query: SearchQuery, _ column: SQL) -> SQL {
        .joined(
            query.escapedWords.map { "\(column) LIKE '%' || search_fold(\($0)::text) || '%'" }, separator: " AND ")
    }

    private static func isWanted(_ wish: Wish, after place: Place?) -> SQL {
        var conditions: [SQL] = ["o.deleted_at IS NULL"]
        if let kind = wish.kind { conditions.append("o.kind = \(kind.rawValue)") }
        if let folder = wish.folder {
            conditions.append("o.path >= \(folder.prefix) AND o.path < \(folder.prefixEnd)")
        }
        if let sight = wish.sight { conditions.append(sight.condition) }
        if let place {
            conditions.append(
                """
                (o.modified_at, o.object_id) < ('epoch'::timestamptz + \(place.changed) * interval '1 microsecond',
                    \(place.objectID))
                """)
        }
        return .joined(conditions, separator: " AND ")
    }

    /// Entries whose names have all words, the newest first.
    func names(
        _ wish: Wish, after place: Place?, count: Int, in transaction: PostgresTransaction
    ) async throws(HarbourError) -> [Found] {
        let rows = try await transaction.query(
            """
            SELECT \(SearchStore.columns) FROM objects o
            WHERE \(SearchStore.isWanted(wish, after: place)) AND o.path <> '/'
                AND \(SearchStore.has(wish.query, "o.folded_name"))
            ORDER BY o.modified_at DESC, o.object_id DESC LIMIT \(Int64(count))
            """, timeout: SearchStore.timeout)
        var found: [Found] = []
        for row in rows {
            var one = try Found(row, .name)
            one.result.excerpt = one.result.path.split(separator: "/").last.map(String.init) ?? ""
            one.result.marks = wish.query.marks(in: one.result.excerpt)
            found.append(one)
        }
        return found
    }

    /// Entries that have all words in one passage, the newest first, with the first such passage.
    func contents(
        _ wish: Wish, after place: Place?, count: Int, in transaction: PostgresTransaction
    ) async throws(HarbourError) -> [Found] {
        let has = SearchStore.has(wish.query, "p.folded")
        let reach = Int32(SearchExcerpt.reach)
        let rows = try await transaction.query(
            """
            WITH found AS MATERIALIZED (
                SELECT \(SearchStore.columns) FROM objects o
                WHERE \(SearchStore.isWanted(wish, after: place)) AND o.revision_id IS NOT NULL
                    AND EXISTS (SELECT FROM search_passages p WHERE p.object_id = o.object_id AND \(has))
                ORDER BY o.modified_at DESC, o.object_id DESC LIMIT \(Int64(count)))
            SELECT found.*, p.cell_id, p.number, p.passages, greatest(p.place - \(reach), 1) AS start, p.place,
                substr(p.body, greatest(p.place - \(reach), 1), 2 * \(reach)) AS part,
                1 + length(p.before) - length(replace(p.before, E'\\n', '')) AS line
            FROM found CROSS JOIN LATERAL (
                SELECT one.*, left(one.body, one.place - 1) AS before FROM (
                    SELECT p.cell_id, p.number, p.body, count(*) OVER () AS passages,
                        greatest(strpos(p.folded, search_fold(\(wish.query.words[0])::text)), 1) AS place
                    FROM search_passages p WHERE p.object_id = found.object_id AND \(has)
                    ORDER BY p.number LIMIT 1) AS one) AS p
            ORDER BY found.changed DESC, found.object_id DESC
            """, timeout: SearchStore.timeout)
        var found: [Found] = []
        for row in rows {
            var one = try Found(row, .content)
            let start = try row["start", as: Int32.self]
            let match = Int(try row["place", as: Int32.self] - start)
            one.result.excerpt = SearchExcerpt(window: try row["part", as: String.self], match: match).text
            one.result.marks = wish.query.marks(in: one.result.excerpt)
            one.result.line = Int(try row["line", as: Int32.self])
            let cell = try row["cell_id", as: String.self]
            if !cell.isEmpty {
                one.result.cellID = cell
                one.result.cellNumber = Int(try row["number", as: Int32.self])
                one.result.cellCount = Int(try row["passages", as: Int64.self])
            }
            found.append(one)
        }
        return found
    }
}

extension SearchStore.Found {
    fileprivate init(_ row: PostgresRow, _ place: SearchPlace) throws(HarbourError) {
        let id = try row["object_id", as: Int64.self]
        self.place = SearchStore.Place(changed: try row["changed", as: Int64.self], objectID: id)
        result = SearchResult(
            place: place, objectID: id, path: try row["path", as: String.self],
            objectType: ObjectType(rawValue: try row["kind", as: String.self]) ?? .file,
            language: try row["language", as: String?.self],
            modifiedTime: try row["modified_at", as: Timestamp.self], excerpt: "", marks: [])
    }
}
