internal import CellExecution
internal import Compression
internal import Core
internal import HarbourProtocol
internal import Postgres

extension CopyStore {
    /// Ends the outputs of copies whose originals run: a copy runs nothing, and has what there was until now.
    func endOutputs(below destination: WorkspacePath, in transaction: PostgresTransaction) async throws {
        let rows = try await transaction.query(
            """
            SELECT c.notebook_id, c.cell_id, c.command_id FROM objects o
            JOIN cell_outputs c ON c.notebook_id = o.object_id
            WHERE \(CopyStore.below(destination)) AND c.outputs IS NULL
            """, timeout: CopyStore.patience)
        for row in rows {
            let (copy, cell, command) = try row.decode((Int64.self, String.self, String.self))
            // It may have ended since it was copied; whoever ends it now waits, for then its events may go.
            let held = try await transaction.query(
                """
                SELECT s.notebook_id FROM notebook_sessions s JOIN cell_commands c USING (notebook_id)
                WHERE c.command_id = \(command) FOR SHARE OF s
                """)
            let original = try held.first?.decode(Int64.self) ?? 0
            let known = try await transaction.query(
                """
                UPDATE cell_outputs SET outputs = own.outputs, execution_count = own.execution_count,
                    bytes = own.bytes, shown = own.shown
                FROM cell_outputs own
                WHERE cell_outputs.notebook_id = \(copy) AND cell_outputs.cell_id = \(cell)
                    AND own.notebook_id = \(original) AND own.cell_id = \(cell)
                    AND own.command_id = \(command) AND own.outputs IS NOT NULL
                """)
            if known.affected > 0 { continue }
            let reader = CellOutputReader(
                try await CellOutputStore.events(of: command, upTo: .max, on: transaction)
            ).reader
            let frame = LZ4Frame.compress(JSONValue.array(reader.outputs).encodedJSON())
            let shown = ShownOutputs(reader.outputs)
            try await transaction.query(
                """
                UPDATE cell_outputs SET outputs = \(frame), execution_count = \(reader.executionCount),
                    bytes = \(Int64(shown.bytes)), shown = \(shown.text)
                WHERE notebook_id = \(copy) AND cell_id = \(cell)
                """)
        }
    }
}
