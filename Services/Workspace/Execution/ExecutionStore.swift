internal import Core
internal import HarbourProtocol
internal import Postgres

/// What users ask of notebooks, written down for whoever owns them.
struct ExecutionStore: Sendable {
    let pool: PostgresPool
    let journal = NotebookJournal()
    let widgets = WidgetStore()

    /// Who can own notebooks listens here.
    static let channel = "workspace_work"
    /// The most commands that one notebook may have waiting.
    private static let maxOpen = 20_000

    // MARK: Reading

    func session(_ notebookID: Int64, on runner: some StatementRunner) async throws(HarbourError) -> SessionRow {
        let rows = try await runner.query(
            "SELECT \(SessionRow.columns) FROM notebook_sessions WHERE notebook_id = \(notebookID)")
        return try rows.first.map { row throws(HarbourError) in try SessionRow(row) }
            ?? SessionRow(notebookID: notebookID)
    }

    /// The commands that have not ended, in the order of the queue.
    func open(_ notebookID: Int64, on runner: some StatementRunner) async throws(HarbourError) -> [CommandRow] {
        try await commands(
            "notebook_id = \(notebookID) AND state IN ('QUEUED', 'RUNNING') ORDER BY position", on: runner)
    }

    private func commands(_ condition: SQL, on runner: some StatementRunner) async throws(HarbourError) -> [CommandRow]
    {
        let rows = try await runner.query("SELECT \(CommandRow.columns) FROM cell_commands WHERE \(condition)")
        var commands: [CommandRow] = []
        for row in rows { commands.append(try CommandRow(row)) }
        return commands
    }

    /// The whole state as everybody sees it.
    func execution(_ notebookID: Int64) async throws -> NotebookExecution {
        try await pool.transaction(isolation: .repeatableRead) { transaction in
            try await execution(notebookID, in: transaction)
        }
    }

    private func execution(
        _ notebookID: Int64, in transaction: PostgresTransaction
    ) async throws(HarbourError) -> NotebookExecution {
        let row = try await session(notebookID, on: transaction)
        // The last command of a cell that has outputs is the one that they are of.
        let commands = try await commands(
            """
            notebook_id = \(notebookID) AND (state IN ('QUEUED', 'RUNNING') OR command_id IN (
                SELECT command_id FROM cell_outputs WHERE notebook_id = \(notebookID)))
            ORDER BY position
            """, on: transaction)
        return NotebookExecution(
            notebookID: notebookID, session: row.session, commands: commands.map(\.command),
            lastSequence: row.lastSequence, widgets: try await widgets.widgets(notebookID, on: transaction))
    }

    // MARK: Asking

    /// What is to be run of a notebook.
    struct Batch: Sendable {
        var id: String
        var cells: [NotebookCell]
        var user: String
        /// The cluster to attach to; the one there is when nil.
        var clusterID: String?
    }

    /// Adds cells to the end of the queue. Asking twice under one batch id adds them once.
    /// - Throws: `INVALID_STATE` when there is no cluster, or another one and cells run on it.
    func enqueue(_ batch: Batch, _ notebookID: Int64) async throws -> NotebookExecution {
        try await pool.transaction { transaction in
            var last = try await journal.lock(notebookID, in: transaction)
            var row = try await session(notebookID, on: transaction)
            let known = try await transaction.query(
                "SELECT 1 AS one FROM cell_commands WHERE notebook_id = \(notebookID) AND batch_id = \(batch.id)")
            if known.isEmpty, !batch.cells.isEmpty {
                last = try await attach(&row, batch.clusterID, after: last, in: transaction)
                guard row.session.clusterID != nil else {
                    throw HarbourError(
                        .invalidState, "The notebook is attached to no cluster. Choose one with `cluster_id`.")
                }
                try await insert(batch, row, after: last, in: transaction)
                try await wake(notebookID, in: transaction)
            }
            return try await execution(notebookID, in: transaction)
        }
    }

    private func insert(
        _ batch: Batch, _ row: SessionRow, after last: Int64, in transaction: PostgresTransaction
    ) async throws(HarbourError) {
        let cells = batch.cells
        let open = try await self.open(row.notebookID, on: transaction)
        guard open.count + cells.count <= ExecutionStore.maxOpen else {
            throw HarbourError(.resourceExhausted, "The queue of this notebook is full. Interrupt it, or wait.")
        }
        let rows = try await transaction.query(
            """
            INSERT INTO cell_commands (command_id, notebook_id, position, batch_id, cell_id, language, source,
                source_hash, user_name, state, submitted_at)
            SELECT \(batch.id) || '-' || place, \(row.notebookID), \(row.lastPosition) + place, \(batch.id), cell_id,
                language, source, source_hash, \(batch.user), 'QUEUED', \(Timestamp.now)
            FROM unnest(\(cells.map(\.cellID)), \(cells.map(\.language)), \(cells.map(\.source)),
                        \(cells.map { CellSelection.hash($0.source) }))
                 WITH ORDINALITY AS t (cell_id, language, source, source_hash, place)
            ORDER BY place RETURNING \(CommandRow.columns)
            """)
        var entries: [JournalEntry] = []
        for row in rows { entries.append(.command(try CommandRow(row).command)) }
        try await transaction.query(
            """
            UPDATE notebook_sessions SET last_position = last_position + \(Int64(cells.count))
            WHERE notebook_id = \(row.notebookID)
            """)
        try await journal.append(entries, to: row.notebookID, after: last, in: transaction)
    }

