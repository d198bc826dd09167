internal import Core
internal import EventLoop
internal import Glibc
internal import Synchronization

/// A database of its own on a test cluster.
public struct PostgresTestDatabase: Sendable {
    /// The database's name, new for each call of `makeDatabase`.
    public let name: String
    /// The folder of the cluster's unix socket; it listens nowhere else.
    public let socketDirectory: String

    /// The address in the form `DATABASE_URL` takes.
    public var url: String {
        let host = socketDirectory.split(separator: "/").joined(separator: "%2F")
        return "postgresql://postgres@/\(name)?host=%2F\(host)"
    }
}

/// A private PostgreSQL cluster for tests: made by initdb in a temporary folder, reached by a unix socket only, without
/// fsync, gone when the test process is gone, however it ends.
///
/// A small shell supervises it and reads commands from a pipe; the end of the pipe, which the kernel guarantees, is the
/// command to stop everything and remove the folder. As root, PostgreSQL runs as the user `postgres`.
public final class PostgresFixture: Sendable {
    /// The folder with the cluster and its socket.
    public let directory: String
    private let shell: ShellSession
    private let psql = Mutex<ShellSession?>(nil)
    private let templates = Mutex<[String: Task<String, any Error>]>([:])
    private let count = Atomic<Int>(0)

    /// Threads of its own: a test that waits for its database must not hold up what the tested code does elsewhere.
    private let queries = BlockingPool(threads: 1)
    private let commands = BlockingPool(threads: 1)

    private static let common = Mutex<Task<PostgresFixture, any Error>?>(nil)

    /// The cluster that all tests of this process share; started by the first that asks.
    public static func shared() async throws -> PostgresFixture {
        let task = common.withLock { common in
            if let common { return common }
            let made = Task { try await start(outlivingKills: false) }
            common = made
            return made
        }
        return try await task.value
    }

    /// A cluster of the caller's own, for tests that kill it: what is committed outlives the server's processes. It stops
    /// when the fixture is let go.
    /// - Parameter countsStatements: whether `statements(in:)` is going to be asked.
    public static func start(countsStatements: Bool = false) async throws -> PostgresFixture {
        try await start(outlivingKills: true, countsStatements: countsStatements)
    }

    private static func start(outlivingKills: Bool, countsStatements: Bool = false) async throws -> PostgresFixture {
        try await BlockingPool(threads: 1).run { try PostgresFixture(outlivingKills, countsStatements) }
    }

