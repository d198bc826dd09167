import ClusterBackend
import Core
import EventLoop
import HTTPClient
import HTTPMessage
import HarbourProtocol
import Postgres
import ServiceClients
import ServiceKit
import SimulatedBackend
import Synchronization
import TestSupport
import Testing

@testable import ClusterService

/// The drivers a simulated place has started, by cluster.
final class Drivers: Sendable {
    private let table = Mutex<[String: TestDriver]>([:])
    /// Whether new drivers are RUNNING at once.
    let quick = Mutex(true)
    /// What a driver does as the last thing when it is ended.
    let lastDeed = Mutex<(@Sendable () -> Void)?>(nil)

    func add(_ driver: TestDriver) { table.withLock { $0[driver.driver.request.id.text] = driver } }
    func remove(_ id: String) -> TestDriver? { table.withLock { $0.removeValue(forKey: id) } }
    func get(_ id: String) throws -> TestDriver { try #require(table.withLock { $0[id] }) }
    func startSlowly() { quick.withLock { $0 = false } }
    func startQuickly() { quick.withLock { $0 = true } }
    var count: Int { table.withLock { $0.count } }
}

/// The cluster service with a real database, a simulated place, and drivers that answer by the real contract.
final class ServiceFixture: Sendable {
    let loop: EventLoop
    let database: PostgresTestDatabase
    let world: SimulatedWorld
    let drivers: Drivers
    let http: HTTPClient
    private let running = Mutex<RunningService?>(nil)
    private let limits: EngineLimits
    private let arguments: [String]
    /// Where the next start of the service is to be killed.
    let crash = Mutex<Crash?>(nil)

    init(
        loop: EventLoop, database: PostgresTestDatabase, limits: EngineLimits, time: VirtualTime, arguments: [String],
        scratch: String? = nil
    ) {
        self.loop = loop
        self.arguments = arguments
        self.database = database
        self.limits = limits
        http = HTTPClient(loop: loop)
        let drivers = Drivers()
        self.drivers = drivers
        var place: SimulatedWorld.Scratch?
        if let scratch { place = { _ in scratch } }
        world = SimulatedWorld(
            time: time,
            starter: { simulated in
                let driver = TestDriver(simulated, loop: loop)
                let address = try await driver.start()
                drivers.add(driver)
                if drivers.quick.withLock({ $0 }) { await driver.set(.running) }
                return address
            },
            stopper: { simulated in
                drivers.lastDeed.withLock { $0 }?()
                await drivers.remove(simulated.request.id.text)?.stop()
            },
            scratch: place)
    }

    /// Another instance of the service over the same database and place.
    init(sharing other: ServiceFixture) {
        loop = other.loop
        database = other.database
        world = other.world
        drivers = other.drivers
        http = other.http
        limits = other.limits
        arguments = other.arguments
    }

    /// Starts the service, as after a restart when it ran before.
    @discardableResult
    func start() async throws -> ServiceClient {
        let world = world
        let crash = crash.withLock { $0 }
        let definition = ClusterService.definition(
            backends: [
                BackendFactory("simulated") { context, _ in
                    let backend = SimulatedBackend(world: world, context: context)
                    guard let crash else { return backend }
                    return CrashingBackend(backend: backend, crash: crash)
                }
            ], limits: limits, boundary: { _ in try crash?.cross() })
        let service = try await ServiceRuntime.start(
            definition,
            arguments: [
                "--listen", "127.0.0.1:0", "--service-token", "t", "--database-url", database.url, "--folder",
                "/nowhere",
            ] + arguments, loop: loop)
        running.withLock { $0 = service }
        return try await client()
    }

    func client() async throws -> ServiceClient {
        let service = try #require(running.withLock { $0 })
        return try ServiceClient(http: http, baseURL: try await service.baseURL, token: "t", service: "cluster")
    }

    func stop() async throws {
        let service = running.withLock { running in
            defer { running = nil }
            return running
        }
        try await service?.stop()
    }

    // MARK: Looking behind the API

    /// A look at the service's own tables.
    func pool() async throws -> PostgresPool {
        PostgresPool(
            configuration: PostgresConfiguration(url: database.url, schema: "cluster", maxConnections: 1), loop: loop)
    }

    /// The service's exposition.
    func metrics() async throws -> String {
        let service = try #require(running.withLock { $0 })
        let origin = try HTTPOrigin(try await service.baseURL)
        let response = try await http.send(HTTPClientRequest(origin: origin, target: "/metrics"))
        return String(decoding: try await response.collect(limit: 1 << 20), as: UTF8.self)
    }

