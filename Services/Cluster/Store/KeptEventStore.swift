internal import Core
internal import HarbourProtocol
internal import Postgres

/// A command of which something is kept.
struct KeptCommand: Sendable, Hashable {
    /// As it ended.
    var info: CommandInfo
    /// Whether all of its events are kept.
    var isWhole: Bool
    /// The number of the last one; 0 when there is none.
    var lastSequence: Int64
}

/// Events of one command that follow each other, compressed.
struct KeptPiece: Sendable, Hashable {
    var first: Int64
    var last: Int64
    /// An LZ4 frame of JSON lines.
    var frame: [UInt8]
}

/// The tables of what is kept of commands after their cluster's end. The only place with their SQL.
struct KeptEventStore: Sendable {
    let pool: PostgresPool
    let fence: Fence

    /// The commands of one start of a cluster whose output may still be wanted: those that nobody has confirmed, nor
    /// read to its end before that time.
    ///
    /// No more than so many: first those at work, however long ago they began, then the newest. Who has read the end
    /// just now may have lost its connection over it, and come again.
    ///
    /// That its row is ended says nothing: the end of the cluster has ended all of them. Only the driver knows the last
    /// number of a command, as in `hasEnded`.
    /// - Returns: them, and how many there are beyond the limit.
    func unread(
        of cluster: String, start generation: Int64, readBefore time: Timestamp, limit: Int
    ) async throws -> (commands: [CommandInfo], beyond: Int) {
        let rows = try await pool.query(
            """
            SELECT info, count(*) OVER () FROM commands
            WHERE cluster_id = \(cluster) AND generation = \(generation) AND NOT confirmed
                AND (read_at IS NULL OR read_at > \(time))
            ORDER BY (info->>'last_sequence')::bigint <> 0, submitted_at DESC, context_id, command_id
            LIMIT \(Int64(limit))
            """)
        var commands: [CommandInfo] = []
        var count: Int64 = 0
        for row in rows {
            let (info, all) = try row.decode((PostgresJSON.self, Int64.self))
            commands.append(try KeptEventStore.info(info))
            count = all
        }
        return (commands, Int(count) - commands.count)
    }

    /// Takes note that what could not be kept counts as unread where it was read only after that time: whoever read it
    /// just before the cluster's end may come again, and is not to be told that nothing is missing.
    func lost(of cluster: String, start generation: Int64, readBefore time: Timestamp) async throws {
        try await pool.query(
            """
            WITH lost AS (
                SELECT context_id, command_id FROM commands
                WHERE cluster_id = \(cluster) AND generation = \(generation) AND NOT confirmed AND read_at > \(time)
                    AND NOT EXISTS (
                        SELECT 1 FROM kept_commands
                        WHERE kept_commands.cluster_id = commands.cluster_id
                            AND kept_commands.context_id = commands.context_id
                            AND kept_commands.command_id = commands.command_id AND kept_commands.whole)
                    AND \(fence.holds)
                ORDER BY cluster_id, context_id, command_id FOR UPDATE OF commands)
            UPDATE commands SET read_at = NULL FROM lost
            WHERE commands.cluster_id = \(cluster) AND commands.context_id = lost.context_id
                AND commands.command_id = lost.command_id
            """)
    }

    /// What is kept of a command; nil for nothing.
    func get(_ cluster: String, _ context: String, _ command: String) async throws -> KeptCommand? {
        let rows = try await pool.query(
            """
            SELECT info, whole, last_sequence FROM kept_commands
            WHERE cluster_id = \(cluster) AND context_id = \(context) AND command_id = \(command)
            """)
        return try rows.first.map { row in
            let (info, whole, last) = try row.decode((PostgresJSON.self, Bool.self, Int64.self))
            return KeptCommand(info: try KeptEventStore.info(info), isWhole: whole, lastSequence: last)
        }
    }

    /// The piece that has the event after that one; nil beyond the last.
    func piece(of info: CommandInfo, after sequence: Int64) async throws -> KeptPiece? {
        let rows = try await pool.query(
            """
            SELECT first_sequence, last_sequence, frame FROM kept_events
            WHERE cluster_id = \(info.clusterID) AND context_id = \(info.contextID)
                AND command_id = \(info.commandID) AND last_sequence > \(sequence)
            ORDER BY last_sequence LIMIT 1
            """)
        return try rows.first.map { row in
            let (first, last, frame) = try row.decode((Int64.self, Int64.self, [UInt8].self))
            return KeptPiece(first: first, last: last, frame: frame)
        }
    }

    /// Begins to keep a command, or goes on where an instance before this one was killed.
    ///
    /// The command's own row is held meanwhile: whoever confirms it right now either comes first, and nothing is kept, or
    /// finds what is kept and removes it.
    /// - Returns: nil for one that has been confirmed meanwhile.
    func begin(_ info: CommandInfo, start generation: Int64, now: Timestamp) async throws -> KeptCommand? {
        let begun = try await pool.query(
            """
            WITH wanted AS (
                SELECT confirmed FROM commands
                WHERE cluster_id = \(info.clusterID) AND context_id = \(info.contextID)
                    AND command_id = \(info.commandID)
                FOR SHARE)
            INSERT INTO kept_commands (cluster_id, context_id, command_id, generation, info, kept_at)
            SELECT \(info.clusterID), \(info.contextID), \(info.commandID), \(generation),
                \(PostgresJSON(info.encodedJSON())), \(now)
            FROM wanted WHERE NOT wanted.confirmed AND \(fence.holds)
            ON CONFLICT DO NOTHING
            """)
        if begun.affected == 1 { return KeptCommand(info: info, isWhole: false, lastSequence: 0) }
        if let known = try await get(info.clusterID, info.contextID, info.commandID) { return known }
        let rows = try await pool.query(
            """
            SELECT 1 FROM commands
            WHERE cluster_id = \(info.clusterID) AND context_id = \(info.contextID)
                AND command_id = \(info.commandID) AND NOT confirmed
            """)
        if rows.isEmpty { return nil }
        throw Fence.lost
    }

