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
