public import Core
public import EventLoop
public import Metrics

/// A pool of connections to one database, on one event loop: the shell around `PoolStateMachine`.
///
/// Connections are opened when they are needed and closed when they are not. While the database is away, requests wait
/// until their deadline and are served when it comes back; those that were sent already fail as unavailable.
///
/// `@unchecked Sendable`: everything mutable is touched on the loop only.
public final class PostgresPool: @unchecked Sendable {
    /// How the pool was made.
    public let configuration: PostgresConfiguration
    /// The loop it lives on; queries from its own tasks change no thread.
    public let loop: EventLoop

    let logger = Logger("postgres.pool")
    @exclusivity(unchecked) private var machine: PoolStateMachine<PostgresRequest>
    @exclusivity(unchecked) private var connections: [Int: PostgresConnection] = [:]
    private var drainWaiters: [UnsafeContinuation<Void, Never>] = []
    private var isDrained = false
    private var lastFailure: HarbourError?
    private var generator = SystemRandomNumberGenerator()
    /// Made by the first `listen`.
    var listener: PostgresListener?

    @exclusivity(unchecked) private var metrics: PostgresPoolMetrics?

    /// Makes a pool; it connects when it is first used.
    public init(configuration: PostgresConfiguration, loop: EventLoop) {
        self.configuration = configuration
        self.loop = loop
        machine = PoolStateMachine(
            limits: .init(
                connections: configuration.maxConnections, idleConnections: configuration.minIdleConnections,
                depth: configuration.pipelineDepth))
    }

    // MARK: Queries

    /// Runs one statement as a transaction of its own and returns its rows. A plain `SELECT` without function calls
    /// is sent as `read` does.
    /// Throws `HarbourError`, with `error.postgres` where the server refused it; `DEADLINE_EXCEEDED`, `CANCELLED`,
    ///   and `TEMPORARILY_UNAVAILABLE` when the connection was lost, in which case the statement may have been executed.
    @discardableResult
    public func query(_ sql: SQL, timeout: Duration? = nil) async throws(HarbourError) -> PostgresRows {
        try await run(sql, isShared: sql.isPlainRead, timeout)
    }

    /// Runs a statement that only reads. It shares connections and Syncs with other reads, which makes many of them at
    /// once much faster; a statement that writes must not come here, because a stranger's failure would undo it.
    public func read(_ sql: SQL, timeout: Duration? = nil) async throws(HarbourError) -> PostgresRows {
        try await run(sql, isShared: true, timeout)
    }

    private func run(
        _ sql: SQL, isShared: Bool, _ timeout: Duration?
    ) async throws(HarbourError) -> PostgresRows {
        try sql.check()
        let request = PostgresRequest(
            .query(sql), isShared: isShared, deadline: .now + (timeout ?? configuration.queryTimeout))
        request.canRepeat = true
        // Not by `perform`: each async function on the way back costs as much as reading the answer.
        let outcome = await withTaskCancellationHandler {
            await withUnsafeContinuation { ask(request, $0) }
        } onCancel: {
            loop.submit { self.cancel(request) }
        }
        switch try outcome.get() {
        case .rows(let rows): return rows
        case .connection: throw HarbourError.connectionLost("a connection instead of rows")
        }
    }

    // MARK: Leases

    /// Holds a connection until `release`.
    func lease(deadline: MonotonicTime) async throws(HarbourError) -> PostgresConnection {
        switch try await perform(PostgresRequest(.lease, isShared: false, deadline: deadline)) {
        case .connection(let connection): return connection
        case .rows: throw HarbourError.connectionLost("rows instead of a connection")
        }
    }

    /// Gives a leased connection back. One that is still inside a transaction is closed, which ends it.
    func release(_ connection: PostgresConnection) {
        loop.onLoop {
            connection.whenIdle {
                if connection.phase == .pipeline && !connection.isInTransaction {
                    self.feed(.finished(connection: connection.id))
                } else {
                    connection.close(.connectionLost("given back in the middle of something"))
                }
            }
        }
    }

