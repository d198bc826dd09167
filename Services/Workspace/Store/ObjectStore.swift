internal import Core
internal import HarbourProtocol
internal import Postgres

/// What runs statements: the pool, or a transaction.
protocol StatementRunner: Sendable {
    @discardableResult
    func query(_ sql: SQL, timeout: Duration?) async throws(HarbourError) -> PostgresRows
}

extension StatementRunner {
    @discardableResult
    func query(_ sql: SQL) async throws(HarbourError) -> PostgresRows { try await query(sql, timeout: nil) }
}

extension PostgresPool: StatementRunner {}
extension PostgresTransaction: StatementRunner {}

/// An entry of the tree as it is stored.
struct StoredObject: Sendable {
    let info: ObjectInfo
    let format: String?

    static let columns: SQL = """
        object_id, path, kind, language, revision_id, size, created_at, modified_at, modified_by, format
        """

    init(_ row: PostgresRow) throws(HarbourError) {
        let (id, path, kind, language, revision, size, created, modified, modifier, format) = try row.decode(
            (
                Int64.self, String.self, String.self, String?.self, Int64?.self, Int64?.self, Timestamp.self,
                Timestamp.self, String?.self, String?.self
            ))
        info = ObjectInfo(
            objectID: id, path: path, objectType: ObjectType(rawValue: kind) ?? .file, language: language,
            revisionID: revision, size: size, createdTime: created, modifiedTime: modified, modifiedBy: modifier)
        self.format = format
    }
}

/// The tree in the database.
struct ObjectStore: Sendable {
    /// Takes the tree's lock until the end of the transaction: many may add entries at a time, but who moves or deletes
    /// is alone. Without it an entry could be put into a folder that is being deleted.
    func lockTree(exclusively: Bool, in transaction: PostgresTransaction) async throws(HarbourError) {
        let name = "harbour workspace tree"
        if exclusively {
            try await transaction.query("SELECT pg_advisory_xact_lock(hashtextextended(\(name), 0))")
        } else {
            try await transaction.query("SELECT pg_advisory_xact_lock_shared(hashtextextended(\(name), 0))")
        }
    }

    func find(
        _ path: WorkspacePath, forUpdate: Bool = false, on runner: some StatementRunner
    ) async throws(HarbourError) -> StoredObject? {
        // Who refers to it at the same moment only needs it to be there.
        let lock: SQL = forUpdate ? "FOR NO KEY UPDATE" : ""
        let rows = try await runner.query(
            "SELECT \(StoredObject.columns) FROM objects WHERE path = \(path.text) AND deleted_at IS NULL \(lock)")
        return try rows.first.map { row throws(HarbourError) in try StoredObject(row) }
    }

    func find(objectID: Int64, on runner: some StatementRunner) async throws(HarbourError) -> StoredObject? {
        let rows = try await runner.query(
            "SELECT \(StoredObject.columns) FROM objects WHERE object_id = \(objectID) AND deleted_at IS NULL")
        return try rows.first.map { row throws(HarbourError) in try StoredObject(row) }
    }

    /// Adds an entry; nil when the path is taken.
    func insert(
        _ path: WorkspacePath, kind: ObjectType, by user: String, at time: Timestamp,
        in transaction: PostgresTransaction
    ) async throws(HarbourError) -> StoredObject? {
        let rows = try await transaction.query(
            """
            INSERT INTO objects (path, folder, name, kind, created_at, modified_at, modified_by, owner)
            VALUES (\(path.text), \(path.folder?.text ?? ""), \(path.name), \(kind.rawValue), \(time), \(time), \(user),
                \(user))
            ON CONFLICT (path) WHERE deleted_at IS NULL DO NOTHING
            RETURNING \(StoredObject.columns)
            """)
        return try rows.first.map { row throws(HarbourError) in try StoredObject(row) }
    }

    /// Which of these paths there are, and what they are.
    func kinds(
        of paths: [WorkspacePath], on runner: some StatementRunner
    ) async throws(HarbourError) -> [String: ObjectType] {
        let rows = try await runner.query(
            "SELECT path, kind FROM objects WHERE path = ANY(\(paths.map(\.text))) AND deleted_at IS NULL")
        var kinds: [String: ObjectType] = [:]
        for row in rows {
            let (path, kind) = try row.decode((String.self, String.self))
            kinds[path] = ObjectType(rawValue: kind)
        }
        return kinds
    }

    /// Up to `count` entries of a folder, folders first, after a place in that order.
    func list(
        _ folder: WorkspacePath, after place: (isLeaf: Bool, name: String)?, count: Int, visibleTo viewer: Principal?,
        on runner: some StatementRunner
    ) async throws(HarbourError) -> [StoredObject] {
        var condition: SQL = "folder = \(folder.text) AND deleted_at IS NULL"
        if let place { condition = "\(condition) AND (is_leaf, name) > (\(place.isLeaf), \(place.name))" }
        if let viewer {
            let start = Int32(folder.prefix.unicodeScalars.count + 1)
            condition = """
                \(condition) AND name IN (SELECT split_part(substr(v.path, \(start)), '/', 1)
                    FROM (\(PermissionStore.visible(to: viewer, below: folder))) AS v)
                """
        }
        let rows = try await runner.query(
            """
            SELECT \(StoredObject.columns) FROM objects WHERE \(condition) ORDER BY is_leaf, name LIMIT \(Int64(count))
            """)
        var objects: [StoredObject] = []
        for row in rows { objects.append(try StoredObject(row)) }
        return objects
    }

