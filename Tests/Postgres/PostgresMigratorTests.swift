import Core
import EventLoop
import Glibc
import Postgres
import TestSupport
import Testing

/// A folder of migrations in the temporary folder.
private final class Folder {
    let path: String

    init(_ files: [String: String]) throws {
        var template = Array("/tmp/harbour-migrations-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        for (name, text) in files { try write(name, text) }
    }

    func write(_ name: String, _ text: String) throws {
        let file = try #require(fopen("\(path)/\(name)", "we"))
        fputs(text, file)
        fclose(file)
        names.insert(name)
    }

    private var names: Set<String> = []

    deinit {
        for name in names { unlink("\(path)/\(name)") }
        rmdir(path)
    }
}

@Suite struct PostgresMigratorTests {
    private let files = [
        "001-first.sql": "CREATE TABLE jobs (id bigint PRIMARY KEY); INSERT INTO jobs VALUES (1);",
        "002-second.sql": "ALTER TABLE jobs ADD COLUMN name text NOT NULL DEFAULT 'x';",
    ]

    @Test func runsOnceInOrderAndKnowsIt() async throws {
        try await withPool({ $0.schema = "scheduler" }) { pool in
            let folder = try Folder(files)
            let migrator = PostgresMigrator(directory: folder.path, schema: "scheduler")
            let first = try await migrator.run(pool)
            #expect(first == .init(applied: ["001-first.sql", "002-second.sql"], version: 2))
            #expect(try await migrator.run(pool) == .init(applied: [], version: 2))
            // The pool's connections find the service's tables without naming its schema.
            #expect(try await pool.query("SELECT name FROM jobs").first?.decode(String.self) == "x")
            #expect(try await pool.query("SELECT name FROM scheduler.jobs").count == 1)
            try folder.write("003-third.sql", "DROP TABLE jobs")
            #expect(try await migrator.run(pool) == .init(applied: ["003-third.sql"], version: 3))
        }
    }

    @Test func manyAtOnceRunEachFileOnce() async throws {
        try await withPool(connections: 6) { pool in
            let folder = try Folder(files)
            let path = folder.path
            let applied = try await withThrowingTaskGroup { group in
                for _ in 0..<6 {
                    group.addTask {
                        try await PostgresMigrator(directory: path, schema: "scheduler").run(pool).applied.count
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(applied == 2)
            withExtendedLifetime(folder) {}
        }
    }

    @Test func changedMissingAndMisnamedFilesAreRefused() async throws {
        try await withPool { pool in
            let folder = try Folder(files)
            let migrator = PostgresMigrator(directory: folder.path, schema: "scheduler")
            try await migrator.run(pool)
            try folder.write("001-first.sql", "CREATE TABLE jobs (id int)")
            let changed = await failure { try await migrator.run(pool) }
            #expect(changed?.code == .invalidState)
            #expect(changed?.message.contains("001-first.sql was changed after it had run") == true)
            let older = try Folder(["001-first.sql": files["001-first.sql"] ?? ""])
            let gone = await failure {
                try await PostgresMigrator(directory: older.path, schema: "scheduler").run(pool)
            }
            #expect(gone?.message.contains("002-second.sql has run but its file is gone") == true)
            for name in ["1-x.sql", "003-x.sql", "readme.md"] {
                let odd = try Folder([name: "SELECT 1"])
                let error = await failure { try await PostgresMigrator(directory: odd.path, schema: "s").run(pool) }
                #expect(error?.code == .invalidState)
            }
            let nowhere = await failure { try await PostgresMigrator(directory: "/nonexistent", schema: "s").run(pool) }
            #expect(nowhere?.code == .invalidState)
        }
    }

    @Test func aFailedFileLeavesNothing() async throws {
        try await withPool(connections: 1) { pool in
            let folder = try Folder(["001-bad.sql": "CREATE TABLE a (id int); SELECT 1 / 0;"])
            let error = await failure { try await PostgresMigrator(directory: folder.path, schema: "s").run(pool) }
            #expect(error?.message.contains("001-bad.sql failed") == true)
            #expect(error?.postgres?.sqlState == "22012")
            #expect(try await pool.query("SELECT FROM pg_tables WHERE tablename = 'a'").isEmpty)
            try folder.write("001-bad.sql", "CREATE TABLE a (id int); COMMIT; CREATE TABLE b (id int)")
            let ended = await failure { try await PostgresMigrator(directory: folder.path, schema: "s").run(pool) }
            #expect(ended?.message.contains("ends the transaction") == true)
            try folder.write("001-bad.sql", "CREATE TABLE c (id int)")
            #expect(try await PostgresMigrator(directory: folder.path, schema: "s").run(pool).version == 1)
        }
    }
}
