public import Core
internal import EventLoop
internal import Glibc
public import HTTPMessage

/// Objects as files of a folder. An unfinished one is a file in `incoming`, which is renamed when it is whole.
public struct LocalObjects: ObjectStorage {
    /// `local`.
    public var name: String { "local" }
    /// The folder.
    public var place: ObjectPlace { .folder(folder) }
    /// Pieces are written into the file of the whole.
    public var writesInPlace: Bool { true }
    private let folder: String

    /// Makes the folder if it is not there.
    /// - Throws: `TEMPORARILY_UNAVAILABLE` when it cannot be made.
    public init(folder: String) throws(HarbourError) {
        self.folder = folder
        for path in [folder, "\(folder)/incoming", "\(folder)/objects"] { try LocalObjects.makeFolder(path) }
    }

    private func incoming(_ key: ObjectKey) -> String { "\(folder)/incoming/\(key)" }
    private func finished(_ key: ObjectKey) -> String { "\(folder)/\(key.path)" }

    /// Makes the file that the pieces come into.
    public func begin(_ key: ObjectKey) async throws -> String {
        let path = incoming(key)
        try await BlockingPool.shared.run {
            let file = try LocalFile(path, O_WRONLY | O_CREAT)
            try file.sync()
            try LocalObjects.syncFolder("\(folder)/incoming")
        }
        return "file"
    }

    /// Writes the piece at its place and waits for the disk.
    public func write(_ piece: ObjectPiece, of key: ObjectKey, _ handle: String) async throws -> String {
        let path = incoming(key)
        try await BlockingPool.shared.run {
            let file = try LocalFile(path, O_WRONLY)
            try file.write(piece.bytes, at: piece.offset)
            try file.sync()
        }
        return ""
    }

    /// Renames the file.
    public func finish(_ key: ObjectKey, _ handle: String, tags: [String], size: Int) async throws {
        let (source, target) = (incoming(key), finished(key))
        try await BlockingPool.shared.run {
            if let there = LocalFile.size(target) {
                guard there == size else { throw LocalObjects.wrongSize(key, there, size) }
                return
            }
            guard let there = LocalFile.size(source) else { throw VerifiedReader.missing(key) }
            guard there >= size else { throw LocalObjects.wrongSize(key, there, size) }
            let file = try LocalFile(source, O_WRONLY)
            // A writer that was overtaken may have written beyond the end.
            if there > size { try file.truncate(to: size) }
            try file.sync()
            let parent = String(target[..<(target.lastIndex(of: "/") ?? target.endIndex)])
            try LocalObjects.makeFolder(parent)
            guard rename(source, target) == 0 else { throw LocalFile.failure("An uploaded file cannot be kept.") }
            for path in [parent, "\(folder)/objects", "\(folder)/incoming"] { try LocalObjects.syncFolder(path) }
        }
    }

    /// Removes the file in `incoming`.
    public func abandon(_ key: ObjectKey) async throws { try await unlink(incoming(key)) }

    /// Removes the file.
    public func remove(_ key: ObjectKey) async throws { try await unlink(finished(key)) }

    private func unlink(_ path: String) async throws {
        try await BlockingPool.shared.run {
            guard Glibc.unlink(path) == 0 || errno == ENOENT else {
                throw LocalFile.failure("A stored file cannot be removed.")
            }
        }
    }

    /// Opens the file.
    public func read(_ key: ObjectKey, _ range: Range<Int>) async throws -> HTTPBody {
        let path = finished(key)
        let file = try await BlockingPool.shared.run {
            guard LocalFile.size(path) != nil else { throw VerifiedReader.missing(key) }
            return try LocalFile(path, O_RDONLY)
        }
        return HTTPBody(source: LocalBody(file, range), length: range.count)
    }

    /// The size of the file.
    public func size(of key: ObjectKey) async throws -> Int? {
        let path = finished(key)
        return try await BlockingPool.shared.run { LocalFile.size(path) }
    }

    /// A thread of its own: where the file system hangs, it alone is lost to others.
    private static let looking = BlockingPool(threads: 1)

    /// Writes a few bytes to either folder, into a file without a name, which is gone when it is closed.
    public func look(patience: Duration) async throws -> StorageRoom? {
        try await LocalObjects.looking.run {
            for part in ["incoming", "objects"] { try LocalObjects.tryOut("\(folder)/\(part)") }
            var info = statvfs()
            guard statvfs(folder, &info) == 0 else {
                throw LocalFile.failure("The room in the folder \(folder) cannot be found out")
            }
            // Some file systems of a network tell of any number.
            func bytes(_ blocks: UInt) -> Int64 {
                let (all, isMore) = UInt64(blocks).multipliedReportingOverflow(by: UInt64(info.f_frsize))
                return isMore ? .max : Int64(clamping: all)
            }
            return StorageRoom(free: bytes(info.f_bavail), total: bytes(info.f_blocks))
        }
    }

