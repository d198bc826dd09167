internal import CellExecution
internal import Compression
internal import Core
internal import HarbourProtocol
internal import Postgres

extension ErrorCode {
    /// Another process has taken the notebook; whoever sees this stops working on it.
    static let notebookTaken = ErrorCode("LEASE_LOST", status: 409)
}

/// What the owner of a notebook writes. Every write carries the fence of the claim and is refused when it is an old one.
struct ExecutionProgress: Sendable {
    let pool: PostgresPool
    let claim: ExecutionClaims.Claim
    let store: ExecutionStore
    let journal = NotebookJournal()

    /// How many refusals one warning names.
    private static let shownRefusals = 5

    private var notebookID: Int64 { claim.notebookID }

    init(pool: PostgresPool, claim: ExecutionClaims.Claim) {
        self.pool = pool
        self.claim = claim
        store = ExecutionStore(pool: pool)
    }

    /// Runs the body with the notebook's row locked.
    private func held<Value: Sendable>(
        _ body: (SessionRow, PostgresTransaction) async throws -> Value
    ) async throws -> Value {
        try await pool.transaction { transaction in
            let rows = try await transaction.query(
                """
                SELECT \(SessionRow.columns) FROM notebook_sessions
                WHERE notebook_id = \(notebookID) AND fence = \(claim.fence) FOR UPDATE
                """)
            guard let row = rows.first else {
                throw HarbourError(.notebookTaken, "Another process has taken over notebook \(notebookID).")
            }
            return try await body(try SessionRow(row), transaction)
        }
    }

    /// What is there to do.
    func load() async throws -> (session: SessionRow, open: [CommandRow]) {
        try await held { row, transaction in (row, try await store.open(notebookID, on: transaction)) }
    }

    /// Gives the notebook back when there is nothing to do.
    /// - Returns: false when there is something, after all.
    func rest() async throws -> Bool {
        try await held { _, transaction in
            let rows = try await transaction.query(
                """
                UPDATE notebook_sessions SET has_work = false, owner = NULL, lease_until = NULL
                WHERE notebook_id = \(notebookID) AND NOT restart_wanted AND NOT EXISTS (
                    SELECT 1 FROM cell_commands
                    WHERE notebook_id = \(notebookID) AND state IN ('QUEUED', 'RUNNING'))
                RETURNING notebook_id
                """)
            return !rows.isEmpty
        }
    }

    /// Says how the kernel stands, under the next name when `generation` is given.
    /// - Parameter cluster: where it is.
    /// - Throws: `RESOURCE_CONFLICT` when the notebook is attached to another cluster by now.
    func setKernel(
        _ kernel: KernelState, on cluster: String?, generation: Int64? = nil, message: String? = nil,
        restarted: Bool = false
    ) async throws {
        try await held { row, transaction in
            let number = generation ?? row.generation
            guard cluster == nil || cluster == row.session.clusterID, number >= row.generation else {
                throw HarbourError(.conflict, "The notebook was attached to another cluster meanwhile.")
            }
            if row.session.kernel == kernel, number == row.generation, row.session.message == message, !restarted {
                return
            }
            try await transaction.query(
                """
                UPDATE notebook_sessions SET kernel = \(kernel.rawValue), generation = \(number), message = \(message),
                    restart_wanted = restart_wanted AND NOT \(restarted)
                WHERE notebook_id = \(notebookID)
                """)
            let session = NotebookSession(
                clusterID: row.session.clusterID, contextID: SessionRow.contextID(notebookID, number), kernel: kernel,
                message: message)
            try await journal.append([.session(session)], to: notebookID, after: row.lastSequence, in: transaction)
        }
    }

    /// Says that a command runs, before the cluster is asked for it.
    ///
    /// It may be said again, when nobody knows whether it was taken in.
    /// - Returns: nil when it was taken out of the queue.
    func begin(_ commandID: String, clusterID: String, contextID: String) async throws -> CommandRow? {
        try await held { row, transaction in
            let rows = try await transaction.query(
                """
                UPDATE cell_commands SET state = 'RUNNING', cluster_id = \(clusterID), context_id = \(contextID),
                    started_at = coalesce(started_at, \(Timestamp.now)::timestamptz)
                WHERE command_id = \(commandID)
                    AND (state = 'QUEUED' OR (state = 'RUNNING' AND context_id = \(contextID)))
                RETURNING \(CommandRow.columns)
                """)
            guard let found = rows.first else { return nil }
            let command = try CommandRow(found)
            try await transaction.query(
                """
                INSERT INTO cell_outputs (notebook_id, cell_id, command_id)
                VALUES (\(notebookID), \(command.command.cellID), \(commandID))
                ON CONFLICT (notebook_id, cell_id)
                DO UPDATE SET command_id = excluded.command_id, outputs = NULL, execution_count = NULL,
                    bytes = NULL, shown = NULL
                """)
            try await journal.append(
                [.command(command.command)], to: notebookID, after: row.lastSequence, in: transaction)
            return command
        }
    }

