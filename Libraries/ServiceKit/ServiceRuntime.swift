internal import Configuration
internal import Core
internal import Cryptography
public import EventLoop
internal import Glibc
internal import HTTPMessage
internal import HTTPServer
internal import Lifecycle
internal import Metrics
internal import Synchronization

/// Runs a service: settings, log, loop, parts, server, signals, end.
///
///     ServiceRuntime.main(SchedulerService.definition)
public enum ServiceRuntime {
    /// Runs the service to its end and ends the process: 0 after SIGTERM or SIGINT, 1 after a failure, 2 when a setting
    /// cannot be used.
    ///
    /// `adapt` may rewrite the environment before it is read, for a service that is started in words of another's.
    public static func main(
        _ definition: ServiceDefinition, arguments: [String] = Array(CommandLine.arguments.dropFirst()),
        adapt: ([String: String]) -> [String: String] = { $0 }
    ) -> Never {
        ServiceGroup.blockSignals()
        let configuration: Configuration
        do throws(HarbourError) {
            let outcome = try Configuration.load(
                definition.schema, arguments: arguments, environment: adapt(ProcessEnvironment.current))
            switch outcome {
            case .run(let settings): configuration = settings
            case .help(let text), .environmentExample(let text):
                print(text)
                exit(0)
            }
        } catch {
            LogOutput.standardError("\(error.message)\n")
            exit(2)
        }
        bootstrapLog(definition, configuration)
        do throws(HarbourError) {
            let loop = try EventLoop()
            exit(run(definition, configuration, loop))
        } catch {
            Logger(definition.name).error("The service could not start.", ["error": error.describeChain()])
            exit(1)
        }
    }

    private static func run(_ definition: ServiceDefinition, _ configuration: Configuration, _ loop: EventLoop) -> Int32
    {
        let status = Mutex<Int32>(1)
        let logger = Logger(definition.name)
        loop.submit {
            loop.spawn {
                do {
                    let service = try await assemble(definition, configuration, loop)
                    let summary = try await service.group.run()
                    logger.info("stopped", ["reason": summary.reason, "abandoned": summary.abandoned.description])
                    status.withLock { $0 = 0 }
                } catch {
                    logger.error("The service ends.", ["error": HarbourError.describe(error)])
                }
                loop.stop()
            }
        }
        loop.run()
        return status.withLock { $0 }
    }

    private static func bootstrapLog(_ definition: ServiceDefinition, _ configuration: Configuration) {
        let options = definition.options
        Logger.bootstrap(
            LogOutput(
                format: configuration[options.logFormat] == "json" ? .json : .human,
                level: LogLevel(name: configuration[options.logLevel]) ?? .info, service: definition.name))
    }

    // MARK: In tests

    /// Starts the service on a loop of the caller's and returns when it serves. Settings are given as flags:
    /// `["--service-token", "t", "--listen", "127.0.0.1:0"]`; the environment is not read.
    public static func start(
        _ definition: ServiceDefinition, arguments: [String], loop: EventLoop
    ) async throws -> RunningService {
        let outcome = try Configuration.load(definition.schema, arguments: arguments, environment: [:])
        guard case .run(let configuration) = outcome else {
            throw HarbourError(.invalidConfiguration, "These arguments ask for a text, not for a service.")
        }
        let service = try await assemble(definition, configuration, loop)
        let running = RunningService(service, loop: loop)
        try await running.waitUntilReady()
        return running
    }

    // MARK: Putting it together

