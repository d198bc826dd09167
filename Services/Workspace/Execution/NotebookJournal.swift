internal import Core
internal import HarbourProtocol
internal import Postgres

/// An event that has no number yet.
struct JournalEntry: Sendable {
    var event: NotebookEvent
    /// Of what a command has said: the number of the command's event.
    var commandSequence: Int64?

    static func command(_ command: NotebookCommand, at time: Timestamp = .now) -> JournalEntry {
        JournalEntry(event: NotebookEvent(sequence: 0, timestamp: time, type: .command, command: command))
    }

    static func session(_ session: NotebookSession) -> JournalEntry {
        JournalEntry(event: NotebookEvent(sequence: 0, timestamp: .now, type: .session, session: session))
    }

    /// - Parameter command: the command that has changed them, and the number of its event; nil for a person.
    static func widgets(
        _ widgets: [NotebookWidget], user: String? = nil, command: (id: String, sequence: Int64)? = nil
    ) -> JournalEntry {
        JournalEntry(
            event: NotebookEvent(
                sequence: 0, timestamp: .now, type: .widgets, commandID: command?.id, userName: user, widgets: widgets),
            commandSequence: command?.sequence)
    }

    static func output(_ event: CommandEvent, cellID: String, commandID: String) -> JournalEntry {
        JournalEntry(
            event: NotebookEvent(
                sequence: 0, timestamp: event.timestamp, type: .output, cellID: cellID, commandID: commandID,
                output: event), commandSequence: event.sequence)
    }
}

/// The numbered events of notebooks.
struct NotebookJournal: Sendable {
    /// What is told of an output at once; more is left out and asked for by those who want it.
    static let toldBytes = 64 << 10
    /// How many events are kept for readers that come back.
    static let keptEvents: Int64 = 1000
    /// Who follows notebooks listens here.
    static let channel = "workspace_notebooks"

    /// Locks the notebook's row, which is made when there is none, for the rest of the transaction.
    /// - Returns: the number of the last event.
    func lock(_ notebookID: Int64, in transaction: PostgresTransaction) async throws(HarbourError) -> Int64 {
        let rows = try await transaction.query(
            """
            INSERT INTO notebook_sessions (notebook_id) VALUES (\(notebookID))
            ON CONFLICT (notebook_id) DO UPDATE SET notebook_id = excluded.notebook_id RETURNING last_sequence
            """)
        guard let row = rows.first else { throw .missingRow("session of a notebook") }
        return try row.decode(Int64.self)
    }

    /// Numbers the events and writes them; the row must be locked.
    /// - Parameter last: the number of the last event, now and then.
    func append(
        _ entries: [JournalEntry], to notebookID: Int64, after last: Int64, in transaction: PostgresTransaction
    ) async throws(HarbourError) {
        guard !entries.isEmpty else { return }
        var payloads: [String] = []
        var wholes: [String] = []
        for (index, entry) in entries.enumerated() {
            let (told, whole) = NotebookJournal.texts(entry, sequence: last + 1 + Int64(index))
            payloads.append(told)
            wholes.append(whole)
        }
        try await transaction.query(
            """
            WITH written AS (
                INSERT INTO cell_events (notebook_id, sequence, payload, whole, command_id, command_sequence)
                SELECT \(notebookID), \(last) + place, payload, nullif(whole, ''), nullif(command_id, ''),
                       nullif(command_sequence, 0)
                FROM unnest(\(payloads), \(wholes), \(entries.map { $0.event.commandID ?? "" }),
                            \(entries.map { $0.commandSequence ?? 0 }))
                     WITH ORDINALITY AS t (payload, whole, command_id, command_sequence, place)
            ), counted AS (
                UPDATE notebook_sessions SET last_sequence = \(last + Int64(entries.count))
                WHERE notebook_id = \(notebookID)
            )
            SELECT pg_notify(\(NotebookJournal.channel), \(String(notebookID)))
            """)
    }

    /// The event as it is told, and the command's event as it came when that is too much to tell.
    static func texts(_ entry: JournalEntry, sequence: Int64) -> (told: String, whole: String) {
        var event = entry.event
        event.sequence = sequence
        let text = event.jsonText()
        guard text.utf8.count > toldBytes else { return (text, "") }
        if event.type == .widgets {
            event.widgets = nil
            return (event.jsonText(), "")
        }
        guard var output = event.output else { return (text, "") }
        let whole = output.jsonText()
        // Whoever follows what is printed sees that it goes on.
        output.text = output.text.map { OutputPreview.end($0, OutputPreview.shown) }
        output.data = output.data.map { OutputPreview.bundle(of: $0, bytes: whole.utf8.count) }
        output.metadata = nil
        event.output = output
        event.omittedBytes = Int64(whole.utf8.count)
        return (event.jsonText(), whole)
    }

    /// Forgets events that nobody will come back for.
    func prune(_ notebookID: Int64, in transaction: PostgresTransaction) async throws(HarbourError) {
        try await transaction.query(
            """
            WITH kept AS (
                UPDATE notebook_sessions
                SET pruned_sequence = greatest(pruned_sequence, last_sequence - \(NotebookJournal.keptEvents))
                WHERE notebook_id = \(notebookID) RETURNING pruned_sequence
            )
            DELETE FROM cell_events USING kept WHERE notebook_id = \(notebookID) AND sequence <= pruned_sequence
            """)
        // Commands whose outputs are shown stay, whenever they ran.
        try await transaction.query(
            """
            DELETE FROM cell_commands c USING notebook_sessions s
            WHERE s.notebook_id = \(notebookID) AND c.notebook_id = \(notebookID)
                AND c.position <= s.last_position - \(NotebookJournal.keptEvents)
                AND c.state NOT IN ('QUEUED', 'RUNNING')
                AND NOT EXISTS (SELECT 1 FROM cell_outputs o
                                WHERE o.notebook_id = \(notebookID) AND o.command_id = c.command_id)
            """)
    }

    /// The same, unless a command is on its way, whose outputs are in its events until it ends; and then this is done.
    func pruneUnlessBusy(_ notebookID: Int64, in transaction: PostgresTransaction) async throws(HarbourError) {
        let open = try await transaction.query(
            "SELECT 1 FROM cell_commands WHERE notebook_id = \(notebookID) AND state IN ('QUEUED', 'RUNNING') LIMIT 1")
        if open.isEmpty { try await prune(notebookID, in: transaction) }
    }

    /// Where the notebook's events stand: the last number, and the last that is gone.
    func position(
        _ notebookID: Int64, on runner: some StatementRunner
    ) async throws(HarbourError) -> (last: Int64, pruned: Int64) {
        let rows = try await runner.query(
            "SELECT last_sequence, pruned_sequence FROM notebook_sessions WHERE notebook_id = \(notebookID)")
        return try rows.first.map { row throws(HarbourError) in try row.decode((Int64.self, Int64.self)) } ?? (0, 0)
    }

    /// Up to `count` events after a number, as they are told.
    func read(
        _ notebookID: Int64, after sequence: Int64, count: Int, on runner: some StatementRunner
    ) async throws(HarbourError) -> [(sequence: Int64, payload: String)] {
        let rows = try await runner.query(
            """
            SELECT sequence, payload FROM cell_events WHERE notebook_id = \(notebookID) AND sequence > \(sequence)
            ORDER BY sequence LIMIT \(Int64(count))
            """)
        var events: [(Int64, String)] = []
        for row in rows { events.append(try row.decode((Int64.self, String.self))) }
        return events
    }
}