    /// Adds events after those that are kept.
    func append(_ piece: KeptPiece, to info: CommandInfo) async throws {
        try await pool.query(
            """
            WITH known AS (
                UPDATE kept_commands SET last_sequence = \(piece.last), bytes = bytes + \(Int64(piece.frame.count))
                WHERE cluster_id = \(info.clusterID) AND context_id = \(info.contextID)
                    AND command_id = \(info.commandID) AND last_sequence = \(piece.first - 1) AND \(fence.holds)
                RETURNING 1)
            INSERT INTO kept_events (cluster_id, context_id, command_id, first_sequence, last_sequence, frame)
            SELECT \(info.clusterID), \(info.contextID), \(info.commandID), \(piece.first), \(piece.last),
                \(piece.frame)
            FROM known
            """)
    }

    /// Says that all events are kept, and how the command ended; its own row says the same from now on.
    func finish(_ info: CommandInfo) async throws {
        let json = PostgresJSON(info.encodedJSON())
        try await pool.query(
            """
            WITH kept AS (
                UPDATE kept_commands SET whole = true, info = \(json)
                WHERE cluster_id = \(info.clusterID) AND context_id = \(info.contextID)
                    AND command_id = \(info.commandID) AND \(fence.holds)
                RETURNING cluster_id, context_id, command_id)
            UPDATE commands SET info = \(json) FROM kept
            WHERE commands.cluster_id = kept.cluster_id AND commands.context_id = kept.context_id
                AND commands.command_id = kept.command_id AND ended
            """)
    }

    /// Takes note that commands have been read to their ends, and forgets what is kept of them.
    ///
    /// Two statements, each with its own look at the tables: the second sees what was begun to be kept before the first had
    /// the rows. No lock of one is held in the other, and each takes its rows in the order of their keys, so that nobody
    /// who takes several waits for this while this waits for them. Done half, it can be done again.
    func confirm(_ commands: [CommandPlace]) async throws {
        let (clusters, contexts, names) = (
            commands.map(\.clusterID), commands.map(\.contextID), commands.map(\.commandID)
        )
        try await pool.query(
            """
            WITH quick AS (SELECT set_config('synchronous_commit', 'off', true) AS value),
            named AS (
                SELECT cluster_id, context_id, command_id
                FROM commands JOIN unnest(\(clusters)::text[], \(contexts)::text[], \(names)::text[])
                    AS named (cluster_id, context_id, command_id) USING (cluster_id, context_id, command_id)
                WHERE NOT confirmed
                ORDER BY cluster_id, context_id, command_id FOR UPDATE OF commands)
            UPDATE commands SET confirmed = true FROM named, quick
            WHERE commands.cluster_id = named.cluster_id AND commands.context_id = named.context_id
                AND commands.command_id = named.command_id AND quick.value = 'off'
            """)
        try await pool.query(
            """
            WITH quick AS (SELECT set_config('synchronous_commit', 'off', true) AS value),
            named AS (
                SELECT cluster_id, context_id, command_id
                FROM kept_commands JOIN unnest(\(clusters)::text[], \(contexts)::text[], \(names)::text[])
                    AS named (cluster_id, context_id, command_id) USING (cluster_id, context_id, command_id)
                ORDER BY cluster_id, context_id, command_id FOR UPDATE OF kept_commands)
            DELETE FROM kept_commands USING named, quick
            WHERE kept_commands.cluster_id = named.cluster_id AND kept_commands.context_id = named.context_id
                AND kept_commands.command_id = named.command_id AND quick.value = 'off'
            """)
    }

    /// Forgets what was kept before that time, then the oldest until the rest takes no more than so many bytes. What
    /// somebody else has in hand right now is left to the next time.
    /// - Returns: of how many commands.
    func sweep(before time: Timestamp, keeping bytes: Int) async throws -> Int {
        let gone = try await pool.query(
            """
            WITH ranked AS (
                SELECT cluster_id, context_id, command_id, kept_at,
                    sum(bytes) OVER (ORDER BY kept_at DESC, cluster_id, context_id, command_id) AS newer
                FROM kept_commands),
            gone AS (
                SELECT kept_commands.cluster_id, kept_commands.context_id, kept_commands.command_id
                FROM kept_commands JOIN ranked USING (cluster_id, context_id, command_id)
                WHERE ranked.kept_at < \(time) OR ranked.newer > \(Int64(bytes))
                FOR UPDATE OF kept_commands SKIP LOCKED)
            DELETE FROM kept_commands USING gone
            WHERE kept_commands.cluster_id = gone.cluster_id AND kept_commands.context_id = gone.context_id
                AND kept_commands.command_id = gone.command_id
            """)
        return gone.affected
    }

    private static func info(_ json: PostgresJSON) throws -> CommandInfo {
        try CommandInfo(json: json.bytes, subject: "stored command", code: .internalError)
    }
}
