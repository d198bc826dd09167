internal import ClusterBackend
internal import Core
internal import HarbourProtocol
internal import Postgres

/// A cluster, as its row has it.
struct ClusterRow: Sendable, Hashable {
    var id: ClusterIdentifier
    var backend: String
    var creator: String
    var owner: String?
    var spec: ClusterSpec
    /// The specification as it was asked for, where a policy has filled it in since.
    var asked: ClusterSpec?
    /// What it takes of its creator's quota while it has not ended.
    var demand = ClusterDemand()
    /// The pool that keeps it ready, while it is nobody's.
    var poolID: String?
    var record: ClusterRecord
    /// What callers of the driver must show.
    var driverToken: Secret
    var createdAt: Timestamp
    var lastActivityAt: Timestamp

    /// The name its place knows it by.
    var place: ClusterIdentifier { record.place ?? id }
}

/// What came of writing down a step of a cluster's life.
enum SavedStep: Sendable, Hashable {
    case saved
    /// The row had been lost, and was written again.
    case restored
    /// Nothing was written: it was ready in a pool, and another cluster has its driver by now.
    case givenAway
    /// Nothing was written: it was ready in a pool, its row was lost, and nobody has its driver.
    case gone
}

/// A ready cluster cannot be taken, because its row is not there. Nothing was written.
struct ReadyRowIsGone: Error {}

/// The tables of clusters and their events. The only place with their SQL.
struct ClusterStore: Sendable {
    let pool: PostgresPool
    let fence: Fence

    private static let columns: SQL = """
        cluster_id, backend, creator, owner, spec, record, driver_token, created_at, last_activity_at, asked,
        workers, cores, pool_id
        """

    /// The name of this installation, made at the first start ever.
    func installation() async throws -> String {
        try await pool.query("INSERT INTO installation (id) VALUES (\(Identifier.make())) ON CONFLICT DO NOTHING")
        let rows = try await pool.query("SELECT id FROM installation")
        guard let row = rows.first else { throw HarbourError(.internalError, "The installation has no name.") }
        return try row.decode(String.self)
    }

    /// Writes a new cluster, which takes the place of a ready one where that is named; false when the id is taken.
    func insert(
        _ row: ClusterRow, notes: [ClusterNote], taking member: ClusterIdentifier? = nil, now: Timestamp
    ) async throws -> Bool {
        try await pool.transaction { transaction in
            guard try await write(row, now, transaction) else {
                try await check(transaction)
                return false
            }
            try await append(notes, to: row.id, now, transaction)
            try await take(member, transaction)
            return true
        }
    }

    /// Writes a row that is not there; false when there is one, or another instance has taken over.
    private func write(
        _ row: ClusterRow, _ now: Timestamp, _ transaction: PostgresTransaction
    ) async throws -> Bool {
        let inserted = try await transaction.query(
            """
            INSERT INTO clusters (cluster_id, backend, creator, owner, spec, state, record, driver_token,
                created_at, changed_at, last_activity_at, asked, workers, cores, pool_id)
            SELECT \(row.id.text), \(row.backend), \(row.creator), \(row.owner),
                \(PostgresJSON(row.spec.encodedJSON())), \(row.record.state.rawValue),
                \(PostgresJSON(row.record.json.encodedJSON())), \(row.driverToken.reveal()), \(row.createdAt),
                \(now), \(row.lastActivityAt), \(row.asked.map { PostgresJSON($0.encodedJSON()) }),
                \(Int64(row.demand.workers)), \(Int64(row.demand.cores)), \(row.poolID)
            WHERE \(fence.holds)
            ON CONFLICT DO NOTHING
            """)
        return inserted.affected == 1
    }

