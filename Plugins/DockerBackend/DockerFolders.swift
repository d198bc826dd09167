internal import ClusterBackend
internal import Core
internal import Cryptography
internal import Glibc

/// The folder of a cluster on the service's side: it holds nothing but the driver's socket.
///
/// What is in it belongs to the container's processes, so nothing there is trusted or followed. These operations block:
/// call them on a pool.
struct DockerFolder: Sendable, Hashable {
    let root: String
    let path: String

    init(root: String, _ names: DockerNames, _ id: ClusterIdentifier) {
        self.root = "\(root)/\(names.mark)"
        // A socket's path must stay short. No id holds a dot, so that a digest is never taken for one.
        let name =
            id.text.utf8.count <= 32
            ? id.text : "\(id.text.prefix(15)).\(hexadecimal(Digest.sha256(id.text)).prefix(16))"
        path = "\(self.root)/\(name)"
    }

    var socket: String { "\(path)/driver.sock" }

    /// Makes the folder, with nothing in it. Every user may write in it, for the container's may be any; those above it
    /// are closed to all but us.
    func make() throws(HarbourError) {
        guard socket.utf8.count <= 107 else {
            throw HarbourError(
                .launchFailed, "The data folder's path is too long for a unix socket. Choose a shorter one.",
                detail: socket)
        }
        try DockerFolder.remove(path)
        var made = ""
        for part in root.split(separator: "/") {
            made += "/\(part)"
            if mkdir(made, 0o700) == 0 || errno == EEXIST { continue }
            throw .system("The folder \(made) could not be made", errno, code: .launchFailed)
        }
        guard mkdir(path, 0o700) == 0, chmod(path, 0o777) == 0 else {
            throw .system("The folder \(path) could not be made", errno, code: .launchFailed)
        }
    }

    func remove() throws(HarbourError) { try DockerFolder.remove(path) }

    /// The folders that are there, with when they were made.
    static func all(in root: String, _ names: DockerNames) -> [(name: String, made: Timestamp)] {
        DockerFolder.names(in: "\(root)/\(names.mark)").compactMap { name in
            var info = stat()
            guard lstat("\(root)/\(names.mark)/\(name)", &info) == 0 else { return nil }
            return (name, Timestamp(milliseconds: Int64(info.st_mtim.tv_sec) * 1000))
        }
    }

    /// Removes a file or a whole tree. Links are removed, never followed.
    private static func remove(_ path: String, depth: Int = 0) throws(HarbourError) {
        if unlink(path) == 0 || errno == ENOENT { return }
        // Linux says EISDIR for a folder, POSIX EPERM.
        guard errno == EISDIR || errno == EPERM, depth < 64 else { throw removing(errno) }
        for name in names(in: path) { try remove("\(path)/\(name)", depth: depth + 1) }
        if rmdir(path) != 0 && errno != ENOENT { throw removing(errno) }
    }

    private static func removing(_ number: Int32) -> HarbourError {
        .system("A file of the cluster could not be removed", number, code: .backendUnavailable)
    }

    private static func names(in path: String) -> [String] {
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
}

/// Finds out which container the service itself runs in.
enum OwnContainer {
    /// Names that may be ours, for the engine to say: in a container, /etc/hostname is a file of the engine's, in a
    /// folder that has the container's id; the host name is the id's beginning unless somebody chose another.
    static func candidates() -> [String] {
        var found: [String] = []
        for line in text("/proc/self/mountinfo").split(separator: "\n") {
            // proc(5): the fourth field is the path within the file system, the fifth where it is seen.
            let fields = line.split(separator: " ")
            guard fields.count > 4, fields[4] == "/etc/hostname" else { continue }
            found += fields[3].split(separator: "/").filter { $0.utf8.count == 64 && $0.allSatisfy(\.isHexDigit) }
                .map(String.init)
        }
        if access("/.dockerenv", F_OK) == 0 {
            found.append(String(text("/etc/hostname").prefix { !$0.isNewline }))
        }
        var seen: Set<String> = []
        return found.filter { !$0.isEmpty && seen.insert($0).inserted }
    }

    private static func text(_ path: String) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while bytes.count < 1 << 20 {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
