import Core
import EventLoop
import Glibc
import HTTPClient
import HTTPMessage
import HarbourProtocol
import ServiceClients
import TestSupport
import Testing

/// A whole platform as a user has it: the supervisor, PostgreSQL, the services and what they start, in real processes
/// made by `harbour up` in a data folder of its own.
final class PlatformUnderTest: Sendable {
    static let services = ["workspace", "scheduler", "cluster", "monitoring"]

    /// Whether a command line is that of one of the services.
    static func isService(_ command: String) -> Bool {
        services.contains { command.hasPrefix("\(TestInstallation.binaries)/\($0) ") }
    }

    let loop: EventLoop
    /// The data folder, `HARBOUR_DATA`.
    let folder: String
    /// The front door's port; the services have the next three.
    let port: Int
    let http: HTTPClient
    private let directory: TemporaryDirectory

    private init(loop: EventLoop) throws {
        self.loop = loop
        directory = try TemporaryDirectory()
        folder = "\(directory.path)/data"
        port = try FreePorts.find(4)
        http = HTTPClient(loop: loop)
    }

    /// Starts a platform and returns when everything serves.
    static func start(loop: EventLoop, adding variables: [String: String] = [:]) async throws -> PlatformUnderTest {
        let platform = try prepare(loop: loop)
        do { try await platform.up(adding: variables) } catch {
            _ = try? await platform.harbour(["down"])
            throw error
        }
        return platform
    }

    /// Makes the folder of a platform that has not been started.
    static func prepare(loop: EventLoop) throws -> PlatformUnderTest {
        let platform = try PlatformUnderTest(loop: loop)
        try platform.prepareFolder()
        return platform
    }

