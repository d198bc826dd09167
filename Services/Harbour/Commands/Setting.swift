internal import Core
internal import Glibc

/// What commands need to know of their surroundings.
struct Setting: Sendable {
    let invocation: Invocation
    let terminal: Terminal

    init(_ invocation: Invocation) {
        self.invocation = invocation
        terminal = Terminal(isJSON: invocation.value("output") == "json")
    }

    /// The data folder: `--data`, `HARBOUR_DATA`, or `.harbour` in the home of the user.
    func layout() throws(HarbourError) -> PlatformLayout {
        if let path = invocation.value("data") ?? Setting.variable("HARBOUR_DATA") {
            return try PlatformLayout(root: Setting.absolute(path))
        }
        guard let home = Setting.variable("HOME"), home.hasPrefix("/") else {
            throw .usage("There is no home folder to keep data in. Set HARBOUR_DATA to a folder.")
        }
        return try PlatformLayout(root: "\(home)/.harbour")
    }

    /// The port of the front door: `--port`, `HARBOUR_PORT`, or 8000.
    func basePort() throws(HarbourError) -> Int {
        if let port = try invocation.integer("port", in: 1...65_532) { return port }
        guard let text = Setting.variable("HARBOUR_PORT") else { return 8000 }
        guard let port = Int(text), (1...65_532).contains(port) else {
            throw .usage("HARBOUR_PORT has to be a number from 1 to 65532, not \(text).")
        }
        return port
    }

    static func variable(_ name: String) -> String? {
        guard let value = getenv(name) else { return nil }
        let text = String(cString: value)
        return text.isEmpty ? nil : text
    }

    static func absolute(_ path: String) -> String {
        if path.hasPrefix("/") { return path }
        guard let folder = getcwd(nil, 0) else { return path }
        defer { free(folder) }
        return "\(String(cString: folder))/\(path)"
    }

    /// The folder that this executable is in.
    static func executableFolder() -> String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = buffer.withUnsafeMutableBytes { bytes in
            guard let base = bytes.baseAddress else { return 0 }
            return readlink("/proc/self/exe", base.assumingMemoryBound(to: CChar.self), bytes.count)
        }
        guard count > 0 else { return "." }
        let path = String(decoding: buffer[..<count], as: UTF8.self)
        return String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
    }
}