    /// Up to `count` notebooks after a path, in its order. Somebody sees those that are theirs or were given to them,
    /// themselves or with a folder above them.
    func notebooks(
        after path: String?, count: Int, seenBy sight: PermissionStore.Sight?, on runner: some StatementRunner
    ) async throws(HarbourError) -> [StoredObject] {
        var condition: SQL = "kind = 'NOTEBOOK' AND deleted_at IS NULL AND path > \(path ?? "")"
        if let sight { condition = "\(condition) AND object_id IN (\(sight.ids))" }
        let rows = try await runner.query(
            "SELECT \(StoredObject.columns) FROM objects WHERE \(condition) ORDER BY path LIMIT \(Int64(count))")
        var objects: [StoredObject] = []
        for row in rows { objects.append(try StoredObject(row)) }
        return objects
    }

    /// How many notebooks somebody may see; all when nil.
    func countNotebooks(
        seenBy sight: PermissionStore.Sight?, on runner: some StatementRunner
    ) async throws(HarbourError) -> Int {
        var condition: SQL = "kind = 'NOTEBOOK' AND deleted_at IS NULL"
        if let sight { condition = "\(condition) AND object_id IN (\(sight.ids))" }
        let rows = try await runner.query("SELECT count(*) AS count FROM objects WHERE \(condition)")
        return Int(try rows.first?["count", as: Int64.self] ?? 0)
    }

    /// Makes a revision the newest of its entry, and its text what the search finds.
    func setRevision(
        _ revisionID: Int64, _ content: StoredContent, of objectID: Int64, by user: String, at time: Timestamp,
        in transaction: PostgresTransaction
    ) async throws(HarbourError) -> StoredObject {
        let rows = try await transaction.query(
            """
            UPDATE objects SET revision_id = \(revisionID), format = \(content.format.name),
                language = \(content.language), size = \(Int64(content.size)), modified_at = \(time),
                modified_by = \(user), searched_revision_id = \(content.text == nil ? nil : revisionID)
            WHERE object_id = \(objectID) RETURNING \(StoredObject.columns)
            """)
        guard let row = rows.first else { throw .missingRow("object \(objectID)") }
        try await SearchStore().write(content.text ?? .none, of: objectID, in: transaction)
        return try StoredObject(row)
    }

    func hasEntries(_ folder: WorkspacePath, in transaction: PostgresTransaction) async throws(HarbourError) -> Bool {
        let rows = try await transaction.query(
            "SELECT 1 AS one FROM objects WHERE folder = \(folder.text) AND deleted_at IS NULL LIMIT 1")
        return !rows.isEmpty
    }

    /// Puts an entry and all below it into the trash.
    /// - Returns: the number of the deletion.
    func delete(
        _ path: WorkspacePath, by user: String, at time: Timestamp, in transaction: PostgresTransaction
    ) async throws(HarbourError) -> Int64 {
        let rows = try await transaction.query(
            """
            WITH deletion AS MATERIALIZED (SELECT nextval('deletions') AS id), gone AS (
                UPDATE objects SET deleted_at = \(time), deleted_by = \(user), deletion_id = deletion.id
                FROM deletion
                WHERE (path = \(path.text) OR (path >= \(path.prefix) AND path < \(path.prefixEnd)))
                    AND deleted_at IS NULL
                RETURNING object_id, path, size, deletion_id
            )
            INSERT INTO trash (deletion_id, object_id, folder_id, entry_count, size, deleted_at, deleted_by)
            SELECT deletion_id, (SELECT object_id FROM gone WHERE path = \(path.text)), (
                    SELECT object_id FROM objects WHERE path = \(path.folder?.text ?? "") AND deleted_at IS NULL),
                count(*), coalesce(sum(size), 0)::bigint, \(time), \(user)
            FROM gone GROUP BY deletion_id
            RETURNING deletion_id
            """, timeout: CopyStore.patience)
        guard let row = rows.first else { throw .missingRow("deletion of \(path.text)") }
        return try row.decode(Int64.self)
    }

    /// Gives an entry and all below it paths under the destination.
    func move(
        _ source: WorkspacePath, to destination: WorkspacePath, by user: String, at time: Timestamp,
        in transaction: PostgresTransaction
    ) async throws(HarbourError) {
        let kept = Int64(source.text.unicodeScalars.count + 1)
        try await transaction.query(
            """
            UPDATE objects SET path = \(destination.text) || substr(path, \(kept)::integer),
                folder = \(destination.text) || substr(folder, \(kept)::integer)
            WHERE path >= \(source.prefix) AND path < \(source.prefixEnd) AND deleted_at IS NULL
            """, timeout: CopyStore.patience)
        try await transaction.query(
            """
            UPDATE objects SET path = \(destination.text), folder = \(destination.folder?.text ?? ""),
                name = \(destination.name), modified_at = \(time), modified_by = \(user)
            WHERE path = \(source.text) AND deleted_at IS NULL
            """, timeout: CopyStore.patience)
    }
}

extension HarbourError {
    /// The database answered a statement with fewer rows than it must have.
    static func missingRow(_ detail: String) -> HarbourError {
        HarbourError(
            .internalError, "Something went wrong on our side. The log of the service has the details.",
            detail: "no row: \(detail)")
    }
}
