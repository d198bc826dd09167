internal import Core
internal import EventLoop
internal import Glibc
internal import HarbourProtocol

/// Reads the ends of the logs that `harbour up` has the programs of a platform write into its folder.
struct ServiceLogs: Sendable {
    /// The programs that there are logs of. No other name becomes a part of a path.
    static let names = ["workspace", "scheduler", "cluster", "monitoring", "supervisor", "postgres"]
    /// The most that is read of a log, however long its lines are.
    static let byteLimit = 1 << 20

    /// The platform's folder; nil when there is none.
    let data: String?
    /// What no line may show.
    let secrets: [String]

    /// The last lines of a log.
    /// - Throws: `RESOURCE_DOES_NOT_EXIST` for a name that is none, `NOT_SUPPORTED` where the log is kept elsewhere.
    func end(of name: String, lines count: Int) async throws -> ServiceLog {
        guard ServiceLogs.names.contains(name) else {
            throw HarbourError(
                .notFound,
                "There is no service \(name.prefix(64)). There are: \(ServiceLogs.names.joined(separator: ", ")).")
        }
        guard let data else { throw ServiceLogs.elsewhere(name) }
        return try await BlockingPool.shared.run {
            guard let (bytes, isWhole) = try ServiceLogs.tail("\(data)/logs/\(name).log", ServiceLogs.byteLimit) else {
                throw ServiceLogs.elsewhere(name)
            }
            var lines = bytes.split(separator: 0x0a, omittingEmptySubsequences: false)
            // After the last line break there is nothing, and the first line of a part is a part of a line.
            if lines.last?.isEmpty == true { lines.removeLast() }
            if !isWhole, lines.count > 1 { lines.removeFirst() }
            let redaction = LogRedaction(secrets + ServiceLogs.kept(in: data))
            return ServiceLog(
                serviceName: name,
                lines: lines.suffix(count).map { redaction.line(String(decoding: $0, as: UTF8.self)) },
                isComplete: isWhole && lines.count <= count)
        }
    }

    private static func elsewhere(_ name: String) -> HarbourError {
        HarbourError(
            .unsupported,
            "The log of \(name) is not in this platform's folder. Whatever runs the program keeps it: for containers "
                + "ask `docker compose logs \(name)`, for units of systemd `journalctl`.")
    }

    /// The end of a file, and whether it is all of it; nil when there is no such file.
    private static func tail(_ path: String, _ limit: Int) throws(HarbourError) -> (bytes: [UInt8], isWhole: Bool)? {
        let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else {
            if [ENOENT, ENOTDIR, ELOOP].contains(errno) { return nil }
            throw .system("The log \(path) could not be opened", errno)
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        let size = Int(status.st_size)
        let start = max(0, size - limit)
        var bytes = [UInt8](repeating: 0, count: size - start)
        var filled = 0
        while filled < bytes.count {
            let read = bytes.withUnsafeMutableBytes { buffer in
                pread(descriptor, buffer.baseAddress.map { $0 + filled }, buffer.count - filled, off_t(start + filled))
            }
            if read < 0 && errno == EINTR { continue }
            guard read >= 0 else { throw .system("The log \(path) could not be read", errno) }
            // It was made shorter meanwhile.
            if read == 0 { break }
            filled += read
        }
        return (Array(bytes[..<filled]), start == 0)
    }

    /// The tokens and keys that the platform keeps in its folder, as far as this process may read them.
    private static func kept(in data: String) -> [String] {
        ["admin-token", "service-token", "secret-key"].compactMap { name in
            guard let (bytes, _) = try? tail("\(data)/secrets/\(name)", 4096) else { return nil }
            return String(decoding: bytes.filter { $0 > 0x20 }, as: UTF8.self)
        }
    }
}

/// Takes out of log lines what they should not have in the first place: known secrets, and what looks like one.
struct LogRedaction: Sendable {
    static let mark = "[REDACTED]"
    private let secrets: [String]

    /// - Parameter secrets: those of fewer than eight bytes are left alone: too much else looks alike.
    init(_ secrets: [String]) {
        // What contains another goes first.
        self.secrets = secrets.filter { $0.utf8.count >= 8 }.sorted { $0.utf8.count > $1.utf8.count }
    }

    /// The line without them.
    func line(_ line: String) -> String {
        var line = line
        for secret in secrets where line.contains(secret) { line = line.replacing(secret, with: LogRedaction.mark) }
        for prefix in ["hbr_", "Bearer ", "bearer "] { line = LogRedaction.hiding(wordsAfter: prefix, in: line) }
        return LogRedaction.hidingPasswords(in: line)
    }

    private static func hiding(wordsAfter prefix: String, in line: String) -> String {
        var (result, rest) = ("", line[...])
        while let found = rest.firstRange(of: prefix) {
            let word = rest[found.upperBound...].prefix { $0.isLetter || $0.isNumber || "-._~+/=".contains($0) }
            result += rest[..<found.upperBound] + (word.isEmpty ? "" : mark)
            rest = rest[word.endIndex...]
        }
        return result + rest
    }

    /// The password in addresses such as `postgresql://user:password@host`.
    private static func hidingPasswords(in line: String) -> String {
        var (result, rest) = ("", line[...])
        while let found = rest.firstRange(of: "://") {
            let authority = rest[found.upperBound...].prefix { !$0.isWhitespace && $0 != "/" }
            result += rest[..<found.upperBound]
            rest = rest[found.upperBound...]
            guard let end = authority.lastIndex(of: "@"), let colon = authority[..<end].firstIndex(of: ":") else {
                continue
            }
            result += authority[...colon] + mark
            rest = rest[end...]
        }
        return result + rest
    }
}
