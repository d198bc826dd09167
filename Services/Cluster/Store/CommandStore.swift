internal import Core
internal import HarbourProtocol
internal import Postgres

/// A command, as its row has it.
struct CommandRow: Sendable, Hashable {
    /// The newest that is known of it.
    var info: CommandInfo
    /// The start of the cluster that it was given to.
    var generation: Int64
    /// Who gave it; nil when a service gave it for itself.
    var user: String?
    /// Whether it has come to its end.
    var ended: Bool
    /// Whether who asked for it has stored all its events, or somebody who cannot say so was given the last of them.
    var isRead = false
}

/// The commands that end together with their cluster.
struct EndingCommands: Sendable {
    /// What becomes of them.
    var error: CommandError
    /// Those that are known to be open, should the table have lost one of them.
    var open: [CommandRow]
}

/// The table of commands. The only place with its SQL.
struct CommandStore: Sendable {
    let pool: PostgresPool
    let fence: Fence

    /// Writes a command down before the driver is asked, or returns the one that has the id already.
    ///
    /// The commit does not wait for the disk. Should PostgreSQL itself crash within that blink, the driver still has the
    /// command under its id and does not run it twice, and the end of the command writes it down again.
    ///
    /// - Parameter confirms: whether who asks will say when all of its events are stored.
    func begin(
        _ info: CommandInfo, generation: Int64, user: String?, confirms: Bool
    ) async throws -> (row: CommandRow, isNew: Bool) {
        let rows = try await pool.query(
            """
            WITH quick AS (SELECT set_config('synchronous_commit', 'off', true) AS value)
            INSERT INTO commands
                (cluster_id, context_id, command_id, generation, user_name, info, submitted_at, confirms)
            SELECT \(info.clusterID), \(info.contextID), \(info.commandID), \(generation), \(user),
                \(PostgresJSON(info.encodedJSON())), \(info.submittedTime), \(confirms)
            FROM quick WHERE quick.value = 'off' AND \(fence.holds)
            ON CONFLICT DO NOTHING
            """)
        if rows.affected == 1 {
            return (CommandRow(info: info, generation: generation, user: user, ended: false), true)
        }
        if let row = try await get(info.clusterID, info.contextID, info.commandID) { return (row, false) }
        // Its cluster is gone, or belongs to another instance now.
        throw HarbourError(
            .unavailable, "The command could not be written down, because its cluster is being removed.")
    }

    /// A command, or nil.
    func get(_ cluster: String, _ context: String, _ command: String) async throws -> CommandRow? {
        let rows = try await pool.read(
            """
            SELECT info, generation, user_name, ended, confirmed OR read_at IS NOT NULL FROM commands
            WHERE cluster_id = \(cluster) AND context_id = \(context) AND command_id = \(command)
            """)
        return try rows.first.map { try CommandRow($0) }
    }

    /// The commands of a cluster that have not ended.
    func open(_ cluster: String) async throws -> [CommandRow] {
        let rows = try await pool.query(
            """
            SELECT info, generation, user_name, ended, confirmed OR read_at IS NOT NULL FROM commands
            WHERE cluster_id = \(cluster) AND NOT ended
            """)
        return try rows.map { try CommandRow($0) }
    }

    /// Keeps the end of a command. An end that is known already stays.
    ///
    /// The commit does not wait for the disk: the driver keeps its journal, and a service that starts again asks it
    /// about every command whose end is not written down.
    func end(_ info: CommandInfo, generation: Int64) async throws {
        try await pool.query(
            """
            WITH quick AS (SELECT set_config('synchronous_commit', 'off', true) AS value)
            INSERT INTO commands (cluster_id, context_id, command_id, generation, ended, info, submitted_at)
            SELECT \(info.clusterID), \(info.contextID), \(info.commandID), \(generation), true,
                \(PostgresJSON(info.encodedJSON())), \(info.submittedTime)
            FROM quick WHERE quick.value = 'off'
            ON CONFLICT (cluster_id, context_id, command_id) DO UPDATE SET ended = true, info = excluded.info
            WHERE NOT commands.ended
            """)
    }

    /// Takes note that the last event of a command was passed on, unless who asked for it confirms that itself.
    ///
    /// The commit does not wait for the disk: what is lost in a crash is kept without need, no more.
    func wasRead(_ cluster: String, _ context: String, _ command: String, at now: Timestamp) async throws {
        try await pool.query(
            """
            WITH quick AS (SELECT set_config('synchronous_commit', 'off', true) AS value)
            UPDATE commands SET read_at = \(now) FROM quick
            WHERE cluster_id = \(cluster) AND context_id = \(context) AND command_id = \(command)
                AND NOT confirms AND NOT confirmed AND read_at IS NULL AND quick.value = 'off'
            """)
    }

    /// When the last command of a cluster ended; nil when none has.
    func lastEnd(_ cluster: String) async throws -> Timestamp? {
        let rows = try await pool.query(
            "SELECT max((info->>'end_time')::bigint) FROM commands WHERE cluster_id = \(cluster) AND ended")
        return try rows.first?.decode(Int64?.self).map(Timestamp.init(milliseconds:))
    }

    /// Forgets a command that the driver has refused, so that its id can be used again.
    func drop(_ info: CommandInfo) async throws {
        try await pool.query(
            """
            DELETE FROM commands WHERE cluster_id = \(info.clusterID) AND context_id = \(info.contextID)
                AND command_id = \(info.commandID) AND NOT ended
            """)
    }

    /// Ends all open commands of a cluster with an error, inside the transaction that ends the cluster. Rows are locked in
    /// the order of their keys, as by all that takes several of them, so that two never wait for each other.
    static func endAll(
        of cluster: String, _ commands: EndingCommands, now: Timestamp, _ transaction: PostgresTransaction
    ) async throws {
        for row in commands.open {
            let info = row.info
            try await transaction.query(
                """
                INSERT INTO commands (cluster_id, context_id, command_id, generation, info, submitted_at)
                VALUES (\(info.clusterID), \(info.contextID), \(info.commandID), \(row.generation),
                    \(PostgresJSON(info.encodedJSON())), \(info.submittedTime))
                ON CONFLICT DO NOTHING
                """)
        }
        let patch: JSONObject = [
            "state": .string(CommandState.error.rawValue), "end_time": .integer(now.milliseconds),
            "error": try JSONValue(json: commands.error.encodedJSON()),
        ]
        try await transaction.query(
            """
            WITH open AS (
                SELECT context_id, command_id FROM commands WHERE cluster_id = \(cluster) AND NOT ended
                ORDER BY cluster_id, context_id, command_id FOR UPDATE)
            UPDATE commands SET ended = true, info = info || \(PostgresJSON(JSONValue.object(patch).encodedJSON()))
            FROM open
            WHERE commands.cluster_id = \(cluster) AND commands.context_id = open.context_id
                AND commands.command_id = open.command_id
            """)
    }
}

extension CommandRow {
    fileprivate init(_ row: PostgresRow) throws {
        let (info, generation, user, ended, isRead) = try row.decode(
            (PostgresJSON.self, Int64.self, String?.self, Bool.self, Bool.self))
        self.info = try CommandInfo(json: info.bytes, subject: "stored command", code: .internalError)
        self.generation = generation
        self.user = user
        self.ended = ended
        self.isRead = isRead
    }
}

extension CommandState {
    /// Whether nothing follows it.
    var isEnd: Bool { self == .finished || self == .error || self == .cancelled }
}