    /// Chooses the cluster that the notebook runs on.
    func attach(_ notebookID: Int64, to clusterID: String) async throws -> NotebookExecution {
        try await pool.transaction { transaction in
            let last = try await journal.lock(notebookID, in: transaction)
            var row = try await session(notebookID, on: transaction)
            _ = try await attach(&row, clusterID, after: last, in: transaction)
            return try await execution(notebookID, in: transaction)
        }
    }

    private func attach(
        _ row: inout SessionRow, _ clusterID: String?, after last: Int64, in transaction: PostgresTransaction
    ) async throws(HarbourError) -> Int64 {
        guard let clusterID, clusterID != row.session.clusterID else { return last }
        guard try await open(row.notebookID, on: transaction).isEmpty else {
            throw HarbourError(
                .invalidState,
                "Cells of this notebook run on the cluster \(row.session.clusterID ?? "-"). Interrupt them, or wait, "
                    + "before it is attached to another one.")
        }
        row.session = NotebookSession(clusterID: clusterID, kernel: KernelState.absent)
        try await transaction.query(
            """
            UPDATE notebook_sessions SET cluster_id = \(clusterID), kernel = 'ABSENT', message = NULL,
                generation = generation + 1, restart_wanted = false
            WHERE notebook_id = \(row.notebookID)
            """)
        try await journal.append([.session(row.session)], to: row.notebookID, after: last, in: transaction)
        return last + 1
    }

    /// Takes commands out of the queue and asks for the end of the one that runs: all, or only these.
    func interrupt(_ notebookID: Int64, only ids: [String]?) async throws -> NotebookExecution {
        try await pool.transaction { transaction in
            let last = try await journal.lock(notebookID, in: transaction)
            try await cancel(notebookID, only: ids, after: last, in: transaction)
            try await wake(notebookID, in: transaction)
            return try await execution(notebookID, in: transaction)
        }
    }

    /// - Returns: the number of the last event.
    @discardableResult
    private func cancel(
        _ notebookID: Int64, only ids: [String]?, after last: Int64, in transaction: PostgresTransaction
    ) async throws(HarbourError) -> Int64 {
        let which: SQL = ids.map { "AND command_id = ANY(\($0))" } ?? ""
        let rows = try await transaction.query(
            """
            UPDATE cell_commands SET is_cancelling = true,
                ended_at = CASE WHEN state = 'QUEUED' THEN \(Timestamp.now)::timestamptz END,
                state = CASE WHEN state = 'QUEUED' THEN 'CANCELLED' ELSE state END
            WHERE notebook_id = \(notebookID) AND state IN ('QUEUED', 'RUNNING') \(which)
            RETURNING \(CommandRow.columns)
            """)
        var entries: [JournalEntry] = []
        for row in rows { entries.append(.command(try CommandRow(row).command)) }
        try await journal.append(entries, to: notebookID, after: last, in: transaction)
        return last + Int64(entries.count)
    }

    /// Asks for another kernel in place of the one there is; what waits is not run.
    func restart(_ notebookID: Int64) async throws -> NotebookExecution {
        try await pool.transaction { transaction in
            let last = try await journal.lock(notebookID, in: transaction)
            let row = try await session(notebookID, on: transaction)
            guard row.session.clusterID != nil else {
                throw HarbourError(.invalidState, "The notebook is attached to no cluster, so it has no kernel.")
            }
            let now = try await cancel(notebookID, only: nil, after: last, in: transaction)
            let session = NotebookSession(
                clusterID: row.session.clusterID, contextID: row.session.contextID, kernel: .starting)
            try await transaction.query(
                """
                UPDATE notebook_sessions SET restart_wanted = true, kernel = 'STARTING', message = NULL
                WHERE notebook_id = \(notebookID)
                """)
            try await journal.append([.session(session)], to: notebookID, after: now, in: transaction)
            try await wake(notebookID, in: transaction)
            return try await execution(notebookID, in: transaction)
        }
    }

    /// Chooses values of widgets, removes some or brings them back, for everybody. It holds for what begins to run from
    /// now on, also of what waits.
    func changeWidgets(_ notebookID: Int64, _ body: ChangeWidgets, by user: String) async throws -> NotebookExecution {
        try await pool.transaction { transaction in
            let last = try await journal.lock(notebookID, in: transaction)
            if let changed = try await widgets.change(body, by: user, of: notebookID, in: transaction) {
                try await journal.append(
                    [.widgets(changed, user: user)], to: notebookID, after: last, in: transaction)
                try await journal.pruneUnlessBusy(notebookID, in: transaction)
            }
            return try await execution(notebookID, in: transaction)
        }
    }

    private func wake(_ notebookID: Int64, in transaction: PostgresTransaction) async throws(HarbourError) {
        try await transaction.query(
            """
            WITH woken AS (UPDATE notebook_sessions SET has_work = true WHERE notebook_id = \(notebookID))
            SELECT pg_notify(\(ExecutionStore.channel), \(String(notebookID)))
            """)
    }
}
