internal import Core
internal import HarbourProtocol
internal import Postgres

/// What is shown at once of outputs, in the database.
struct ShownStore: Sendable {
    /// Where outputs are.
    enum Place: Sendable, Hashable {
        /// What the cells of a notebook have put out last.
        case notebook(Int64)
        /// What a revision was left with when a file replaced it.
        case left(Int64)
        /// In the content of a revision.
        case content(Int64)

        fileprivate var isNotebook: Bool { if case .notebook = self { true } else { false } }
        fileprivate var isContent: Bool { if case .content = self { true } else { false } }

        /// The table, and which of its rows.
        fileprivate var rows: SQL {
            switch self {
            case .notebook(let id): "cell_outputs WHERE notebook_id = \(id) AND command_id <> \(KeptOutputs.command)"
            case .left(let id): "revision_outputs WHERE revision_id = \(id)"
            case .content(let id): "revision_cells WHERE revision_id = \(id)"
            }
        }
    }

    /// The outputs of one cell, unread.
    struct Entry: Sendable {
        let place: Place
        let cellID: String
        /// The command that they are of, where it is known.
        let command: String?
        let executionCount: Int64?
        /// How large they are as JSON; nil while the command runs, and where nobody has looked yet.
        let bytes: Int?
        /// How much of that is shown; nothing is known of it where nobody has looked yet.
        let shownBytes: Int
        /// Where nobody has looked yet: how large they are as they are kept.
        var unreadBytes: Int?
        let isRunning: Bool
    }

    /// The outputs that there are, of all cells or of one.
    func list(
        _ place: Place, cell: String? = nil, on runner: some StatementRunner
    ) async throws(HarbourError) -> [Entry] {
        let which: SQL = cell.map { "AND cell_id = \($0)" } ?? ""
        let command: SQL = place.isNotebook ? "command_id" : "NULL::text"
        let count: SQL = place.isContent ? "NULL::bigint" : "execution_count"
        let isRunning: SQL = place.isNotebook ? "outputs IS NULL" : "false"
        let unread: SQL = place.isContent ? "NULL::int" : "CASE WHEN bytes IS NULL THEN octet_length(outputs) END"
        // Of what is apart, its length is known without reading it.
        let rows = try await runner.query(
            """
            SELECT cell_id, \(command), \(count), bytes, octet_length(shown), \(isRunning), \(unread)
            FROM \(place.rows) \(which)
            """)
        var entries: [Entry] = []
        for row in rows {
            let (cell, command, count, bytes, shown, isRunning, unread) = try row.decode(
                (String.self, String?.self, Int64?.self, Int64?.self, Int32?.self, Bool.self, Int32?.self))
            entries.append(
                Entry(
                    place: place, cellID: cell, command: command, executionCount: count,
                    bytes: isRunning ? nil : bytes.map { Int($0) },
                    shownBytes: shown.map { Int($0) } ?? Int(bytes ?? 0),
                    unreadBytes: unread.map { Int($0) }, isRunning: isRunning))
        }
        return entries
    }

    /// Outputs as they are kept.
    enum Kept: Sendable {
        /// A JSON array of what is shown.
        case shown(String)
        /// All of them, an LZ4 frame.
        case whole([UInt8])
    }

    /// What is shown of cells, or all of it where that is the same, or is wanted.
    func read(
        _ place: Place, cells: [String], whole: Bool = false, on runner: some StatementRunner
    ) async throws(HarbourError) -> [String: Kept] {
        let columns: SQL =
            place.isContent
            ? "shown, NULL::bytea" : whole ? "NULL::text, outputs" : "shown, CASE WHEN shown IS NULL THEN outputs END"
        let rows = try await runner.query(
            "SELECT cell_id, \(columns) FROM \(place.rows) AND cell_id = ANY(\(cells))")
        var kept: [String: Kept] = [:]
        for row in rows {
            let (cell, shown, outputs) = try row.decode((String.self, String?.self, [UInt8]?.self))
            if let shown { kept[cell] = .shown(shown) } else if let outputs { kept[cell] = .whole(outputs) }
        }
        return kept
    }

    /// Writes down what is shown of outputs that nobody had looked at yet, unless they are others by now.
    func write(_ shown: [(Entry, ShownOutputs)], on runner: some StatementRunner) async throws(HarbourError) {
        for (place, group) in Dictionary(grouping: shown, by: \.0.place) {
            let given: SQL = """
                unnest(\(group.map(\.0.cellID)), \(group.map { $0.0.command ?? "" }), \(group.map { Int64($0.1.bytes) }),
                    \(group.map { $0.1.text ?? "" })) AS new (cell, command, bytes, shown)
                """
            let change: SQL = "SET bytes = new.bytes, shown = nullif(new.shown, '') FROM \(given)"
            switch place {
            case .notebook(let id):
                try await runner.query(
                    """
                    UPDATE cell_outputs \(change) WHERE notebook_id = \(id) AND cell_id = new.cell
                        AND command_id = new.command AND outputs IS NOT NULL AND cell_outputs.bytes IS NULL
                    """)
            case .left(let id):
                try await runner.query(
                    """
                    UPDATE revision_outputs \(change)
                    WHERE revision_id = \(id) AND cell_id = new.cell AND revision_outputs.bytes IS NULL
                    """)
            case .content: break
            }
        }
    }

    /// Keeps a revision's content in two as well, unless it is already.
    func write(_ split: SplitNotebook, of revisionID: Int64, on runner: some StatementRunner) async throws(HarbourError)
    {
        let pieces = split.pieces
        try await runner.query(
            """
            WITH held AS (
                INSERT INTO revision_documents (revision_id, document)
                SELECT revision_id, \(split.document) FROM revisions WHERE revision_id = \(revisionID)
                ON CONFLICT DO NOTHING RETURNING revision_id
            )
            INSERT INTO revision_cells (revision_id, cell_id, bytes, shown)
            SELECT revision_id, new.cell, new.bytes, new.shown
            FROM held, unnest(\(pieces.map(\.cellID)), \(pieces.map { Int64($0.bytes) }), \(pieces.map(\.shown)))
                AS new (cell, bytes, shown)
            """)
    }
}
