internal import Core
internal import Glibc

/// Keeps as plain text what a command's journal does not take any more. Made when first needed.
final class OverflowFile {
    let path: String
    private let limit: Int
    private var descriptor: Int32 = -1
    private var written = 0

    init(path: String, limit: Int) {
        self.path = path
        self.limit = limit
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    func remove() { unlink(path) }

    /// A piece of at most so many bytes, whole UTF-8, and how much there is.
    /// - Throws: `RESOURCE_DOES_NOT_EXIST` when nothing was cut, `INVALID_PARAMETER_VALUE` beyond the end.
    static func piece(
        of path: String, at offset: Int64, limit: Int = 262_144
    ) throws(HarbourError) -> (bytes: [UInt8], size: Int64) {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            throw HarbourError(.notFound, "All output of the command is in its events; nothing was cut.")
        }
        defer { close(file) }
        var information = stat()
        guard fstat(file, &information) == 0, offset <= Int64(information.st_size) else {
            throw HarbourError(.invalidParameter, "`offset` is beyond the end of the output.")
        }
        var bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            count = max(0, pread(file, buffer.baseAddress, limit, off_t(offset)))
        }
        // Not in the middle of a character, unless the file itself was cut there.
        if bytes.count == limit, let start = bytes.lastIndex(where: { $0 & 0xc0 != 0x80 }), start > limit - 4, start > 0
        {
            bytes.removeSubrange(start...)
        }
        return (bytes, Int64(information.st_size))
    }

    /// Adds text as far as there is room. False when some of it is lost.
    func append(_ text: String) -> Bool {
        if descriptor < 0 { descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600) }
        guard descriptor >= 0 else { return false }
        let bytes = Array(text.utf8.prefix(limit - written))
        var offset = 0
        while offset < bytes.count {
            let count = bytes[offset...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return false }
            offset += count
            written += count
        }
        return bytes.count == text.utf8.count
    }
}
