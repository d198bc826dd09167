public import Core
internal import Glibc

/// A file of records that is only ever appended to: length, checksum, bytes. A record is in the kernel's hands when
/// `append` returns, so it survives the death of this process; one that was cut short by it is recognised and dropped.
public struct RecordFile: ~Copyable {
    /// Where a record is.
    public struct Position: Sendable {
        /// Of its length in the file.
        public var offset: Int
        /// Bytes of the record itself.
        public var count: Int

        /// Makes a position.
        public init(offset: Int, count: Int) {
            self.offset = offset
            self.count = count
        }
    }

    static let headerSize = 8
    /// No record is longer; a length beyond it is damage.
    public static let recordLimit = 256 * 1_048_576

    private let descriptor: Int32
    private var end: Int

    /// Makes a new file; one of that name must not exist.
    public init(creating path: String) throws(HarbourError) {
        descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .system("A journal could not be made", errno) }
        end = 0
    }

    /// Opens a file, reads its whole records and cuts off what follows the last of them.
    public init(opening path: String, _ each: (Position, [UInt8]) -> Void) throws(HarbourError) {
        descriptor = open(path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system("A journal could not be opened", errno) }
        end = 0
        while let record = RecordFile.read(descriptor, at: end) {
            each(Position(offset: end, count: record.count), record)
            end += Int(RecordFile.headerSize + record.count)
        }
        // What cannot be cut off is written over by the next record.
        _ = ftruncate(descriptor, end)
    }

    /// Opens a file for reading. User code may have put something else there: a link is not followed, and what is no
    /// plain file, such as a pipe that nobody writes, is refused instead of waited for.
    public init(reading path: String) throws(HarbourError) {
        descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        end = 0
        guard descriptor >= 0 else { throw .system("A journal could not be opened", errno) }
        try checkPlain()
    }

    /// The same of a file in folders below one that is trusted; none of them may be a link.
    public init(reading path: [String], below root: String) throws(HarbourError) {
        var folder = open(root, O_RDONLY | O_CLOEXEC | O_DIRECTORY)
        for (index, name) in path.enumerated() where folder >= 0 {
            let kind = index + 1 < path.count ? O_DIRECTORY : O_NONBLOCK
            let next = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | kind)
            let failure = errno
            close(folder)
            folder = next
            errno = failure
        }
        descriptor = folder
        end = 0
        guard descriptor >= 0 else { throw .system("A journal could not be opened", errno) }
        try checkPlain()
    }

    private borrowing func checkPlain() throws(HarbourError) {
        var information = stat()
        guard fstat(descriptor, &information) == 0, information.st_mode & S_IFMT == S_IFREG else {
            throw HarbourError(.internalError, "A journal is not a plain file.")
        }
    }

    deinit { close(descriptor) }

    /// Adds a record at the end.
    /// - Throws: `TEMPORARILY_UNAVAILABLE` when the disk is full or broken; the file then is as it was before.
    public mutating func append(_ record: [UInt8]) throws(HarbourError) -> Position {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(RecordFile.headerSize + record.count)
        withUnsafeBytes(of: UInt32(record.count).littleEndian) { bytes += $0 }
        withUnsafeBytes(of: CRC32C.checksum(record).littleEndian) { bytes += $0 }
        bytes += record
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes {
                pwrite(descriptor, $0.baseAddress, $0.count, end + Int(written))
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else {
                let failure = errno
                _ = ftruncate(descriptor, end)
                throw .system("Output could not be written to the journal", failure)
            }
            written += count
        }
        defer { end += Int(bytes.count) }
        return Position(offset: end, count: record.count)
    }

    /// The record at that place and where the next one is; nil at the end, and where what follows is harmed.
    public func record(at offset: Int, limit: Int = recordLimit) -> (record: [UInt8], next: Int)? {
        guard let record = RecordFile.read(descriptor, at: offset, limit: limit) else { return nil }
        return (record, offset + RecordFile.headerSize + record.count)
    }

    /// The record that was appended there, or nil when it cannot be read back unharmed.
    public func read(_ position: Position) -> [UInt8]? {
        guard let record = RecordFile.read(descriptor, at: position.offset), record.count == position.count else {
            return nil
        }
        return record
    }

    private static func read(_ descriptor: Int32, at offset: Int, limit: Int = recordLimit) -> [UInt8]? {
        guard let header = bytes(descriptor, at: offset, count: headerSize) else { return nil }
        let count = Int(word(header, 0))
        guard count <= limit, let record = bytes(descriptor, at: offset + Int(headerSize), count: count),
            CRC32C.checksum(record) == word(header, 4)
        else { return nil }
        return record
    }

    private static func word(_ bytes: [UInt8], _ start: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << (8 * UInt32($1)) }
    }

    private static func bytes(_ descriptor: Int32, at offset: Int, count: Int) -> [UInt8]? {
        // A damaged length must not make us reserve what the file cannot hold.
        var information = stat()
        guard fstat(descriptor, &information) == 0, offset + Int(count) <= Int(information.st_size) else {
            return nil
        }
        var filled = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            while filled < count {
                let got = pread(descriptor, buffer.baseAddress! + filled, count - filled, offset + Int(filled))
                if got < 0 && errno == EINTR { continue }
                guard got > 0 else { break }
                filled += got
            }
            initialized = filled
        }
        return filled == count ? bytes : nil
    }
}
