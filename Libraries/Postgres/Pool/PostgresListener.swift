public import Core
internal import EventLoop

/// What a listener hears.
public enum PostgresNotification: Sendable, Hashable {
    /// From now on nothing is missed, but something may have been missed before: read the state anew. Comes first, and
    /// again after the connection was lost or when the reader was too slow.
    case reconnected
    /// Somebody called `NOTIFY` with this payload, which may be empty.
    case message(channel: String, payload: String)
}

/// The one connection of a pool that listens, made anew when it is lost. Used on the loop only.
final class PostgresListener: PostgresConnectionOwner, @unchecked Sendable {
    private struct Subscriber {
        let channel: String
        let continuation: AsyncStream<PostgresNotification>.Continuation
    }

    /// What a reader may leave unread before it is told to read the state anew instead.
    static let bufferLimit = 1000

    private let configuration: PostgresConfiguration
    private let loop: EventLoop
    private let logger = Logger("postgres.listen")
    private var connection: PostgresConnection?
    private var isReady = false
    private var isStopped = false
    private var subscribers: [Int: Subscriber] = [:]
    private var listening: Set<String> = []
    private var nextID = 0
    private var failures = 0
    private var retryTimer: LoopTimer?

    init(configuration: PostgresConfiguration, loop: EventLoop) {
        self.configuration = configuration
        self.loop = loop
    }

    func add(_ channel: String, _ continuation: AsyncStream<PostgresNotification>.Continuation) {
        guard !isStopped else { return continuation.finish() }
        nextID += 1
        let id = nextID
        subscribers[id] = Subscriber(channel: channel, continuation: continuation)
        continuation.onTermination = { [self] _ in loop.onLoop { self.remove(id) } }
        if listening.contains(channel) {
            continuation.yield(.reconnected)
        } else if isReady {
            listen(channel)
        } else {
            connect()
        }
    }

    private func remove(_ id: Int) {
        guard let gone = subscribers.removeValue(forKey: id) else { return }
        if subscribers.isEmpty {
            // A connection that nobody listens on would be kept for nothing.
            retryTimer?.cancel()
            retryTimer = nil
            connection?.close(.connectionLost("nobody listens"))
        } else if !subscribers.values.contains(where: { $0.channel == gone.channel }) {
            listening.remove(gone.channel)
            send("UNLISTEN \(identifier: gone.channel)") { _ in }
        }
    }

    /// Ends all subscriptions.
    func stop() {
        isStopped = true
        retryTimer?.cancel()
        let all = subscribers.values
        subscribers = [:]
        for subscriber in all { subscriber.continuation.finish() }
        connection?.close(.poolStopping())
    }

    // MARK: The connection

    private func connect() {
        guard connection == nil, retryTimer == nil, !isStopped, !subscribers.isEmpty else { return }
        let made = PostgresConnection(id: 0, configuration: configuration, loop: loop, owner: self)
        connection = made
        made.connect()
    }

    private func listen(_ channel: String) {
        send("LISTEN \(identifier: channel)") { [weak self] outcome in
            guard let self else { return }
            switch outcome {
            case .success:
                self.failures = 0
                self.listening.insert(channel)
                self.yield(.reconnected, to: channel)
            case .failure(let error): self.connection?.close(error)
            }
        }
    }

    private func send(_ sql: SQL, _ completion: @escaping (PostgresRequest.Outcome) -> Void) {
        let request = PostgresRequest(
            .query(sql), isShared: false, deadline: .now + configuration.queryTimeout)
        request.onComplete = completion
        connection?.submit(request)
    }

    private func yield(_ notification: PostgresNotification, to channel: String) {
        for subscriber in subscribers.values where subscriber.channel == channel {
            if case .dropped = subscriber.continuation.yield(notification) {
                // The oldest made room. The newest now says that something is missing.
                subscriber.continuation.yield(.reconnected)
            }
        }
    }

    func connectionReady(_ connection: PostgresConnection) {
        isReady = true
        for channel in Set(subscribers.values.map(\.channel)) { listen(channel) }
    }

    func connectionClosed(_ connection: PostgresConnection, _ error: HarbourError, wasReady: Bool) {
        self.connection = nil
        isReady = false
        listening = []
        guard !isStopped, !subscribers.isEmpty else { return }
        if failures == 0 { logger.warning("the listening connection was lost", ["error": error.describeChain()]) }
        failures += 1
        let longest = min(2000, 25 << min(failures, 7))
        retryTimer = loop.schedule(after: .milliseconds(Int.random(in: longest / 2...longest))) { [weak self] in
            self?.retryTimer = nil
            self?.connect()
        }
    }

    func connectionFinished(_ connection: PostgresConnection, _ request: PostgresRequest) {}

    func connectionNotified(channel: String, payload: String) {
        yield(.message(channel: channel, payload: payload), to: channel)
    }
}

extension PostgresPool {
    /// Listens on a channel with the pool's one dedicated connection, which is made anew when it is lost. The stream
    /// begins with `.reconnected` once the server listens, and ends when the pool drains or its reader stops.
    public func listen(_ channel: String) -> AsyncStream<PostgresNotification> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: PostgresNotification.self, bufferingPolicy: .bufferingNewest(PostgresListener.bufferLimit))
        loop.onLoop { [self] in
            let listener = listener ?? PostgresListener(configuration: configuration, loop: loop)
            self.listener = listener
            listener.add(channel, continuation)
        }
        return stream
    }

    /// Wakes who listens on the channel. Inside a transaction use `SELECT pg_notify(...)`, which waits for the commit.
    public func notify(_ channel: String, payload: String = "") async throws(HarbourError) {
        try await query("SELECT pg_notify(\(channel), \(payload))")
    }
}
