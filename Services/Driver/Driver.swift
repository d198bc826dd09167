public import Core
public import EventLoop
internal import Glibc
public import HarbourProtocol
internal import JupyterKernel
internal import ServiceKit

/// The data plane of one cluster: Spark, the contexts and their commands.
///
/// All members are used on the loop.
public final class Driver: @unchecked Sendable {
    /// What it was told at its start.
    public let configuration: DriverConfiguration
    let loop: EventLoop
    let scratch: ScratchFolder
    let logs: LogBook
    let pool: KernelPool
    let libraries: LibraryInstaller
    let pages = SparkPageKey()
    let eventLog: SparkEventLog
    let counts = DriverCounts()
    let secrets: SecretQuestions
    private let statusChanged: LoopSignal
    private var host: SparkHost?
    private var sparkLog: FileFollower?
    private var executorLogs: ExecutorLogs?
    /// The number of executors that the backend wants, where it may change.
    private var executorWish: FileFollower?
    private var machine = DriverPhaseMachine()
    private var contexts: [String: DriverContext] = [:]
    /// Names of contexts in the order of their making.
    private var order: [String] = []
    /// Names of those that have ended, in the order of their ends.
    private var endings: [String] = []
    private var sequence: Int64 = 1
    private var lastActivity: Timestamp?
    private let started = Timestamp.now
    private let begin = MonotonicTime.now
    private var statsTime: MonotonicTime?
    private var asking: Task<Void, Never>?
    /// What Spark said last.
    private(set) var stats = SparkStats()
    /// The process of Spark's host, while it runs.
    public var sparkHostPID: Int32? { host?.pid }
    private let logger = Logger("driver")

    /// Makes a driver and reads what one before it has left in the folder; nothing is started.
    /// - Throws: `TEMPORARILY_UNAVAILABLE` when the scratch folder cannot be used.
    public init(_ configuration: DriverConfiguration, loop: EventLoop) throws(HarbourError) {
        self.configuration = configuration
        self.loop = loop
        scratch = try ScratchFolder(configuration.scratch)
        logs = LogBook(loop, configuration.redactor)
        statusChanged = LoopSignal(loop)
        secrets = SecretQuestions(configuration.redactor, loop: loop)
        eventLog = SparkEventLog(folder: "\(configuration.scratch)/events", configuration.redactor, loop: loop)
        libraries = LibraryInstaller(configuration, scratch, logs: logs, loop: loop)
        pool = KernelPool(configuration, scratch, libraries, loop: loop)
        for context in try Recovery(configuration, scratch, loop).contexts() {
            contexts[context.id] = context
            order.append(context.id)
        }
    }

    // MARK: Life

    /// Starts Spark's host; the rest follows by itself and is told by the status.
    public func start() async {
        let begin = MonotonicTime.now
        if !configuration.start.scripts.isEmpty {
            if let failure = await InitScripts(configuration, scratch, logs: logs, loop: loop).run() {
                return fail(failure)
            }
            machine.prepared("init_scripts", MonotonicTime.now - begin)
            if machine.isStopping { return }
        }
        let host = SparkHost(configuration, scratch, pages: pages, logs: logs, loop: loop) { [self] event in
            received(event)
        } ended: { [self] exit in
            hostEnded(exit)
        }
        self.host = host
        do throws(HarbourError) { try host.prepare() } catch {
            logger.error("The cluster's folder cannot be written.", ["error": error.describeChain()])
            return fail(
                SparkFailure(
                    code: "SCRATCH_UNUSABLE",
                    message: "The cluster's folder \(scratch.path) cannot be written: \(error.message) "
                        + "Make room on its disk, then start the cluster again."))
        }
        do { try await host.start() } catch {
            let error = HarbourError.wrap(error)
            logger.error("Spark's host could not be started.", ["error": error.describeChain()])
            fail(SparkFailure(code: "PYTHON_MISSING", message: error.message, detail: error.detail ?? ""))
        }
    }

    /// Ends all contexts, all kernels and Spark.
    public func stop(grace: Duration) async {
        machine.stop()
        libraries.close()
        bump()
        for context in contexts.values where !context.isTerminated { context.close(reason: "The cluster was ended.") }
        await pool.close()
        await host?.stop(grace: grace)
        sparkLog?.close()
        sparkLog = nil
        executorLogs?.close()
        executorLogs = nil
        executorWish?.close()
        executorWish = nil
        bump()
    }

