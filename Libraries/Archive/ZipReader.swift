internal import CArchive
public import Core
internal import Glibc

/// Where the bytes of an archive are: anything that can be read from any place.
public protocol ZipSource: AnyObject, Sendable {
    /// In bytes.
    var size: Int { get }
    /// Some bytes from an offset on that is before the end: at least one, as many as are at hand. It may block.
    func read(at offset: Int) throws -> [UInt8]
}

/// Reads a zip archive as a stream of entries, by the directory at its end, and keeps only a little of it.
///
/// Nothing in an archive is to be trusted: names are handed out as they are, for the caller to judge, and so are links
/// and what is encrypted. Only what is stored or deflated is read, as other methods take memory as the archive pleases.
/// Reading blocks and takes time: call it off the loop, one call at a time.
///
/// `@unchecked Sendable`: whoever owns it makes one call after the other.
public final class ZipReader: @unchecked Sendable {
    /// What an entry is.
    public enum Kind: Sendable, Hashable {
        /// Bytes.
        case file
        /// A folder.
        case folder
        /// A link, a device or what else file systems know.
        case other
    }

    /// An entry as the archive describes it.
    public struct Entry: Sendable, Hashable {
        /// Its path; nil when it is not UTF-8.
        public let path: String?
        /// What it is.
        public let kind: Kind
        /// How many bytes it says that it has; reading more or fewer is an error.
        public let size: Int
        /// Whether it can be read with a password only.
        public let isEncrypted: Bool
        /// Whether it is packed by a method that is read here.
        public let isReadable: Bool
        /// When it was last changed, to the second or two.
        public let modified: Timestamp?
    }

    private let archive: OpaquePointer
    private let input: Input
    private var current: Entry?
    private var missing = 0

    /// The most bytes of the directory, which is in memory as a whole: enough for 20,000 names of a kibibyte.
    public static let directoryLimit = 24 << 20

    /// Begins to read.
    /// - Throws: `INVALID_ARCHIVE` when it is no zip archive or its end is missing; what the source throws.
    public init(_ source: any ZipSource) throws {
        guard let archive = archive_read_new() else {
            throw HarbourError(.unavailable, "There is no memory left for an archive.")
        }
        self.archive = archive
        input = Input(source)
        let target = Unmanaged.passUnretained(input).toOpaque()
        archive_read_support_format_zip_seekable(archive)
        archive_read_set_callback_data(archive, target)
        archive_read_set_read_callback(archive) { _, target, place in
            guard let target, let place else { return -1 }
            return Unmanaged<Input>.fromOpaque(target).takeUnretainedValue().read(place)
        }
        archive_read_set_seek_callback(archive) { _, target, offset, whence in
            guard let target else { return -1 }
            return Unmanaged<Input>.fromOpaque(target).takeUnretainedValue().seek(offset, whence)
        }
        let status = archive_read_open1(archive)
        if status != ARCHIVE_OK { throw failure() }
    }

    deinit { archive_read_free(archive) }

    /// The next entry; nil at the end. What is left of the one before is skipped.
    /// - Throws: `INVALID_ARCHIVE`; what the source throws.
    public func next() throws -> Entry? {
        (current, missing) = (nil, 0)
        var header: OpaquePointer?
        let status = try ArchiveLibrary.call { archive_read_next_header(archive, &header) }
        if let error = input.error { throw error }
        if status == ARCHIVE_EOF { return nil }
        // A warning is about a name or a time that cannot be told; the name is then nil.
        guard status == ARCHIVE_OK || status == ARCHIVE_WARN, let header else { throw failure() }
        input.isPastDirectory()
        let format = String(cString: archive_format_name(archive))
        let mode = archive_entry_filetype(header)
        let entry = Entry(
            path: ZipReader.text(archive_entry_pathname(header), isDoubtful: status == ARCHIVE_WARN),
            kind: mode == Glibc.S_IFREG ? .file : mode == Glibc.S_IFDIR ? .folder : .other,
            size: Int(archive_entry_size(header)), isEncrypted: archive_entry_is_encrypted(header) != 0,
            isReadable: format.hasSuffix("(deflation)") || format.hasSuffix("(uncompressed)"),
            modified: archive_entry_mtime_is_set(header) == 0
                ? nil : Timestamp(milliseconds: Int64(archive_entry_mtime(header)) * 1000))
        guard entry.size >= 0 else { throw ZipReader.damaged("negative size") }
        (current, missing) = (entry, entry.size)
        return entry
    }