    /// What was written down of a command's events before, in order.
    func events(of commandID: String) async throws -> [CommandEvent] {
        try await CellOutputStore.events(of: commandID, upTo: .max, on: pool)
    }

    /// Writes outputs down, numbered.
    func append(_ events: [CommandEvent], cellID: String, commandID: String) async throws {
        try await held { row, transaction in
            // Of what is written again, because nobody knows whether it was taken in, only what was not.
            let known = try await transaction.query(
                "SELECT coalesce(max(command_sequence), 0) FROM cell_events WHERE command_id = \(commandID)")
            let last = try known.first?.decode(Int64.self) ?? 0
            let new = events.filter { $0.sequence > last }
            var entries: [JournalEntry] = []
            for event in new {
                if event.type == .widgets {
                    // No output: the notebook has them, whatever becomes of the cell.
                    let (widgets, refusals) = try await store.widgets.apply(
                        event.data ?? [:], to: notebookID, in: transaction)
                    entries.append(.widgets(widgets, command: (commandID, event.sequence)))
                    if let warned = try await warn(refusals, commandID, in: transaction) { entries.append(warned) }
                } else {
                    entries.append(.output(event, cellID: cellID, commandID: commandID))
                }
            }
            try await journal.append(entries, to: notebookID, after: row.lastSequence, in: transaction)
        }
    }

    /// Writes down what a command did not get, for those who look at its cell.
    private func warn(
        _ refusals: [String], _ commandID: String, in transaction: PostgresTransaction
    ) async throws(HarbourError) -> JournalEntry? {
        if refusals.isEmpty { return nil }
        var shown = Array(refusals.prefix(ExecutionProgress.shownRefusals))
        if refusals.count > shown.count { shown.append("And \(refusals.count - shown.count) more were refused.") }
        let rows = try await transaction.query(
            """
            UPDATE cell_commands SET warning = concat_ws(chr(10), warning, \(shown.joined(separator: "\n"))::text)
            WHERE command_id = \(commandID)
            RETURNING \(CommandRow.columns)
            """)
        return try rows.first.map { row throws(HarbourError) in .command(try CommandRow(row).command) }
    }

    /// Writes down how a command ended, with all it has put out, and which others are not run because of that.
    func finish(_ commandID: String, _ result: CellResult, skip: [String]) async throws {
        let frame = LZ4Frame.compress(JSONValue.array(result.outputs).encodedJSON())
        let shown = ShownOutputs(result.outputs)
        try await held { row, transaction in
            let state: NotebookCommandState =
                switch result.ending {
                case .finished, .exited: .finished
                case .failed: .error
                case .interrupted: .cancelled
                }
            let ended = try await transaction.query(
                """
                UPDATE cell_commands SET state = \(state.rawValue), ended_at = \(Timestamp.now),
                    execution_count = \(result.executionCount), error = \(result.ending.error?.jsonText())
                WHERE command_id = \(commandID) AND state IN ('QUEUED', 'RUNNING')
                RETURNING \(CommandRow.columns)
                """)
            let skipped = try await transaction.query(
                """
                UPDATE cell_commands SET state = 'SKIPPED', ended_at = \(Timestamp.now)
                WHERE command_id = ANY(\(skip)) AND state = 'QUEUED' RETURNING \(CommandRow.columns)
                """)
            if let found = ended.first {
                try await keep(result, frame, shown, of: try CommandRow(found).command, in: transaction)
            }
            var entries: [JournalEntry] = []
            for row in Array(ended) + Array(skipped) { entries.append(.command(try CommandRow(row).command)) }
            try await journal.append(entries, to: notebookID, after: row.lastSequence, in: transaction)
            try await journal.prune(notebookID, in: transaction)
        }
    }

    private func keep(
        _ result: CellResult, _ frame: [UInt8], _ shown: ShownOutputs, of command: NotebookCommand,
        in transaction: PostgresTransaction
    ) async throws(HarbourError) {
        try await transaction.query(
            """
            INSERT INTO cell_outputs (notebook_id, cell_id, command_id, execution_count, outputs, bytes, shown)
            VALUES (\(notebookID), \(command.cellID), \(command.commandID), \(result.executionCount), \(frame),
                \(Int64(shown.bytes)), \(shown.text))
            ON CONFLICT (notebook_id, cell_id) DO UPDATE SET command_id = excluded.command_id,
                execution_count = excluded.execution_count, outputs = excluded.outputs, bytes = excluded.bytes,
                shown = excluded.shown
            """)
        // The events' own copies of large outputs have done their service.
        try await transaction.query(
            "UPDATE cell_events SET whole = NULL WHERE command_id = \(command.commandID) AND whole IS NOT NULL")
    }
}
