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
