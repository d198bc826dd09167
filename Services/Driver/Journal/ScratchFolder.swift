internal import CommandJournals
internal import Core
internal import Glibc

/// The cluster's folder, and where the driver keeps what in it. Its calls block, briefly.
struct ScratchFolder: Sendable {
    let path: String

    /// Makes the folders that are missing, for this user alone.
    init(_ path: String) throws(HarbourError) {
        self.path = path
        for folder in [path, journals, logs, runtime, overflow] { try ScratchFolder.make(folder) }
    }

    var journals: String { "\(path)/\(JournalRecord.folder)" }
    var logs: String { "\(path)/logs" }
    /// Connection files and sockets of kernels.
    var runtime: String { "\(path)/k" }
    /// Output beyond the limit of a command.
    var overflow: String { "\(path)/output" }

    static func make(_ folder: String) throws(HarbourError) {
        if mkdir(folder, 0o700) != 0 && errno != EEXIST {
            throw .system("The folder \(folder) could not be made", errno)
        }
    }

    static func names(in folder: String) -> [String] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// A whole file of at most so many bytes.
    static func contents(of file: String, limit: Int = 1_048_576) -> [UInt8]? {
        let descriptor = open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while bytes.count <= limit {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            if count < 0 { return nil }
            if count == 0 { return bytes }
            bytes += buffer[..<count]
        }
        return nil
    }

    /// Writes a file that appears whole or not at all.
    static func write(_ bytes: [UInt8], to file: String) throws(HarbourError) {
        let temporary = "\(file).new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .system("The file \(file) could not be made", errno) }
        defer { close(descriptor) }
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw .system("The file \(file) could not be written", errno) }
            written += count
        }
        guard rename(temporary, file) == 0 else { throw .system("The file \(file) could not be written", errno) }
    }

    /// Removes a folder of plain files.
    static func remove(_ folder: String) {
        for name in names(in: folder) { unlink("\(folder)/\(name)") }
        rmdir(folder)
    }

    /// A name that is one safe component of a path: letters, digits, dots, dashes, underscores and colons.
    static func isName(_ name: String) -> Bool {
        guard (1...128).contains(name.utf8.count), name.utf8.first != UInt8(ascii: ".") else { return false }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"),
                UInt8(ascii: ":"):
                true
            default: false
            }
        }
    }
}
