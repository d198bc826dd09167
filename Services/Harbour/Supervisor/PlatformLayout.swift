internal import Core
internal import Glibc

/// Where everything of one platform lives: one folder, `HARBOUR_DATA`, by default `~/.harbour`.
struct PlatformLayout: Sendable {
    let root: String

    var postgres: String { "\(root)/postgres" }
    var logs: String { "\(root)/logs" }
    /// Sockets, locks and process files; only meaningful while the platform runs.
    var run: String { "\(root)/run" }
    var clusters: String { "\(root)/clusters" }
    /// What jobs may wait for files in.
    var files: String { "\(root)/files" }
    var secrets: String { "\(root)/secrets" }
    var runtime: String { "\(root)/runtime" }
    var adminToken: String { "\(secrets)/admin-token" }
    var serviceToken: String { "\(secrets)/service-token" }
    /// What users' secrets are encrypted with.
    var secretKey: String { "\(secrets)/secret-key" }
    var controlSocket: String { "\(run)/harbour.sock" }
    var readinessSocket: String { "\(run)/ready.sock" }
    var supervisorLock: String { "\(run)/supervisor.lock" }
    var supervisorLog: String { "\(logs)/supervisor.log" }

    func log(_ program: String) -> String { "\(logs)/\(program).log" }

    /// The longest path of a socket below the root has to fit in a unix address (unix(7): 107 bytes).
    static let longestRoot = 107 - "/run/.s.PGSQL.5432".utf8.count

    init(root: String) throws(HarbourError) {
        guard root.hasPrefix("/"), root.utf8.count <= PlatformLayout.longestRoot else {
            throw HarbourError(
                .invalidParameter,
                "HARBOUR_DATA has to be an absolute path of at most \(PlatformLayout.longestRoot) bytes, because "
                    + "sockets live below it; \(root) is not. Choose another folder.")
        }
        self.root = root
    }

    /// Makes the folders, closed to others, and the tokens that do not exist yet.
    func prepare() throws(HarbourError) {
        for folder in [root, logs, run, clusters, files, secrets] { try PlatformLayout.makeFolder(folder) }
        for token in [adminToken, serviceToken, secretKey] where access(token, F_OK) != 0 {
            try PlatformLayout.write(Identifier.secret(), to: token)
        }
    }

    /// Makes a folder with its parents; the folder itself is for its owner alone.
    static func makeFolder(_ path: String) throws(HarbourError) {
        var partial = ""
        let parts = path.split(separator: "/")
        for (index, part) in parts.enumerated() {
            partial += "/\(part)"
            if mkdir(partial, index == parts.count - 1 ? 0o700 : 0o755) != 0 && errno != EEXIST {
                throw .system("The folder \(partial) could not be made", errno)
            }
        }
    }

    /// Writes a small secret file whole or not at all, readable by its owner alone.
    static func write(_ text: String, to path: String) throws(HarbourError) {
        let temporary = "\(path).\(getpid()).new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .system("The file \(path) could not be written", errno) }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count, fsync(descriptor) == 0,
            rename(temporary, path) == 0
        else {
            let failure = errno
            unlink(temporary)
            throw .system("The file \(path) could not be written", failure)
        }
    }

    /// The text of a small file, without the line break at its end; nil when there is none.
    static func read(_ path: String, limit: Int = 65_536) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: limit)
        let count = Glibc.read(descriptor, &bytes, limit)
        guard count >= 0 else { return nil }
        var text = String(decoding: bytes[..<count], as: UTF8.self)
        while text.last == "\n" { text.removeLast() }
        return text
    }
}
