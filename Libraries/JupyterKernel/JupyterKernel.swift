public import Core
public import EventLoop
internal import Glibc

/// One kernel: its process, its channels, and a queue of requests that it works on one by one.
///
/// All members are used on the loop. The kernel's end is learnt from its process, so no heartbeat has to tick.
public final class JupyterKernel: @unchecked Sendable {
    /// How a kernel is started.
    public struct Configuration: Sendable {
        /// What to start.
        public var spec: KernelSpec
        /// An existing folder for connection files and sockets. Must be of this user alone.
        public var runtimeFolder: String
        /// The interpreter that a kernelspec means by `python`; nil looks it up in `PATH`.
        public var python: String?
        /// The kernel's variables, before those of its spec.
        public var environment: ProcessSpecification.Environment = .inherited()
        /// Where it starts.
        public var directory: String?
        /// What it writes besides the protocol is appended here; nil throws it away.
        public var log: String?
        /// How long it may take to answer for the first time.
        public var startTimeout: Duration = .seconds(60)
        /// Bytes of one message; a larger output is reported as `.oversized`.
        public var messageLimit = 64 * 1_048_576
        /// Added to our niceness.
        public var nice: Int32 = 0
        /// Limits of the kernel and of what it starts.
        public var limits: [ProcessSpecification.Limit] = []

        /// Starts the spec with sockets in the folder.
        public init(spec: KernelSpec, runtimeFolder: String) {
            self.spec = spec
            self.runtimeFolder = runtimeFolder
        }
    }

    /// Counts of messages that were thrown away.
    public struct Refused: Sendable, Hashable {
        /// Not signed with our key.
        public var unsigned = 0
        /// Not what the protocol says, or cut off.
        public var malformed = 0
        /// Over the limit of a message.
        public var oversized = 0
    }

    /// How it was started.
    public let configuration: Configuration
    /// Messages that were thrown away.
    public internal(set) var refused = Refused()
    /// What the kernel has said of itself, once ready.
    public private(set) var info: KernelInfo?
    /// Told about outputs that belong to no running request, such as those of threads left behind.
    public var onStrayOutput: (KernelOutput) -> Void = { _ in }
    /// Told when the process has ended, whoever ended it, and after the requests that ended with it.
    public var onDeath: (ProcessExit) -> Void = { _ in }

    /// The loop it lives on.
    public let loop: EventLoop
    let name = Identifier.make()
    private var session: KernelSession
    private var channels: KernelChannels?
    private var process: ChildProcess?
    private var isLeaving = false
    private var isRestarting = false
    private var timers: [KernelSession.Timer: LoopTimer] = [:]
    private var observers: [UInt64: (KernelRequestEvent) -> Void] = [:]
    private var answers: [UInt64: (JupyterMessage?) -> Void] = [:]
    private var readiness = Readiness()
    private var nextID: UInt64 = 1

    private init(_ configuration: Configuration, loop: EventLoop) {
        self.configuration = configuration
        self.loop = loop
        session = KernelSession(session: name, interruptByMessage: configuration.spec.interruptMode == .message)
    }

    /// Starts the process. The kernel may be given requests at once; they wait until it is ready.
    /// - Throws: `RESOURCE_DOES_NOT_EXIST` when its program is not there, and as `ChildProcess.start`.
    public static func launch(_ configuration: Configuration, loop: EventLoop) async throws -> JupyterKernel {
        let kernel = JupyterKernel(configuration, loop: loop)
        try await kernel.start()
        return kernel
    }

    /// The process, or nil when there is none.
    public var pid: Int32? { process?.pid }

    /// Whether a process runs.
    public var isAlive: Bool { process != nil }

    // MARK: Requests

    /// Queues a request and tells the observer what happens to it, on the loop. Returns its number.
    @discardableResult
    public func execute(_ request: KernelRequest, observer: @escaping (KernelRequestEvent) -> Void) -> UInt64 {
        loop.preconditionCurrent()
        let id = nextID
        nextID += 1
        observers[id] = observer
        perform(session.handle(.submit(id, request)))
        return id
    }

    /// Runs a request and returns what it put out. Cancelling the calling task does not stop it.
    public func execute(_ request: KernelRequest) async -> (outputs: [KernelOutput], result: KernelResult) {
        await withCheckedContinuation { continuation in
            loop.onLoop { [self] in
                var outputs: [KernelOutput] = []
                execute(request) { event in
                    switch event {
                    case .began, .counted, .asked: break
                    case .output(let output): outputs.append(output)
                    case .ended(let result): continuation.resume(returning: (outputs, result))
                    }
                }
            }
        }
    }

    /// Takes a request out of the queue; it ends as withdrawn. One that has begun is left alone.
    public func withdraw(_ id: UInt64) { perform(session.handle(.withdraw(id))) }

    /// Asks the kernel to stop the request it works on; without one, nothing happens.
    public func interrupt() { perform(session.handle(.interrupt)) }

    /// Asks about code; nil is the answer when the kernel gives none in time, as it does while it runs something.
    func ask(_ question: KernelQuestion, within patience: Duration) async -> JupyterMessage? {
        await withCheckedContinuation { continuation in
            loop.onLoop { [self] in
                let id = nextID
                nextID += 1
                answers[id] = { continuation.resume(returning: $0) }
                perform(session.handle(.ask(id, question, patience: patience)))
            }
        }
    }

    // MARK: Life

    /// Waits until the kernel has answered.
    /// - Throws: `KERNEL_START_FAILED` when it ends before that or does not answer in the configured time.
    public func ready() async throws -> KernelInfo {
        try await withCheckedThrowingContinuation { continuation in
            loop.onLoop { [self] in readiness.wait(continuation) }
        }
    }

