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
    static let programs: String = {
        var path = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &path, path.count - 1)
        let text = String(decoding: path[..<max(0, count)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return String(text[..<(text.lastIndex(of: "/") ?? text.startIndex)])
    }()

    private static let fakeRuntime: String = {
        let file = #filePath
        return String(file[..<(file.lastIndex(of: "/") ?? file.endIndex)]) + "/fake_runtime"
    }()

    let loop: EventLoop
    let database: PostgresTestDatabase
    let folder: String
    let http: HTTPClient

    init(loop: EventLoop, database: PostgresTestDatabase) throws {
        for program in ["cluster", "driver"] {
            try #require(
                access("\(ClusterProcess.programs)/\(program)", X_OK) == 0, "build the program \(program) first")
        }
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
        var specification = ProcessSpecification("\(ClusterProcess.programs)/cluster")
        specification.environment = .inherited(adding: [
            "HARBOUR_CLUSTER_DRIVER": "\(ClusterProcess.programs)/driver",
            "HARBOUR_CLUSTER_FOLDER": "\(folder)/c", "HARBOUR_CLUSTER_LISTEN": "127.0.0.1:0",
            "HARBOUR_CLUSTER_ADDRESS_FILE": address, "HARBOUR_SERVICE_TOKEN": "t",
            "HARBOUR_DATABASE_URL": database.url, "HARBOUR_DRIVER_PYTHON": "python3",
            "HARBOUR_DRIVER_RUNTIME_FOLDER": ClusterProcess.fakeRuntime, "HARBOUR_DRIVER_SPARE_KERNELS": "0",
        ])
        specification.output = .file("\(folder)/cluster.log")
        specification.errors = .sameAsOutput
        // A test that is killed must not leave a service behind; its clusters are found by their marks.
        specification.parentDeathSignal = SIGKILL
        let process = try await ChildProcess.start(specification, loop: loop)
        try await eventually("the cluster service serves; its log is \(folder)/cluster.log") {
            access(address, R_OK) == 0 || process.exit != nil
        }
        try #require(process.exit == nil, "the cluster service ended: \(String(describing: process.exit))")
        let text = String(decoding: contents(address), as: UTF8.self).prefix { $0 != "\n" }
        return (process, try ServiceClient(http: http, baseURL: "http://\(text)", token: "t", service: "cluster"))
    }

    /// The processes that carry the cluster's mark, and those of its driver.
    func processes(of cluster: String) -> (all: [Int32], drivers: [Int32]) {
        let mark = Array("HARBOUR_CLUSTER_ID=\(cluster)".utf8)
        let all = names(in: "/proc").compactMap { Int32($0) }.filter { pid in
            pid != getpid() && contents("/proc/\(pid)/environ").split(separator: 0).contains { $0.elementsEqual(mark) }
        }
        return (all, all.filter { getsid($0) == $0 })
    }

    /// What the local backend keeps of clusters.
    var folders: [String] { names(in: "\(folder)/c/local") }

    /// Removes what the test itself has made. What a cluster left behind stays, and shows.
    func removeFolder() {
        for name in ["cluster.log", "address"] { unlink("\(folder)/\(name)") }
        for name in ["c/local", "c", "."] { rmdir(name == "." ? folder : "\(folder)/\(name)") }
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
