import Core
import EventLoop
import Glibc
import HTTPClient
import HarbourProtocol
import ServiceClients
import TestSupport
import Testing

/// The real `cluster` program with the real `driver`, in a folder and a database of the test's own. Only Spark is a
/// stand-in that is ready at once, because these tests are about processes.
final class ClusterProcess: Sendable {
    /// The package that stands in for the clusters' Python.
    static let fakeRuntime = "\(TestDocker.top)/Tests/Integration/fake_runtime"

    let loop: EventLoop
    let database: PostgresTestDatabase
    let folder: String
    let http: HTTPClient
    private let driver: String
    private let program: String
    private let settings: [String: String]

    /// Settings are more variables of the service, over those that every test has.
    init(loop: EventLoop, database: PostgresTestDatabase, settings: [String: String] = [:]) throws {
        program = try #require(TestDocker.program("cluster"), "build the program cluster first")
        driver = try #require(TestDocker.program("driver"), "build the program driver first")
        self.settings = settings
        var template = Array("/tmp/kill-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        self.loop = loop
        self.database = database
        http = HTTPClient(loop: loop)
    }

    /// Starts the program and returns when it serves.
    func start() async throws -> (process: ChildProcess, client: ServiceClient) {
        let address = "\(folder)/address"
        unlink(address)
        var specification = ProcessSpecification(program)
        let usual = [
            "HARBOUR_CLUSTER_DRIVER": driver, "HARBOUR_CLUSTER_FOLDER": "\(folder)/c",
            "HARBOUR_CLUSTER_LISTEN": "127.0.0.1:0",
            "HARBOUR_CLUSTER_ADDRESS_FILE": address, "HARBOUR_SERVICE_TOKEN": "t",
            "HARBOUR_DATABASE_URL": database.url, "HARBOUR_DRIVER_PYTHON": "python3",
            "HARBOUR_DRIVER_RUNTIME_FOLDER": ClusterProcess.fakeRuntime, "HARBOUR_DRIVER_SPARE_KERNELS": "0",
        ]
        specification.environment = .inherited(adding: usual.merging(settings) { $1 })
        specification.output = .file("\(folder)/cluster.log")
        specification.errors = .sameAsOutput
        // A test that is killed must not leave a service behind; its clusters are found by their marks.
        specification.parentDeathSignal = SIGKILL
        let process = try await ChildProcess.start(specification, loop: loop)
        try await eventually("the cluster service serves; its log is \(folder)/cluster.log") {
            access(address, R_OK) == 0 || process.exit != nil
        }
        try #require(process.exit == nil, "the cluster service ended: \(String(describing: process.exit))")
        return (process, try client(http))
    }

    /// A client of the program that serves, by connections of its own.
    func client(_ http: HTTPClient) throws -> ServiceClient {
        let text = String(decoding: contents("\(folder)/address"), as: UTF8.self).prefix { $0 != "\n" }
        return try ServiceClient(http: http, baseURL: "http://\(text)", token: "t", service: "cluster")
    }

    /// Kills the program; its clusters go on.
    func end(_ process: ChildProcess) async throws {
        process.kill()
        _ = try await process.wait()
    }

    /// The processes that carry the cluster's mark, and those of its driver.
    func processes(of cluster: String) -> (all: [Int32], drivers: [Int32]) {
        let mark = Array("HARBOUR_CLUSTER_ID=\(cluster)".utf8)
        let all = names(in: "/proc").compactMap { Int32($0) }.filter { pid in
            pid != getpid() && contents("/proc/\(pid)/environ").split(separator: 0).contains { $0.elementsEqual(mark) }
        }
        return (all, all.filter { getsid($0) == $0 })
    }

    /// How many descriptors a program of ours has open.
    func descriptors(of process: ChildProcess) -> Int { names(in: "/proc/\(process.pid)/fd").count }

    /// The command line of a process, with blanks between its words.
    func command(of pid: Int32) -> String {
        String(decoding: contents("/proc/\(pid)/cmdline").map { $0 == 0 ? 0x20 : $0 }, as: UTF8.self)
    }

    /// What the local backend keeps of clusters.
    var folders: [String] { names(in: "\(folder)/c/local") }

    /// Whatever is below the folder of all clusters, folders that are empty left out.
    func files() throws -> String {
        try runCommand(["find", folder, "-path", "\(folder)/c/*", "!", "-type", "d"])
    }

    /// Removes what the test itself has made. What a cluster left behind stays, and shows.
    func removeFolder() {
        for name in ["cluster.log", "address", "arm", "killed", "engine.sock"] { unlink("\(folder)/\(name)") }
        _ = try? runCommand(["find", folder, "-depth", "-type", "d", "-empty", "-delete"])
    }

    /// Waits until the cluster is in one of the states.
    func wait(_ client: ServiceClient, _ id: String, for states: Set<ClusterState>) async throws -> ClusterInfo {
        for try await info in try await client.stream(
            ClusterAPI.watchCluster, .init(clusterID: id), context: .within(.seconds(120)))
        where states.contains(info.state) {
            return info
        }
        throw HarbourError(.cancelled, "The watch ended.")
    }
}

private func names(in path: String) -> [String] {
    guard let folder = opendir(path) else { return [] }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
            pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != "." && name != ".." { names.append(name) }
    }
    return names
}

private func contents(_ path: String) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return [] }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 16_384)
    while true {
        let count = read(descriptor, &buffer, buffer.count)
        if count <= 0 { return bytes }
        bytes += buffer[..<count]
    }
}
