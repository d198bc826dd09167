internal import Core
public import EventLoop
public import HarbourProtocol
public import ServiceClients

/// Tells the cluster service which commands' events are stored, so that it need not keep them any longer.
///
/// One request at a time: what comes meanwhile goes with the next. While the service is away, what it is to be told waits,
/// up to a number; the oldest goes then, for the service forgets what nobody confirms by itself, later.
public actor CommandConfirmer {
    /// As many as one request takes.
    private static let batchSize = 1000
    private static let patience = Duration.seconds(30)
    /// As many as are remembered, a few hundred bytes each.
    private static let limit = 100_000
    /// As many go at a time when there are too many, because all that come after them are moved.
    private static let blockSize = 1000
    /// Between attempts, the longest; each is twice as long as the one before.
    private static let longestPause = Duration.seconds(30)
    private static let firstPause = Duration.milliseconds(100)

    private let clusters: ServiceClient
    private let loop: EventLoop
    private var waiting: [CommandPlace] = []
    private var isTelling = false
    private var pause = CommandConfirmer.firstPause
    private let logger: Logger

    /// On the loop.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    /// - Parameters:
    ///   - clusters: the cluster service.
    ///   - loop: where it works.
    ///   - label: how the log calls who confirms.
    public init(clusters: ServiceClient, loop: EventLoop, label: String) {
        self.clusters = clusters
        self.loop = loop
        logger = Logger(label)
    }

    /// Says that all events of the command are stored here, the last one included. Returns before it has been told.
    public func confirm(_ command: CommandPlace) {
        waiting.append(command)
        dropOldest()
        guard !isTelling else { return }
        isTelling = true
        loop.spawn { [self] in await tellAll() }
    }

    private func dropOldest() {
        let excess = waiting.count - CommandConfirmer.limit
        guard excess > 0 else { return }
        let block = CommandConfirmer.blockSize
        let count = min(waiting.count, (excess + block - 1) / block * block)
        waiting.removeFirst(count)
        logger.warning("commands will not be confirmed: too many wait for the cluster service", ["commands": count])
    }

    /// Tells all that waits. When the service is away it comes again after a pause, in which nobody is kept waiting.
    private func tellAll() async {
        while !waiting.isEmpty {
            let commands = Array(waiting.prefix(CommandConfirmer.batchSize))
            waiting.removeFirst(commands.count)
            do {
                _ = try await clusters.call(
                    ClusterAPI.confirmCommands, .init(body: ConfirmCommands(commands: commands)),
                    context: .within(CommandConfirmer.patience))
                pause = CommandConfirmer.firstPause
            } catch {
                let failure = HarbourError.wrap(error)
                logger.debug(
                    "commands could not be confirmed",
                    ["commands": commands.count, "error": failure.describeChain()])
                // What is refused now will be refused later.
                guard failure.isPassing || failure.code.status >= 500 else { continue }
                waiting.insert(contentsOf: commands, at: 0)
                dropOldest()
                return comeAgain()
            }
        }
        isTelling = false
    }

    private func comeAgain() {
        loop.schedule(after: pause) { [weak self, loop] in
            loop.spawn { [weak self] in await self?.tellAll() }
        }
        pause = min(pause * 2, CommandConfirmer.longestPause)
    }
}