    /// A page below a cluster's address.
    func page(_ path: String, of cluster: String = "c1", token: String = "t") async throws -> (
        status: Int, location: String?, text: String
    ) {
        let service = try #require(running.withLock { $0 })
        let response = try await http.send(
            HTTPClientRequest(
                origin: try HTTPOrigin(try await service.baseURL), target: "/api/v1/clusters/\(cluster)\(path)",
                fields: ["authorization": "Bearer \(token)"]), deadline: .now + .seconds(90))
        let text = String(decoding: try await response.collect(limit: 8 << 20), as: UTF8.self)
        return (response.status, response.fields["location"], text)
    }

    // MARK: Steps of many tests

    static let context = CallContext(user: "ada")

    /// Waits until the cluster is in that state, and fails when it comes to rest in another.
    func wait(_ id: String, for state: ClusterState) async throws -> ClusterInfo {
        let client = try await client()
        for try await info in try await client.stream(ClusterAPI.watchCluster, .init(clusterID: id)) {
            if info.state == state { return info }
            if info.state == .terminated || info.state == .error {
                Issue.record("\(info.state) instead of \(state): \(info.stateMessage)")
                return info
            }
        }
        throw HarbourError(.cancelled, "The watch ended before \(state.rawValue).")
    }

    /// A running cluster with a context.
    func runningCluster(_ id: String, minutes: Int? = nil) async throws -> ServiceClient {
        let client = try await client()
        var spec = ClusterSpec(clusterName: "test")
        spec.autoterminationMinutes = minutes
        _ = try await client.call(
            ClusterAPI.createCluster, .init(body: CreateCluster(spec: spec, clusterID: id)),
            context: ServiceFixture.context)
        _ = try await wait(id, for: .running)
        _ = try await client.call(
            ClusterAPI.createContext, .init(clusterID: id, body: ContextSpec(contextID: "ctx", language: "python")))
        return client
    }

    /// Starts a cluster that ends when it is not used for a minute, and waits until it runs and is known to have a stream:
    /// it has one before that, or a busy machine would find it idle at once.
    /// - Returns: its driver.
    func clusterInUse(_ id: String) async throws -> TestDriver {
        let client = try await client()
        drivers.startSlowly()
        let spec = ClusterSpec(clusterName: "used", autoterminationMinutes: 1)
        _ = try await client.call(ClusterAPI.createCluster, .init(body: CreateCluster(spec: spec, clusterID: id)))
        try await eventually("the driver is there") { self.drivers.count == 1 }
        let driver = try drivers.get(id)
        await driver.setStreams(1)
        await driver.set(.running)
        try await eventually("the driver was asked and said what it does") {
            try await client.call(ClusterAPI.getCluster, .init(clusterID: id)).autoTermination?.busyWith == ["1 stream"]
        }
        drivers.startQuickly()
        return driver
    }

    /// All events of a command from one on.
    func events(_ id: String, _ command: String, after: Int64? = nil) async throws -> [CommandEvent] {
        let client = try await client()
        var events: [CommandEvent] = []
        let stream = try await client.stream(
            ClusterAPI.streamCommandEvents,
            .init(clusterID: id, contextID: "ctx", commandID: command, after: after))
        for try await event in stream { events.append(event) }
        return events
    }
}

/// Runs the body with a fixture whose service has been started.
func withService(
    limits: EngineLimits = EngineLimits(), time: VirtualTime = VirtualTime(start: .now), arguments: [String] = [],
    capabilities: Capabilities? = nil, scratch: String? = nil,
    _ body: @escaping @Sendable (ServiceFixture, ServiceClient) async throws -> Void
) async throws {
    try await withDatabase { database in
        try await withEventLoop { loop in
            let fixture = ServiceFixture(
                loop: loop, database: database, limits: limits, time: time, arguments: arguments, scratch: scratch)
            if let capabilities { fixture.world.edit { $0.capabilities = capabilities } }
            let client = try await fixture.start()
            do {
                try await body(fixture, client)
            } catch {
                try await fixture.stop()
                throw error
            }
            try await fixture.stop()
            await fixture.http.close()
        }
    }
}

/// Expects the call to fail with that code.
func expectCode<Value>(_ code: ErrorCode, _ body: () async throws -> Value) async {
    do {
        _ = try await body()
        Issue.record("should have failed with \(code.name)")
    } catch let error as HarbourError {
        #expect(error.code == code, "\(error.describeChain())")
    } catch {
        Issue.record("\(error)")
    }
}
