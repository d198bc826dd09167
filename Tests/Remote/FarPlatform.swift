import ClusterBackend
import ClusterService
import Core
import Cryptography
import EventLoop
import HTTPClient
import HTTPServer
import HarbourProtocol
import ServiceClients
import ServiceKit
import SimulatedBackend
import Synchronization
import TestSupport
import Testing
import WorkspaceService

/// Another DataHarbour: its workspace's gateway, behind TLS, and its cluster service with a simulated place.
final class FarPlatform: Sendable {
    static let token = "far-administrator-0123456789abcdef"

    let loop: EventLoop
    let http: HTTPClient
    let world: SimulatedWorld
    let front: FarFront
    let url: String
    let folder: TemporaryDirectory
    let certificates: TestCertificates
    private let services: [RunningService]
    private let server: HTTPServer

    private init(
        _ loop: EventLoop, _ http: HTTPClient, _ world: SimulatedWorld, _ front: FarFront, _ url: String,
        _ folder: TemporaryDirectory, _ certificates: TestCertificates, _ services: [RunningService],
        _ server: HTTPServer, _ drivers: Drivers
    ) {
        self.loop = loop
        self.http = http
        self.world = world
        self.front = front
        self.url = url
        self.folder = folder
        self.certificates = certificates
        self.services = services
        self.server = server
        self.table = drivers
    }

    final class Drivers: Sendable {
        private let table = Mutex<[String: FarTestDriver]>([:])
        func add(_ driver: FarTestDriver) { table.withLock { $0[driver.cluster] = driver } }
        func remove(_ id: String) -> FarTestDriver? { table.withLock { $0.removeValue(forKey: id) } }
        func get(_ id: String) -> FarTestDriver? { table.withLock { $0[id] } }
    }
    private let table: Drivers

    static func start(_ loop: EventLoop, _ database: PostgresTestDatabase) async throws -> FarPlatform {
        let http = HTTPClient(loop: loop)
        let drivers = Drivers()
        let world = SimulatedWorld(
            time: VirtualTime(start: .now),
            starter: { simulated in
                let driver = FarTestDriver(simulated, loop: loop)
                let address = try await driver.start()
                drivers.add(driver)
                return address
            },
            stopper: { simulated in await drivers.remove(simulated.request.id.text)?.stop() })
        let folder = try TemporaryDirectory()
        let common = ["--service-token", "t", "--database-url", database.url]
        let file = try folder.write("admin", Array(FarPlatform.token.utf8))
        // Each of the two asks the other, so one of the addresses must be known before.
        let socket = folder.file("s")
        let workspace = try await ServiceRuntime.start(
            WorkspaceService.definition,
            arguments: common + [
                "--listen", "127.0.0.1:0", "--cluster-url", "unix:\(socket)", "--admin-token-file", file,
                "--secret-key", "0123456789abcdef0123456789abcdef",
            ], loop: loop)
        let cluster = try await ServiceRuntime.start(
            ClusterService.definition(backends: [
                BackendFactory("simulated") { context, _ in SimulatedBackend(world: world, context: context) }
            ]),
            arguments: common + [
                "--listen-socket", socket, "--folder", "/nowhere", "--kept-folder", folder.file("kept"),
                "--workspace-url", try await workspace.baseURL,
            ], loop: loop)
        let front = FarFront(try HTTPOrigin(try await workspace.baseURL), http)
        let certificates = try TestCertificates()
        let files = try certificates.issue("far")
        let server = HTTPServer(
            configuration: HTTPServerConfiguration(
                tls: TLSServerConfiguration(
                    certificate: TLSCertificateFiles(chainFile: files.certificate, privateKeyFile: files.key))),
            handler: front, loop: loop)
        let port = try await server.start()
        return FarPlatform(
            loop, http, world, front, "https://localhost:\(port)", folder, certificates, [workspace, cluster], server,
            drivers)
    }

    func stop() async throws {
        await server.drain(budget: .zero)
        for service in services { try await service.stop() }
        for id in world.clusters { await table.remove(id.text)?.stop() }
        await http.close()
    }

    /// What a backend is told of it.
    func settings(token: String = FarPlatform.token) throws -> [String: String] {
        [
            "url": url, "token_file": try folder.write("token-\(Identifier.make())", Array("\(token)\n".utf8)),
            "ca_file": certificates.authorityFile, "patience_seconds": "60",
        ]
    }

    /// The driver of a cluster of that name there.
    func driver(_ farID: String) throws -> FarTestDriver { try #require(table.get(farID)) }

    /// The names there of a cluster of ours, whoever made it.
    func farIDs(of id: ClusterIdentifier) -> Set<ClusterIdentifier> {
        Set(world.started.filter { $0.request.spec.tags["harbour_cluster_id"] == id.text }.map(\.request.id))
    }

    /// Asks it as its administrator, past the front.
    func client() async throws -> ServiceClient {
        try ServiceClient(
            http: http, baseURL: try await services[0].baseURL, token: FarPlatform.token, service: "workspace")
    }
}

/// Runs the body with a far platform of its own.
func withFarPlatform(_ body: @escaping @Sendable (FarPlatform) async throws -> Void) async throws {
    try await withDatabase { database in
        try await withEventLoop { loop in
            let platform = try await FarPlatform.start(loop, database)
            do {
                try await body(platform)
            } catch {
                try await platform.stop()
                throw error
            }
            try await platform.stop()
        }
    }
}
