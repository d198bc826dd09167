internal import Core
internal import Glibc

/// The folders that the operator lets jobs wait for files in.
struct FolderRoots: Sendable {
    private let roots: [String]

    init(_ roots: [String]) { self.roots = roots }

    /// - Throws: `PERMISSION_DENIED` for what is not below one of them, wherever its links lead. Whether it exists is
    ///   not told then.
    func check(_ folder: String) throws(HarbourError) {
        let real = FolderRoots.real(folder)
        let isBelow = roots.contains { root in
            guard let root = FolderRoots.real(root) else { return false }
            guard let real else { return FolderRoots.isBelow(folder, root) }
            return FolderRoots.isBelow(real, root)
        }
        guard isBelow else {
            throw HarbourError(
                .permissionDenied,
                "Jobs may not wait for files in \(folder). The operator names the folders for that in "
                    + "HARBOUR_SCHEDULER_FILE_ROOTS.")
        }
    }

    private static func isBelow(_ path: String, _ root: String) -> Bool {
        path == root || path.hasPrefix(root.hasSuffix("/") ? root : root + "/")
    }

    private static func real(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }
}
