import Core
import EventLoop
import Glibc

/// The processes of this machine, as /proc shows them.
enum ProcessTable {
    struct Entry: Sendable, Hashable, CustomStringConvertible {
        let pid: Int32
        let command: String
        var description: String { "\(pid) \(command.prefix(300))" }
    }

    /// Those that name the folder in their arguments or variables, or that work in it.
    static func running(in folder: String) -> [Entry] {
        names(in: "/proc").compactMap { name in
            guard let pid = Int32(name), pid != getpid() else { return nil }
            let command = words("/proc/\(pid)/cmdline")
            // A process that has ended but was not asked for has no command line any more.
            guard !command.isEmpty else { return nil }
            let isOurs =
                command.contains(folder) || words("/proc/\(pid)/environ").contains(folder)
                || link("/proc/\(pid)/cwd").hasPrefix(folder)
            return isOurs ? Entry(pid: pid, command: command) : nil
        }
    }

    private static func words(_ path: String) -> String {
        String(readFile(path).map { $0 == "\0" ? " " : $0 })
    }

    private static func link(_ path: String) -> String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = max(0, readlink(path, &buffer, buffer.count))
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    fileprivate static func names(in folder: String) -> [String] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }
}

/// Sockets in the file system.
enum Sockets {
    /// The paths of those below the folder.
    static func below(_ folder: String) -> [String] {
        ProcessTable.names(in: folder).flatMap { name -> [String] in
            let path = "\(folder)/\(name)"
            var info = stat()
            guard lstat(path, &info) == 0 else { return [] }
            switch info.st_mode & S_IFMT {
            case S_IFSOCK: return [path]
            case S_IFDIR: return below(path)
            default: return []
            }
        }
    }
}

/// Ports that nobody listens on.
enum FreePorts {
    /// The first of so many consecutive ports that were free a moment ago.
    static func find(_ count: Int) throws -> Int {
        for _ in 0..<200 {
            // Below the range that the kernel gives to outgoing connections, so that none takes one in between.
            let first = Int.random(in: 10_000...30_000)
            if (first..<first + count).allSatisfy(isFree) { return first }
        }
        throw HarbourError(.unavailable, "No \(count) consecutive ports are free.")
    }

    private static func isFree(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
