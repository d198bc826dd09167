import Core
import EventLoop
import HarbourProtocol
import Postgres
import ServiceClients
import TestSupport
import Testing

@testable import WorkspaceService

/// What was in the trash before there was a list of it.
@Suite("The trash of earlier versions") struct TrashMigrationTests {
    /// Each entry had a number of its own, whatever it was deleted with.
    @Test func isListedByWhatWasDeletedTogether() async throws {
        let sources = #filePath.dropLast("Tests/Workspace/TrashMigrationTests.swift".count) + "schemas/sql/workspace"
        let folder = try TemporaryDirectory()
        try runCommand(["sh", "-c", "cp \(sources)/00[1-8]-*.sql \(folder.path)"])
        try await withDatabase { database in
            try await withEventLoop { loop in
                let pool = PostgresPool(
                    configuration: PostgresConfiguration(url: database.url, schema: "workspace"), loop: loop)
                try await PostgresMigrator(directory: folder.path, schema: "workspace").run(pool)
                try await pool.query(
                    """
                    INSERT INTO objects (path, folder, name, kind, size, created_at, modified_at, deleted_at,
                        deleted_by, deletion_id)
                    VALUES
                        ('/Shared/f', '/Shared', 'f', 'DIRECTORY', NULL, now(), now(), '2026-01-02', 'ada', 3),
                        ('/Shared/f/b', '/Shared/f', 'b', 'DIRECTORY', NULL, now(), now(), '2026-01-02', 'ada', 1),
                        ('/Shared/f/b/n', '/Shared/f/b', 'n', 'NOTEBOOK', 7, now(), now(), '2026-01-02', 'ada', 2),
                        ('/Shared/f/b/n', '/Shared/f/b', 'n', 'NOTEBOOK', 5, now(), now(), '2026-01-01', 'ada', 4),
                        ('/Shared/f2', '/Shared', 'f2', 'DIRECTORY', NULL, now(), now(), '2026-01-02', 'ada', 5),
                        ('/Shared/f/x', '/Shared/f', 'x', 'FILE', 1, now(), now(), '2026-01-02', 'bob', 6)
                    """)
                try await pool.query("SELECT setval('deletions', 6)")
                try await PostgresMigrator(directory: String(sources), schema: "workspace").run(pool)
                let trash = WorkspaceTrash(tree: WorkspaceTree(pool: pool), retention: nil)
                let found = try await trash.list(before: nil, count: 10, visibleTo: nil)
                #expect(found.map(\.path) == ["/Shared/f/x", "/Shared/f2", "/Shared/f/b/n", "/Shared/f"])
                #expect(found.map(\.entryCount) == [1, 1, 1, 3])
                #expect(found.map(\.size) == [1, 0, 5, 7])
                #expect(found.map(\.deletionID) == [6, 5, 4, 3])
                _ = try await trash.restore(3, to: nil, by: "ada")
                let tree = WorkspaceTree(pool: pool)
                #expect(try await tree.object(try WorkspacePath("/Shared/f/b/n")).size == 7)
                await pool.drain(budget: .seconds(5))
            }
        }
    }

    /// Goal: what a service from before the trash deletes beside this one can be seen, restored and emptied.
    @Test func takesInWhatAnOlderServiceDeletes() async throws {
        try await Workspace.run { workspace in
            for name in ["f/a", "f/deep/b", "f2", "kept/c"] { try await workspace.save("/Shared/\(name).py", "1\n") }
            try await workspace.delete("/Shared/kept", recursive: true)
            try await workspace.withPool { (pool) async throws in
                // As it deletes: each entry has a number of its own.
                for path in ["/Shared/f", "/Shared/f2.py"] {
                    let time = Timestamp.now
                    try await pool.query(
                        """
                        UPDATE objects SET deleted_at = \(time), deleted_by = 'ada', deletion_id = nextval('deletions')
                        WHERE (path = \(path) OR starts_with(path, \(path) || '/')) AND deleted_at IS NULL
                        """)
                }
                #expect(try await workspace.trash() == ["/Shared/kept"])
                let emptier = TrashEmptier(pool: pool, storage: nil, retention: nil)
                for _ in 0..<2 {
                    try await emptier.sweep()
                    #expect(try await workspace.trash().sorted() == ["/Shared/f", "/Shared/f2.py", "/Shared/kept"])
                }
                let list = try await workspace.user.call(WorkspaceAPI.listTrash, .init()).deletions
                let folder = try #require(list.first { $0.path == "/Shared/f" })
                #expect(folder.entryCount == 4)
                #expect(folder.deletedBy == "ada")
                _ = try await workspace.restore(folder.deletionID)
                #expect(try await workspace.export("/Shared/f/deep/b.py").text == "1\n")
                let file = try #require(list.first { $0.path == "/Shared/f2.py" })
                try await workspace.purge(file.deletionID)
                try await eventually("it is emptied") { try await EmptyingTests.count("trash", pool) == 1 }
                #expect(try await EmptyingTests.count("objects WHERE deleted_by = 'ada'", pool) == 0)
            }
        }
    }
}
