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
    /// How deep it is looked into folders.
    static let depth = 32

    struct Result: Sendable {
        var files: [FoundFile] = []
        /// The folder itself and those below it.
        var folders: [String] = []
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
            result.folders.append(path)
            while let entry = readdir(directory) {
                let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                }
                // What begins with a dot is a program's own, such as a file that is still being copied.
                guard !name.hasPrefix(".") else { continue }
                let relative = below.isEmpty ? name : "\(below)/\(name)"
                var status = stat()
                guard lstat("\(folder)/\(relative)", &status) == 0 else { continue }
                switch status.st_mode & S_IFMT {
                case S_IFDIR where depth < FolderListing.depth: open.append((relative, depth + 1))
                case S_IFREG:
                    if known.contains(relative) || !isBeingWritten("\(folder)/\(relative)") {
                        result.files.append(FoundFile(relative, status))
                    }
                default: break
                }
            }
            guard result.files.count <= FolderListing.limit else {
                throw HarbourError(
                    .tooLarge,
                    "\(folder) has more than \(FolderListing.limit) files. Move those away that have been dealt with.")
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
