import Core
import EventLoop
import HTTPClient
import HarbourProtocol
import ObjectStorage
import Postgres
import ServiceClients
import ServiceKit
import ServiceTestKit
import TestSupport
import Testing

@testable import WorkspaceService

/// What was there before the search was, and what comes without its text.
@Suite("Reading for the search", .timeLimit(.minutes(15)))
struct SearchReaderTests {
    private static let copies = 3000

    /// A database with many notebooks whose text nobody has read, as a migration leaves it.
    private func prepare(_ pool: PostgresPool) async throws {
        try await pool.query("DELETE FROM search_passages")
        try await pool.query("UPDATE objects SET searched_revision_id = NULL")
        try await pool.query(
            """
            INSERT INTO objects (path, folder, name, kind, language, format, size, created_at, modified_at, owner)
            SELECT '/Shared/copy-' || i, '/Shared', 'copy-' || i, 'NOTEBOOK', language, format, size, now(), now(), 'admin'
            FROM objects, generate_series(1, \(Int32(SearchReaderTests.copies))) AS i WHERE path = '/Shared/n'
            """)
        try await pool.query(
            """
            INSERT INTO revisions (object_id, created_at, format, content_hash, size, content)
            SELECT copy.object_id, now(), r.format, r.content_hash, r.size, r.content
            FROM objects copy, objects o JOIN revisions r USING (object_id)
            WHERE copy.name LIKE 'copy-%' AND o.path = '/Shared/n'
            """)
        try await pool.query(
            """
            UPDATE objects SET revision_id = r.revision_id FROM revisions r
            WHERE r.object_id = objects.object_id AND objects.name LIKE 'copy-%'
            """)
    }

    private func countRead(_ pool: PostgresPool) async throws -> Int {
        let rows = try await pool.query("SELECT count(*) FROM objects WHERE searched_revision_id = revision_id")
        return Int(try rows.first?.decode(Int64.self) ?? 0)
    }

    private func open(_ database: PostgresTestDatabase, _ loop: EventLoop) -> PostgresPool {
        PostgresPool(
            configuration: PostgresConfiguration(
                url: database.url, schema: "workspace", applicationName: "test", maxConnections: 2), loop: loop)
    }

    @Test func goesOnAfterBeingKilled() async throws {
        try await withDatabase { database in
            try await withEventLoop { loop in
                let place = WorkspaceProcess.Surroundings(
                    loop: loop, http: HTTPClient(loop: loop), database: database, cluster: "http://127.0.0.1:1",
                    folder: try TemporaryDirectory())
                let pool = open(database, loop)
                var process = try await WorkspaceProcess.start("w", in: place)
                _ = try await process.client.call(
                    WorkspaceAPI.importObject,
                    .init(
                        body: ImportObject(
                            path: "/Shared/n", content: Base64.encode(Array("needle = 1\n".utf8)), format: .source,
                            language: "PYTHON")))
                try await process.kill()
                try await prepare(pool)
                let all = SearchReaderTests.copies + 1
                var stops = 0
                // Killed as soon as it has begun, until it was faster than the test.
                while try await countRead(pool) < all, stops < 4 {
                    let before = try await countRead(pool)
                    process = try await WorkspaceProcess.start("w", in: place)
                    try await eventually("something is read") { try await countRead(pool) > before }
                    let page = try await process.client.call(
                        WorkspaceAPI.searchWorkspace, .init(query: "needle"))
                    #expect(!page.results.isEmpty)
                    try await process.kill()
                    if try await countRead(pool) < all {
                        #expect(page.isReading == true)
                        stops += 1
                    }
                }
                #expect(stops > 0, "it was never stopped under way")
                process = try await WorkspaceProcess.start("w", in: place)
                try await eventually("all is read") { try await countRead(pool) == all }
                let passages = try await pool.query("SELECT count(*) FROM search_passages WHERE body = 'needle = 1'")
                #expect(try passages.first?.decode(Int64.self) == Int64(all))
                let page = try await process.client.call(WorkspaceAPI.searchWorkspace, .init(query: "needle"))
                #expect(page.isReading == nil)
                try await process.kill()
                await pool.drain(budget: .seconds(5))
                await place.http.close()
            }
        }
    }

    /// Uploads are stored without their text, which is read as soon as they are there.
    @Test func uploadsAreReadAfterwards() async throws {
        try await Files.run { files in
            try await files.upload("/Shared/data.csv", Array("city,sales\nOslo,12\n".utf8))
            try await eventually("the upload is found") {
                try await files.workspace.found("oslo") == ["CONTENT /Shared/data.csv"]
            }
            try await files.upload("/Shared/data.csv", Array("city,sales\nBergen,12\n".utf8), overwrite: true)
            #expect(try await files.workspace.found("oslo") == [], "old text is gone at once")
            try await eventually("the new text is found") {
                try await files.workspace.found("bergen") == ["CONTENT /Shared/data.csv"]
            }
        }
    }

