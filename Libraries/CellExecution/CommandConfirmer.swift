internal import Core
public import EventLoop
public import HarbourProtocol
public import ServiceClients

/// Tells the cluster service which commands' events are stored, so that it need not keep them any longer.
///
/// One request at a time: what comes meanwhile goes with the next. What cannot be told is not tried again, for the
/// service forgets what nobody confirms by itself, later.
public actor CommandConfirmer {
    /// As many as one request takes.
    private static let batchSize = 1000
    private static let patience = Duration.seconds(30)

    private let clusters: ServiceClient
    private let loop: EventLoop
    private var waiting: [CommandPlace] = []
    private var isTelling = false
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
        guard !isTelling else { return }
        isTelling = true
        loop.spawn { [self] in await tellAll() }
    }

    private func tellAll() async {
        while !waiting.isEmpty {
            let commands = Array(waiting.prefix(CommandConfirmer.batchSize))
            waiting.removeFirst(commands.count)
            do {
                _ = try await clusters.call(
                    ClusterAPI.confirmCommands, .init(body: ConfirmCommands(commands: commands)),
                    context: .within(CommandConfirmer.patience))
            } catch {
                logger.debug(
                    "commands could not be confirmed",
                    ["commands": commands.count, "error": HarbourError.describe(error)])
            }
        }
        isTelling = false
    }
}
