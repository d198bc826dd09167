internal import Core
internal import HarbourProtocol
internal import Postgres

/// A command of a cell as it is stored.
struct CommandRow: Sendable {
    var command: NotebookCommand
    var language: String
    var source: String
    /// Where it runs, from the moment on when it may.
    var clusterID: String?
    var contextID: String?

    static let columns: SQL = """
        command_id, cell_id, batch_id, state, user_name, source_hash, submitted_at, started_at, ended_at,
        execution_count, error, is_cancelling, warning, language, source, cluster_id, context_id
        """

    init(_ row: PostgresRow) throws(HarbourError) {
        let (id, cell, batch, state, user, hash, submitted) = try row.decode(
            (String.self, String.self, String.self, String.self, String.self, String.self, Timestamp.self))
        let error = try row["error", as: String?.self]
        command = NotebookCommand(
            commandID: id, cellID: cell, batchID: batch, state: NotebookCommandState(rawValue: state) ?? .error,
            userName: user, sourceHash: hash, submittedTime: submitted,
            startTime: try row["started_at", as: Timestamp?.self], endTime: try row["ended_at", as: Timestamp?.self],
            executionCount: try row["execution_count", as: Int64?.self],
            error: try error.map { text throws(HarbourError) in
                try CommandError(json: Array(text.utf8), subject: "stored error", code: .internalError)
            },
            isCancelling: try row["is_cancelling", as: Bool.self] ? true : nil,
            warning: try row["warning", as: String?.self])
        language = try row["language", as: String.self]
        source = try row["source", as: String.self]
        clusterID = try row["cluster_id", as: String?.self]
        contextID = try row["context_id", as: String?.self]
    }
}

/// A notebook's row.
struct SessionRow: Sendable {
    var notebookID: Int64
    var session: NotebookSession
    var generation: Int64
    var restartWanted: Bool
    var lastSequence: Int64
    var lastPosition: Int64

    static let columns: SQL = """
        notebook_id, cluster_id, generation, kernel, message, restart_wanted, last_sequence, last_position
        """

    init(notebookID: Int64) {
        self.notebookID = notebookID
        session = NotebookSession(kernel: KernelState.absent)
        generation = 0
        restartWanted = false
        lastSequence = 0
        lastPosition = 0
    }

    init(_ row: PostgresRow) throws(HarbourError) {
        let (id, cluster, generation, kernel, message, restart, sequence, position) = try row.decode(
            (
                Int64.self, String?.self, Int64.self, String.self, String?.self, Bool.self, Int64.self, Int64.self
            ))
        notebookID = id
        self.generation = generation
        session = NotebookSession(
            clusterID: cluster, contextID: generation == 0 ? nil : SessionRow.contextID(id, generation),
            kernel: KernelState(rawValue: kernel) ?? KernelState.absent, message: message)
        restartWanted = restart
        lastSequence = sequence
        lastPosition = position
    }

    /// The name of a notebook's context.
    static func contextID(_ notebookID: Int64, _ generation: Int64) -> String { "nb-\(notebookID)-\(generation)" }
}
