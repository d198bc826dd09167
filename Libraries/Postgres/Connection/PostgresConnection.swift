internal import CPostgres
internal import Core
internal import EventLoop

/// Who owns a connection and is told what becomes of it. Called on the loop.
protocol PostgresConnectionOwner: AnyObject {
    /// It can be used from now on.
    func connectionReady(_ connection: PostgresConnection)
    /// It is gone, or never came to be. Everything under way on it has been answered.
    func connectionClosed(_ connection: PostgresConnection, _ error: HarbourError, wasReady: Bool)
    /// The request no longer occupies it.
    func connectionFinished(_ connection: PostgresConnection, _ request: PostgresRequest)
    /// A NOTIFY came.
    func connectionNotified(channel: String, payload: String)
}

extension PostgresConnectionOwner {
    func connectionNotified(channel: String, payload: String) {}
}

/// One connection of libpq, never blocking, on one loop: the shell around `Pipeline`.
///
/// `@unchecked Sendable`: used on its loop only.
final class PostgresConnection: DescriptorHandler, @unchecked Sendable {
    /// Exits: connecting -> pipeline or closed; pipeline <-> plain; both -> closed.
    enum Phase {
        case connecting
        /// Queries in the extended protocol.
        case pipeline
        /// Scripts and COPY, which the pipeline does not carry.
        case plain
        case closed
    }

    let id: Int
    let loop: EventLoop
    let configuration: PostgresConfiguration
    weak var owner: (any PostgresConnectionOwner)?
    let logger: Logger

    @exclusivity(unchecked) private(set) var handle: OpaquePointer?
    @exclusivity(unchecked) var phase = Phase.connecting
    private var descriptor: Int32 = -1
    @exclusivity(unchecked) private var interest: ReadyEvents = []
    private var connectTimer: LoopTimer?

    // Queries; see PostgresConnection+Queries.swift. What is touched for every query is not checked for exclusive access:
    // one thread does it, and nothing is borrowed while others are called.
    @exclusivity(unchecked) var pipeline = Pipeline<PostgresRequest>()
    @exclusivity(unchecked) var statements: [StatementKey: String] = [:]
    /// The one that ran last, which is often the one that runs next.
    @exclusivity(unchecked) var lastStatement: (key: StatementKey, name: String)?
    var statementCount = 0
    @exclusivity(unchecked) var current: ResultOwner?
    var preambleError: PostgresError?
    @exclusivity(unchecked) var isSyncScheduled = false
    var deadlineTimer: LoopTimer?
    @exclusivity(unchecked) var deadlineArmed: MonotonicTime?

    // Cancellation; see PostgresConnection+Cancel.swift.
    @exclusivity(unchecked) var cancelsOutstanding = 0
    /// Requests given up since the pipeline was last empty; 0 spares the search for them.
    @exclusivity(unchecked) var abandoned = 0
    var whenQuietWork: [() -> Void] = []
    @exclusivity(unchecked) var whenIdleWork: [() -> Void] = []

    // Scripts and COPY; see PostgresConnection+Plain.swift.
    /// Tells one stay outside pipeline mode from the next.
    var plainCount = 0
    var plainWaiter: UnsafeContinuation<Void, Never>?

    init(id: Int, configuration: PostgresConfiguration, loop: EventLoop, owner: any PostgresConnectionOwner) {
        self.id = id
        self.configuration = configuration
        self.loop = loop
        self.owner = owner
        logger = Logger("postgres")
    }

    deinit {
        // The loop holds a registered handler, so a connection that gets here is closed or was never opened.
        if let handle { PQfinish(handle) }
    }

    // MARK: Connecting

    /// Begins to connect; the owner hears how it ended, never from within this call.
    func connect() {
        connectTimer = loop.schedule(after: configuration.connectTimeout) { [weak self] in
            self?.close(.databaseUnreachable("no connection within \(self?.configuration.connectTimeout ?? .zero)"))
        }
        guard let host = configuration.hostToLookUp else { return start([]) }
        // libpq would hold up the loop while it looks the name up.
        loop.spawn { [self] in
            let outcome = await HostLookup.addresses(of: host)
            loop.onLoop {
                guard self.phase == .connecting else { return }
                switch outcome {
                case .success(let found):
                    // Each address with the name again, which TLS compares with the certificate.
                    let names = found.map { _ in host }.joined(separator: ",")
                    self.start([("host", names), ("hostaddr", found.joined(separator: ","))])
                case .failure(let error): self.close(error)
                }
            }
        }
    }

    private func start(_ more: [(String, String)]) {
        let parameters = configuration.parameters + more
        let keywords = CStringList(parameters.map(\.0))
        let values = CStringList(parameters.map(\.1))
        handle = PQconnectStartParams(keywords.pointer, values.pointer, 1)
        guard let handle, PQstatus(handle) != CONNECTION_BAD else {
            let message = errorMessage
            loop.later { self.close(.databaseUnreachable(message)) }
            return
        }
        PQsetNoticeReceiver(
            handle,
            { argument, result in
                guard let argument, let result else { return }
                Unmanaged<PostgresConnection>.fromOpaque(argument).takeUnretainedValue().noticed(result)
            }, Unmanaged.passUnretained(self).toOpaque())
        loop.later { self.watchAnew(.writable) }
    }