    /// What was emptied meanwhile keeps nobody from reading the rest.
    @Test func goesOnPastWhatIsGone() async throws {
        try await Workspace.run { workspace in
            for name in ["a", "b"] { try await workspace.saveCells("/Shared/\(name)", ["a needle"]) }
            try await workspace.withPool { (pool) async throws in
                let tree = WorkspaceTree(pool: pool)
                let reader = SearchReader(
                    tree: tree, files: FileReader(tree: tree, store: UploadStore(pool: pool), storage: nil))
                try await pool.query("UPDATE objects SET revision_id = 9999999 WHERE path = '/Shared/a'")
                try await pool.query("UPDATE objects SET searched_revision_id = NULL WHERE path = '/Shared/b'")
                try await reader.read()
                let rows = try await pool.query(
                    "SELECT searched_revision_id = revision_id FROM objects WHERE path = '/Shared/b'")
                #expect(try rows.first?.decode(Bool?.self) == true)
            }
        }
    }

    /// Goal: bytes that are lost are not asked for again with every change, and nobody is told for ever to wait for them.
    @Test func whatIsLostIsFoundByItsName() async throws {
        try await Files.run { files in
            try await files.upload("/Shared/data.csv", Array("city,sales\nOslo,12\n".utf8))
            try await eventually("the upload is found") {
                try await files.workspace.found("oslo") == ["CONTENT /Shared/data.csv"]
            }
            try runCommand(["rm", try #require(try files.stored("objects").first)])
            try await files.workspace.withPool { (pool) async throws in
                try await pool.query("UPDATE objects SET searched_revision_id = NULL WHERE path = '/Shared/data.csv'")
                #expect(try await files.workspace.find("data").isReading == true)
                let tree = WorkspaceTree(pool: pool)
                let storage = try LocalObjects(folder: files.folder.file("s"))
                let reader = SearchReader(
                    tree: tree, files: FileReader(tree: tree, store: UploadStore(pool: pool), storage: storage))
                #expect(try await reader.read() == 1)
                #expect(try await reader.read() == 0)
            }
            let found = try await files.workspace.find("data")
            #expect(found.results.map(Workspace.line) == ["NAME /Shared/data.csv"])
            #expect(found.isReading == nil)
        }
    }

    @Test func thereIsAnIndexWhereItCanBe() async throws {
        try await Workspace.run { workspace in
            let pool = open(try #require(workspace.service.database), workspace.service.loop)
            let rows = try await pool.query("SELECT ensure_search_index()")
            #expect(try rows.first?.decode(Bool.self) == true)
            // Three letters and more are looked up.
            let plan = try await pool.transaction { transaction in
                try await transaction.query("SET LOCAL enable_seqscan = off")
                return try await transaction.query(
                    "EXPLAIN SELECT FROM search_passages WHERE folded LIKE '%needle%'")
            }
            let text = try plan.map { try $0.decode(String.self) }.joined()
            #expect(text.contains("search_passages_by_text"), "\(text)")
            await pool.drain(budget: .seconds(5))
        }
    }

    /// A database whose user may not create extensions: everything is found, without the index.
    @Test func withoutTheExtensionEverythingIsFound() async throws {
        try await withDatabase { database in
            let fixture = try await PostgresFixture.shared()
            try await fixture.execute("CREATE ROLE plain_\(database.name) LOGIN")
            try await withEventLoop { loop in
                let root = PostgresPool(
                    configuration: PostgresConfiguration(
                        url: database.url, schema: "public", applicationName: "test", maxConnections: 1), loop: loop)
                try await root.query("CREATE SCHEMA workspace AUTHORIZATION \(identifier: "plain_\(database.name)")")
                await root.drain(budget: .seconds(5))
            }
            let folder = try TemporaryDirectory()
            let file = try folder.write("token", Array("\(adminToken)\n".utf8))
            try await withService(
                WorkspaceService.definition,
                arguments: [
                    "--admin-token-file", file, "--database-url",
                    database.url.replacing("//postgres@", with: "//plain_\(database.name)@"),
                ], hasDatabase: false
            ) { service in
                let workspace = Workspace(service: service, user: try service.client(token: adminToken))
                try await workspace.saveCells("/Shared/n", ["a needle"])
                #expect(try await workspace.found("need") == ["CONTENT /Shared/n#1"])
                let pool = open(database, service.loop)
                let rows = try await pool.query(
                    "SELECT to_regclass('search_passages_by_text') IS NULL AND ensure_search_index()")
                // The superuser of this pool may do it: so it comes with the right to it.
                #expect(try rows.first?.decode(Bool.self) == true)
                await pool.drain(budget: .seconds(5))
            }
        }
    }
}
