internal import Core
internal import HarbourProtocol
internal import ObjectStorage
internal import Postgres

/// The statements that put thousands of entries into the tree: each of them is for a set of them, so that the locks are
/// held for few round trips.
struct PlacingStore: Sendable {
    let uploads: UploadStore

    /// An entry that must be there.
    struct Entry: Sendable {
        let path: WorkspacePath
        let kind: ObjectType
    }

    /// The bytes of a path: those that are different to the database may be equal as text.
    typealias Key = [UInt8]

    /// A revision that is to be the newest of its entry.
    struct Revision: Sendable {
        let objectID: Int64
        let content: StoredContent
    }

    /// An object that was put together, and what it must contain.
    struct Object: Sendable {
        let uploadID: String
        let key: ObjectKey
        let manifest: ObjectManifest
        let storage: String
    }

    /// How many entries, and how many bytes of content about, one statement is for.
    private static let batch = 1000
    private static let batchBytes = 8 << 20

    // MARK: Entries

    /// Makes the entries that are not there yet. In the order of the paths, so that of two imports one waits for the
    /// other and never each for the other.
    /// - Parameter entries: in the order of the bytes of their paths.
    /// - Returns: the numbers of those that were made.
    func insert(
        _ entries: [Entry], by user: String, at time: Timestamp, in transaction: PostgresTransaction
    ) async throws(HarbourError) -> [Key: Int64] {
        var made: [Key: Int64] = [:]
        for some in PlacingStore.batches(entries) {
            let rows = try await transaction.query(
                """
                INSERT INTO objects (path, folder, name, kind, created_at, modified_at, modified_by, owner)
                SELECT path, folder, name, kind, \(time), \(time), \(user), \(user)
                FROM unnest(\(some.map(\.path.text)), \(some.map { $0.path.folder?.text ?? "" }),
                    \(some.map(\.path.name)), \(some.map(\.kind.rawValue))) AS new (path, folder, name, kind)
                ORDER BY path COLLATE "C"
                ON CONFLICT (path) WHERE deleted_at IS NULL DO NOTHING
                RETURNING object_id, path
                """, timeout: CopyStore.patience)
            for row in rows {
                let (id, path) = try row.decode((Int64.self, String.self))
                made[Key(path.utf8)] = id
            }
        }
        return made
    }

    /// Entries that are there, locked in the order of their paths.
    func lock(
        _ paths: [WorkspacePath], in transaction: PostgresTransaction
    ) async throws(HarbourError) -> [Key: StoredObject] {
        var found: [Key: StoredObject] = [:]
        for some in PlacingStore.batches(paths) {
            let rows = try await transaction.query(
                """
                SELECT \(StoredObject.columns) FROM objects WHERE path = ANY(\(some.map(\.text)))
                    AND deleted_at IS NULL ORDER BY path FOR NO KEY UPDATE
                """, timeout: CopyStore.patience)
            for row in rows {
                let object = try StoredObject(row)
                found[Key(object.info.path.utf8)] = object
            }
        }
        return found
    }

    /// The hashes and formats of revisions.
    func contents(
        of revisionIDs: [Int64], in transaction: PostgresTransaction
    ) async throws(HarbourError) -> [Int64: (hash: [UInt8], format: String)] {
        var found: [Int64: ([UInt8], String)] = [:]
        for some in PlacingStore.batches(revisionIDs) {
            let rows = try await transaction.query(
                "SELECT revision_id, content_hash, format FROM revisions WHERE revision_id = ANY(\(some))",
                timeout: CopyStore.patience)
            for row in rows {
                let (id, hash, format) = try row.decode((Int64.self, [UInt8].self, String.self))
                found[id] = (hash, format)
            }
        }
        return found
    }

    // MARK: Revisions

    /// Stores revisions and makes them the newest of their entries. The text of none is known: `SearchReader` reads it.
    /// - Returns: their numbers, by those of the entries.
    func insert(
        _ revisions: [Revision], by user: String, at time: Timestamp, in transaction: PostgresTransaction
    ) async throws(HarbourError) -> [Int64: Int64] {
        var made: [Int64: Int64] = [:]
        var rest = revisions[...]
        while !rest.isEmpty {
            var bytes = 0
            let some = rest.prefix(PlacingStore.batch).prefix { one in
                defer { bytes += one.content.frameBytes }
                return bytes < PlacingStore.batchBytes
            }
            rest = rest.dropFirst(some.count)
            for row in try await insertBatch(some, by: user, at: time, in: transaction) {
                let (object, revision) = try row.decode((Int64.self, Int64.self))
                made[object] = revision
            }
        }
        guard made.count == revisions.count else { throw .missingRow("new revisions") }
        return made
    }

