internal import Core
internal import EventLoop
internal import Glibc

/// Keeps the processes of the platform running: the shell around `SupervisorMachine`.
///
/// `@unchecked Sendable`: touched on its loop only.
final class Supervisor: @unchecked Sendable {
    private let loop: EventLoop
    private let definitions: [String: ProgramDefinition]
    private let log = Logger("supervisor")
    private var machine: SupervisorMachine
    private var processes: [String: ChildProcess] = [:]
    private var names: [Int32: String] = [:]
    /// Programs that said they are ready before we had heard of their process.
    private var early: Set<Int32> = []
    private var readiness: ReadinessSocket?
    private var timer: LoopTimer?
    private var observers: [Int: (SupervisorStatus) -> Void] = [:]
    private var lastTicket = 0
    private var onStopped: (() -> Void)?

    init(programs: [ProgramDefinition], loop: EventLoop) {
        self.loop = loop
        definitions = Dictionary(uniqueKeysWithValues: programs.map { ($0.name, $0) })
        machine = SupervisorMachine(programs: programs.map { .init(name: $0.name, after: $0.after) })
    }

    /// Starts everything. Only on the loop.
    /// - Parameter socketPath: where the programs say that they are ready.
    /// - Throws: when the socket cannot be opened.
    func start(socketPath: String) throws(HarbourError) {
        readiness = try ReadinessSocket(path: socketPath, loop: loop) { [weak self] pid in self?.heardReady(pid) }
        handle(.start)
    }

    /// Ends everything in order and calls back when the last program has ended. Only on the loop.
    func stop(_ done: @escaping () -> Void) {
        onStopped = done
        handle(.stop)
    }

    /// The present state of all programs, in the order of starting. Only on the loop.
    var status: SupervisorStatus {
        SupervisorStatus(
            isReady: machine.isReady, isStopping: machine.isStopping,
            programs: machine.programs.map { program in
                let status = machine.status[program.name] ?? SupervisorMachine.Status()
                return SupervisorStatus.Program(
                    name: program.name, state: status.phase.name, pid: processes[program.name]?.pid,
                    restarts: status.restarts, lastExit: status.lastExit)
            })
    }

    /// Calls back with the state after each change. Only on the loop.
    /// - Returns: a ticket for `forget`.
    @discardableResult
    func observe(_ observer: @escaping (SupervisorStatus) -> Void) -> Int {
        lastTicket += 1
        observers[lastTicket] = observer
        return lastTicket
    }

    /// Ends the calls of an observer. Only on the loop.
    func forget(_ ticket: Int) { observers[ticket] = nil }

    private func handle(_ event: SupervisorMachine.Event) {
        let actions = machine.handle(event, at: .now)
        for action in actions { perform(action) }
        timer?.cancel()
        timer = machine.nextWake.map { time in loop.schedule(at: time) { [self] in handle(.wake) } }
        let status = self.status
        for observer in observers.values { observer(status) }
    }

    private func perform(_ action: SupervisorMachine.Action) {
        switch action {
        case .spawn(let name): spawn(name)
        case .terminate(let name): signal(name)
        case .kill(let name):
            log.warning("a program did not end in time and is killed", ["program": name])
            processes[name]?.kill()
        case .allStopped:
            readiness?.close()
            readiness = nil
            onStopped?()
            onStopped = nil
        }
    }

    private func signal(_ name: String) {
        guard let definition = definitions[name], let process = processes[name] else { return }
        if definition.stopsGroup {
            process.sendToGroup(signal: definition.stopSignal)
        } else {
            process.send(signal: definition.stopSignal)
        }
    }

    private func spawn(_ name: String) {
        guard var definition = definitions[name], let socket = readiness?.path else { return }
        definition.specification.environment = definition.specification.environment.adding("NOTIFY_SOCKET", socket)
        let (specification, prepare) = (definition.specification, definition.prepare)
        loop.spawn { [self] in
            do {
                try await prepare?()
                started(name, try await ChildProcess.start(specification, loop: loop))
            } catch {
                log.error("a program could not be started", ["program": name, "error": HarbourError.describe(error)])
                handle(.exited(name, reason: HarbourError.wrap(error).message))
            }
        }
    }

    private func started(_ name: String, _ process: ChildProcess) {
        processes[name] = process
        names[process.pid] = name
        log.info("started", ["program": name, "pid": Int(process.pid)])
        process.whenEnded { [self] exit in ended(name, process, exit) }
        if early.remove(process.pid) != nil { handle(.becameReady(name)) }
        // It was asked to stop while it was being started.
        if machine.isStopping { signal(name) }
    }

    private func ended(_ name: String, _ process: ChildProcess, _ exit: ProcessExit) {
        processes[name] = nil
        names[process.pid] = nil
        let expected = machine.isStopping
        if expected {
            log.info("ended", ["program": name, "how": exit.description])
        } else {
            log.warning("a program ended by itself and is started again", ["program": name, "how": exit.description])
        }
        handle(.exited(name, reason: exit.description))
    }

    private func heardReady(_ pid: Int32) {
        guard let name = names[pid] else {
            if early.count < 64 { early.insert(pid) }
            return
        }
        log.info("ready", ["program": name])
        handle(.becameReady(name))
    }
}

extension ProcessSpecification.Environment {
    /// The same with one more variable.
    func adding(_ name: String, _ value: String) -> Self {
        switch self {
        case .inherited(let adding): .inherited(adding: adding.merging([name: value]) { $1 })
        case .only(let variables): .only(variables.merging([name: value]) { $1 })
        }
    }
}
