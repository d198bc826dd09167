internal import ClusterBackend
internal import Core
internal import EventLoop
internal import HTTPServer
internal import HarbourProtocol
internal import ServiceKit

/// Serves the driver's contract on a unix socket for a cluster that runs elsewhere, so that nobody else needs to know.
///
/// It keeps no commands: their ids and the numbers of their events are the other platform's own, or are kept in the
/// cluster's folder. So it may die at any time, and a new one goes on.
struct Bridge: Sendable {
    private let server: HTTPServer
    private let driver: any FarDriver

    /// Makes a bridge; it serves after `start`.
    init(
        _ follower: FarFollower, _ driver: any FarDriver, cluster: ClusterIdentifier, token: Secret, socket: String,
        loop: EventLoop
    ) {
        self.driver = driver
        let router = ServiceRouter(loop: loop, authenticator: ServiceTokenAuthenticator(token: token.reveal()))
        server = HTTPServer(
            configuration: HTTPServerConfiguration(address: .unix(path: socket)), handler: router, loop: loop)
        Bridge.registerStatus(follower, driver, cluster, on: router)
        Bridge.registerContexts(driver, on: router)
        Bridge.registerCommands(driver, on: router)
    }

    func start() async throws { _ = try await server.start() }

    /// Breaks off what is open: whoever reads asks the next bridge.
    func stop() async {
        await server.drain(budget: .zero)
        await driver.close()
    }

    private static func registerStatus(
        _ follower: FarFollower, _ driver: any FarDriver, _ cluster: ClusterIdentifier, on router: ServiceRouter
    ) {
        router.on(DriverAPI.getStatus) { _, _ in status(await follower.view, of: cluster) }
        router.on(DriverAPI.streamStatus) { _, _, send in
            for await view in await follower.views() { try await send(status(view, of: cluster)) }
            try Task.checkCancellation()
        }
        router.on(DriverAPI.streamLogs) { input, _, send in
            try await driver.logs(after: input.after ?? 0, follow: input.follow ?? false) { try await send($0) }
        }
        router.on(DriverAPI.listLibraries) { _, context in try await driver.libraries(until: context.deadline) }
        router.on(DriverAPI.installLibraries) { input, context in
            try await driver.install(input.body.libraries, until: context.deadline)
        }
        router.on(DriverAPI.shutdown) { _, _ in
            try await driver.shutDown()
            return Empty()
        }
        router.on(DriverAPI.getMetrics) { _, _ in
            let running = if case .running? = await follower.view.cluster?.state { 1 } else { 0 }
            return DriverMetrics(
                text: "# HELP harbour_driver_ready 1 when Spark answers.\n# TYPE harbour_driver_ready gauge\n"
                    + "harbour_driver_ready \(running)\n")
        }
    }

    /// What a driver would say of itself.
    static func status(_ view: FarView, of id: ClusterIdentifier) -> DriverStatus {
        var status = DriverStatus(
            clusterID: id.text, phase: .starting, sequence: view.sequence,
            startedTime: view.cluster?.startTime ?? .now)
        status.message = view.silence
        guard let cluster = view.cluster, !view.isGone else {
            status.phase = .failed
            status.errorCode = "REMOTE_CLUSTER_LOST"
            status.message = RemoteBackend.removed.message
            return status
        }
        status.spark = cluster.spark
        status.executors = cluster.executors
        if status.message == nil && !cluster.message.isEmpty { status.message = cluster.message }
        switch cluster.state {
        case .starting: status.phase = .starting
        case .running: status.phase = .running
        case .stopping: status.phase = .stopping
        case .ended(let end):
            status.phase = .failed
            status.errorCode = end.kind.rawValue
            status.message = end.message
        }
        return status
    }

    private static func registerContexts(_ driver: any FarDriver, on router: ServiceRouter) {
        router.on(DriverAPI.createContext) { input, context in
            try await driver.createContext(input.body, until: context.deadline)
        }
        router.on(DriverAPI.listContexts) { _, context in try await driver.listContexts(until: context.deadline) }
        router.on(DriverAPI.getContext) { input, context in
            try await driver.getContext(input.contextID, until: context.deadline)
        }
        router.on(DriverAPI.deleteContext) { input, context in
            try await driver.deleteContext(input.contextID, until: context.deadline)
            return Empty()
        }
        router.on(DriverAPI.completeCode) { input, context in
            try await driver.complete(input.body, in: input.contextID, until: context.deadline)
        }
        router.on(DriverAPI.inspectCode) { input, context in
            try await driver.inspect(input.body, in: input.contextID, until: context.deadline)
        }
    }

    private static func registerCommands(_ driver: any FarDriver, on router: ServiceRouter) {
        router.on(DriverAPI.executeCommand) { input, context in
            try await driver.execute(input.body, in: input.contextID, until: context.deadline)
        }
        router.on(DriverAPI.getCommand) { input, context in
            try await driver.command(input.commandID, in: input.contextID, until: context.deadline)
        }
        router.on(DriverAPI.cancelCommand) { input, context in
            try await driver.cancel(input.commandID, in: input.contextID, until: context.deadline)
        }
        router.on(DriverAPI.runCommand) { input, _, send in
            try await driver.run(input.commandID, in: input.contextID, input.body) { try await send($0) }
        }
        router.on(DriverAPI.streamCommandEvents) { input, _, send in
            try await driver.follow(input.commandID, in: input.contextID, after: input.after ?? 0) {
                try await send($0)
            }
        }
        router.on(DriverAPI.readCommandOverflow) { input, context in
            try await driver.overflow(
                input.commandID, in: input.contextID, offset: input.offset, until: context.deadline)
        }
    }
}
