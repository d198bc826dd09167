internal import CArchive
public import Core
internal import Glibc

extension ErrorCode {
    /// What should be a zip archive is none, is damaged, or ends too early.
    public static let invalidArchive = ErrorCode("INVALID_ARCHIVE", status: 400)
}

/// What all calls of libarchive need.
enum ArchiveLibrary {
    /// The library takes names for what the thread's locale says they are. A service sets none, and then every name
    /// with an umlaut would be lost.
    private nonisolated(unsafe) static let utf8 = newlocale(1 << LC_CTYPE, "C.UTF-8", nil)

    /// Calls the library with names in UTF-8, whatever the locale of the process is.
    static func call<Value>(_ body: () throws(HarbourError) -> Value) throws(HarbourError) -> Value {
        guard let utf8 else {
            throw HarbourError(
                .unavailable,
                "This system has no locale C.UTF-8, which archives need. Install libc-bin.")
        }
        let before = uselocale(utf8)
        defer { uselocale(before) }
        return try body()
    }

    /// What the library says of the last failure, for the log.
    static func reason(_ archive: OpaquePointer) -> String {
        archive_error_string(archive).map { String(cString: $0) } ?? "error \(archive_errno(archive))"
    }
}