    private init(_ outlivesKills: Bool, _ countsStatements: Bool) throws {
        var template = Array("/tmp/harbour-postgres-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw FixtureError("no temporary folder could be made") }
        directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        shell = try ShellSession([
            "/bin/sh", "-c", PostgresFixture.supervisor, "sh", directory, outlivesKills ? "on" : "off",
            countsStatements ? "pg_stat_statements" : "",
        ])
        try shell.expect("ready")
    }

    /// psql on the database `postgres`; one for all, until the cluster is stopped.
    private func session() throws -> ShellSession {
        try psql.withLock { psql in
            if let psql { return psql }
            let made = try ShellSession([
                "\(PostgresFixture.binaries)/psql", "-h", directory, "-U", "postgres", "-d", "postgres", "-qAtX",
            ])
            psql = made
            return made
        }
    }

    // MARK: Databases

    /// A new, empty database.
    public func makeDatabase() async throws -> PostgresTestDatabase { try await makeDatabase(from: "template1") }

    /// A new database like the one that `prepare` makes of an empty one; it runs once per key and process.
    public func makeDatabase(
        template key: String, prepare: @escaping @Sendable (PostgresTestDatabase) async throws -> Void
    ) async throws -> PostgresTestDatabase {
        let task = templates.withLock { templates in
            if let known = templates[key] { return known }
            let made = Task {
                let database = try await self.makeDatabase()
                try await prepare(database)
                return database.name
            }
            templates[key] = made
            return made
        }
        return try await makeDatabase(from: task.value)
    }

    /// Copies a database to which nobody is connected.
    private func makeDatabase(from template: String) async throws -> PostgresTestDatabase {
        let number = count.wrappingAdd(1, ordering: .relaxed).newValue
        let name = "test_\(number)"
        try await execute("CREATE DATABASE \(name) TEMPLATE \(template)")
        return PostgresTestDatabase(name: name, socketDirectory: directory)
    }

    /// Drops a database and ends its connections.
    ///
    /// The server asks every connection of the cluster before it removes files, and one in the middle of a `COPY`, say,
    /// answers only when its client goes on, which may itself wait for a database. So what cannot be dropped soon is
    /// left to the end of the cluster.
    public func dropDatabase(_ database: PostgresTestDatabase) async throws {
        let drop = "DROP DATABASE IF EXISTS \(database.name) WITH (FORCE)"
        let answer = try await ask(drop, before: "SET statement_timeout = '5s';", after: "RESET statement_timeout;")
        guard ["00000", Self.queryCanceled].contains(answer.state) else {
            throw FixtureError("\(drop): SQLSTATE \(answer.state)")
        }
    }

    /// Runs one statement as the superuser in the database `postgres` and returns its rows as psql prints them.
    @discardableResult
    public func execute(_ statement: String) async throws -> [String] {
        let answer = try await ask(statement)
        guard answer.state == "00000" else { throw FixtureError("\(statement): SQLSTATE \(answer.state)") }
        return answer.rows
    }

    /// How many statements a database has been asked until now, those that begin and end transactions included.
    public func statements(in database: PostgresTestDatabase) async throws -> Int {
        try await execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        let rows = try await execute(
            """
            SELECT coalesce(sum(calls), 0) FROM pg_stat_statements
            WHERE dbid = (SELECT oid FROM pg_database WHERE datname = '\(database.name)')
            """)
        return rows.first.flatMap { Int($0) } ?? 0
    }

    private static let queryCanceled = "57014"

    private func ask(
        _ statement: String, before: String = "", after: String = ""
    ) async throws -> (rows: [String], state: String) {
        let psql = try session()
        return try await queries.run {
            // psql answers on the same pipe, so the mark follows whatever the statement printed.
            let mark = "SQLSTATE "
            let question = "\(before)\n\(statement);\n\\echo \(mark):SQLSTATE\n\(after)"
            let lines = try psql.ask(question, until: { $0.hasPrefix(mark) })
            return (Array(lines.dropLast()), String(lines.last?.dropFirst(mark.count) ?? ""))
        }
    }

    // MARK: Accidents

    /// Kills every process of the cluster with SIGKILL, as a crash of the machine would.
    public func kill() async throws { try await command("kill") }

    /// Starts the cluster again after `kill` or `stop`; it accepts connections when this returns.
    public func restart() async throws { try await command("start") }

    /// Stops the cluster in an orderly way; connections are ended.
    public func stop() async throws { try await command("stop") }

    private func command(_ word: String) async throws {
        psql.withLock { $0 = nil }
        try await commands.run { [shell] in _ = try shell.ask(word, until: { $0 == "ready" }) }
    }

    // MARK: The supervisor

    private static let binaries = "/usr/lib/postgresql/15/bin"

    private static let supervisor = """
        trap '' INT TERM HUP
        folder=$1
        commits=$2
        libraries=$3
        as=
        cd /
        if [ "$(id -u)" = 0 ]; then as='runuser -u postgres --'; chown postgres "$folder" || exit; fi
        control() { $as \(binaries)/pg_ctl -D "$folder/data" -l "$folder/log" -w -s "$@" </dev/null >&2; }
        $as \(binaries)/initdb -D "$folder/data" -U postgres -A trust -E UTF8 --no-locale --no-sync \
            >"$folder/initdb.log" 2>&1 || { cat "$folder/initdb.log" >&2; rm -rf "$folder"; exit 1; }
        $as sh -c "cat >>'$folder/data/postgresql.conf'" <<END
        listen_addresses = ''
        unix_socket_directories = '$folder'
        fsync = off
        synchronous_commit = $commits
        full_page_writes = off
        shared_buffers = 32MB
        max_connections = 400
        max_wal_size = 256MB
        autovacuum = off
        shared_preload_libraries = '$libraries'
        END
        control start && echo ready
        while read -r word; do
            case $word in
            kill)
                main=$(head -n 1 "$folder/data/postmaster.pid")
                kill -STOP "$main"
                all=$(cat "/proc/$main/task/$main/children")
                kill -KILL $all "$main"
                while [ -e "/proc/$main" ]; do sleep 0.01; done
                # On a busy machine they hold the shared memory for a moment longer; then they may stay as zombies.
                for one in $all; do while [ -e "/proc/$one/exe" ]; do sleep 0.01; done; done;;
            start) rm -f "$folder/data/postmaster.pid"; control start;;
            stop) control -m fast stop;;
            esac
            echo ready
        done
        [ -e "$folder/data/postmaster.pid" ] && control -m immediate stop 2>/dev/null
        rm -rf "$folder"
        """
}

/// Runs the body with a new, empty database on the cluster that this process's tests share, in its turn.
public func withDatabase<Value: Sendable>(
    _ body: @Sendable (PostgresTestDatabase) async throws -> Value
) async throws -> Value {
    try await Turns.ofDatabases.run {
        let fixture = try await PostgresFixture.shared()
        let database = try await fixture.makeDatabase()
        let result: Result<Value, any Error>
        do { result = .success(try await body(database)) } catch { result = .failure(error) }
        try await fixture.dropDatabase(database)
        return try result.get()
    }
}

/// Why a fixture could not do its work.
public struct FixtureError: Error, CustomStringConvertible {
    /// What went wrong.
    public let description: String

    init(_ description: String) { self.description = description }
}