    /// Asks for an answer and suspends until it comes.
    private func perform(_ request: PostgresRequest) async throws(HarbourError) -> PostgresRequest.Answer {
        let outcome = await withTaskCancellationHandler {
            await withUnsafeContinuation { ask(request, $0) }
        } onCancel: {
            loop.submit { self.cancel(request) }
        }
        return try outcome.get()
    }

    private func ask(_ request: PostgresRequest, _ continuation: UnsafeContinuation<PostgresRequest.Outcome, Never>) {
        request.park(continuation)
        if loop.isCurrent { begin(request) } else { loop.submit { self.begin(request) } }
    }

    private func begin(_ request: PostgresRequest) {
        metrics?.requests.increment()
        request.hasBegun = true
        if request.isCancelled { return request.complete(.failure(.databaseCancelled())) }
        feed(.request(request, request.isShared ? .shared : .exclusive))
        guard request.isOpen, request.connection == nil else { return }
        // Only who has to wait needs a timer; on a connection, its own watches the deadlines.
        request.waitTimer = loop.schedule(at: request.deadline) { [weak self, weak request] in
            guard let self, let request, request.connection == nil else { return }
            request.complete(.failure(self.waitedTooLong()))
            self.feed(.withdraw(request))
        }
    }

    private func cancel(_ request: PostgresRequest) {
        request.isCancelled = true
        guard request.hasBegun else { return }
        if let connection = request.connection {
            connection.abandon(request, .databaseCancelled())
        } else {
            request.complete(.failure(.databaseCancelled()))
            feed(.withdraw(request))
        }
    }

    private func waitedTooLong() -> HarbourError {
        if let lastFailure, machine.readyCount == 0 { return lastFailure }
        return HarbourError(
            .deadlineExceeded, "All connections to the database were busy for too long. Try again later.",
            detail: "\(machine.waitingCount) waiting, \(machine.busyCount) of \(machine.connectionCount) busy")
    }

    // MARK: The machine

    private func feed(_ event: PoolStateMachine<PostgresRequest>.Event) {
        for action in machine.handle(event) { perform(action) }
        guard let metrics else { return }
        metrics.connections.set(machine.connectionCount)
        metrics.busy.set(machine.busyCount)
        metrics.waiting.set(machine.waitingCount)
    }

    private func perform(_ action: PoolStateMachine<PostgresRequest>.Action) {
        switch action {
        case .connect(let id): connect(id)
        case .assign(let request, let id): assign(request, id)
        case .withdrawn: break
        case .refuse(let request, let reason):
            request.complete(.failure(reason == .draining ? .poolStopping() : tooMany()))
        case .close(let id):
            // Taken out first, so that the machine does not hear of what it asked for.
            guard let connection = connections.removeValue(forKey: id) else { return }
            connection.close(.connectionLost("closed by the pool"))
        case .armBackOff(let failures):
            loop.schedule(after: backOff(failures)) { [weak self] in self?.feed(.backOffElapsed) }
        case .armIdleTick:
            loop.schedule(after: configuration.idleTimeout) { [weak self] in self?.feed(.idleTick) }
        case .drained:
            isDrained = true
            let waiters = drainWaiters
            drainWaiters = []
            for waiter in waiters { waiter.resume() }
        }
    }

    private func connect(_ id: Int) {
        let connection = PostgresConnection(id: id, configuration: configuration, loop: loop, owner: self)
        connections[id] = connection
        connection.connect()
    }

    private func assign(_ request: PostgresRequest, _ id: Int) {
        guard let connection = connections[id] else {
            request.complete(.failure(.connectionLost("the connection is gone")))
            return
        }
        request.waitTimer?.cancel()
        guard request.isOpen else { return feed(.finished(connection: id)) }
        switch request.work {
        case .query: connection.submit(request)
        case .lease:
            request.connection = connection
            request.complete(.success(.connection(connection)))
        }
    }

