internal import CArchive
public import Core

/// Writes a zip archive as a stream: bytes go in, bytes come out, and only a little is kept.
///
/// Nothing but its arguments decides what comes out, so that the same entries make the same archive. Archives and
/// entries beyond 4 GiB are written in ZIP64. Compressing takes time: call it off the loop, one call at a time.
///
/// `@unchecked Sendable`: whoever owns it makes one call after the other.
public final class ZipWriter: @unchecked Sendable {
    /// What an entry is.
    public enum Kind: Sendable, Hashable {
        /// A file of so many bytes, which `write` must give. What does not get smaller is better only stored.
        case file(size: Int, isCompressed: Bool)
        /// A folder, which needs an entry only when it is empty or its time matters.
        case folder
    }

    private let archive: OpaquePointer
    private let output = Output()
    /// Bytes of the entry that have not come yet.
    private var missing = 0

    /// Where the library's callback puts what it makes.
    private final class Output {
        var bytes: [UInt8] = []
    }

    /// Begins an archive.
    /// - Parameter level: from 1, fast, to 9, small.
    public init(level: Int = 6) throws(HarbourError) {
        guard let archive = archive_write_new() else { throw ZipWriter.noMemory }
        self.archive = archive
        let target = Unmanaged.passUnretained(output).toOpaque()
        try ArchiveLibrary.call { () throws(HarbourError) in
            guard archive_write_set_format_zip(archive) == ARCHIVE_OK,
                archive_write_set_format_option(archive, "zip", "compression-level", "\(level)") == ARCHIVE_OK,
                // Nothing is held back to make blocks of one size.
                archive_write_set_bytes_per_block(archive, 0) == ARCHIVE_OK,
                archive_write_open2(
                    archive, target, nil,
                    { _, target, bytes, count in
                        guard let target, let bytes else { return -1 }
                        Unmanaged<Output>.fromOpaque(target).takeUnretainedValue().bytes
                            .append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: count))
                        return count
                    }, nil, nil) == ARCHIVE_OK
            else { throw failure("begin") }
        }
    }

    deinit {
        // What was not finished must not be finished now, as freeing alone would.
        archive_write_fail(archive)
        archive_write_free(archive)
    }

    /// Begins an entry; the one before must be whole.
    /// - Parameter path: its names with slashes between them; an absolute one is the caller's mistake.
    public func begin(_ path: String, _ kind: Kind, modified: Timestamp) throws(HarbourError) {
        precondition(!path.hasPrefix("/") && !path.isEmpty, "an entry of an archive must have a relative path")
        try checkWhole()
        guard let entry = archive_entry_new2(archive) else { throw ZipWriter.noMemory }
        defer { archive_entry_free(entry) }
        let seconds = modified.milliseconds >= 0 ? modified.milliseconds / 1000 : 0
        archive_entry_set_mtime(entry, Int(seconds), 0)
        try ArchiveLibrary.call { () throws(HarbourError) in
            switch kind {
            case .file(let size, let isCompressed):
                archive_entry_set_pathname(entry, path)
                archive_entry_set_mode(entry, 0o100644)
                archive_entry_set_size(entry, Int64(size))
                let status =
                    isCompressed && size > 0
                    ? archive_write_zip_set_compression_deflate(archive)
                    : archive_write_zip_set_compression_store(archive)
                guard status == ARCHIVE_OK else { throw failure("set the compression of") }
                missing = size
            case .folder:
                archive_entry_set_pathname(entry, path.hasSuffix("/") ? path : path + "/")
                archive_entry_set_mode(entry, 0o040755)
                archive_entry_set_size(entry, 0)
            }
            guard archive_write_header(archive, entry) == ARCHIVE_OK else { throw failure("begin an entry of") }
        }
    }

    /// Adds bytes to the entry that was begun.
    public func write(_ bytes: [UInt8]) throws(HarbourError) {
        guard bytes.count <= missing else { throw ZipWriter.wrongSize("\(bytes.count - missing) bytes too many") }
        guard !bytes.isEmpty else { return }
        let written = archive_write_data(archive, bytes, bytes.count)
        guard written == bytes.count else { throw failure("write into") }
        missing -= bytes.count
    }

    /// Writes the directory at the end of the archive; nothing may follow.
    public func finish() throws(HarbourError) {
        try checkWhole()
        try ArchiveLibrary.call { () throws(HarbourError) in
            guard archive_write_close(archive) == ARCHIVE_OK else { throw failure("end") }
        }
    }

    /// How many bytes `take` would give.
    public var pendingBytes: Int { output.bytes.count }

    /// The bytes of the archive that have been made since the last call.
    public func take() -> [UInt8] {
        defer { output.bytes = [] }
        return output.bytes
    }

    private func checkWhole() throws(HarbourError) {
        guard missing == 0 else { throw ZipWriter.wrongSize("\(missing) bytes missing") }
    }

    private func failure(_ what: String) -> HarbourError {
        HarbourError(
            .internalError, "Something went wrong on our side. The log of the service has the details.",
            detail: "cannot \(what) an archive: \(ArchiveLibrary.reason(archive))")
    }

    private static func wrongSize(_ detail: String) -> HarbourError {
        HarbourError(
            .internalError, "Something went wrong on our side. The log of the service has the details.",
            detail: "an entry of an archive has another size than was said: \(detail)")
    }

    private static let noMemory = HarbourError(.unavailable, "There is no memory left for an archive.")
}