    /// Writes a step of a cluster's life in one transaction: its record, what happened, and the end of its commands.
    ///
    /// A row that is not there was lost by the database, in a crash without synchronous commit or to an older backup:
    /// rows are deleted only by whoever calls this, and the fence keeps others out. Then it is written again, for the
    /// cluster runs and somebody works on it.
    ///
    /// That of a ready cluster of a pool is not: nobody works on it, and it may have been given away by a transaction of
    /// which the answer was lost. Written again, its driver could be given to a second cluster.
    func save(
        _ row: ClusterRow, notes: [ClusterNote], ending commands: EndingCommands?,
        taking member: ClusterIdentifier? = nil, now: Timestamp
    ) async throws -> SavedStep {
        try await pool.transaction { transaction in
            let saved = try await transaction.query(
                """
                UPDATE clusters SET state = \(row.record.state.rawValue),
                    record = \(PostgresJSON(row.record.json.encodedJSON())),
                    spec = \(PostgresJSON(row.spec.encodedJSON())),
                    asked = \(row.asked.map { PostgresJSON($0.encodedJSON()) }),
                    workers = \(Int64(row.demand.workers)), cores = \(Int64(row.demand.cores)),
                    driver_token = \(row.driverToken.reveal()), changed_at = \(now),
                    last_activity_at = greatest(last_activity_at, \(row.lastActivityAt))
                WHERE cluster_id = \(row.id.text) AND \(fence.holds)
                """)
            let isLost = saved.affected != 1
            if isLost {
                try await check(transaction)
                if row.poolID != nil { return try await fate(ofReady: row.id, on: transaction) }
                guard try await write(row, now, transaction) else { throw Fence.lost }
            }
            try await append(isLost ? [.recordRestored] + notes : notes, to: row.id, now, transaction)
            try await take(member, transaction)
            if let commands {
                try await CommandStore.endAll(of: row.id.text, commands, now: now, transaction)
            }
            return isLost ? .restored : .saved
        }
    }

    /// What has become of a ready cluster of a pool; `saved` when its row is there.
    func fate(ofReady id: ClusterIdentifier) async throws -> SavedStep {
        try await pool.transaction { try await fate(ofReady: id, on: $0) }
    }

    private func fate(ofReady id: ClusterIdentifier, on transaction: PostgresTransaction) async throws -> SavedStep {
        let rows = try await transaction.query(
            """
            SELECT EXISTS (SELECT 1 FROM clusters WHERE cluster_id = \(id.text)),
                EXISTS (SELECT 1 FROM clusters
                        WHERE record ->> 'place' = \(id.text) AND state <> \(ClusterState.terminated.rawValue))
            """)
        guard let (isThere, isTaken) = try rows.first?.decode((Bool.self, Bool.self)) else { return .saved }
        return isThere ? .saved : isTaken ? .givenAway : .gone
    }

    /// Forgets a ready cluster whose driver has got a new name in the same transaction.
    private func take(_ member: ClusterIdentifier?, _ transaction: PostgresTransaction) async throws {
        guard let member else { return }
        let gone = try await transaction.query("DELETE FROM clusters WHERE cluster_id = \(member.text)")
        if gone.affected != 1 { throw ReadyRowIsGone() }
    }

    private func append(
        _ notes: [ClusterNote], to id: ClusterIdentifier, _ now: Timestamp, _ transaction: PostgresTransaction
    ) async throws {
        for note in notes {
            try await transaction.query(
                """
                WITH number AS (
                    UPDATE clusters SET last_event = last_event + 1 WHERE cluster_id = \(id.text)
                    RETURNING last_event)
                INSERT INTO cluster_events (cluster_id, event_id, happened_at, type, message, details)
                SELECT \(id.text), last_event, \(now), \(note.type), \(note.message),
                    \(PostgresJSON(note.details.encodedJSON()))
                FROM number
                """)
        }
    }

    /// Forgets a cluster with all that belongs to it.
    func delete(_ id: ClusterIdentifier) async throws {
        try await pool.transaction { transaction in
            let gone = try await transaction.query(
                "DELETE FROM clusters WHERE cluster_id = \(id.text) AND \(fence.holds)")
            if gone.affected != 1 { try await check(transaction) }
        }
    }

    /// - Throws: `SERVICE_SUPERSEDED` when another instance has taken over, which is why nothing was written.
    private func check(_ transaction: PostgresTransaction) async throws {
        let rows = try await transaction.query("SELECT epoch FROM installation")
        guard try rows.first?.decode(Int64.self) == fence.epoch else { throw Fence.lost }
    }

    /// When it was last used, for the countdown after a restart; false when there is no such row.
    func touch(_ id: ClusterIdentifier, at time: Timestamp) async throws -> Bool {
        let touched = try await pool.query(
            """
            UPDATE clusters SET last_activity_at = greatest(last_activity_at, \(time)) WHERE cluster_id = \(id.text)
            """)
        return touched.affected == 1
    }

