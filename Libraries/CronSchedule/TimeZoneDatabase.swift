public import Core
import Glibc
import Synchronization

/// The system's time zone database: a directory of TZif files that the distribution keeps current.
public final class TimeZoneDatabase: Sendable {
    /// The database that the C library uses: `TZDIR`, or `/usr/share/zoneinfo`.
    public static let system = TimeZoneDatabase(directory: systemDirectory)

    /// Where the files are.
    public let directory: String
    private let cache = Mutex<[String: TimeZoneRules]>([:])

    /// A database in a directory. Files are read when a zone is first asked for, and kept.
    public init(directory: String) { self.directory = directory }

    private static var systemDirectory: String {
        guard let value = getenv("TZDIR"), value[0] == CChar(bitPattern: UInt8(ascii: "/")) else {
            return "/usr/share/zoneinfo"
        }
        return String(cString: value)
    }

    /// The rules of a zone, by its exact name.
    ///
    /// - Throws: `INVALID_TIME_ZONE`: the name is unknown, and the message has the nearest ones; or its file is damaged.
    public func rules(named name: String) throws(HarbourError) -> TimeZoneRules {
        if let rules = cache.withLock({ $0[name] }) { return rules }
        guard TimeZoneDatabase.isZoneName(name) else { throw unknown(name) }
        guard let bytes = read(directory + "/" + name) else {
            // UTC must work on a machine without the database.
            if name == "UTC" || name == "Etc/UTC" { return .utc }
            throw unknown(name)
        }
        do throws(TZifFile.Damage) {
            let rules = try TZifFile.parse(bytes, name: name)
            cache.withLock { $0[name] = rules }
            return rules
        } catch {
            throw HarbourError(
                .invalidTimeZone,
                "The file of the time zone \(quoted(name)) on the server cannot be used: \(error.reason). "
                    + "Reinstall the package tzdata there.",
                detail: "\(directory)/\(name), byte \(error.offset)")
        }
    }

    /// Every zone's name, in order. It reads the directory each time.
    public func names() -> [String] {
        var names: [String] = []
        var open = [""]
        while let folder = open.popLast(), names.count < 5000 {
            guard let handle = opendir(directory + "/" + folder) else { continue }
            defer { closedir(handle) }
            while let entry = readdir(handle) {
                let entryName = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                    pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                let name = folder + entryName
                guard TimeZoneDatabase.isZoneName(name) else { continue }
                var status = stat()
                guard stat(directory + "/" + name, &status) == 0 else { continue }
                if status.st_mode & S_IFMT == S_IFDIR {
                    open.append(name + "/")
                } else if read(directory + "/" + name, limit: 4) == Array("TZif".utf8) {
                    names.append(name)
                }
            }
        }
        return names.sorted()
    }

    /// Whether the text can be a zone's name: one to four parts of letters, digits, `_`, `+` and `-`.
    ///
    /// That keeps every path below the directory. `right` counts leap seconds, `posix` repeats the rest, and the last
    /// two are the machine's own settings.
    static func isZoneName(_ name: String) -> Bool {
        guard name.utf8.count <= 64 else { return false }
        let parts = name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard parts.count <= 4, !["posix", "right", "localtime", "posixrules"].contains(String(parts[0]) ?? "") else {
            return false
        }
        return parts.allSatisfy { part in
            !part.isEmpty
                && part.allSatisfy { byte in
                    let lower = byte | 0x20
                    return (lower >= UInt8(ascii: "a") && lower <= UInt8(ascii: "z"))
                        || (byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")) || byte == UInt8(ascii: "_")
                        || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-")
                }
        }
    }

    private func unknown(_ name: String) -> HarbourError {
        let names = names()
        if names.isEmpty {
            return HarbourError(
                .invalidTimeZone,
                "The time zone \(quoted(name)) is not known, because the server has no time zone database. "
                    + "Install the package tzdata there, or use UTC.", detail: directory)
        }
        let nearest = NearestNames.find(name, among: names)
        let hint =
            nearest.isEmpty
            ? "Use a name of the IANA time zone database, such as Europe/Madrid or UTC."
            : "Did you mean \(nearest.joined(separator: ", "))?"
        return HarbourError(.invalidTimeZone, "There is no time zone \(quoted(name)). \(hint)")
    }

    /// The bytes of a file, or nil when it is not a readable file within the limit.
    private func read(_ path: String, limit: Int = TZifFile.maximumBytes) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        guard status.st_size <= TZifFile.maximumBytes else { return nil }
        let wanted = min(limit, Int(status.st_size))
        var isComplete = true
        let bytes = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, count in
            while count < wanted {
                let taken = Glibc.read(file, buffer.baseAddress.map { $0 + count }, wanted - count)
                if taken < 0 && errno == EINTR { continue }
                if taken <= 0 {
                    isComplete = false
                    return
                }
                count += taken
            }
        }
        return isComplete ? bytes : nil
    }
}