    private func received(_ event: SparkHostEvent) {
        switch event {
        case .listening(let environment):
            pool.open(environment)
            libraries.start(
                LibraryInstaller.Hands(
                    addJar: { [weak self] path in await self?.addJar(path) },
                    installed: { [weak self] in self?.pool.renew() }))
        case .ready(let ready):
            machine.ready(ready, after: MonotonicTime.now - begin)
            logger.info("Spark is ready.", ["version": ready.info.version, "ui": ready.info.uiURL ?? "-"])
            if let log = ready.log { follow(log) }
            eventLog.applicationID = ready.info.applicationID
            followExecutorWish()
            bump()
        case .failed(let failure), .lost(let failure): fail(failure)
        case .executors(let executors):
            for lost in executors.lost {
                logger.warning(
                    "An executor was lost.", ["executor": lost.id, "status": lost.status ?? -1, "reason": lost.reason])
            }
            executors.append(to: "\(scratch.path)/executors-seen", configuration.redactor)
        case .stats, .alive, .answered, .other: break
        }
    }

    /// Waits for Spark; the answer is why it did not take the jar.
    private func addJar(_ path: String) async -> String? {
        do {
            while true {
                let version = statusChanged.version
                guard machine.phase == .starting else { break }
                try await statusChanged.wait(after: version)
            }
        } catch {
            return "The cluster is ending."
        }
        guard machine.phase == .running, let host else { return "The cluster has no Spark." }
        return await host.addJar(path)
    }

    private func follow(_ log: String) {
        do throws(HarbourError) {
            sparkLog = try FileFollower(log, loop: loop) { [logs] line in logs.add(source: "spark", line) }
        } catch {
            logger.warning("Spark's log is not shown.", ["error": error.describeChain()])
        }
        executorLogs = ExecutorLogs(work: "\(scratch.path)/home/work", loop: loop) { [logs] source, line in
            logs.add(source: source, line)
        }
    }

    /// The backend appends a line for each change (`DriverStart.executorsFileName`); without the file nothing ever changes.
    private func followExecutorWish() {
        let path = "\(scratch.path)/executors"
        guard access(path, R_OK) == 0 else { return }
        do throws(HarbourError) {
            executorWish = try FileFollower(path, loop: loop) { [weak self] line in
                guard let self, let count = Int(line), count > 0 else { return }
                logger.info("The cluster shall have another number of executors.", ["executors": count])
                host?.resize(count)
            }
        } catch {
            logger.warning("The number of executors cannot be changed.", ["error": error.describeChain()])
        }
    }

    /// Why Spark does not run any more, when it is known by now or within the patience.
    private func sparkLoss(within patience: Duration) async -> SparkFailure? {
        if machine.phase == .running, let host { await host.look(within: patience) }
        return machine.failure
    }

    private func hostEnded(_ exit: ProcessExit) {
        guard !machine.isStopping else { return }
        fail(
            SparkFailure(
                code: machine.spark == nil ? "SPARK_START_FAILED" : "SPARK_LOST",
                message: "The process that keeps Spark \(exit). Start the cluster again."))
    }

    private func fail(_ failure: SparkFailure) {
        guard machine.fail(failure) else { return }
        logger.error(
            "Spark does not run.", ["code": failure.code, "message": failure.message, "detail": failure.detail])
        for line in failure.detail.split(separator: "\n") { logs.add(source: "spark", String(line)) }
        pool.fail(failure)
        bump()
    }

    // MARK: Status

    /// The state of the driver, with numbers from Spark as they were last.
    public var status: DriverStatus {
        let alive = contexts.values.filter { !$0.isTerminated }
        return DriverStatus(
            clusterID: configuration.clusterID, phase: machine.phase, sequence: sequence,
            errorCode: machine.failure?.code, message: machine.message, startedTime: started,
            phases: machine.timings,
            spark: machine.spark.map { info in
                var info = info
                info.master = configuration.sparkMaster
                return info
            }, contexts: alive.count, busyCommands: alive.reduce(0) { $0 + $1.busyCommands },
            lastActivityTime: lastActivity, executors: machine.spark == nil ? nil : stats.executors,
            activeTasks: Int(clamping: stats.activeTasks), pendingTasks: Int(clamping: stats.pendingTasks),
            streams: Int(clamping: stats.streams))
    }

    /// The same with Spark asked for its numbers first, when it answers quickly.
    public func freshStatus() async -> DriverStatus {
        await refreshStats()
        return status
    }

    /// The present state, then each change, until the driver is stopping.
    /// - Throws: `CancellationError`, and what `body` throws.
    public func followStatus(_ body: (DriverStatus) async throws -> Void) async throws {
        var seen: Int64 = 0
        while true {
            let version = statusChanged.version
            let status = status
            if status.sequence > seen {
                seen = status.sequence
                try await body(status)
            } else if machine.isStopping {
                return
            } else {
                try await statusChanged.wait(after: version)
            }
        }
    }

