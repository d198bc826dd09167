public import Core
public import EventLoop
public import HarbourProtocol
public import ServiceClients

/// Runs one cell as a command of a context, listening until it ends however often the connection breaks.
///
/// The command runs once whoever asks: its id is chosen by the caller, so that who comes after a crash finds it under way
/// and goes on listening after the last event that was written down.
public struct CommandFollower: Sendable {
    /// What is run, and where.
    public struct Order: Sendable {
        /// The cluster.
        public var clusterID: String
        /// The context on it.
        public var contextID: String
        /// The same whoever asks.
        public var commandID: String
        /// The language of the text.
        public var language: String
        /// The text.
        public var source: String
        /// On whose behalf.
        public var user: String
        /// What the notebook's widgets are at its beginning; nil where the context has parameters of its own.
        public var widgets: [NotebookWidget]?

        /// Describes what is run.
        public init(
            clusterID: String, contextID: String, commandID: String, language: String, source: String, user: String,
            widgets: [NotebookWidget]? = nil
        ) {
            self.clusterID = clusterID
            self.contextID = contextID
            self.commandID = commandID
            self.language = language
            self.source = source
            self.user = user
            self.widgets = widgets
        }
    }

    private let clusters: ServiceClient
    private let loop: EventLoop
    private let logger: Logger

    /// - Parameters:
    ///   - clusters: the cluster service.
    ///   - loop: where it waits.
    ///   - label: how the log calls who follows.
    public init(clusters: ServiceClient, loop: EventLoop, label: String) {
        self.clusters = clusters
        self.loop = loop
        logger = Logger(label)
    }

    /// Follows the command to its end.
    /// - Parameters:
    ///   - order: what is run.
    ///   - reader: what has come so far; the events after its last one are asked for.
    ///   - take: gets each new event before the reader does, in order and once.
    /// - Throws: what `take` throws, and what the cluster service answers and waiting does not help against.
    public func follow(
        _ order: Order, from reader: CellReader = CellReader(), take: (CommandEvent) async throws -> Void
    ) async throws -> CellResult {
        var reader = reader
        var pause = Duration.milliseconds(50)
        var confirms: Bool? = true
        while true {
            do {
                let events = try await clusters.stream(
                    ClusterAPI.runCommand,
                    .init(
                        clusterID: order.clusterID, contextID: order.contextID, commandID: order.commandID,
                        body: CommandRun(
                            language: order.language, source: order.source, after: reader.last,
                            widgets: order.widgets, confirms: confirms)),
                    context: CallContext(user: order.user))
                for try await event in events where event.sequence > reader.last {
                    pause = .milliseconds(50)
                    try await take(event)
                    if let result = reader.read(event) { return result }
                }
            } catch {
                let failure = HarbourError.wrap(error)
                if confirms != nil, CommandFollower.isUnknown("confirms", failure) {
                    confirms = nil
                    continue
                }
                guard failure.isPassing, !Task.isCancelled else { throw failure }
                logger.debug(
                    "the events of a command broke off",
                    ["command": order.commandID, "error": failure.describeChain()])
            }
            // The stream ended before the command did: the service on the way was restarted.
            try await loop.sleep(for: pause)
            pause = min(pause * 2, .seconds(2))
        }
    }

    /// Whether a cluster service from before there was such a field has refused it: services are upgraded one by one.
    private static func isUnknown(_ field: String, _ failure: HarbourError) -> Bool {
        [.malformedRequest, .invalidParameter].contains(failure.code)
            && failure.message.contains("unknown field `\(field)`")
    }
}

extension HarbourError {
    /// Whether trying again can help: something was away for a moment.
    public var isPassing: Bool { [.unavailable, .deadlineExceeded, .badGateway, .resourceExhausted].contains(code) }
}
