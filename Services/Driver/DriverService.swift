internal import Configuration
internal import Core
internal import EventLoop
internal import Glibc
internal import HarbourProtocol
internal import Lifecycle
internal import Metrics
public import ServiceKit

/// The service `driver`: one per running cluster, inside it.
public enum DriverService {
    /// The service. `shutDown` is called when a caller asks the driver to end itself; nil sends this process SIGTERM.
    public static func definition(shutDown: (@Sendable () -> Void)? = nil) -> ServiceDefinition {
        let options = DriverOptions()
        return ServiceDefinition(
            name: "driver", summary: "Runs Spark and the notebooks' kernels of one cluster.", defaultPort: 0,
            hasDatabase: false, ownOptions: options.all, document: DriverAPI.document
        ) { environment, router in
            let driver = try Driver(try options.configuration(environment.configuration), loop: environment.loop)
            DriverRoutes(driver: driver, shutDown: shutDown ?? { _ = kill(getpid(), SIGTERM) }).register(on: router)
            try SparkPages(driver: driver, authenticator: environment.serviceAuthenticator, loop: environment.loop)
                .register(on: router)
            DriverMetrics(driver: driver).register(in: environment.metrics)
            router.onSync(DriverAPI.getMetrics) { _, _ in
                let text = environment.metrics.exposition(.prometheusText)
                return HarbourProtocol.DriverMetrics(text: String(decoding: text, as: UTF8.self))
            }
            return [
                LifecycleComponent(
                    "driver",
                    start: {
                        environment.readiness.set("spark", notReadyBecause: "Spark is starting.")
                        environment.loop.spawn { await tellReadiness(of: driver, to: environment.readiness) }
                        await driver.start()
                    },
                    drain: { budget in await driver.stop(grace: min(budget / 2, .seconds(15))) })
            ]
        }
    }

    private static func tellReadiness(of driver: Driver, to readiness: Readiness) async {
        do {
            try await driver.followStatus { status in
                readiness.set("spark", notReadyBecause: status.phase == .running ? nil : status.message)
            }
        } catch {
            readiness.set("spark", notReadyBecause: "The driver is not watched any more.")
        }
    }

    /// Puts what backends say about address and token into the words that all services share.
    ///
    /// Backends give `HARBOUR_DRIVER_LISTEN` as a URL, `unix:/path` or `http://host:port`, and the token's file as
    /// `HARBOUR_DRIVER_TOKEN_FILE`.
    public static func adoptStartVariables(_ environment: [String: String]) -> [String: String] {
        var variables = environment
        if let listen = variables["HARBOUR_DRIVER_LISTEN"] {
            if listen.hasPrefix("unix:") {
                variables["HARBOUR_DRIVER_LISTEN"] = nil
                variables["HARBOUR_DRIVER_LISTEN_SOCKET"] = String(listen.dropFirst("unix:".count))
            } else if listen.hasPrefix("http://") {
                variables["HARBOUR_DRIVER_LISTEN"] = String(listen.dropFirst("http://".count))
            }
        }
        if let file = variables.removeValue(forKey: "HARBOUR_DRIVER_TOKEN_FILE") {
            variables["HARBOUR_SERVICE_TOKEN_FILE"] = file
        }
        return variables
    }
}