    private static func tryOut(_ path: String) throws(HarbourError) {
        let descriptor = open(path, nameless | O_WRONLY | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            // Where files have to have names, what the permissions say has to do.
            let canSay = errno == EOPNOTSUPP || errno == EISDIR
            guard canSay, access(path, W_OK | X_OK) == 0 else {
                throw LocalFile.failure("The folder \(path) cannot be written to")
            }
            return
        }
        defer { close(descriptor) }
        let bytes = [UInt8](repeating: 0x20, count: 4096)
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else {
            throw LocalFile.failure("The folder \(path) cannot be written to")
        }
    }

    /// `O_TMPFILE`, which is a macro that Swift does not see.
    private static let nameless = O_DIRECTORY | 0o20_000_000

    // MARK: Folders

    private static func wrongSize(_ key: ObjectKey, _ found: Int, _ wanted: Int) -> HarbourError {
        HarbourError(
            .objectCorrupted, "A part of the uploaded file is gone from the object storage. Upload it again.",
            detail: "\(key) has \(found) bytes instead of \(wanted)")
    }

    /// Others on the machine have no business in it.
    private static func makeFolder(_ path: String) throws(HarbourError) {
        if mkdir(path, 0o700) == 0 || errno == EEXIST { return }
        throw LocalFile.failure("The folder of the object storage cannot be made: \(path).")
    }

    private static func syncFolder(_ path: String) throws(HarbourError) {
        try LocalFile(path, O_RDONLY | O_DIRECTORY).sync()
    }
}

/// An open file.
final class LocalFile: Sendable {
    private let descriptor: Int32

    init(_ path: String, _ flags: Int32) throws(HarbourError) {
        descriptor = open(path, flags | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw LocalFile.failure("A file of the object storage cannot be opened.") }
    }

    deinit { close(descriptor) }

    static func size(_ path: String) -> Int? {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : nil
    }

    func write(_ bytes: [UInt8], at offset: Int) throws(HarbourError) {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                pwrite(descriptor, buffer.baseAddress.map { $0 + done }, bytes.count - done, off_t(offset + done))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw LocalFile.failure("A file of the object storage cannot be written.") }
            done += count
        }
    }

    func read(at offset: Int, upTo count: Int) throws(HarbourError) -> [UInt8] {
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            while initialized < count {
                let got = pread(
                    descriptor, buffer.baseAddress.map { $0 + initialized }, count - initialized,
                    off_t(offset + initialized))
                if got < 0, errno == EINTR { continue }
                if got < 0 { failure = errno }
                if got <= 0 { return }
                initialized += got
            }
        }
        guard failure == 0 else { throw .system("A file of the object storage cannot be read", failure) }
        return bytes
    }

    func truncate(to size: Int) throws(HarbourError) {
        guard ftruncate(descriptor, off_t(size)) == 0 else {
            throw LocalFile.failure("A file of the object storage cannot be cut.")
        }
    }

    func sync() throws(HarbourError) {
        guard fsync(descriptor) == 0 else { throw LocalFile.failure("A file of the object storage cannot be written.") }
    }

    /// What the last system call said.
    static func failure(_ message: String) -> HarbourError {
        let number = errno
        if number == ENOSPC || number == EDQUOT {
            return HarbourError(
                .storageFull, "There is no room left for files. Free some, or ask an administrator for more.",
                detail: message)
        }
        return .system(message, number)
    }
}

/// A range of a file, read piece by piece.
///
/// `@unchecked Sendable`: there is one reader at a time.
private final class LocalBody: HTTPBodySource, @unchecked Sendable {
    private let file: LocalFile
    private var position: Int
    private let end: Int
    private static let chunk = 256 << 10

    init(_ file: LocalFile, _ range: Range<Int>) {
        self.file = file
        position = range.lowerBound
        end = range.upperBound
    }

    func next() async throws(HarbourError) -> [UInt8]? {
        let (start, count) = (position, min(LocalBody.chunk, end - position))
        guard count > 0 else { return nil }
        let bytes: [UInt8]
        do { bytes = try await BlockingPool.shared.run { [file] in try file.read(at: start, upTo: count) } } catch {
            throw error as? HarbourError ?? HarbourError(.internalError, "A file could not be read.", cause: error)
        }
        position += bytes.count
        return bytes.isEmpty ? nil : bytes
    }

    func discard() { position = end }
}
