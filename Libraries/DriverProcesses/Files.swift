internal import ClusterBackend
public import Core
internal import Glibc

/// The few operations on files that backends need for their clusters' folders. They block: call them on a pool.
public enum Files {
    /// Makes a folder and those above it, readable by this user only.
    public static func makeFolder(_ path: String) throws(HarbourError) {
        var made = ""
        for part in path.split(separator: "/") {
            made += "/\(part)"
            if mkdir(made, 0o700) == 0 || errno == EEXIST { continue }
            throw failed("The folder \(made) could not be made", made, errno)
        }
        var info = stat()
        guard stat(path, &info) == 0, info.st_mode & S_IFMT == S_IFDIR else {
            throw HarbourError(.launchFailed, "\(path) is in the way of a cluster's folder. Remove it.")
        }
    }

    /// Writes a file so that a reader sees all of it or the one before, readable by this user only.
    public static func write(_ bytes: [UInt8], to path: String) throws(HarbourError) {
        let temporary = "\(path).new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw writing(path, errno) }
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress! + offset, bytes.count - offset)
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else {
                let failure = errno
                close(descriptor)
                unlink(temporary)
                throw writing(path, failure)
            }
            offset += count
        }
        close(descriptor)
        guard rename(temporary, path) == 0 else { throw writing(path, errno) }
    }

    /// Appends to a file that is there.
    public static func append(_ bytes: [UInt8], to path: String) throws(HarbourError) {
        let descriptor = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { throw writing(path, errno) }
        defer { close(descriptor) }
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else { throw writing(path, errno) }
    }

    private static func writing(_ path: String, _ number: Int32) -> HarbourError {
        failed("A file of the cluster could not be written", path, number)
    }

    /// A failed system call on a path, with what to do about it where that is known.
    private static func failed(_ what: String, _ path: String, _ number: Int32) -> HarbourError {
        let advice =
            switch number {
            case ENOSPC, EDQUOT: " Make room on the disk of \(path), then start the cluster again."
            case EROFS, EACCES, EPERM: " Let this user write there, then start the cluster again."
            default: ""
            }
        return HarbourError(
            .launchFailed, "\(what): \(String(cString: strerror(number))).\(advice)", detail: "errno \(number)")
    }

    /// The whole of a file of at most that many bytes, or nil when it is not there, larger or not readable.
    public static func read(_ path: String, limit: Int = 1 << 20) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while bytes.count <= limit {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            if count < 0 { return nil }
            if count == 0 { return bytes }
            bytes += buffer[..<count]
        }
        return nil
    }

    /// The names in a folder; none when it is not there.
    public static func names(in path: String) -> [String] {
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

    /// Whether something of that name is there, a broken link included.
    public static func exists(_ path: String) -> Bool {
        var info = stat()
        return lstat(path, &info) == 0
    }

    /// Removes a file or a whole tree. Links are removed, never followed.
    public static func remove(_ path: String) throws(HarbourError) {
        if unlink(path) == 0 || errno == ENOENT { return }
        // Linux says EISDIR for a folder, POSIX EPERM.
        guard errno == EISDIR || errno == EPERM else { throw removing(errno) }
        for name in names(in: path) { try remove("\(path)/\(name)") }
        if rmdir(path) != 0 && errno != ENOENT { throw removing(errno) }
    }

    private static func removing(_ number: Int32) -> HarbourError {
        .system("A file of the cluster could not be removed", number, code: .backendUnavailable)
    }
}
