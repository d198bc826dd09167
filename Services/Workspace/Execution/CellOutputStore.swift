internal import CellExecution
internal import Compression
internal import Core
internal import HarbourProtocol
internal import Postgres

/// What cells have put out since the revision that has them was made.
struct CellOutputStore: Sendable {
    /// The most that the outputs of one cell are read back with, in bytes.
    private static let limit = 256 << 20

    /// The outputs of one cell.
    struct Outputs: Sendable {
        /// Nil when the command is not known any more.
        var commandID: String?
        var executionCount: Int64?
        var outputs: [JSONValue]
    }

    /// The outputs of the cells that have run, by cell: those of commands under way as far as they have come.
    func outputs(
        of notebookID: Int64, upTo sequence: Int64 = .max, on runner: some StatementRunner
    ) async throws -> [String: Outputs] {
        let rows = try await runner.query(
            """
            SELECT cell_id, command_id, execution_count, outputs FROM cell_outputs
            WHERE notebook_id = \(notebookID) AND command_id <> \(KeptOutputs.command)
            """)
        var found: [String: Outputs] = [:]
        for row in rows {
            let (cell, command, count, frame) = try row.decode((String.self, String.self, Int64?.self, [UInt8]?.self))
            if let frame {
                let outputs = try await CellOutputStore.read(frame)
                found[cell] = Outputs(commandID: command, executionCount: count, outputs: outputs)
            } else {
                let events = try await CellOutputStore.events(of: command, upTo: sequence, on: runner)
                let reader = CellOutputReader(events).reader
                found[cell] = Outputs(
                    commandID: command, executionCount: reader.executionCount, outputs: reader.outputs)
            }
        }
        return found
    }

    /// What the last replacement of a revision has left of it; nothing when it was never replaced by a file.
    func outputs(
        ofRevision revisionID: Int64, on runner: some StatementRunner
    ) async throws -> [String: Outputs] {
        let rows = try await runner.query(
            "SELECT cell_id, execution_count, outputs FROM revision_outputs WHERE revision_id = \(revisionID)")
        var found: [String: Outputs] = [:]
        for row in rows {
            let (cell, count, frame) = try row.decode((String.self, Int64?.self, [UInt8].self))
            found[cell] = Outputs(executionCount: count, outputs: try await CellOutputStore.read(frame))
        }
        return found
    }

    static func read(_ frame: [UInt8]) async throws -> [JSONValue] {
        try await StoredContent.work(on: frame.count * 4) { try readNow(frame) }
    }

    static func readNow(_ frame: [UInt8]) throws -> [JSONValue] {
        try JSONValue(json: try LZ4Frame.decompress(frame, limit: CellOutputStore.limit)).array ?? []
    }

    /// The same, unless it is larger than the caller has room for.
    static func readNow(_ frame: [UInt8], within room: Int) throws -> [JSONValue]? {
        do throws(HarbourError) {
            let bytes = try LZ4Frame.decompress(frame, limit: min(max(0, room), CellOutputStore.limit))
            return try JSONValue(json: bytes).array ?? []
        } catch {
            if error.code == .tooLarge { return nil }
            throw error
        }
    }

    /// What was written down of a command's events, in order.
    static func events(
        of commandID: String, upTo sequence: Int64, on runner: some StatementRunner
    ) async throws(HarbourError) -> [CommandEvent] {
        let rows = try await runner.query(
            """
            SELECT payload, whole FROM cell_events
            WHERE command_id = \(commandID) AND sequence <= \(sequence) ORDER BY command_sequence
            """)
        var events: [CommandEvent] = []
        for row in rows {
            let (payload, whole) = try row.decode((String.self, String?.self))
            if let whole {
                events.append(try CommandEvent(jsonText: whole, subject: "stored event", code: .internalError))
            } else if let event = try NotebookEvent(
                jsonText: payload, subject: "stored event", code: .internalError
            ).output {
                events.append(event)
            }
        }
        return events
    }

    /// Forgets the outputs of cells. Those of a command under way stay.
    func drop(
        of notebookID: Int64, cells: [String], in transaction: PostgresTransaction
    ) async throws(HarbourError) {
        try await transaction.query(
            """
            DELETE FROM cell_outputs
            WHERE notebook_id = \(notebookID) AND outputs IS NOT NULL AND cell_id = ANY(\(cells))
            """)
    }

    /// Leaves all outputs with the revision that they are of, because the notebook is another one now. Those of a
    /// command under way stay: it goes on.
    func leave(
        with revisionID: Int64, of notebookID: Int64, in transaction: PostgresTransaction
    ) async throws(HarbourError) {
        try await transaction.query(
            """
            WITH gone AS (
                DELETE FROM cell_outputs WHERE notebook_id = \(notebookID) AND outputs IS NOT NULL
                RETURNING cell_id, command_id, execution_count, outputs, bytes, shown
            )
            INSERT INTO revision_outputs (revision_id, cell_id, execution_count, outputs, bytes, shown)
            SELECT \(revisionID), cell_id, execution_count, outputs, bytes, shown FROM gone
            WHERE command_id <> \(KeptOutputs.command)
            """)
    }
}
