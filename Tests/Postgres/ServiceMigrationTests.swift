import Core
import EventLoop
import Glibc
import Postgres
import TestSupport
import Testing

/// The migrations of every service in the repository, whatever services there are.
@Suite struct ServiceMigrationTests {
    private static let folder = "schemas/sql"

    /// The services that have a folder, found from the root of the checkout, where `swift test` runs.
    private static let services: [String] = {
        guard let folder = opendir(folder) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted()
    }()

    @Test func thereAreServices() { #expect(!Self.services.isEmpty) }

    /// Installed at once, grown one version at a time, and run again: always the same schema.
    @Test(arguments: services) func freshEqualsMigrated(_ service: String) async throws {
        let path = "\(Self.folder)/\(service)"
        let fresh = try await withPool({ $0.schema = service }) { pool in
            let migrator = PostgresMigrator(directory: path, schema: service)
            let report = try await migrator.run(pool)
            #expect(report.applied.count == report.version)
            let first = try await Self.describe(service, pool)
            #expect(try await migrator.run(pool).applied.isEmpty)
            #expect(try await Self.describe(service, pool) == first)
            return first
        }
        let grown = try await withPool({ $0.schema = service }) { pool in
            for count in 1... {
                let part = try MigrationFolder(of: path, first: count)
                let report = try await PostgresMigrator(directory: part.path, schema: service).run(pool)
                #expect(report.version == part.count)
                if part.count < count { break }
            }
            return try await Self.describe(service, pool)
        }
        #expect(grown == fresh)
        #expect(fresh.contains { $0.contains("schema_migrations") } && fresh.count > 8)
    }

    /// Columns, constraints and indexes of all tables of the schema; nothing may be made outside it.
    private static func describe(_ schema: String, _ pool: PostgresPool) async throws -> [String] {
        let rows = try await pool.query(
            """
            SELECT format('%s.%s column %s %s %s %s', n.nspname, c.relname, a.attnum, a.attname,
                format_type(a.atttypid, a.atttypmod), a.attnotnull::text || coalesce(pg_get_expr(d.adbin, d.adrelid), ''))
            FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
            LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
            WHERE a.attnum > 0 AND NOT a.attisdropped AND n.nspname NOT LIKE 'pg\\_%'
                AND n.nspname <> 'information_schema'
            UNION ALL
            SELECT format('%s constraint %s %s', conrelid::regclass, conname, pg_get_constraintdef(c.oid))
            FROM pg_constraint c JOIN pg_namespace n ON n.oid = connamespace WHERE n.nspname = \(schema)
            UNION ALL
            SELECT indexdef FROM pg_indexes WHERE schemaname = \(schema)
            ORDER BY 1
            """)
        let lines = try rows.map { row throws(HarbourError) in try row.decode(String.self) }
        for line in lines where line.contains(" column ") {
            #expect(line.hasPrefix("\(schema)."), "\(line) is outside the service's schema")
        }
        return lines
    }
}

/// A folder with links to the first files of another one.
private final class MigrationFolder {
    let path: String
    private(set) var count = 0
    private var links: [String] = []

    init(of source: String, first limit: Int) throws {
        var template = Array("/tmp/harbour-migrations-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let root = try #require(realpath(source, nil))
        defer { free(root) }
        let folder = try #require(opendir(source))
        defer { closedir(folder) }
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard let number = Int(name.prefix(3)), number <= limit else { continue }
            #expect(symlink("\(String(cString: root))/\(name)", "\(path)/\(name)") == 0)
            links.append("\(path)/\(name)")
            count += 1
        }
    }

    deinit {
        for link in links { unlink(link) }
        rmdir(path)
    }
}
