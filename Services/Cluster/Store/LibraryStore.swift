internal import ClusterBackend
internal import Core
internal import HarbourProtocol
internal import Postgres

/// The table of libraries that clusters were given later. The only place with its SQL.
struct LibraryStore: Sendable {
    /// A change of what a specification says.
    struct Change: Sendable {
        var library: Library
        var removed: Bool
    }

    let pool: PostgresPool

    /// All changes, oldest first.
    func changes(of id: ClusterIdentifier) async throws -> [Change] {
        let rows = try await pool.read(
            "SELECT library, removed FROM cluster_libraries WHERE cluster_id = \(id.text) ORDER BY added_at, library")
        return try rows.map { row in
            let (library, removed) = try row.decode((PostgresJSON.self, Bool.self))
            return Change(
                library: try Library(json: library.bytes, subject: "stored library", code: .internalError),
                removed: removed)
        }
    }

    func set(_ libraries: [Library], removed: Bool, of id: ClusterIdentifier) async throws {
        try await pool.transaction { transaction in
            for library in libraries {
                try await transaction.query(
                    """
                    INSERT INTO cluster_libraries (cluster_id, library, removed, added_at)
                    VALUES (\(id.text), \(PostgresJSON(library.encodedJSON())), \(removed), \(Timestamp.now))
                    ON CONFLICT (cluster_id, library) DO UPDATE SET removed = excluded.removed,
                        added_at = excluded.added_at
                    """)
            }
        }
    }

    /// The libraries of a start that begins now.
    func begin(_ id: ClusterIdentifier, spec: [Library]) async throws -> [Library] {
        LibraryStore.merged(spec, try await changes(of: id))
    }

    /// What the specification says, with the changes.
    static func merged(_ spec: [Library], _ changes: [Change]) -> [Library] {
        var libraries = spec
        for change in changes {
            libraries.removeAll { $0 == change.library }
            if !change.removed { libraries.append(change.library) }
        }
        return libraries
    }
}
