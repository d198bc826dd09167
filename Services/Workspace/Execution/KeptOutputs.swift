internal import Compression
internal import Core
internal import NotebookFormats
internal import Postgres

/// Outputs that came with a file, of cells that are gone from the newest revision or are text in it now. They are kept
/// until the cell is code again, whoever takes the change back: then they are part of the notebook as before.
struct KeptOutputs: Sendable {
    /// They are of no command.
    static let command = ""

    /// What is kept of one cell.
    struct Kept: Sendable {
        let cellID: String
        let executionCount: Int64?
        let frame: [UInt8]
    }

    /// What the old notebook has and the new one has no place for.
    /// - Parameter cleared: cells whose outputs are not wanted any more.
    static func left(by old: Notebook, in new: Notebook, besides cleared: Set<String>) -> [Kept] {
        let places = codeCells(new)
        return old.cells.compactMap { cell in
            guard cell.kind == .code, !cell.outputs.isEmpty || cell.executionCount != nil, !places.contains(cell.id),
                !cleared.contains(cell.id)
            else { return nil }
            let outputs = JSONValue.array(cell.outputs.map { .object($0.json) })
            return Kept(
                cellID: cell.id, executionCount: cell.executionCount,
                frame: LZ4Frame.compress(outputs.encodedJSON()))
        }
    }

    /// The code cells that the old notebook does not have as such.
    static func appeared(in new: Notebook, since old: Notebook) -> [String] {
        let places = codeCells(old)
        return new.cells.filter { $0.kind == .code && !places.contains($0.id) }.map(\.id)
    }

    private static func codeCells(_ notebook: Notebook) -> Set<String> {
        Set(notebook.cells.filter { $0.kind == .code }.map(\.id))
    }

    // MARK: In the database

    /// What is kept of these cells.
    func read(
        _ cells: [String], of notebookID: Int64, on runner: some StatementRunner
    ) async throws -> [String: CellOutputStore.Outputs] {
        let rows = try await runner.query(
            """
            SELECT cell_id, execution_count, outputs FROM cell_outputs
            WHERE notebook_id = \(notebookID) AND command_id = \(KeptOutputs.command) AND cell_id = ANY(\(cells))
            """)
        var found: [String: CellOutputStore.Outputs] = [:]
        for row in rows {
            let (cell, count, frame) = try row.decode((String.self, Int64?.self, [UInt8].self))
            found[cell] = .init(executionCount: count, outputs: try await CellOutputStore.read(frame))
        }
        return found
    }

    /// Keeps outputs; where the cell has run, those of the run are kept already. The session's row must be there.
    func write(
        _ kept: [Kept], of notebookID: Int64, in transaction: PostgresTransaction
    ) async throws(HarbourError) {
        if kept.isEmpty { return }
        // One statement for all of them: many cells may be deleted at once.
        var frames: [UInt8] = []
        var starts: [Int32] = []
        for one in kept {
            starts.append(Int32(frames.count + 1))
            frames += one.frame
        }
        try await transaction.query(
            """
            INSERT INTO cell_outputs (notebook_id, cell_id, command_id, execution_count, outputs)
            SELECT \(notebookID), cell_id, \(KeptOutputs.command), nullif(execution_count, -1),
                substr(\(frames), start, length)
            FROM unnest(\(kept.map(\.cellID)), \(kept.map { $0.executionCount ?? -1 }), \(starts),
                \(kept.map { Int32($0.frame.count) })) AS new (cell_id, execution_count, start, length)
            ON CONFLICT (notebook_id, cell_id) DO UPDATE SET execution_count = excluded.execution_count,
                outputs = excluded.outputs, bytes = NULL, shown = NULL
            WHERE cell_outputs.command_id = \(KeptOutputs.command)
            """)
    }

    /// Forgets what is part of the notebook again.
    func remove(
        _ cells: [String], of notebookID: Int64, in transaction: PostgresTransaction
    ) async throws(HarbourError) {
        if cells.isEmpty { return }
        try await transaction.query(
            """
            DELETE FROM cell_outputs
            WHERE notebook_id = \(notebookID) AND command_id = \(KeptOutputs.command) AND cell_id = ANY(\(cells))
            """)
    }
}
