import Core
import EventLoop
import Glibc
import HTTPClient
import HarbourProtocol
import ServiceClients
import ServiceKit
import TestSupport
import Testing

/// The real `scheduler` program, which a test may kill.
final class SchedulerProcess: Sendable {
    let process: ChildProcess
    let client: ServiceClient

    private init(_ process: ChildProcess, _ client: ServiceClient) {
        self.process = process
        self.client = client
    }

    static let programs: String = {
        var path = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &path, path.count - 1)
        let text = String(decoding: path[..<max(0, count)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return String(text[..<(text.lastIndex(of: "/") ?? text.startIndex)])
    }()

    /// What schedulers of one test have in common.
    struct Surroundings: Sendable {
        let loop: EventLoop
        let http: HTTPClient
        let database: PostgresTestDatabase
        /// Where the scripted services listen.
        let below: String
        let folder: String
        var leaseSeconds = 2
    }

    /// Starts the program under a name and returns when it serves.
    static func start(_ name: String, in place: Surroundings) async throws -> SchedulerProcess {
        let program = "\(programs)/scheduler"
        try #require(access(program, X_OK) == 0, "build the program scheduler first")
        let address = "\(place.folder)/\(name).address"
        unlink(address)
        var specification = ProcessSpecification(program)
        specification.environment = .inherited(adding: [
            "HARBOUR_SCHEDULER_LISTEN": "127.0.0.1:0", "HARBOUR_SCHEDULER_ADDRESS_FILE": address,
            "HARBOUR_SCHEDULER_INSTANCE": name, "HARBOUR_SCHEDULER_LEASE_SECONDS": String(place.leaseSeconds),
            "HARBOUR_SCHEDULER_CLUSTER_URL": place.below, "HARBOUR_SCHEDULER_WORKSPACE_URL": place.below,
            "HARBOUR_SERVICE_TOKEN": "t", "HARBOUR_DATABASE_URL": place.database.url,
            "HARBOUR_SCHEDULER_FILE_ROOTS": Inbox.root,
        ])
        specification.output = .file("\(place.folder)/\(name).log")
        specification.errors = .sameAsOutput
        specification.parentDeathSignal = SIGKILL
        let process = try await ChildProcess.start(specification, loop: place.loop)
        try await eventually(place.loop) { access(address, R_OK) == 0 || process.exit != nil }
        try #require(process.exit == nil, "the scheduler ended; its log is \(place.folder)/\(name).log")
        let file = fopen(address, "r")
        defer { if let file { fclose(file) } }
        var line = [CChar](repeating: 0, count: 200)
        if let file { fgets(&line, Int32(line.count), file) }
        let text = String(decoding: line.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let client = try ServiceClient(
            http: place.http, baseURL: "http://\(text)", token: "t", service: "scheduler")
        return SchedulerProcess(process, client)
    }

    /// Ends it with SIGKILL, without a chance to give anything back.
    func kill() async throws {
        process.kill()
        _ = try await process.wait()
    }

    func signal(_ number: Int32) { Glibc.kill(process.pid, number) }
}
