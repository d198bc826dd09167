internal import Core
internal import Glibc

/// The user's own files.
enum Files {
    static let limit = 64 << 20

    /// The whole file, or standard input for `-`.
    static func read(_ path: String) throws(HarbourError) -> [UInt8] {
        let descriptor = path == "-" ? dup(0) : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system("\(path) cannot be read", errno, code: .notFound) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            if count < 0 { throw .system("\(path) cannot be read", errno, code: .notFound) }
            if count == 0 { return bytes }
            bytes += buffer[..<count]
            guard bytes.count <= limit else {
                throw HarbourError(.tooLarge, "\(path) is larger than \(limit >> 20) MiB.")
            }
        }
    }

    /// Writes the file whole or not at all.
    static func write(_ bytes: [UInt8], to path: String) throws(HarbourError) {
        let temporary = "\(path).\(getpid()).new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw .system("\(path) cannot be written", errno) }
        defer { close(descriptor) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else {
                let failure = errno
                unlink(temporary)
                throw .system("\(path) cannot be written", failure)
            }
            rest = rest.dropFirst(count)
        }
        guard rename(temporary, path) == 0 else { throw .system("\(path) cannot be written", errno) }
    }
}