    /// Twice as long each time up to two seconds, a random half of it, so that instances do not come all at once.
    private func backOff(_ failures: Int) -> Duration {
        let longest = min(2000, 50 << min(failures - 1, 6))
        return .milliseconds(Int.random(in: longest / 2...longest, using: &generator))
    }

    private func tooMany() -> HarbourError {
        HarbourError(.resourceExhausted, "Too many requests wait for the database. Try again in a few seconds.")
    }

    // MARK: Life

    /// Returns when the database has answered, for the start of a service and for `/readyz`.
    /// Throws `TEMPORARILY_UNAVAILABLE` when it did not within the time.
    public func waitUntilReady(timeout: Duration = .seconds(30)) async throws(HarbourError) {
        _ = try await run("SELECT 1", isShared: true, timeout)
    }

    /// Refuses new requests, finishes those under way, and closes all connections; what is not done within the budget
    /// is cut off.
    public func drain(budget: Duration) async {
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            loop.onLoop { [self] in
                listener?.stop()
                if isDrained { return continuation.resume() }
                drainWaiters.append(continuation)
                loop.schedule(after: budget) { [weak self] in
                    guard let self, !self.isDrained else { return }
                    self.feed(.abort)
                }
                feed(.drain)
            }
        }
    }

    /// Registers the pool's figures. Before the pool is used.
    public func registerMetrics(_ registry: MetricsRegistry) {
        let made = PostgresPoolMetrics(registry)
        loop.onLoop { self.metrics = made }
    }
}

/// The pool's figures; the gauges are set on the loop whenever the machine has moved.
private struct PostgresPoolMetrics {
    let requests: Counter
    let failures: Counter
    let connections: Gauge
    let busy: Gauge
    let waiting: Gauge

    init(_ registry: MetricsRegistry) {
        requests = registry.counter(
            "harbour_postgres_requests_total", help: "Queries and leases asked of the pool.")
        failures = registry.counter(
            "harbour_postgres_connection_failures_total", help: "Connections that were lost or never came to be.")
        connections = registry.gauge("harbour_postgres_connections", help: "Connections, those being made included.")
        busy = registry.gauge("harbour_postgres_busy_connections", help: "Connections with work under way.")
        waiting = registry.gauge("harbour_postgres_waiting_requests", help: "Requests without a connection.")
    }
}

extension PostgresPool: PostgresConnectionOwner {
    func connectionReady(_ connection: PostgresConnection) {
        if lastFailure != nil { logger.info("the database can be reached again") }
        lastFailure = nil
        feed(.connected(connection.id))
    }

    func connectionClosed(_ connection: PostgresConnection, _ error: HarbourError, wasReady: Bool) {
        guard connections.removeValue(forKey: connection.id) != nil else { return }
        metrics?.failures.increment()
        if lastFailure == nil {
            logger.warning(
                wasReady ? "a connection to the database was lost" : "the database cannot be reached",
                ["error": error.describeChain()])
        }
        if !wasReady { lastFailure = error }
        feed(wasReady ? .closed(connection.id) : .connectFailed(connection.id))
    }

    func connectionFinished(_ connection: PostgresConnection, _ request: PostgresRequest) {
        // A request inside a lease ends nothing; the lease does.
        guard request.endsAssignment else { return }
        feed(.finished(connection: connection.id))
    }
}

extension SQL {
    /// Refuses what must not reach the server.
    func check() throws(HarbourError) {
        if let problem = arguments.problem { throw HarbourError(.invalidParameter, problem) }
        if arguments.count > 65_535 {
            throw HarbourError(.invalidParameter, "A statement takes at most 65535 values. Send fewer at once.")
        }
        if isCopy {
            throw HarbourError(
                .internalError, "Something went wrong on our side. The log of the service has the details.",
                detail: "COPY goes through copyIn and copyOut")
        }
    }
}