    private static func assemble(
        _ definition: ServiceDefinition, _ configuration: Configuration, _ loop: EventLoop
    ) async throws -> AssembledService {
        let begin = MonotonicTime.now
        let metrics = MetricsRegistry()
        metrics.registerProcessMetrics(wakeUps: { loop.wakeUps })
        let options = definition.options
        let environment = ServiceEnvironment(
            name: definition.name, configuration: configuration, options: options, loop: loop, metrics: metrics,
            readiness: Readiness())
        let authenticator: any Authenticator =
            if let make = definition.authenticator { try await make(environment) } else {
                environment.serviceAuthenticator
            }
        let router = ServiceRouter(loop: loop, authenticator: authenticator)
        OperationalRoutes(
            readiness: environment.readiness, metrics: metrics, metricsToken: configuration[options.metricsToken],
            document: definition.document
        ).register(on: router.http)
        environment.readiness.set("server", notReadyBecause: "The service is starting.")
        let parts = try await definition.build(environment, router)
        let observer = RequestObserver(
            router: router, metrics: metrics,
            log: RequestLog(rawValue: configuration[options.requestLog]) ?? .errors)
        let address = Mutex(ServiceAddress(host: "", port: 0))
        let server = HTTPServer(
            configuration: try serverConfiguration(environment, observer), handler: router, loop: loop)
        let ready = ServiceReady()
        // It listens before the parts start, so that it can be asked what they wait for, and serves after them.
        router.closedBecause = HarbourError(
            .unavailable, "The \(definition.name) service is starting; /readyz says what it waits for. Try again soon.")
        let door = LifecycleComponent(
            "server",
            start: {
                let port = try await server.start()
                address.withLock { $0 = ServiceAddress(configuration, options, port: port) }
            }, drain: { budget in await server.drain(budget: budget) })
        let service = LifecycleComponent(
            "requests",
            start: {
                try address.withLock { $0 }.write(to: configuration[options.addressFile])
                router.closedBecause = nil
            },
            drain: { budget in
                environment.readiness.set("server", notReadyBecause: "The service is stopping.")
                router.stopStreams()
                await server.drain(budget: budget)
            })
        let group = ServiceGroup(
            [door] + parts + [service], loop: loop, budget: configuration[options.drainBudget],
            ready: {
                environment.readiness.set("server", notReadyBecause: nil)
                let address = address.withLock { $0 }
                environment.logger.info(
                    "ready", ["address": address.text, "milliseconds": (MonotonicTime.now - begin).milliseconds])
                ready.resolve(.success(address))
                // systemd and `harbour up` wait for it.
                ReadinessSocket.notifyReady()
            })
        return AssembledService(group: group, ready: ready, environment: environment)
    }

    private static func serverConfiguration(
        _ environment: ServiceEnvironment, _ observer: RequestObserver
    ) throws(HarbourError) -> HTTPServerConfiguration {
        let settings = environment.configuration
        let options = environment.options
        let listen = settings[options.listen]
        var configuration = HTTPServerConfiguration(
            address: settings[options.listenSocket].map { .unix(path: $0) }
                ?? .tcp(host: listen.host, port: listen.port))
        configuration.trustedProxies = TrustedProxies(settings[options.trustedProxies])
        configuration.tls = try tlsConfiguration(settings, options)
        configuration.observer = { request, outcome in observer.ended(request, outcome) }
        return configuration
    }

    private static func tlsConfiguration(
        _ settings: Configuration, _ options: ServiceOptions
    ) throws(HarbourError) -> TLSServerConfiguration? {
        let authority = settings[options.tlsClientAuthority]
        switch (settings[options.tlsCertificate], settings[options.tlsKey]) {
        case (let certificate?, let key?):
            return TLSServerConfiguration(
                certificate: TLSCertificateFiles(chainFile: certificate, privateKeyFile: key),
                clientCertificates: authority.map { .required(authorityFile: $0) } ?? .none)
        case (nil, nil) where authority == nil: return nil
        default:
            throw HarbourError(
                .invalidConfiguration,
                "TLS needs both --tls-certificate and --tls-key; --tls-client-ca can be added to them.")
        }
    }
}

/// A service that has been put together and not been started.
struct AssembledService: Sendable {
    let group: ServiceGroup
    let ready: ServiceReady
    let environment: ServiceEnvironment
}
