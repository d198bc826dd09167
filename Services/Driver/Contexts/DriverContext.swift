internal import CommandJournals
internal import Core
internal import EventLoop
internal import HarbourProtocol
internal import JupyterKernel

/// One context: the hands of its state machine. Used on the driver's loop only.
final class DriverContext: @unchecked Sendable {
    let id: String
    let clusterID: String
    let language: String
    let kernelName: String
    let created: Timestamp
    private let parameters: [String: String]
    private let taskValues: JSONObject
    /// Nil for a context of a driver that came before this one.
    private let pool: KernelPool?
    private let loop: EventLoop
    private let configuration: DriverConfiguration
    private let journalFolder: String
    private let ended: (DriverContext, DriverCommand?) -> Void
    private var machine: ContextMachine
    /// Where its commands ask about secrets; nil for one whose commands have all ended.
    var secrets: SecretQuestions?
    /// Why Spark is lost, waiting so long for its end; nil while it runs.
    var sparkLoss: (@Sendable (_ patience: Duration) async -> SparkFailure?)?
    private(set) var commands: [String: DriverCommand] = [:]
    /// Oldest first.
    private var endedCommands: [String] = []
    private var kernel: JupyterKernel?
    private var timers: [ContextMachine.Timer: LoopTimer] = [:]
    private var lastActivity: Timestamp?
    private var closedBy: String?
    private let logger: Logger

    /// `ended` is told about each command that has ended, and with nil about the end of the context.
    init(
        _ spec: ContextRecord, configuration: DriverConfiguration, scratch: ScratchFolder, pool: KernelPool?,
        loop: EventLoop, ended: @escaping (DriverContext, DriverCommand?) -> Void
    ) {
        id = spec.id
        language = spec.language
        kernelName = spec.kernel
        parameters = spec.parameters
        taskValues = spec.taskValues
        created = spec.created
        clusterID = configuration.clusterID
        journalFolder = "\(scratch.journals)/\(spec.id)"
        self.configuration = configuration
        self.pool = pool
        self.loop = loop
        self.ended = ended
        machine = ContextMachine(grace: configuration.cancelGrace)
        logger = Logger("driver.context").with("context_id", spec.id)
        if pool == nil { perform(machine.handle(.close)) }
    }

    var info: ContextInfo {
        ContextInfo(
            contextID: id, clusterID: clusterID, language: language, kernel: kernelName, state: machine.state,
            message: closedBy ?? machine.failure, createdTime: created, lastActivityTime: lastActivity,
            runningCommandID: machine.runningID, queuedCommands: machine.waiting)
    }

    var isTerminated: Bool { machine.state == .terminated }
    var busyCommands: Int { machine.waiting + (machine.runningID == nil ? 0 : 1) }
    /// The process of its kernel, while it has one.
    var kernelPID: Int32? { kernel?.pid }

    /// Finds a kernel now rather than with the first command.
    func start() { perform(machine.start()) }

    /// Ends the context; its commands can still be read.
    func close(reason: String? = nil) {
        if closedBy == nil { closedBy = reason }
        perform(machine.handle(.close))
    }

    /// Knows a command of a driver that came before this one.
    func restore(_ command: DriverCommand) {
        commands[command.id] = command
        forgetOldest(after: command)
    }

    /// Queues a command.
    func submit(_ command: DriverCommand) {
        commands[command.id] = command
        let limit: Duration? = command.timeoutSeconds > 0 ? .seconds(command.timeoutSeconds) : nil
        perform(machine.handle(.submit(command.id, limit: limit)))
    }

    func cancel(_ command: DriverCommand) { perform(machine.handle(.cancel(command.id))) }

    /// Asks the kernel; nil when it does not answer in time, or there is none yet.
    func complete(_ question: KernelQuestion, within patience: Duration) async -> KernelCompletion? {
        await kernel?.complete(question, within: patience)
    }

    /// The same of what is known of a name.
    func inspect(_ question: KernelQuestion, within patience: Duration) async -> KernelInspection? {
        await kernel?.inspect(question, within: patience)
    }

    // MARK: Hands

    private func perform(_ actions: [ContextMachine.Action]) {
        for action in actions {
            switch action {
            case .acquire: loop.spawn { [self] in await acquire() }
            case .run(let id): if let command = commands[id] { run(command) }
            case .interrupt: kernel?.interrupt()
            case .killKernel: kernel?.kill()
            case .state(let id, let state, let error): if let command = commands[id] { set(command, state, error) }
            case .schedule(let timer, let delay):
                timers[timer]?.cancel()
                timers[timer] = loop.schedule(after: delay) { [self] in perform(machine.handle(.fired(timer))) }
            case .cancel(let timer): timers.removeValue(forKey: timer)?.cancel()
            case .closed:
                kernel = nil
                ended(self, nil)
            }
        }
    }

    private func set(_ command: DriverCommand, _ state: CommandState, _ error: CommandError?) {
        switch state {
        case .queued: break
        case .running: command.begin()
        case .cancelling: command.beginCancelling()
        case .finished, .error, .cancelled:
            command.end(state, error)
            secrets?.withdraw(command: command.id, context: id)
            lastActivity = .now
            forgetOldest(after: command)
            ended(self, command)
        }
    }

    private func forgetOldest(after command: DriverCommand) {
        endedCommands.append(command.id)
        while endedCommands.count > configuration.endedCommands {
            commands.removeValue(forKey: endedCommands.removeFirst())?.remove()
        }
    }

