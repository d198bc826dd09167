internal import Core
internal import EventLoop
internal import Glibc
internal import HTTPServer
internal import Lifecycle

/// `up`, `down`, `status`, `logs`: the platform of this machine.
enum PlatformCommands {
    static let all: [Command] = [
        Command(
            name: "up", summary: "Start the platform of this machine, or see that it runs.",
            flags: [
                port, .value("timeout", "SECONDS", "How long to wait until everything is ready; 60 when absent"),
            ], run: up),
        Command(
            name: "down", summary: "Stop the platform of this machine and its clusters; nothing stored is lost.",
            flags: [.toggle("keep-clusters", "Leave clusters running, to be taken up by the next harbour up")],
            run: down),
        Command(name: "status", summary: "Show what runs.", run: status),
        Command(
            name: "logs", summary: "Show the logs of the platform, or of one of its programs.",
            arguments: [Argument(name: "service", help: "workspace, scheduler, cluster, ...", isOptional: true)],
            flags: [
                .toggle("follow", "Go on with what comes"), .value("lines", "N", "How many lines; 100 when absent"),
            ],
            run: logs),
        Command(
            name: "supervise", summary: "Run the platform in the foreground.", flags: [port], isHidden: true,
            run: supervise),
    ]

    private static let port = Flag.value("port", "PORT", "The port of the front door; the services take the next three")

    // MARK: up

    private static func up(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let layout = try setting.layout()
        let loop = try currentLoop()
        let started = MonotonicTime.now
        let limit = Duration.seconds(try invocation.integer("timeout", in: 1...3600) ?? 60)
        try layout.prepare()
        let control = try ControlClient(layout: layout, loop: loop)
        if try await control.status() == nil { try await launch(layout, setting, loop) }
        let reporter = ProgressReporter(terminal: setting.terminal)
        do {
            try await control.follow(within: limit) { status in
                reporter.report(status)
                return status.isReady
            }
        } catch let error as HarbourError where error.code == .deadlineExceeded {
            let late = reporter.notReady.map { "\($0) (harbour logs \($0))" }.joined(separator: ", ")
            throw HarbourError(
                .deadlineExceeded,
                "Not everything is ready after \(limit.milliseconds / 1000) s: \(late). The platform goes on trying.")
        }
        await control.close()
        let url = "http://127.0.0.1:\(try setting.basePort())"
        let time = Terminal.duration(milliseconds: (MonotonicTime.now - started).milliseconds)
        setting.terminal.say("DataHarbour is ready at \(url) (\(time)).")
        setting.terminal.say("Sign-in token: \(PlatformLayout.read(layout.adminToken) ?? "")")
        setting.terminal.answer(["url": .string(url), "data": .string(layout.root)] as JSONValue)
    }

    /// Starts the supervisor in a session of its own and waits until it answers.
    private static func launch(_ layout: PlatformLayout, _ setting: Setting, _ loop: EventLoop) async throws {
        let socketPath = "\(layout.run)/up-\(getpid()).sock"
        let isReady = OneShot()
        let socket = try ReadinessSocket(path: socketPath, loop: loop) { _ in isReady.resolve(nil) }
        defer { loop.onLoop { socket.close() } }
        var specification = ProcessSpecification(
            "/proc/self/exe", ["supervise", "--data", layout.root, "--port", "\(try setting.basePort())"])
        specification.executable = "\(Setting.executableFolder())/harbour"
        specification.environment = .inherited(adding: ["NOTIFY_SOCKET": socketPath])
        specification.directory = "/"
        specification.output = .file(layout.supervisorLog)
        specification.errors = .sameAsOutput
        specification.group = .session
        specification.sweepsGroup = false
        let process = try await ChildProcess.start(specification, loop: loop)
        process.whenEnded { isReady.resolve($0) }
        if let exit = await isReady.value() {
            let last = PlatformLayout.read(layout.supervisorLog)?.split(separator: "\n").last ?? ""
            throw HarbourError(
                .unavailable,
                "The platform could not be started: \(last) The supervisor \(exit); see "
                    + "\(layout.supervisorLog).")
        }
    }

    // MARK: supervise