    /// A cluster, or nil.
    func get(_ id: ClusterIdentifier) async throws -> ClusterRow? {
        let rows = try await pool.read("SELECT \(Self.columns) FROM clusters WHERE cluster_id = \(id.text)")
        return try rows.first.map { try ClusterRow($0) }
    }

    /// All clusters of which a backend may have something.
    func alive() async throws -> [ClusterRow] {
        let rows = try await pool.query(
            """
            SELECT \(Self.columns) FROM clusters WHERE state <> \(ClusterState.terminated.rawValue)
            ORDER BY created_at, cluster_id
            """)
        return try rows.map { try ClusterRow($0) }
    }

    /// Clusters older than a place in the list, newest first.
    func list(
        before place: (time: Timestamp, id: String)?, state: ClusterState?, limit: Int
    ) async throws -> [ClusterRow] {
        var conditions: [SQL] = ["pool_id IS NULL"]
        if let place { conditions.append("(created_at, cluster_id) < (\(place.time), \(place.id))") }
        if let state { conditions.append("state = \(state.rawValue)") }
        let rows = try await pool.query(
            """
            SELECT \(Self.columns) FROM clusters WHERE \(SQL.joined(conditions, separator: " AND "))
            ORDER BY created_at DESC, cluster_id DESC LIMIT \(Int64(limit))
            """)
        return try rows.map { try ClusterRow($0) }
    }

    /// Events of a cluster older than one, newest first.
    func events(of id: ClusterIdentifier, before event: Int64, limit: Int) async throws -> [ClusterEvent] {
        let rows = try await pool.query(
            """
            SELECT event_id, happened_at, type, message, details FROM cluster_events
            WHERE cluster_id = \(id.text) AND event_id < \(event) ORDER BY event_id DESC LIMIT \(Int64(limit))
            """)
        return try rows.map { row in
            let (number, time, type, message, details) = try row.decode(
                (Int64.self, Timestamp.self, String.self, String.self, PostgresJSON.self))
            return ClusterEvent(
                eventID: number, clusterID: id.text, timestamp: time, type: type, message: message,
                details: try [String: String](json: details.bytes, subject: "event"))
        }
    }

    /// How many clusters are in each state.
    func counts() async throws -> [String: Int] {
        var counts: [String: Int] = [:]
        for row in try await pool.query("SELECT state, count(*) FROM clusters GROUP BY state") {
            let (state, count) = try row.decode((String.self, Int64.self))
            counts[state] = Int(count)
        }
        return counts
    }
}

extension ClusterNote {
    /// What came before it is not known any more.
    fileprivate static let recordRestored = ClusterNote(
        "RECORD_RESTORED",
        "The database had lost the record of this cluster, which was written again. Earlier events are gone, and so "
            + "is which libraries were installed or uninstalled after it had been made: those that its driver has are "
            + "kept, others have to be installed or uninstalled again.")
}

extension ClusterRow {
    fileprivate init(_ row: PostgresRow) throws {
        let (id, backend, creator, owner, spec, record, token, created, activity, asked, workers, cores, pool) =
            try row.decode(
                (
                    String.self, String.self, String.self, String?.self, PostgresJSON.self, PostgresJSON.self,
                    String.self, Timestamp.self, Timestamp.self, PostgresJSON?.self, Int32.self, Int32.self,
                    String?.self
                ))
        guard let identifier = ClusterIdentifier(id), let record = ClusterRecord(try JSONValue(json: record.bytes))
        else {
            throw HarbourError(.internalError, "The record of cluster \(id) cannot be read.")
        }
        self.id = identifier
        self.backend = backend
        self.creator = creator
        self.owner = owner
        self.spec = try ClusterSpec(json: spec.bytes, subject: "stored specification", code: .internalError)
        self.asked = try asked.map {
            try ClusterSpec(json: $0.bytes, subject: "stored specification", code: .internalError)
        }
        demand = ClusterDemand(clusters: 1, workers: Int(workers), cores: Int(cores))
        poolID = pool
        self.record = record
        driverToken = Secret(token)
        createdAt = created
        lastActivityAt = activity
    }
}
