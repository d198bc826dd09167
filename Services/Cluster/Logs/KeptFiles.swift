internal import Core
internal import Glibc

/// The few operations on files that kept logs need. They block: they belong on a pool.
enum KeptFiles {
    static func makeFolder(_ path: String) throws(HarbourError) {
        var made = ""
        for part in path.split(separator: "/") {
            made += "/\(part)"
            if mkdir(made, 0o700) != 0 && errno != EEXIST {
                throw .system("The folder \(made) could not be made", errno)
            }
        }
    }

    static func names(in path: String) -> [String] {
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

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    static func size(_ path: String) -> Int {
        var information = stat()
        return stat(path, &information) == 0 ? Int(information.st_size) : 0
    }

    /// When it was changed last, seconds since 1970; 0 when it is not there.
    static func changed(_ path: String) -> Int {
        var information = stat()
        return stat(path, &information) == 0 ? information.st_mtim.tv_sec : 0
    }

    static func read(_ path: String) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 262_144)
        while bytes.count <= LogFolder.segmentLimit {
            let count = Glibc.read(file, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return count == 0 ? bytes : nil }
            bytes += buffer[..<count]
        }
        return nil
    }

    static func append(_ bytes: [UInt8], to path: String) throws(HarbourError) {
        try put(bytes, path, O_APPEND)
    }

    /// Writes a file that appears whole or not at all.
    static func write(_ bytes: [UInt8], to path: String) throws(HarbourError) {
        try put(bytes, "\(path).new", O_TRUNC)
        guard rename("\(path).new", path) == 0 else { throw .system("The file \(path) could not be written", errno) }
    }

    private static func put(_ bytes: [UInt8], _ path: String, _ mode: Int32) throws(HarbourError) {
        let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | mode, 0o600)
        guard file >= 0 else { throw .system("The file \(path) could not be made", errno) }
        defer { close(file) }
        var offset = 0
        while offset < bytes.count {
            let count = bytes[offset...].withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw .system("The file \(path) could not be written", errno) }
            offset += count
        }
    }

    /// Removes a folder with the plain files and folders in it.
    static func remove(_ path: String) {
        if unlink(path) == 0 || errno == ENOENT { return }
        for name in names(in: path) { remove("\(path)/\(name)") }
        rmdir(path)
    }
}