    /// Asks Spark for its numbers, at most once a second. Those who ask meanwhile wait for the same answer.
    func refreshStats() async {
        if let asking { return await asking.value }
        guard machine.phase == .running, let host else { return }
        let now = MonotonicTime.now
        if let statsTime, now - statsTime < .seconds(1) { return }
        statsTime = now
        let question = loop.spawn { [self] in
            if let fresh = await host.stats(within: .seconds(1)) { stats = fresh }
        }
        asking = question
        await question.value
        asking = nil
    }

    /// Where Spark's own pages are, for this machine only.
    var sparkPages: String? { machine.phase == .running ? machine.spark?.uiURL : nil }

    private func bump() {
        sequence += 1
        statusChanged.notify()
    }

    // MARK: Contexts

    /// Makes a context, or finds the one of that id.
    /// - Throws: `INVALID_PARAMETER_VALUE`, `RESOURCE_DOES_NOT_EXIST` for a kernel that is not installed,
    ///   `RESOURCE_CONFLICT` for an id in use with another language, `RESOURCE_EXHAUSTED`.
    public func createContext(_ spec: ContextSpec) throws(HarbourError) -> ContextInfo {
        let id = spec.contextID ?? Identifier.make()
        guard ScratchFolder.isName(id) else { throw Driver.invalidName("context_id") }
        let (language, kernel) = try KernelChoice.choose(spec, pool)
        if let known = contexts[id], !known.isTerminated {
            guard known.language == language, known.kernelName == kernel else {
                throw HarbourError(.conflict, "The context \(id) exists with another language. Choose another id.")
            }
            return known.info
        }
        guard !machine.isStopping else { throw HarbourError(.invalidState, "The cluster is ending.") }
        guard contexts.values.count(where: { !$0.isTerminated }) < configuration.contextLimit else {
            throw HarbourError(
                .resourceExhausted,
                "The cluster has \(configuration.contextLimit) contexts, which is its limit. End one first.")
        }
        let record = ContextRecord(
            id: id, language: language, kernel: kernel, parameters: spec.parameters ?? [:],
            taskValues: JSONObject((spec.taskValues ?? [:]).sorted { $0.key < $1.key }.map { ($0.key, $0.value) }),
            created: .now)
        try ScratchFolder.make("\(scratch.journals)/\(id)")
        try ScratchFolder.write(record.encodedJSON(), to: "\(scratch.journals)/\(id)/\(ContextRecord.fileName)")
        let context = DriverContext(
            record, configuration: configuration, scratch: scratch, pool: pool, loop: loop
        ) { [weak self] context, command in self?.ended(context, command) }
        context.secrets = secrets
        context.sparkLoss = { [weak self] patience in await self?.sparkLoss(within: patience) }
        for command in (contexts[id]?.commands ?? [:]).values { context.restore(command) }
        order.removeAll { $0 == id }
        order.append(id)
        contexts[id] = context
        context.start()
        bump()
        return context.info
    }

    /// All contexts that have not ended, oldest first.
    public func listContexts() -> [ContextInfo] {
        order.compactMap { contexts[$0] }.filter { !$0.isTerminated }.map(\.info)
    }

    /// - Throws: `RESOURCE_DOES_NOT_EXIST`.
    public func context(_ id: String) throws(HarbourError) -> ContextInfo { try find(id).info }

    /// Ends a context and what runs in it.
    /// - Throws: `RESOURCE_DOES_NOT_EXIST`.
    public func deleteContext(_ id: String) throws(HarbourError) { try find(id).close() }

    func find(_ id: String) throws(HarbourError) -> DriverContext {
        guard let context = contexts[id] else {
            throw HarbourError(.notFound, "The cluster has no context \(id). It may have been ended; make a new one.")
        }
        return context
    }

    private func ended(_ context: DriverContext, _ command: DriverCommand?) {
        if let command {
            counts.ended(command)
            lastActivity = .now
        } else {
            if context.isTerminated {
                endings.removeAll { $0 == context.id }
                endings.append(context.id)
            }
            dropOldest()
        }
        bump()
    }

    /// Forgets the contexts that ended first, with what their commands put out.
    private func dropOldest() {
        let excess = endings.prefix(max(0, endings.count - configuration.endedContexts))
        endings.removeFirst(excess.count)
        for id in excess {
            // A new one of that name lives.
            guard contexts[id]?.isTerminated ?? true else { continue }
            contexts[id] = nil
            order.removeAll { $0 == id }
            ScratchFolder.remove("\(scratch.journals)/\(id)")
            ScratchFolder.remove("\(scratch.overflow)/\(id)")
        }
    }

    func changed() { bump() }

    static func invalidName(_ field: String) -> HarbourError {
        HarbourError(
            .invalidParameter,
            "\(field) must have 1 to 128 letters, digits, dots, dashes, underscores or colons, and no dot in front."
        )
    }
}
