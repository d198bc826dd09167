internal import Core
internal import EventLoop
internal import Glibc

/// Brings a service's schema up to date from numbered files, `NNN-name.sql` from 001 without gaps.
///
/// Each file runs once, in a transaction of its own with the record that it ran; an advisory lock lets one process at a
/// time do so. A file that was changed after it ran is refused: write a new one instead.
public struct PostgresMigrator: Sendable {
    /// What a run did.
    public struct Report: Sendable, Equatable {
        /// The names of the files that ran now, in order.
        public var applied: [String]
        /// The number of the last file that has ever run.
        public var version: Int

        /// Makes a report, to compare with.
        public init(applied: [String], version: Int) {
            self.applied = applied
            self.version = version
        }
    }
    struct File: Equatable {
        let number: Int
        let name: String
        let text: String
    }

    private let directory: String
    private let schema: String
    private let logger = Logger("postgres.migrate")

    /// Makes a migrator for a folder such as `schemas/sql/workspace` and the schema it describes. The files name their
    /// tables without a schema.
    public init(directory: String, schema: String) {
        self.directory = directory
        self.schema = schema
    }

    /// Runs what has not run. Running it again, or in two processes at once, does nothing more.
    /// Throws `INVALID_STATE` when files and record do not fit together; `INTERNAL_ERROR` when a file fails, in which
    ///   case nothing of that file is kept.
    @discardableResult
    public func run(_ pool: PostgresPool, timeout: Duration = .seconds(600)) async throws -> Report {
        guard PostgresConfiguration.isPlainName(schema) else { throw problem("\(schema) is not a schema's name") }
        let files = try await BlockingPool.shared.run { try readFiles() }
        let deadline = MonotonicTime.now + timeout
        let connection = try await pool.lease(deadline: deadline)
        defer { pool.release(connection) }
        return try await withTaskExecutorPreference(pool.loop) {
            let session = MigrationSession(connection: connection, schema: schema, deadline: deadline)
            // A session lock, so that it spans the transactions of all files; it goes with the connection at the latest.
            try await session.query("SELECT pg_advisory_lock(hashtextextended(\("harbour migration " + schema), 0))")
            do {
                let report = try await migrate(session, files)
                try await session.unlock()
                return report
            } catch {
                // What failed matters more; a connection that cannot unlock loses the lock with its end.
                try? await session.unlock()
                throw error
            }
        }
    }

    private func migrate(_ session: MigrationSession, _ files: [File]) async throws -> Report {
        try await session.prepare()
        let known = try await session.applied()
        for (number, name) in known.map({ ($0.key, $0.value.name) }).sorted(by: { $0.0 < $1.0 })
        where !files.contains(where: { $0.number == number }) {
            throw problem("migration \(name) has run but its file is gone; this program is older than the database")
        }
        var report = Report(applied: [], version: known.keys.max() ?? 0)
        for file in files {
            let checksum = try await session.checksum(file.text)
            if let record = known[file.number] {
                guard record.checksum == checksum else {
                    throw problem("\(file.name) was changed after it had run; undo that and write a new file instead")
                }
                continue
            }
            guard file.number > report.version else { throw problem("\(file.name) comes before one that has run") }
            try await session.apply(file, checksum: checksum)
            logger.info("migrated", ["schema": schema, "file": file.name])
            report.applied.append(file.name)
            report.version = file.number
        }
        return report
    }

    /// The files in order; other names in the folder are an error, because they are most likely misspelt.
    func readFiles() throws(HarbourError) -> [File] {
        guard let folder = opendir(directory) else {
            throw problem("the folder \(directory) cannot be read: \(String(cString: strerror(errno)))")
        }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        var files: [File] = []
        for name in names.sorted() {
            guard name.hasSuffix(".sql"), name.utf8.count > 8, let number = Int(name.prefix(3)),
                name.dropFirst(3).first == "-"
            else { throw problem("\(name) in \(directory) is not called NNN-name.sql") }
            guard number == files.count + 1 else {
                throw problem("\(name) in \(directory) should be number \(files.count + 1)")
            }
            files.append(File(number: number, name: name, text: try text(of: "\(directory)/\(name)")))
        }
        return files
    }