    /// Asks the kernel to end, kills its whole group after the grace, and waits for the end. Its requests end as died.
    public func shutdown(grace: Duration = .seconds(5)) async {
        guard let process else { return }
        isLeaving = true
        perform(session.handle(.shutdown))
        let deadline = loop.schedule(after: grace) { process.kill() }
        _ = try? await process.wait()
        deadline.cancel()
    }

    /// Returns when no process runs any more; at once when there is none.
    public func ended() async {
        guard let process else { return }
        await withCheckedContinuation { continuation in
            loop.onLoop { process.whenEnded { _ in continuation.resume() } }
        }
    }

    /// Ends the kernel at once with its whole group. The request it works on ends as died.
    public func kill() {
        isLeaving = true
        process?.kill()
    }

    /// Replaces the process by a new one. The request the kernel works on ends as died, those that wait stay.
    /// - Throws: as `launch`.
    public func restart() async throws {
        isRestarting = true
        defer { isRestarting = false }
        if let process {
            kill()
            _ = try await process.wait()
        }
        do {
            try await start()
        } catch {
            perform(session.handle(.ended("The kernel could not be started again.", willRestart: false)))
            throw error
        }
    }

    private func start() async throws {
        let connection = try KernelConnection(below: configuration.runtimeFolder)
        do {
            let process = try await ChildProcess.start(specification(connection), loop: loop)
            let channels = try KernelChannels(self, connection)
            self.process = process
            self.channels = channels
            isLeaving = false
            process.whenEnded { [self] exit in ended(exit, connection) }
        } catch {
            connection.remove()
            throw error
        }
        readiness.begin(
            loop.schedule(after: configuration.startTimeout) { [self] in
                readiness.end(.failure(startError("did not answer in time")))
                kill()
            })
        perform(session.handle(.launched))
    }

    private func specification(_ connection: KernelConnection) -> ProcessSpecification {
        let spec = configuration.spec
        let line = spec.commandLine(connectionFile: connection.file, python: configuration.python)
        var specification = ProcessSpecification(line[0], Array(line.dropFirst()))
        specification.environment = configuration.environment.adding { spec.variables(over: $0) }
        specification.directory = configuration.directory
        specification.output = configuration.log.map { .file($0) } ?? .null
        specification.errors = .sameAsOutput
        specification.parentDeathSignal = SIGKILL
        specification.nice = configuration.nice
        specification.limits = configuration.limits
        return specification
    }

    private func ended(_ exit: ProcessExit, _ connection: KernelConnection) {
        let wasAsked = isLeaving
        channels?.close()
        channels = nil
        process = nil
        info = nil
        connection.remove()
        readiness.end(.failure(startError(exit.description)))
        let reason = wasAsked ? "The kernel was ended." : "The kernel \(exit)."
        perform(session.handle(.ended(reason, willRestart: isRestarting)))
        onDeath(exit)
    }

    private func startError(_ what: String) -> HarbourError {
        HarbourError(
            .kernelStartFailed,
            "The kernel \(configuration.spec.displayName) \(what) before it was ready. Its log says more.",
            detail: configuration.log)
    }

    /// Whether the kernel answers its heartbeat in time: it runs, however long its cell takes. A stopped one does not.
    public func isResponding(within patience: Duration) async -> Bool {
        guard let endpoint = channels?.heartbeat else { return false }
        return await withCheckedContinuation { continuation in
            loop.onLoop { [self] in
                let heartbeat = Heartbeat(continuation)
                heartbeat.beat(endpoint, patience, loop)
            }
        }
    }

    /// Answers a question of the request that runs; does nothing when that has ended meanwhile.
    public func reply(_ text: String, to input: KernelInput) {
        loop.preconditionCurrent()
        perform(session.handle(.reply(text, to: input)))
    }

    // MARK: The state machine's hands

    func received(_ channel: KernelChannel, _ message: JupyterMessage) {
        perform(session.handle(.received(channel, message)))
    }

    func receivedOversized(_ channel: KernelChannel, _ bytes: Int) {
        refused.oversized += 1
        perform(session.handle(.oversized(channel, bytes)))
    }

    private func perform(_ actions: [KernelSession.Action]) {
        for action in actions {
            switch action {
            case .send(let channel, let message): channels?.send(channel, message)
            case .report(let id, let event): report(id, event)
            case .answer(let id, let answer): answers.removeValue(forKey: id)?(answer)
            case .stray(let output): onStrayOutput(output)
            case .ready(let info):
                self.info = info
                readiness.end(.success(info))
            case .signalInterrupt: process?.sendToGroup(signal: SIGINT)
            case .schedule(let timer, let delay):
                timers[timer]?.cancel()
                timers[timer] = loop.schedule(after: delay) { [self] in perform(session.handle(.fired(timer))) }
            case .cancel(let timer): timers.removeValue(forKey: timer)?.cancel()
            }
        }
    }

    private func report(_ id: UInt64, _ event: KernelRequestEvent) {
        guard let observer = observers[id] else { return }
        if case .ended = event { observers[id] = nil }
        observer(event)
    }
}

extension ErrorCode {
    /// A kernel ended or stayed silent before it was ready.
    public static let kernelStartFailed = ErrorCode("KERNEL_START_FAILED", status: 503)
}

extension ProcessSpecification.Environment {
    /// The same with more variables, which may refer to those that are there.
    fileprivate func adding(_ more: ([String: String]) -> [String: String]) -> Self {
        switch self {
        case .inherited(let added):
            .inherited(adding: added.merging(more(ProcessSpecification.Environment.ours.merging(added) { $1 })) { $1 })
        case .only(let variables): .only(variables.merging(more(variables)) { $1 })
        }
    }
}