    private func prepareFolder() throws {
        let resources = directory.file("share")
        for path in [folder, "\(folder)/runtime", resources] { try #require(mkdir(path, 0o700) == 0) }
        try #require(chmod(directory.path, 0o755) == 0)
        let environment = try #require(TestInstallation.environment)
        try #require(symlink(environment, "\(folder)/runtime/current") == 0)
        try #require(symlink("\(TestInstallation.root)/schemas/sql", "\(resources)/sql") == 0)
        try #require(symlink("\(TestInstallation.root)/deploy/samples", "\(resources)/samples") == 0)
    }

    // MARK: The command line

    /// Runs `harbour` to its end and returns what it answered.
    @discardableResult
    func harbour(_ arguments: [String], adding variables: [String: String] = [:]) async throws -> String {
        var specification = ProcessSpecification(
            "\(TestInstallation.binaries)/harbour", arguments)
        let own = [
            "HARBOUR_DATA": folder, "HARBOUR_PORT": "\(port)", "HARBOUR_RESOURCES": directory.file("share"),
            "HARBOUR_DRIVER_RUNTIME_FOLDER": "\(TestInstallation.root)/Libraries/Runtime",
        ]
        specification.environment = .inherited(adding: own.merging(variables) { $1 })
        specification.output = .pipe
        specification.errors = .file(directory.file("harbour.err"))
        let process = try await ChildProcess.start(specification, loop: loop)
        var text = ""
        if let output = process.output {
            for try await line in output.lines(limit: 64 << 20) { text += line + "\n" }
        }
        let exit = try await process.wait()
        guard exit.isSuccess else {
            throw HarbourError(
                .invalidState,
                "harbour \(arguments.joined(separator: " ")) \(exit): \(readFile(directory.file("harbour.err")))")
        }
        return text
    }

    func up(adding variables: [String: String] = [:]) async throws {
        try await harbour(["up", "--timeout", "240"], adding: variables)
    }

    // MARK: The programs

    /// What the supervisor says of its programs; nil when it does not answer.
    func status() async throws -> [String: ProgramStatus]? {
        let request = HTTPClientRequest(
            origin: try HTTPOrigin("unix:\(folder)/run/harbour.sock"), target: "/v1/status", serviceName: "supervisor")
        let answer: JSONValue
        do {
            let response = try await http.send(request, deadline: .now + .seconds(60))
            answer = try JSONValue(json: try await response.collect())
        } catch {
            guard [.unavailable, .deadlineExceeded].contains(HarbourError.wrap(error).code) else { throw error }
            return nil
        }
        let programs = (answer["programs"]?.array ?? []).compactMap(ProgramStatus.init)
        return Dictionary(uniqueKeysWithValues: programs.map { ($0.name, $0) })
    }

    /// Kills the process of a program as `kill -9` does, and returns when another one serves in its place.
    func killAndAwait(_ program: String) async throws {
        let pid = try await kill(program)
        try await eventually("\(program) is back") {
            guard let now = try await self.status()?[program] else { return false }
            return now.state == "ready" && now.pid != pid
        }
    }

    /// Kills the process of a program as `kill -9` does; nothing happens when it is being restarted anyway.
    @discardableResult
    func kill(_ program: String) async throws -> Int32? {
        guard let pid = try await status()?[program]?.pid else { return nil }
        Glibc.kill(pid, SIGKILL)
        return pid
    }

    // MARK: The interfaces

    func url(_ service: String) throws -> String {
        let offset = try #require(["workspace", "scheduler", "cluster", "monitoring"].firstIndex(of: service))
        return "http://127.0.0.1:\(port + offset)"
    }

    var adminToken: String { readFile("\(folder)/secrets/admin-token") }
    var serviceToken: String { readFile("\(folder)/secrets/service-token") }

    /// The public interface, as the administrator.
    var api: ServiceClient {
        get throws {
            try ServiceClient(http: http, baseURL: try url("workspace"), token: adminToken, service: "workspace")
        }
    }

    /// Asks a service as bytes, for what no client of ours would send. `time` is what the service is told to keep to.
    func send(
        _ method: HTTPMethod = .get, _ target: String, service: String = "workspace", token: String? = nil,
        body: [UInt8]? = nil, allowing time: Duration? = nil
    ) async throws -> (status: Int, body: [UInt8]) {
        var fields = HTTPFields()
        if let time { fields.append("x-harbour-deadline-ms", "\(time.milliseconds)") }
        if let token { fields.append("authorization", "Bearer \(token)") }
        if body != nil { fields.append("content-type", "application/json") }
        let request = HTTPClientRequest(
            method: method, origin: try HTTPOrigin(try url(service)), target: target, fields: fields,
            body: body.map { .bytes($0) } ?? .empty)
        // The client would give up at the very moment that it names as the deadline.
        let response = try await http.send(request, deadline: time == nil ? .now + .seconds(30) : nil)
        return (response.status, try await response.collect())
    }

    // MARK: The end

    /// Stops everything and looks at what is left: there has to be nothing.
    func end() async {
        do {
            try await harbour(["down"])
            await http.close()
            let folder = folder
            try await eventually("no process of the platform is left") {
                ProcessTable.running(in: folder).isEmpty
            }
            #expect(Sockets.below(folder) == [])
        } catch {
            Issue.record(error, "the platform did not end: \(ProcessTable.running(in: folder))")
            for process in ProcessTable.running(in: folder) { Glibc.kill(process.pid, SIGKILL) }
        }
    }

    /// The last lines of all logs, for the message of a test that fails.
    func logs(lines: Int = 40) -> String {
        (try? runCommand(["sh", "-c", "tail -n \(lines) '\(folder)'/logs/*.log"])) ?? ""
    }
}

/// What `harbour status` tells of a program.
struct ProgramStatus: Sendable {
    let name: String
    let state: String
    let pid: Int32?
    let restarts: Int

    init?(_ json: JSONValue) {
        guard let name = json["name"]?.string, let state = json["state"]?.string else { return nil }
        self.name = name
        self.state = state
        pid = json["pid"]?.int.map { Int32($0) }
        restarts = json["restarts"]?.int ?? 0
    }
}

/// Where the built programs and the clusters' Python are.
enum TestInstallation {
    /// The folder of this test's own executable, in which all others are built too.
    static let binaries: String = {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = max(0, readlink("/proc/self/exe", &buffer, buffer.count))
        let path = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
    }()

    /// The checkout.
    static let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")

    /// The clusters' Python environment that `deploy/setup` has made; nil when there is none.
    static let environment: String? = {
        let variables = ProcessSpecification.Environment.ours
        let data = variables["HARBOUR_DATA"] ?? variables["HOME"].map { "\($0)/.harbour" } ?? ""
        let path = "\(data)/runtime/current"
        guard access("\(path)/bin/python", X_OK) == 0, let real = realpath(path, nil) else { return nil }
        defer { free(real) }
        return String(cString: real)
    }()
}

/// The text of a file without the line break at its end; nothing when it cannot be read.
func readFile(_ path: String) -> String {
    guard let stream = fopen(path, "r") else { return "" }
    defer { fclose(stream) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = fread(&buffer, 1, buffer.count, stream)
        if count == 0 { break }
        bytes += buffer[..<count]
    }
    var text = String(decoding: bytes, as: UTF8.self)
    while text.last == "\n" { text.removeLast() }
    return text
}
