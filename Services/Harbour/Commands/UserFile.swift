internal import Core
internal import Cryptography
internal import Glibc

/// An open file of the user's own, which may be larger than memory.
///
/// `@unchecked Sendable`: it is used by one task after the other.
final class UserFile: @unchecked Sendable {
    private let descriptor: Int32
    private let name: String
    let size: Int
    /// Where the next bytes are written.
    var position = 0

    /// - Throws: `RESOURCE_DOES_NOT_EXIST` when it cannot be read or is no file.
    init(reading path: String) throws(HarbourError) {
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        name = path
        var status = stat()
        guard descriptor >= 0, fstat(descriptor, &status) == 0 else {
            throw .system("\(path) cannot be read", errno, code: .notFound)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw HarbourError(.notFound, "\(path) is not a file.")
        }
        size = Int(status.st_size)
    }

    /// Opens a file for writing, or makes it.
    init(writing path: String) throws(HarbourError) {
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        name = path
        size = 0
        guard descriptor >= 0 else { throw .system("\(path) cannot be written", errno) }
    }

    /// Takes an open descriptor, which is written to from where it is.
    init(descriptor: Int32) {
        self.descriptor = dup(descriptor)
        name = "the output"
        size = 0
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// At least one byte, unless the file has become shorter.
    func read(at offset: Int, _ count: Int) throws(HarbourError) -> [UInt8] {
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            let got = pread(descriptor, buffer.baseAddress, count, off_t(offset))
            failure = got < 0 ? errno : 0
            initialized = max(0, got)
        }
        guard failure == 0 else { throw .system("\(name) cannot be read", failure, code: .notFound) }
        guard !bytes.isEmpty else {
            throw HarbourError(.invalidState, "\(name) became shorter while it was read. Try again when it rests.")
        }
        return bytes
    }

    func write(_ bytes: [UInt8]) throws(HarbourError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { buffer in
                // A pipe has no places.
                let placed = pwrite(descriptor, buffer.baseAddress, buffer.count, off_t(position))
                return placed < 0 && errno == ESPIPE
                    ? Glibc.write(descriptor, buffer.baseAddress, buffer.count) : placed
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw .system("\(name) cannot be written", errno) }
            rest = rest.dropFirst(count)
            position += count
        }
    }

    /// Cuts off what is beyond the position, as an earlier and longer content may be.
    func truncate() throws(HarbourError) {
        guard ftruncate(descriptor, off_t(position)) == 0 || errno == EINVAL || errno == ESPIPE else {
            throw .system("\(name) cannot be written", errno)
        }
    }

    /// SHA-256 of what was written.
    func digest() throws(HarbourError) -> [UInt8] {
        var hash = SHA256()
        var offset = 0
        while offset < position {
            let bytes = try read(at: offset, min(1 << 20, position - offset))
            hash.update(bytes)
            offset += bytes.count
        }
        return hash.finish()
    }
}

/// How far a transfer is, on a line of the terminal that is written over; nothing where nobody looks.
final class ProgressLine: @unchecked Sendable {
    private let name: String
    private let isShown: Bool
    private var last = -1

    init(_ name: String, _ terminal: Terminal) {
        self.name = name
        isShown = !terminal.isJSON && isatty(2) == 1
    }

    func show(_ done: Int, of size: Int) {
        let percent = size == 0 ? 100 : done * 100 / size
        guard isShown, percent != last else { return }
        last = percent
        let line = "\(name)  \(percent) % of \(ProgressLine.size(Int64(size)))"
        Terminal.write("\r\(line)\u{1b}[K", to: 2)
    }

    /// Clears the line.
    func end() {
        if isShown, last >= 0 { Terminal.write("\r\u{1b}[K", to: 2) }
    }

    /// `3.2 MiB`.
    static func size(_ bytes: Int64) -> String {
        var value = Double(bytes)
        for unit in ["B", "KiB", "MiB", "GiB"] {
            if value < 1024 || unit == "GiB" {
                let tenths = Int64((value * 10).rounded())
                return unit == "B" || tenths % 10 == 0
                    ? "\(tenths / 10) \(unit)" : "\(tenths / 10).\(tenths % 10) \(unit)"
            }
            value /= 1024
        }
        return ""
    }
}
