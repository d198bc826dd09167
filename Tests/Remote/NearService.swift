import ClusterBackend
import ClusterService
import Core
import EventLoop
import HTTPClient
import HarbourProtocol
import RemoteBackend
import ServiceClients
import ServiceKit
import Synchronization
import TestSupport
import Testing

/// Our own cluster service, whose clusters run on a far platform.
final class NearService: Sendable {
    let loop: EventLoop
    let http: HTTPClient
    let folder: TemporaryDirectory
    let database: PostgresTestDatabase
    private let settings: [String: String]
    private let running = Mutex<RunningService?>(nil)

    init(_ loop: EventLoop, _ database: PostgresTestDatabase, _ settings: [String: String]) throws {
        self.loop = loop
        self.database = database
        self.settings = settings
        http = HTTPClient(loop: loop)
        folder = try TemporaryDirectory()
    }

    /// Starts the service, as after a restart when it ran before.
    @discardableResult
    func start() async throws -> ServiceClient {
        var arguments = [
            "--listen", "127.0.0.1:0", "--service-token", "t", "--database-url", database.url, "--folder",
            folder.file("c"), "--kept-folder", folder.file("kept"),
        ]
        for (name, value) in settings {
            arguments += ["--backend-remote-\(String(name.map { $0 == "_" ? "-" : $0 }))", value]
        }
        let service = try await ServiceRuntime.start(
            ClusterService.definition(backends: [
                BackendFactory("remote", settings: RemoteBackend.settings) { context, loop in
                    try RemoteBackend(context: context, loop: loop)
                }
            ]), arguments: arguments, loop: loop)
        running.withLock { $0 = service }
        return try ServiceClient(http: http, baseURL: try await service.baseURL, token: "t", service: "cluster")
    }

    func stop() async throws {
        let service = running.withLock { running in
            defer { running = nil }
            return running
        }
        try await service?.stop()
    }

    static let user = CallContext(user: "ada")

    /// Waits until the cluster is in that state, and fails when it comes to rest in another.
    func wait(_ client: ServiceClient, _ id: String, for state: ClusterState) async throws -> ClusterInfo {
        for try await info in try await client.stream(ClusterAPI.watchCluster, .init(clusterID: id)) {
            if info.state == state { return info }
            if info.state == .terminated || info.state == .error {
                Issue.record("\(info.state) instead of \(state): \(info.stateMessage)")
                return info
            }
        }
        throw HarbourError(.cancelled, "The watch ended before \(state.rawValue).")
    }

    /// A running cluster `c1` with a context `ctx`.
    func runningCluster() async throws -> ServiceClient {
        let client = try await start()
        _ = try await client.call(
            ClusterAPI.createCluster,
            .init(body: CreateCluster(spec: ClusterSpec(clusterName: "near"), clusterID: "c1")),
            context: NearService.user)
        _ = try await wait(client, "c1", for: .running)
        let context = try await client.call(
            ClusterAPI.createContext, .init(clusterID: "c1", body: ContextSpec(contextID: "ctx", language: "python")))
        #expect(context.clusterID == "c1")
        return client
    }

    /// Runs a command and collects its events; `seen` is told each.
    func run(
        _ client: ServiceClient, _ id: String, _ source: String, after: Int64? = nil,
        seen: @Sendable (CommandEvent) async throws -> Void = { _ in }
    ) async throws -> [CommandEvent] {
        var events: [CommandEvent] = []
        let stream = try await client.stream(
            ClusterAPI.runCommand,
            .init(clusterID: "c1", contextID: "ctx", commandID: id, body: CommandRun(source: source, after: after)),
            patience: .zero)
        for try await event in stream {
            events.append(event)
            try await seen(event)
        }
        return events
    }
}

/// Runs the body with our service over a far platform, each with a database of its own.
func withNearService(
    _ change: @escaping @Sendable (inout [String: String], FarPlatform) throws -> Void = { _, _ in },
    _ body: @escaping @Sendable (NearService, FarPlatform) async throws -> Void
) async throws {
    try await withFarPlatform { platform in
        try await withDatabase { database in
            var settings = try platform.settings()
            try change(&settings, platform)
            let near = try NearService(platform.loop, database, settings)
            do {
                try await body(near, platform)
            } catch {
                try await near.stop()
                throw error
            }
            try await near.stop()
            await near.http.close()
        }
    }
}