    private func text(of path: String) throws(HarbourError) -> String {
        guard let file = fopen(path, "re") else {
            throw problem("\(path) cannot be read: \(String(cString: strerror(errno)))")
        }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = fread(&chunk, 1, chunk.count, file)
            if count == 0 { break }
            bytes += chunk[..<count]
            if bytes.count > 16 << 20 { throw problem("\(path) is larger than 16 MiB") }
        }
        guard ferror(file) == 0, let text = String(validating: bytes, as: UTF8.self), !text.utf8.contains(0) else {
            throw problem("\(path) is not UTF-8 text")
        }
        return text
    }

    private func problem(_ what: String) -> HarbourError {
        HarbourError(.invalidState, "The database cannot be brought up to date: \(what).")
    }
}

/// The statements of one run on its leased connection.
private struct MigrationSession {
    let connection: PostgresConnection
    let schema: String
    let deadline: MonotonicTime

    @discardableResult
    func query(_ sql: SQL) async throws(HarbourError) -> PostgresRows {
        let request = PostgresRequest(.query(sql), isShared: false, deadline: deadline)
        let outcome: PostgresRequest.Outcome = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                request.park(continuation)
                connection.submit(request)
            }
        } onCancel: {
            connection.loop.submit { connection.abandon(request, .databaseCancelled()) }
        }
        guard case .rows(let rows) = try outcome.get() else { throw .connectionLost("no rows") }
        return rows
    }

    func unlock() async throws(HarbourError) {
        try await query("SELECT pg_advisory_unlock(hashtextextended(\("harbour migration " + schema), 0))")
    }

    /// The schema and the table of records, and the names in the files resolved inside the schema.
    func prepare() async throws(HarbourError) {
        let exists = try await query("SELECT FROM pg_namespace WHERE nspname = \(schema)")
        if exists.isEmpty { try await query("CREATE SCHEMA IF NOT EXISTS \(identifier: schema)") }
        try await query("SELECT set_config('search_path', \(schema), false)")
        try await query(
            """
            CREATE TABLE IF NOT EXISTS schema_migrations (
                number integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT now())
            """)
    }

    func applied() async throws(HarbourError) -> [Int: (name: String, checksum: String)] {
        var known: [Int: (name: String, checksum: String)] = [:]
        for row in try await query("SELECT number, name, checksum FROM schema_migrations") {
            let (number, name, checksum) = try row.decode((Int.self, String.self, String.self))
            known[number] = (name, checksum)
        }
        return known
    }

    func checksum(_ text: String) async throws(HarbourError) -> String {
        let rows = try await query("SELECT encode(sha256(\(Array(text.utf8))), 'hex')")
        guard let row = rows.first else { throw .connectionLost("no checksum") }
        return try row.decode(String.self)
    }

    func apply(_ file: PostgresMigrator.File, checksum: String) async throws {
        try await query("BEGIN")
        do {
            try await connection.runScript(file.text, deadline: deadline)
            guard connection.isInTransaction else {
                throw HarbourError(
                    .invalidState,
                    "The database cannot be brought up to date: \(file.name) ends the transaction it runs in. "
                        + "Take BEGIN, COMMIT and ROLLBACK out of it.")
            }
            try await query(
                """
                INSERT INTO schema_migrations (number, name, checksum)
                VALUES (\(file.number), \(file.name), \(checksum))
                """)
            try await query("COMMIT")
        } catch {
            // When the rollback fails as well, releasing the connection closes it.
            if connection.isInTransaction { _ = try? await query("ROLLBACK") }
            guard let known = error as? HarbourError, known.postgres != nil else { throw error }
            throw HarbourError(
                .internalError, "The database cannot be brought up to date: \(file.name) failed. See the log.",
                detail: known.detail, cause: known.cause)
        }
    }
}
