internal import Core
internal import EventLoop
internal import Glibc

/// A file that was found where a job waits for files.
struct FoundFile: Sendable, Hashable {
    /// Its path below the folder, or its key.
    var path: String
    /// Another whenever its content may be another.
    var version: String
    /// When it came or was last changed, at the latest: clocks of files and stores are coarse.
    var changedAt: Timestamp
}

/// Lists a folder and all below it.
struct FolderListing: Sendable {
    let folder: String

    /// The most files that a place may have.
    static let limit = 100_000
    /// The longest path of a file below the folder, in bytes.
    static let pathLimit = 2000
    /// How deep it is looked into folders.
    static let depth = 32

    struct Result: Sendable {
        var files: [FoundFile] = []
        /// The folder itself and those below it.
        var folders: [String] = []
        /// Which folder it was, whatever its name: another when something else is mounted there.
        var root = ""
    }

    /// - Parameter known: files that are known need not be asked whether somebody still writes them.
    /// - Throws: `RESOURCE_DOES_NOT_EXIST`, `PERMISSION_DENIED`, `REQUEST_TOO_LARGE`.
    func list(known: Set<String>) throws(HarbourError) -> Result {
        var result = Result()
        var open = [("", 0)]
        while let (below, depth) = open.popLast() {
            let path = below.isEmpty ? folder : "\(folder)/\(below)"
            guard let directory = opendir(path) else {
                // One below may have gone in the meantime.
                if !below.isEmpty, errno == ENOENT { continue }
                throw FolderListing.failure(path, errno)
            }
            defer { closedir(directory) }
            if below.isEmpty {
                var status = stat()
                if fstat(dirfd(directory), &status) == 0 { result.root = String(status.st_ino) }
            }
            result.folders.append(path)
            while let entry = readdir(directory) {
                var status = stat()
                // The name is asked after as it is; shown, it is made UTF-8.
                let (name, isThere) = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                    let name = bytes.assumingMemoryBound(to: CChar.self).baseAddress
                    let text = String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                    guard let name else { return (text, false) }
                    return (text, fstatat(dirfd(directory), name, &status, AT_SYMLINK_NOFOLLOW) == 0)
                }
                // What begins with a dot is a program's own, such as a file that is still being copied.
                guard isThere, !name.hasPrefix(".") else { continue }
                let relative = below.isEmpty ? name : "\(below)/\(name)"
                guard relative.utf8.count <= FolderListing.pathLimit else {
                    throw HarbourError(
                        .tooLarge, "\(folder) has a file whose path is longer than \(FolderListing.pathLimit) bytes.")
                }
                switch status.st_mode & S_IFMT {
                case S_IFDIR where depth < FolderListing.depth: open.append((relative, depth + 1))
                case S_IFREG:
                    if known.contains(relative) || !isBeingWritten("\(folder)/\(relative)") {
                        result.files.append(FoundFile(relative, status))
                    }
                default: break
                }
            }
            guard result.files.count + result.folders.count + open.count <= FolderListing.limit else {
                throw HarbourError(
                    .tooLarge,
                    "\(folder) has more than \(FolderListing.limit) files and folders. Move those away that have been dealt with."
                )
            }
        }
        return result
    }

    private static func failure(_ path: String, _ number: Int32) -> HarbourError {
        switch number {
        case ENOENT, ENOTDIR: HarbourError(.notFound, "The folder \(path) does not exist.")
        case EACCES, EPERM: HarbourError(.permissionDenied, "The folder \(path) may not be read by the scheduler.")
        default: .system("The folder \(path) cannot be read", number)
        }
    }
}

extension FoundFile {
    fileprivate init(_ path: String, _ status: stat) {
        func milliseconds(_ time: timespec) -> Int64 { Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000 }
        self.path = path
        version = "\(status.st_ino)-\(status.st_size)-\(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
        // A file that was moved here is as old as it was, but its inode has changed now.
        changedAt = Timestamp(milliseconds: max(milliseconds(status.st_mtim), milliseconds(status.st_ctim)) + 10)
    }
}
