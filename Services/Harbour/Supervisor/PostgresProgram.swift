internal import Core
internal import EventLoop
internal import Glibc

/// The platform's own PostgreSQL: a private cluster on a unix socket below the data folder, for our user alone.
struct PostgresProgram: Sendable {
    let layout: PlatformLayout
    let binaries: String
    /// PostgreSQL refuses to run as root; it then runs as the user that Debian's package has made.
    private let user: ServiceUser?

    /// Where services connect.
    var databaseURL: String { "postgresql://harbour@/harbour?host=\(layout.run)" }

    init(layout: PlatformLayout) throws(HarbourError) {
        self.layout = layout
        binaries = try PostgresProgram.findBinaries()
        user = geteuid() == 0 ? try ServiceUser(name: "postgres") : nil
    }

    /// How the supervisor runs it.
    func definition(loop: EventLoop) -> ProgramDefinition {
        var specification = command(
            "postgres",
            ["-D", layout.postgres, "-c", "unix_socket_directories=\(layout.run)", "-c", "listen_addresses="])
        specification.output = .file(layout.log("postgres"))
        specification.errors = .sameAsOutput
        // Losing the supervisor must not leave a database behind that nobody stops.
        specification.parentDeathSignal = SIGINT
        return ProgramDefinition(
            name: "postgres", specification: specification, stopSignal: SIGINT,
            prepare: { try await initialise(loop: loop) })
    }

    /// Makes the database cluster once. It is built beside its place and renamed when complete, so that a kill in the
    /// middle leaves nothing half-made.
    private func initialise(loop: EventLoop) async throws {
        try shareRunFolder()
        if access("\(layout.postgres)/PG_VERSION", F_OK) == 0 { return }
        let building = "\(layout.postgres).new"
        _ = try await run(ProcessSpecification("/bin/rm", ["-rf", building]), loop: loop)
        try PlatformLayout.makeFolder(building)
        if let user, chown(building, user.uid, user.gid) != 0 {
            throw HarbourError.system("The database folder could not be given to \(user.name)", errno)
        }
        try await run(
            command(
                "initdb",
                ["-D", building, "-U", "harbour_admin", "-A", "peer", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]),
            loop: loop)
        try write(configuration, to: "\(building)/postgresql.auto.conf")
        try write(accessRules, to: "\(building)/pg_hba.conf")
        try write(userMap, to: "\(building)/pg_ident.conf")
        var single = command("postgres", ["--single", "-j", "-D", building, "postgres"])
        single.input = .pipe
        try await run(
            single, loop: loop,
            input: "CREATE ROLE harbour LOGIN;\n\nCREATE DATABASE harbour OWNER harbour;\n\n")
        guard rename(building, layout.postgres) == 0 else {
            throw HarbourError.system("The database folder could not be put in its place", errno)
        }
    }

    /// As root, the socket's folder has to let PostgreSQL's user in, and nobody else.
    private func shareRunFolder() throws(HarbourError) {
        guard let user else { return }
        guard chown(layout.run, 0, user.gid) == 0, chmod(layout.run, 0o770) == 0 else {
            throw .system("The folder \(layout.run) could not be shared with \(user.name)", errno)
        }
    }

    private var configuration: String {
        """
        # A small private cluster; logical decoding is on for change streams.
        max_connections = 200
        shared_buffers = 64MB
        recovery_init_sync_method = syncfs
        wal_level = logical
        max_wal_size = 512MB
        unix_socket_permissions = 0700
        log_min_messages = warning
        """ + "\n"
    }

    private var accessRules: String { "local all all peer map=harbour\n" }

    /// Who may be `harbour`: the user that runs the platform, and root.
    private var userMap: String {
        var users: Set<String> = ["root"]
        if let entry = getpwuid(geteuid()) { users.insert(String(cString: entry.pointee.pw_name)) }
        if let user { users.insert(user.name) }
        return users.sorted().map { "harbour \($0) harbour\nharbour \($0) harbour_admin\n" }.joined()
    }

    private func write(_ text: String, to path: String) throws(HarbourError) {
        try PlatformLayout.write(text, to: path)
        if let user, chown(path, user.uid, user.gid) != 0 {
            throw .system("The file \(path) could not be given to \(user.name)", errno)
        }
    }

    /// One of PostgreSQL's programs, as the right user.
    private func command(_ name: String, _ arguments: [String]) -> ProcessSpecification {
        var specification: ProcessSpecification
        if let user {
            // The data folder may lie in root's home, which is closed to others: the user may search folders on the
            // way, and gets no other privilege.
            let search = ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
            let identity = ["--reuid", user.name, "--regid", "\(user.gid)", "--init-groups", "--pdeathsig", "INT"]
            specification = ProcessSpecification(
                "/usr/bin/setpriv",
                identity + (canReach(layout.root) ? [] : search) + ["\(binaries)/\(name)"] + arguments)
        } else {
            specification = ProcessSpecification("\(binaries)/\(name)", arguments)
        }
        specification.directory = "/"
        return specification
    }

    /// Whether every folder on the way lets anybody pass.
    private func canReach(_ path: String) -> Bool {
        var partial = ""
        for part in path.split(separator: "/") {
            partial += "/\(part)"
            var info = stat()
            guard stat(partial, &info) == 0, info.st_mode & S_IXOTH != 0 else { return false }
        }
        return true
    }

    @discardableResult
    private func run(_ specification: ProcessSpecification, loop: EventLoop, input: String? = nil) async throws
        -> String
    {
        var specification = specification
        specification.output = .pipe
        specification.errors = .sameAsOutput
        let process = try await ChildProcess.start(specification, loop: loop)
        if let input {
            try await process.input?.write(Array(input.utf8))
            process.input?.close()
        }
        var text = ""
        if let output = process.output {
            for try await line in output.lines() where text.utf8.count < 65_536 { text += line + "\n" }
        }
        let exit = try await process.wait()
        guard exit.isSuccess else {
            throw HarbourError(
                .unavailable,
                "PostgreSQL's database could not be set up: \(specification.executable) ended with \(exit). "
                    + "The log of the supervisor has its output.", detail: text)
        }
        return text
    }

    /// The newest PostgreSQL that Debian has installed.
    private static func findBinaries() throws(HarbourError) -> String {
        for version in stride(from: 30, through: 14, by: -1) {
            let folder = "/usr/lib/postgresql/\(version)/bin"
            if access("\(folder)/postgres", X_OK) == 0 { return folder }
        }
        throw HarbourError(
            .unavailable, "PostgreSQL is not installed. Run deploy/setup, or set DATABASE_URL to a server of yours.")
    }
}

/// A user of the system that a program runs as.
private struct ServiceUser: Sendable {
    let name: String
    let uid: uid_t
    let gid: gid_t

    init(name: String) throws(HarbourError) {
        guard let entry = getpwnam(name) else {
            throw HarbourError(
                .unavailable, "There is no user \(name) to run PostgreSQL as. Run deploy/setup, which makes it.")
        }
        self.name = name
        uid = entry.pointee.pw_uid
        gid = entry.pointee.pw_gid
    }
}