    private static func supervise(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let layout = try setting.layout()
        let loop = try currentLoop()
        try layout.prepare()
        guard let lock = SupervisorLock(layout, wait: false) else {
            throw HarbourError(.alreadyExists, "A supervisor runs for \(layout.root) already. See harbour status.")
        }
        defer { lock.release() }
        let platform = Platform(
            layout: layout, binaries: Setting.executableFolder(),
            resources: Setting.variable("HARBOUR_RESOURCES") ?? Setting.executableFolder() + "/../share/harbour",
            basePort: try setting.basePort())
        let supervisor = Supervisor(programs: try platform.programs(loop: loop), loop: loop)
        let holder = GroupHolder()
        let control = ControlServer(supervisor: supervisor, loop: loop) { holder.shutDown(reason: "harbour down") }
        let programs = LifecycleComponent(
            "programs", start: { try supervisor.start(socketPath: layout.readinessSocket) },
            drain: { _ in
                await withCheckedContinuation { continuation in
                    loop.onLoop { supervisor.stop { continuation.resume() } }
                }
            })
        let door = LifecycleComponent(
            "control", start: { holder.server = try await control.start(socket: layout.controlSocket) },
            drain: { _ in await holder.server?.drain(budget: .seconds(1)) })
        let group = ServiceGroup(
            [door, programs], loop: loop, budget: .seconds(60), shortBudget: .seconds(5),
            ready: { ReadinessSocket.notifyReady() })
        holder.group = group
        _ = try await group.run()
    }

    // MARK: down, status, logs

    private static func down(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let layout = try setting.layout()
        let loop = try currentLoop()
        let control = try ControlClient(layout: layout, loop: loop)
        let isStopped = try await control.stop() != nil
        await control.close()
        if isStopped {
            setting.terminal.say("Stopping.")
            // The lock is free when the supervisor has ended, and only then.
            try await BlockingPool.shared.run { SupervisorLock(layout, wait: true)?.release() }
        }
        // After the services, which would otherwise see clusters end and start others for the runs that they lose.
        var clusters = 0
        if !invocation.has("keep-clusters") {
            clusters = try await LeftClusters(folder: layout.clusters, loop: loop).end()
        }
        if isStopped {
            setting.terminal.say("Stopped.")
        } else if clusters > 0 {
            setting.terminal.say("Ended \(clusters) clusters. Nothing else ran for \(layout.root).")
        } else {
            setting.terminal.say("Nothing runs for \(layout.root).")
        }
        setting.terminal.answer(["stopped": .bool(isStopped), "clusters_ended": .integer(clusters)] as JSONValue)
    }

    private static func status(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let layout = try setting.layout()
        let control = try ControlClient(layout: layout, loop: try currentLoop())
        guard let status = try await control.status() else {
            throw HarbourError(.unavailable, "DataHarbour does not run for \(layout.root). Start it with harbour up.")
        }
        await control.close()
        setting.terminal.answer(status.json)
        setting.terminal.table(
            ["PROGRAM", "STATE", "PID", "RESTARTS", "LAST END"],
            status.programs.map { program in
                [
                    program.name, program.state, program.pid.map { "\($0)" } ?? "-", "\(program.restarts)",
                    program.lastExit ?? "-",
                ]
            })
    }

    private static func logs(_ invocation: Invocation) async throws {
        let setting = Setting(invocation)
        let layout = try setting.layout()
        let lines = try invocation.integer("lines", in: 0...1_000_000) ?? 100
        let names = try invocation.optionalWord("service").map { [$0] } ?? logNames(layout)
        let files = names.map { layout.log($0) }
        for (name, file) in zip(names, files) where access(file, R_OK) != 0 {
            let known = try logNames(layout).joined(separator: ", ")
            throw HarbourError(.notFound, "There is no log of \(name). There are logs of: \(known).")
        }
        // tail knows files that grow, shrink and are replaced better than anything we would write.
        var arguments = ["tail", "-n", "\(lines)"]
        if invocation.has("follow") { arguments.append("-F") }
        var words: [UnsafeMutablePointer<CChar>?] = (arguments + files).map { strdup($0) } + [nil]
        execvp("tail", &words)
        throw HarbourError.system("The logs could not be shown", errno)
    }

    private static func logNames(_ layout: PlatformLayout) throws(HarbourError) -> [String] {
        guard let folder = opendir(layout.logs) else {
            throw HarbourError(.notFound, "There are no logs in \(layout.logs). Start the platform with harbour up.")
        }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasSuffix(".log") { names.append(String(name.dropLast(4))) }
        }
        return names.sorted()
    }

    static func currentLoop() throws(HarbourError) -> EventLoop {
        guard let loop = EventLoop.current else { throw HarbourError(.internalError, "There is no event loop.") }
        return loop
    }
}
