import Core
import EventLoop
import Glibc
import HTTPClient
import HarbourProtocol
import ServiceClients
import ServiceKit
import TestSupport
import Testing

/// The real `workspace` program, which a test may kill.
final class WorkspaceProcess: Sendable {
    let process: ChildProcess
    let client: ServiceClient

    /// Where it listens.
    let baseURL: String

    private init(_ process: ChildProcess, _ client: ServiceClient, _ baseURL: String) {
        self.process = process
        self.client = client
        self.baseURL = baseURL
    }

    /// What the processes of one test have in common.
    struct Surroundings: Sendable {
        let loop: EventLoop
        let http: HTTPClient
        let database: PostgresTestDatabase
        let cluster: String
        let folder: TemporaryDirectory
        /// More variables of the environment.
        var settings: [String: String] = [:]

        /// Runs the body over a database of its own and a scripted cluster that serves.
        static func with(
            _ scripted: ScriptedCluster, _ body: @escaping @Sendable (Surroundings) async throws -> Void
        ) async throws {
            try await withDatabase { database in
                try await withEventLoop { loop in
                    let below = try await ServiceRuntime.start(
                        scripted.definition, arguments: ["--listen", "127.0.0.1:0", "--service-token", "t"], loop: loop)
                    let place = Surroundings(
                        loop: loop, http: HTTPClient(loop: loop), database: database, cluster: try await below.baseURL,
                        folder: try TemporaryDirectory())
                    try await body(place)
                    await place.http.close()
                    try await below.stop()
                }
            }
        }
    }

    static let programs: String = {
        var path = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &path, path.count - 1)
        let text = String(decoding: path[..<max(0, count)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return String(text[..<(text.lastIndex(of: "/") ?? text.startIndex)])
    }()

    /// Starts the program and returns when it serves.
    static func start(_ name: String, in place: Surroundings) async throws -> WorkspaceProcess {
        let program = "\(programs)/workspace"
        try #require(access(program, X_OK) == 0, "build the program workspace first")
        let address = "\(place.folder.path)/\(name).address"
        unlink(address)
        var specification = ProcessSpecification(program)
        let usual = [
            "HARBOUR_WORKSPACE_LISTEN": "127.0.0.1:0", "HARBOUR_WORKSPACE_ADDRESS_FILE": address,
            "HARBOUR_WORKSPACE_EXECUTION_LEASE": "1", "HARBOUR_WORKSPACE_CLUSTER_URL": place.cluster,
            "HARBOUR_SERVICE_TOKEN": "t", "HARBOUR_DATABASE_URL": place.database.url,
        ]
        specification.environment = .inherited(adding: usual.merging(place.settings) { _, own in own })
        specification.output = .file("\(place.folder.path)/\(name).log")
        specification.errors = .sameAsOutput
        specification.parentDeathSignal = SIGKILL
        let process = try await ChildProcess.start(specification, loop: place.loop)
        try await eventually("the workspace serves") { access(address, R_OK) == 0 || process.exit != nil }
        try #require(process.exit == nil, "the workspace ended; its log is in \(place.folder.path)")
        let file = fopen(address, "r")
        defer { if let file { fclose(file) } }
        var line = [CChar](repeating: 0, count: 200)
        if let file { fgets(&line, Int32(line.count), file) }
        let text = String(decoding: line.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return WorkspaceProcess(
            process,
            try ServiceClient(http: place.http, baseURL: "http://\(text)", token: "t", service: "workspace"),
            "http://\(text)")
    }

    /// Ends it with SIGKILL, without a chance to give anything back.
    func kill() async throws {
        process.kill()
        _ = try await process.wait()
    }
}
