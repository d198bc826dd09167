import ClusterBackend
import ClusterBackendConformance
import Core
import EventLoop
import Glibc
import LocalBackend

/// This machine as the place of the exam, with a small program in the driver's stead.
///
/// `program` is the driver's stand-in of this folder; its conversation is described there.
struct LocalSubject: ConformanceSubject {
    let folder: String
    let loop: EventLoop

    static let program: String = {
        let file = #filePath
        return String(file[..<(file.lastIndex(of: "/") ?? file.endIndex)]) + "/stand_in_driver.py"
    }()

    init(loop: EventLoop) throws {
        var template = Array("/tmp/exam-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw HarbourError.system("A folder could not be made", errno) }
        folder = String(cString: made)
        self.loop = loop
    }

    /// Removes what the tests themselves have made. What a cluster left behind stays, and shows.
    func removeFolder() {
        unlink("\(folder)/bin/java")
        for name in ["bin", "c"] { rmdir("\(folder)/\(name)") }
        rmdir(folder)
    }

    /// The stand-in runs no Spark, so the machine need not have Java.
    var settings: [String: String] {
        mkdir("\(folder)/bin", 0o700)
        symlink("/bin/true", "\(folder)/bin/java")
        return ["java_home": folder, "python": "python3"]
    }

    func backend(installation: String) async throws -> any ClusterBackend {
        LocalBackend(
            context: BackendContext(installation: installation, folder: "\(folder)/c", settings: settings), loop: loop)
    }

    func request(_ id: ClusterIdentifier, workers: Int) -> ProvisionRequest {
        ProvisionRequest(
            id: id,
            spec: BackendSpec(
                displayName: "exam", driver: NodeSize(memoryMiB: 512), worker: NodeSize(memoryMiB: 512),
                workers: workers, environment: ["EXAM": "yes"]),
            launch: DriverLaunch(
                executable: LocalSubject.program, arguments: ["--exam"], token: Secret("token-\(id)")))
    }

    func identify(_ address: DriverAddress, token: Secret) async throws -> DriverIdentity {
        let words = try await LocalSubject.ask("who", address, token).split(separator: " ")
        guard words.count == 2 else { throw HarbourError(.unauthenticated, "The stand-in refused to answer.") }
        return DriverIdentity(cluster: String(words[0]), process: String(words[1]))
    }

    func say(_ line: String, at address: DriverAddress, token: Secret) async throws {
        guard try await LocalSubject.ask("say \(line)", address, token) == "said" else {
            throw HarbourError(.unauthenticated, "The stand-in refused to speak.")
        }
    }

    func kill(_ id: ClusterIdentifier) async throws {
        for pid in LocalSubject.processes(of: id) where getsid(pid) == pid { Glibc.kill(pid, SIGKILL) }
    }

    func remains(of id: ClusterIdentifier) async throws -> [String] {
        var remains = LocalSubject.processes(of: id).map { pid in
            let words = contents("/proc/\(pid)/cmdline").map { $0 == 0 ? UInt8(ascii: " ") : $0 }
            return "process \(pid): \(String(decoding: words.prefix(300), as: UTF8.self))"
        }
        if access("\(folder)/c/\(id)", F_OK) == 0 { remains.append("folder \(id)") }
        return remains
    }

    func listing() async throws -> [String] {
        LocalSubject.allProcesses().map { String(decoding: contents("/proc/\($0)/cmdline"), as: UTF8.self) }
    }

    var failures: [StartFailure] {
        [
            StartFailure("a file in the folder's way") { request in
                mkdir("\(folder)/c", 0o700)
                close(open("\(folder)/c/\(request.id)", O_CREAT | O_WRONLY, 0o600))
                return request
            } undo: { request in
                unlink("\(folder)/c/\(request.id)")
            },
            StartFailure("a program that is not there") { request in
                var request = request
                request.launch.executable = "/nowhere/driver"
                return request
            },
            StartFailure("a program that cannot be run") { request in
                var request = request
                request.launch.executable = "/etc/passwd"
                return request
            },
        ]
    }

    // MARK: Looking without the backend

    static func allProcesses() -> [Int32] {
        guard let folder = opendir("/proc") else { return [] }
        defer { closedir(folder) }
        var found: [Int32] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if let pid = Int32(name), pid != getpid() { found.append(pid) }
        }
        return found
    }

    /// The leaders among them, looked for again while there is none: in the moment of its exec a process has no
    /// environment that could be read.
    static func leaders(of id: ClusterIdentifier) -> [Int32] {
        for _ in 0..<200 {
            let found = processes(of: id).filter { getsid($0) == $0 }
            if !found.isEmpty { return found }
            sched_yield()
        }
        return []
    }

    static func processes(of id: ClusterIdentifier) -> [Int32] {
        let mark = Array("HARBOUR_CLUSTER_ID=\(id)".utf8)
        return allProcesses().filter { pid in
            contents("/proc/\(pid)/environ").split(separator: 0).contains { $0.elementsEqual(mark) }
        }
    }

    /// Sends the token and a line, and reads the answer.
    static func ask(_ line: String, _ address: DriverAddress, _ token: Secret) async throws -> String {
        let message = Array("\(token.reveal())\n\(line)\n".utf8)
        return try await BlockingPool.shared.run {
            let connection = try connect(address)
            defer { close(connection) }
            guard send(connection, message, message.count, Int32(MSG_NOSIGNAL)) == message.count else {
                throw HarbourError.system("The stand-in does not listen", errno)
            }
            var answer: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 1024)
            while answer.last != UInt8(ascii: "\n") {
                let count = read(connection, &buffer, buffer.count)
                guard count > 0 else { throw HarbourError.system("The stand-in hung up", errno) }
                answer += buffer[..<count]
            }
            return String(decoding: answer.dropLast(), as: UTF8.self)
        }
    }
}

private func connect(_ address: DriverAddress) throws -> Int32 {
    guard let path = address.unixPath else { return try connect(authority: address.url.dropFirst("http://".count)) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8) + [0]) }
    return try connect(AF_UNIX, &address)
}

/// By an IPv4 address and a port.
private func connect(authority: Substring) throws -> Int32 {
    let parts = authority.split(separator: ":")
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    guard parts.count == 2, let port = UInt16(parts[1]), inet_pton(AF_INET, String(parts[0]), &address.sin_addr) == 1
    else { throw HarbourError(.unavailable, "The stand-in has no address.") }
    address.sin_port = port.bigEndian
    return try connect(AF_INET, &address)
}

private func connect<Address>(_ family: Int32, _ address: inout Address) throws -> Int32 {
    let descriptor = socket(family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    let status = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<Address>.size))
        }
    }
    guard status == 0 else {
        let failure = errno
        close(descriptor)
        throw HarbourError.system("The stand-in does not listen", failure)
    }
    return descriptor
}

func contents(_ path: String) -> [UInt8] {
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