    private func run(_ command: DriverCommand) {
        guard let kernel else { return }
        command.onGivenUp = { [weak self, weak command] in if let command { self?.cancel(command) } }
        kernel.execute(KernelRequest(command.source, metadata: metadata(of: command))) { [self] event in
            switch event {
            case .began: break
            case .counted(let count): command.counted(count)
            case .output(let output): command.output(output)
            case .asked(let input):
                secrets?.ask(input.question, context: id, command: command.id) { [weak kernel] answer in
                    kernel?.reply(answer.reply(to: input.question), to: input)
                }
            case .ended(let result): finished(command, result)
            }
        }
    }

    private func metadata(of command: DriverCommand) -> JSONObject {
        guard kernelName == KernelPool.ownName else { return [:] }
        let language =
            switch command.journal.header.language {
            case "sh": "shell"
            case "md": "markdown"
            case let other: other
            }
        var ours: JSONObject = ["command_id": .string(command.id), "language": .string(language)]
        if let widgets = command.takeWidgets() { ours["widgets"] = .array(widgets.map(\.kernelValue)) }
        return ["dataharbour": .object(ours)]
    }

    private func finished(_ command: DriverCommand, _ result: KernelResult) {
        if let count = result.executionCount { command.counted(count) }
        switch result.status {
        case .ok: perform(machine.handle(.ended(.ok)))
        case .error(let error):
            let failed = OutputLimiter.commandError(configuration.redactor.redact(error))
            // What py4j says of a gateway that is gone tells nobody why: the end of Spark, which is on its way, does.
            afterLookingAtSpark(of: command.id, within: SparkFailure.patience(for: error.name)) { [self] cause in
                // A kernel that died meanwhile ends its command itself.
                if kernel != nil { perform(machine.handle(.ended(.failed(cause ?? failed)))) }
            }
        case .aborted:
            let error = CommandError(
                code: "COMMAND_FAILED", name: "Aborted", message: "The kernel refused to run the command.")
            perform(machine.handle(.ended(.failed(error))))
        // The end of the process is reported by itself and says more; nothing is withdrawn here.
        case .died, .withdrawn: break
        }
    }

    /// Goes on once it is known whether Spark was lost, if that is asked for; never for a command that has ended.
    private func afterLookingAtSpark(
        of command: String?, within patience: Duration?, _ goOn: @escaping @Sendable (CommandError?) -> Void
    ) {
        guard let command, let patience, let sparkLoss else { return goOn(nil) }
        loop.spawn { [self] in
            let cause = await sparkLoss(patience)
            guard machine.runningID == command else { return }
            goOn(cause.map { CommandError(code: $0.code, name: "SparkLost", message: $0.message) })
        }
    }

    // MARK: Kernels

    private func acquire() async {
        do {
            let kernel = try await findKernel()
            self.kernel = kernel
            kernel.onStrayOutput = { [logger] _ in logger.debug("An output came after the end of its command.") }
            kernel.onDeath = { [self] exit in
                self.kernel = nil
                // Kernels end with Spark's host, and may be seen to before it is.
                let reason = DriverContext.describe(exit)
                afterLookingAtSpark(of: machine.runningID, within: .zero) { [self] cause in
                    perform(machine.handle(.kernelGone(reason, because: cause)))
                }
            }
            perform(machine.handle(.kernelReady))
        } catch {
            let error = HarbourError.wrap(error)
            logger.error("There is no kernel for the context.", ["error": error.describeChain()])
            perform(
                machine.handle(
                    .kernelFailed(
                        CommandError(code: error.code.name, name: "KernelUnavailable", message: error.message))))
        }
    }

    private func findKernel() async throws -> JupyterKernel {
        guard let pool else { throw HarbourError(.invalidState, "The context has ended.") }
        guard kernelName == KernelPool.ownName else {
            guard let spec = pool.installed()[kernelName] else {
                throw HarbourError(.notFound, "The kernel \(kernelName) is not installed on the cluster any more.")
            }
            let kernel = try await pool.launch(spec)
            _ = try await kernel.ready()
            return kernel
        }
        let kernel = try await pool.takeOwn()
        defer { pool.refill() }
        let values = JSONObject(parameters.sorted { $0.key < $1.key }.map { ($0.key, JSONValue.string($0.value)) })
        let attach: JSONValue = [
            "context_id": .string(id), "parameters": .object(values), "task_values": .object(taskValues),
        ]
        let (_, result) = await kernel.execute(
            KernelRequest("", isSilent: true, metadata: ["dataharbour": ["attach": attach]]))
        switch result.status {
        case .ok where kernel.isAlive: return kernel
        case .error(let error):
            kernel.kill()
            let code: ErrorCode = error.name == "SparkUnavailable" ? .sparkUnavailable : .kernelStartFailed
            throw HarbourError(code, error.message, detail: error.name)
        case .died(let reason):
            throw HarbourError(
                .kernelStartFailed, "\(reason) It had not been attached yet.", detail: kernel.configuration.log)
        case .ok, .aborted, .withdrawn:
            kernel.kill()
            throw HarbourError(.kernelStartFailed, "The kernel ended while it was attached to the context.")
        }
    }

    private static func describe(_ exit: ProcessExit) -> String {
        let hint = exit == .signalled(9) ? " It may have run out of memory." : ""
        return "The kernel \(exit).\(hint)"
    }
}

extension NotebookWidget {
    /// As the kernel takes it.
    fileprivate var kernelValue: JSONValue {
        var object: JSONObject = [
            "kind": .string(kind.rawValue), "name": .string(name), "default_value": .string(defaultValue),
            "choices": .array((choices ?? []).map { .string($0) }),
        ]
        if let label { object["label"] = .string(label) }
        if let value { object["value"] = .string(value) }
        return .object(object)
    }
}
