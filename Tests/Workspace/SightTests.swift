import Core
import HarbourProtocol
import Postgres
import TestSupport
import Testing

@testable import WorkspaceService

/// What is found out at once of all that somebody may see is what the gate says of each entry. A failure names its seed.
@Suite("What somebody sees of the tree", .timeLimit(.minutes(15)))
struct SightTests {
    private struct Entry {
        var path: String
        var kind: ObjectType
        var owner: String
        var isDeleted: Bool
    }

    private static let people = ["ada", "bob", "eve", "ray"]
    private static let groups = ["crew", "a crew", "users"]
    /// Names that begin alike, or sort around the slash.
    private static let names = ["a", "a b", "a-", "a.b", "a0", "aa", "b", "B", "ä", "%", "a_", "\u{1f600}"]

    /// A tree with owners and grants, some of it in the trash.
    private static func grow(_ pool: PostgresPool, _ seed: UInt64) async throws -> [Entry] {
        var generator = SeededGenerator(seed: seed)
        try await pool.query("DELETE FROM grants WHERE kind = 'TREE'")
        try await pool.query("DELETE FROM objects WHERE path <> '/'")
        try await pool.query("UPDATE objects SET owner = 'root'")
        var entries = [Entry(path: "/", kind: .directory, owner: "root", isDeleted: false)]
        var taken: Set<String> = ["/"]
        for _ in 0..<Int.random(in: 20...120, using: &generator) {
            guard
                let folder = entries.filter({ $0.kind == .directory && !$0.isDeleted }).randomElement(using: &generator)
            else { continue }
            let name = names.randomElement(using: &generator) ?? "x"
            let path = folder.path == "/" ? "/\(name)" : "\(folder.path)/\(name)"
            guard path.split(separator: "/").count < 8, taken.insert(path).inserted else { continue }
            entries.append(
                Entry(
                    path: path,
                    kind: [.directory, .directory, .notebook, .file].randomElement(using: &generator) ?? .file,
                    owner: (people + ["root", "root", "root"]).randomElement(using: &generator) ?? "root",
                    isDeleted: Int.random(in: 0..<10, using: &generator) == 0))
        }
        for entry in entries.dropFirst() {
            let folder = try #require(try WorkspacePath(entry.path).folder)
            try await pool.query(
                """
                INSERT INTO objects (path, folder, name, kind, created_at, modified_at, owner, deleted_at)
                VALUES (\(entry.path), \(folder.text), \(try WorkspacePath(entry.path).name), \(entry.kind.rawValue),
                    now(), now(), \(entry.owner), \(entry.isDeleted ? Timestamp.now : nil))
                """)
        }
        for _ in 0..<Int.random(in: 0...8, using: &generator) {
            let isGroup = Bool.random(using: &generator)
            let who = (isGroup ? groups : people).randomElement(using: &generator) ?? "ada"
            // Rarely the root, of which everything is below.
            let isRoot = Int.random(in: 0..<40, using: &generator) == 0
            let path = isRoot ? "/" : entries.randomElement(using: &generator)?.path ?? "/"
            if path == "/", !isRoot { continue }
            try await pool.query(
                """
                INSERT INTO grants (kind, object_id, is_group, principal, level, granted_by, granted_at)
                SELECT 'TREE', object_id::text, \(isGroup), \(who), \(Int16.random(in: 1...4, using: &generator)), 'root', now()
                FROM objects WHERE path = \(path)
                ON CONFLICT DO NOTHING
                """)
        }
        // What was given on something of another kind is not given here, whatever its number.
        try await pool.query(
            """
            INSERT INTO grants (kind, object_id, is_group, principal, level, granted_by, granted_at)
            SELECT 'JOB', object_id::text, false, 'ada', 4, 'root', now() FROM objects ON CONFLICT DO NOTHING
            """)
        return entries
    }

    @Test func isWhatTheGateSaysOfEachEntry() async throws {
        try await Workspace.run { workspace in
            try await workspace.withPool { (pool) async throws in
                let permissions = PermissionStore(pool: pool)
                let store = ObjectStore()
                var seen = 0
                var unseen = 0
                for seed in UInt64(0)..<12 {
                    let entries = try await SightTests.grow(pool, seed)
                    for (name, own) in [("ada", []), ("bob", ["crew"]), ("eve", ["a crew", "crew"]), ("new", [])] {
                        let comment = Comment("seed \(seed), \(name)")
                        let principal = Principal(userName: name, role: .user, ownGroups: own)
                        var expected: Set<String> = []
                        for entry in entries where !entry.isDeleted {
                            let level = try await permissions.level(principal, at: try WorkspacePath(entry.path))
                            if level >= .view { expected.insert(entry.path) }
                        }
                        seen += expected.count
                        unseen += entries.count - expected.count
                        let sight = try await permissions.sight(of: principal)
                        for condition: SQL in ["o.object_id IN (\(sight.ids))", sight.condition] {
                            let rows = try await pool.query(
                                "SELECT o.path FROM objects o WHERE o.deleted_at IS NULL AND \(condition)")
                            var found: [String] = []
                            for row in rows { found.append(try row.decode(String.self)) }
                            #expect(found.count == Set(found).count, comment)
                            #expect(Set(found) == expected, comment)
                        }
                        let notebooks = entries.filter { $0.kind == .notebook && expected.contains($0.path) }
                        let count = try await store.countNotebooks(seenBy: sight, on: pool)
                        #expect(count == notebooks.count, comment)
                        let listed = try await store.notebooks(after: nil, count: 500, seenBy: sight, on: pool)
                        #expect(Set(listed.map(\.info.path)) == Set(notebooks.map(\.path)), comment)
                        #expect(listed.count == count, comment)
                    }
                }
                // The others would say nothing if all could be seen, or none.
                #expect(seen > 150 && unseen > 150)
            }
        }
    }
}