    private func pollConnect() {
        guard let handle else { return }
        switch PQconnectPoll(handle) {
        case PGRES_POLLING_READING: watchAnew(.readable)
        case PGRES_POLLING_WRITING: watchAnew(.writable)
        case PGRES_POLLING_OK: established()
        default: close(.databaseUnreachable(errorMessage))
        }
    }

    private func established() {
        guard let handle else { return }
        connectTimer?.cancel()
        connectTimer = nil
        guard PQsetnonblocking(handle, 1) == 0, PQenterPipelineMode(handle) == 1 else {
            return close(.databaseUnreachable(errorMessage))
        }
        phase = .pipeline
        watchAnew(.readable)
        owner?.connectionReady(self)
    }

    // MARK: Readiness

    /// While it connects, libpq may have opened another socket, even under the same number.
    private func watchAnew(_ interest: ReadyEvents) {
        guard let handle, phase != .closed else { return }
        if descriptor >= 0 { loop.deregister(descriptor) }
        descriptor = PQsocket(handle)
        guard descriptor >= 0 else { return close(.databaseUnreachable(errorMessage)) }
        self.interest = interest
        do throws(HarbourError) {
            try loop.register(descriptor, interest, self)
        } catch {
            descriptor = -1
            close(error)
        }
    }

    func watch(_ interest: ReadyEvents) {
        guard interest != self.interest, descriptor >= 0, phase != .closed else { return }
        self.interest = interest
        loop.modify(descriptor, interest)
    }

    func descriptorReady(_ events: ReadyEvents) {
        switch phase {
        case .connecting: pollConnect()
        case .pipeline:
            if events.contains(.writable) { flush() }
            if !events.intersection([.readable, .failed, .hungUp, .peerClosed]).isEmpty { readAnswers() }
        case .plain:
            // Nobody may be ready to take what came; until somebody is, the loop must not report it each turn.
            if plainWaiter == nil, !events.intersection([.failed, .hungUp]).isEmpty {
                return close(.connectionLost("hung up"))
            }
            watch([])
            resumePlain()
        case .closed: break
        }
    }

    func resumePlain() {
        guard let waiter = plainWaiter else { return }
        plainWaiter = nil
        waiter.resume()
    }

    /// Sends what libpq holds back; asks for writability as long as some is left.
    func flush() {
        guard let handle else { return }
        switch PQflush(handle) {
        case 0: watch(.readable)
        case 1: watch([.readable, .writable])
        default: close(.connectionLost(errorMessage))
        }
    }

    // MARK: The end

    /// Ends the connection and answers everything under way on it with the error. Closing twice does nothing.
    func close(_ error: HarbourError) {
        guard phase != .closed else { return }
        let wasReady = phase != .connecting
        phase = .closed
        connectTimer?.cancel()
        deadlineTimer?.cancel()
        if descriptor >= 0 { loop.deregister(descriptor) }
        descriptor = -1
        if let handle { PQfinish(handle) }
        handle = nil
        current = nil
        let open = pipeline.removeAll()
        for request in open { request.complete(.failure(error)) }
        resumePlain()
        let waiting = whenQuietWork + whenIdleWork
        whenQuietWork = []
        whenIdleWork = []
        for work in waiting { work() }
        owner?.connectionClosed(self, error, wasReady: wasReady)
    }

    var errorMessage: String {
        guard let handle, let message = PQerrorMessage(handle) else { return "no memory" }
        var text = String(cString: message)
        while text.last?.isNewline == true { text.removeLast() }
        return text
    }

    /// Where the server stands, as of its last ReadyForQuery.
    var isInTransaction: Bool {
        guard let handle else { return false }
        return PQtransactionStatus(handle) != PQTRANS_IDLE
    }

    private func noticed(_ result: OpaquePointer) {
        func field(_ letter: UnicodeScalar) -> String {
            PQresultErrorField(result, Int32(letter.value)).map { String(cString: $0) } ?? ""
        }
        // "V" is the severity in English whatever the server's language.
        if field("V") == "WARNING" {
            logger.warning("PostgreSQL warns", ["sqlstate": field("C"), "text": field("M")])
        } else {
            logger.debug("PostgreSQL notes", ["sqlstate": field("C"), "text": field("M")])
        }
    }
}

/// C strings that live as long as this, with a null at the end of the list.
final class CStringList {
    private var strings: [UnsafePointer<CChar>?]

    init(_ texts: [String]) {
        strings = texts.map { text in
            let copy = UnsafeMutablePointer<CChar>.allocate(capacity: text.utf8.count + 1)
            for (index, byte) in text.utf8.enumerated() { copy[index] = CChar(bitPattern: byte) }
            copy[text.utf8.count] = 0
            return UnsafePointer(copy)
        }
        strings.append(nil)
        pointer = .allocate(capacity: strings.count)
        for (index, string) in strings.enumerated() { pointer[index] = string }
    }

    let pointer: UnsafeMutablePointer<UnsafePointer<CChar>?>

    deinit {
        for string in strings { string?.deallocate() }
        pointer.deallocate()
    }
}
