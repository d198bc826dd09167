public import Core
internal import Glibc

/// Finds installed kernels where Jupyter looks for them.
public struct KernelSpecFinder: Sendable {
    /// Folders that hold `kernels/<name>/kernel.json`, the first to win.
    public var dataFolders: [String]

    /// Looks in these folders.
    public init(dataFolders: [String]) { self.dataFolders = dataFolders }

    /// Looks where `jupyter --paths` says for an interpreter: `JUPYTER_PATH`, the environment the interpreter lives in,
    /// the user's folder, the system's.
    public init(python: String?, environment: [String: String]) {
        var folders = (environment["JUPYTER_PATH"] ?? "").split(separator: ":").map(String.init)
        // <prefix>/bin/python
        if let python, let bin = KernelSpecFinder.parent(python), let prefix = KernelSpecFinder.parent(bin) {
            folders.append("\(prefix)/share/jupyter")
        }
        if let data = environment["JUPYTER_DATA_DIR"] {
            folders.append(data)
        } else if let data = environment["XDG_DATA_HOME"] {
            folders.append("\(data)/jupyter")
        } else if let home = environment["HOME"] {
            folders.append("\(home)/.local/share/jupyter")
        }
        folders += ["/usr/local/share/jupyter", "/usr/share/jupyter"]
        dataFolders = folders.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }

    /// All installed kernels by name. One that cannot be read is left out, and `problems` is told.
    public func all(problems: (HarbourError) -> Void = { _ in }) -> [String: KernelSpec] {
        var found: [String: KernelSpec] = [:]
        for folder in dataFolders {
            for name in KernelSpecFinder.entries(of: "\(folder)/kernels") {
                let key = name.lowercased()
                guard found[key] == nil, KernelSpecFinder.isName(name) else { continue }
                let directory = "\(folder)/kernels/\(name)"
                guard let json = KernelSpecFinder.contents(of: "\(directory)/kernel.json") else { continue }
                do throws(HarbourError) {
                    found[key] = try KernelSpec(name: key, directory: directory, json: json)
                } catch {
                    problems(error)
                }
            }
        }
        return found
    }

    private static func isName(_ name: String) -> Bool {
        !name.isEmpty
            && name.utf8.allSatisfy {
                switch $0 {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    private static func parent(_ path: String) -> String? {
        guard let slash = path.lastIndex(of: "/") else { return nil }
        return String(path[..<slash])
    }

    private static func entries(of folder: String) -> [String] {
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

    /// A file of at most a mebibyte.
    private static func contents(of path: String) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while bytes.count <= 1_048_576 {
            let count = read(file, &buffer, buffer.count)
            if count < 0 { return nil }
            if count == 0 { return bytes }
            bytes += buffer[..<count]
        }
        return nil
    }
}