    private static func text(_ name: UnsafePointer<CChar>?, isDoubtful: Bool) -> String? {
        guard let name, !isDoubtful else { return nil }
        return String(validatingCString: name)
    }

    /// The next bytes of the entry, at most `count`; nil when all have come and have the checksum they must have.
    /// - Throws: `INVALID_ARCHIVE` when they are damaged, or more or fewer than the entry says.
    public func read(_ count: Int) throws -> [UInt8]? {
        guard let current else { return nil }
        guard current.kind == .file, current.isReadable, !current.isEncrypted else {
            throw HarbourError(.invalidArchive, "An entry of the archive cannot be read.")
        }
        var status = 0
        let wanted = max(1, min(count, missing))
        // One byte more than is missing would be too much, and the end is where the checksum is looked at.
        let bytes = [UInt8](unsafeUninitializedCapacity: wanted) { target, filled in
            status = archive_read_data(archive, target.baseAddress, wanted)
            filled = max(0, status)
        }
        if let error = input.error { throw error }
        guard status >= 0 else { throw failure() }
        guard bytes.count <= missing else { throw ZipReader.damaged("more bytes than the entry has") }
        missing -= bytes.count
        if bytes.isEmpty {
            guard missing == 0 else { throw ZipReader.damaged("fewer bytes than the entry has") }
            self.current = nil
            return nil
        }
        return bytes
    }

    private func failure() -> any Error {
        if let error = input.error { return error }
        return ZipReader.damaged(ArchiveLibrary.reason(archive))
    }

    private static func damaged(_ detail: String) -> HarbourError {
        HarbourError(
            .invalidArchive, "The archive is no zip archive, is damaged, or is not all there. Make it again.",
            detail: detail)
    }
}

/// What the library's callbacks read from.
private final class Input {
    let source: any ZipSource
    /// Why the source could not be read.
    private(set) var error: (any Error)?
    private var position = 0
    private var buffer: UnsafeMutableRawBufferPointer
    /// How much may be read before the first entry, with which the directory has been read.
    private var budget: Int?

    init(_ source: any ZipSource) {
        self.source = source
        buffer = .allocate(byteCount: 64 << 10, alignment: 16)
        budget = ZipReader.directoryLimit
    }

    deinit { buffer.deallocate() }

    func isPastDirectory() { budget = nil }

    /// Hands out bytes that stay where they are until the next call.
    func read(_ place: UnsafeMutablePointer<UnsafeRawPointer?>) -> Int {
        guard error == nil, position >= 0 else { return -1 }
        guard position < source.size else { return 0 }
        do {
            let bytes = try source.read(at: position)
            if let left = budget {
                guard bytes.count <= left else {
                    throw HarbourError(.invalidArchive, "The archive has too many entries.")
                }
                budget = left - bytes.count
            }
            if bytes.count > buffer.count {
                buffer.deallocate()
                buffer = .allocate(byteCount: bytes.count, alignment: 16)
            }
            buffer.copyBytes(from: bytes)
            position += bytes.count
            place.pointee = UnsafeRawPointer(buffer.baseAddress)
            return bytes.count
        } catch {
            self.error = error
            return -1
        }
    }

    func seek(_ offset: Int64, _ whence: CInt) -> Int64 {
        let base =
            switch whence {
            case SEEK_SET: 0
            case SEEK_CUR: position
            case SEEK_END: source.size
            default: -1
            }
        let (target, isOver) = base.addingReportingOverflow(Int(offset))
        guard base >= 0, !isOver, target >= 0 else { return Int64(ARCHIVE_FATAL) }
        position = min(target, source.size)
        return Int64(position)
    }
}
