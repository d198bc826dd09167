internal import Core
internal import Cryptography
internal import Glibc

/// A kernel's addresses and key, in a private folder that also holds its sockets: whoever can read it can run code.
struct KernelConnection: Sendable {
    let directory: String
    let file: String
    let key: [UInt8]
    private let address: String

    /// Socket addresses hold 107 bytes (unix(7)).
    private static let pathLimit = 107

    /// Makes a fresh folder, below `parent` if the paths of sockets are short enough there.
    init(below parent: String) throws(HarbourError) {
        let roomNeeded = "/k-XXXXXX/s-5".utf8.count
        let base = parent.utf8.count + roomNeeded <= KernelConnection.pathLimit ? parent : "/tmp"
        var template = Array("\(base)/k-XXXXXX".utf8CString)
        // Mode 0700.
        guard mkdtemp(&template) != nil else {
            throw .system("The folder for a kernel's sockets could not be made in \(base)", errno)
        }
        directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        file = "\(directory)/connection.json"
        address = "\(directory)/s"
        key = Array(SystemRandom.token(bytes: 32).utf8)
        do throws(HarbourError) { try write() } catch {
            remove()
            throw error
        }
    }

    func endpoint(_ channel: KernelChannel) -> String { "ipc://\(address)-\(KernelConnection.port(channel))" }

    /// With the ipc transport the "ports" are suffixes of file names.
    private static func port(_ channel: KernelChannel) -> Int64 {
        switch channel {
        case .shell: 1
        case .output: 2
        case .input: 3
        case .control: 4
        case .heartbeat: 5
        }
    }

    private func write() throws(HarbourError) {
        let content: JSONObject = [
            "transport": "ipc", "ip": .string(address), "signature_scheme": "hmac-sha256",
            "key": .string(String(decoding: key, as: UTF8.self)),
            "shell_port": .integer(KernelConnection.port(.shell)),
            "iopub_port": .integer(KernelConnection.port(.output)),
            "stdin_port": .integer(KernelConnection.port(.input)),
            "control_port": .integer(KernelConnection.port(.control)),
            "hb_port": .integer(KernelConnection.port(.heartbeat)),
        ]
        let bytes = content.encodedJSON()
        let descriptor = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .system("A kernel's connection file could not be made", errno) }
        defer { close(descriptor) }
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else {
            throw .system("A kernel's connection file could not be written", errno)
        }
    }

    /// Deletes the folder. What the kernel put there beside its sockets stays, and the folder with it.
    func remove() {
        for channel in KernelChannel.allCases { unlink("\(address)-\(KernelConnection.port(channel))") }
        unlink(file)
        rmdir(directory)
    }
}