    private func insertBatch(
        _ revisions: ArraySlice<Revision>, by user: String, at time: Timestamp, in transaction: PostgresTransaction
    ) async throws(HarbourError) -> PostgresRows {
        // Bytes have no arrays: all of them come in one piece, from which each gets its part.
        var (frames, hashes): ([UInt8], [UInt8]) = ([], [])
        var (starts, lengths, keys): ([Int32], [Int32], [String]) = ([], [], [])
        for one in revisions {
            hashes += one.content.hash
            starts.append(Int32(frames.count + 1))
            switch one.content.place {
            case .frame(let frame):
                frames += frame
                lengths.append(Int32(frame.count))
                keys.append("")
            case .object(let key):
                lengths.append(0)
                keys.append(key)
            case .bytes: throw .missingRow("content that was not compressed")
            }
        }
        let ids = revisions.map(\.objectID)
        return try await transaction.query(
            """
            WITH given AS MATERIALIZED (
                SELECT * FROM unnest(\(ids), \(revisions.map(\.content.format.name)),
                    \(revisions.map { $0.content.language ?? "" }), \(revisions.map { Int64($0.content.size) }),
                    \((0..<revisions.count).map { Int32($0 * 32 + 1) }), \(starts), \(lengths), \(keys))
                    AS new (object_id, format, language, size, hash, start, length, object_key)
            ), made AS (
                INSERT INTO revisions (object_id, created_at, created_by, format, content_hash, size, content,
                    object_key)
                SELECT object_id, \(time), \(user), format, substr(\(hashes), hash, 32), size,
                    CASE WHEN object_key = '' THEN substr(\(frames), start, length) END, nullif(object_key, '')
                FROM given
                RETURNING revision_id, object_id
            ), gone AS (DELETE FROM search_passages WHERE object_id = ANY(\(ids)))
            UPDATE objects o SET revision_id = made.revision_id, format = given.format,
                language = nullif(given.language, ''), size = given.size, modified_at = \(time), modified_by = \(user),
                searched_revision_id = NULL
            FROM made JOIN given USING (object_id) WHERE o.object_id = made.object_id
            RETURNING o.object_id, o.revision_id
            """, timeout: CopyStore.patience)
    }

    /// Stores the widgets of notebooks that were made just now.
    func insert(
        _ widgets: [Int64: [NotebookWidget]], in transaction: PostgresTransaction
    ) async throws(HarbourError) {
        let all = widgets.sorted { $0.key < $1.key }.filter { !$0.value.isEmpty }
        for some in PlacingStore.batches(all) {
            try await transaction.query(
                """
                INSERT INTO notebook_sessions (notebook_id, widgets_kept)
                SELECT id, true FROM unnest(\(some.map(\.key))) AS new (id)
                """)
        }
        var rest = all.flatMap { id, widgets in widgets.enumerated().map { (id, Int64($0 + 1), $1) } }[...]
        while !rest.isEmpty {
            var bytes = 0
            let some = rest.prefix(PlacingStore.batch).prefix { one in
                defer { bytes += one.2.bytes }
                return bytes < PlacingStore.batchBytes
            }
            rest = rest.dropFirst(some.count)
            try await transaction.query(
                """
                INSERT INTO notebook_widgets (notebook_id, name, position, widget)
                SELECT * FROM unnest(\(some.map(\.0)), \(some.map(\.2.name)), \(some.map(\.1)),
                    \(some.map { $0.2.jsonText() }))
                """)
        }
    }

    // MARK: Objects

    /// Locks the uploads that objects were put together of, and notes the objects.
    /// - Throws: `RESOURCE_DOES_NOT_EXIST` when one has expired: it may be on its way out.
    func insert(_ objects: [Object], in transaction: PostgresTransaction) async throws(HarbourError) {
        for some in PlacingStore.batches(objects.sorted { $0.uploadID < $1.uploadID }) {
            let ids = some.map(\.uploadID)
            let rows = try await transaction.query(
                """
                SELECT upload_id FROM uploads WHERE upload_id = ANY(\(ids)) AND state <> 'ENDED'
                ORDER BY upload_id FOR UPDATE
                """)
            guard rows.count == ids.count else {
                let found = Set(try rows.map { row throws(HarbourError) in try row.decode(String.self) })
                throw UploadStore.missing(ids.first { !found.contains($0) } ?? "")
            }
            for one in some {
                // Each has many checksums of its own.
                try await uploads.insertObject(one.key, one.manifest, storage: one.storage, in: transaction)
            }
        }
    }

    /// Ends the uploads that have become revisions of these entries.
    func complete(
        _ completed: [(id: String, objectID: Int64)], in transaction: PostgresTransaction
    ) async throws(HarbourError) {
        for some in PlacingStore.batches(completed) {
            let ids = some.map(\.id)
            try await transaction.query(
                """
                WITH gone AS (DELETE FROM upload_pieces WHERE upload_id = ANY(\(ids)))
                UPDATE uploads SET state = 'COMPLETE', object_id = new.object_id
                FROM unnest(\(ids), \(some.map(\.objectID))) AS new (upload_id, object_id)
                WHERE uploads.upload_id = new.upload_id
                """)
        }
    }

    /// Forgets objects that no revision has been made of.
    func remove(_ keys: [ObjectKey], in transaction: PostgresTransaction) async throws(HarbourError) {
        for some in PlacingStore.batches(keys) {
            try await transaction.query("DELETE FROM stored_objects WHERE object_key = ANY(\(some.map(\.text)))")
        }
    }

    private static func batches<Element>(_ all: [Element]) -> [[Element]] {
        stride(from: 0, to: all.count, by: batch).map { Array(all[$0..<min(all.count, $0 + batch)]) }
    }
}
