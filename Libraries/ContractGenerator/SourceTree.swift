internal import Core
internal import Glibc

/// The checkout: where the documents are read and the generated files belong.
public struct SourceTree {
    /// The folder that holds `Package.swift`.
    public let root: String

    /// Takes a folder as it is.
    public init(root: String) { self.root = root }

    /// Finds the checkout that a path is in.
    public init?(around path: String) {
        var folder = path
        while access(folder + "/Package.swift", R_OK) != 0 {
            guard let slash = folder.lastIndex(of: "/"), slash != folder.startIndex else { return nil }
            folder = String(folder[..<slash])
        }
        root = folder
    }

    /// The checkout that the program runs in.
    public static func current() -> SourceTree? {
        guard let path = getcwd(nil, 0) else { return nil }
        defer { free(path) }
        return SourceTree(around: String(cString: path))
    }

    /// The bytes of a file; nil when there is none.
    public func read(_ path: String) -> [UInt8]? {
        guard let file = fopen("\(root)/\(path)", "r") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = fread(&buffer, 1, buffer.count, file)
            if count == 0 { return bytes }
            bytes += buffer[..<count]
        }
    }

    /// Writes a file and its folders.
    public func write(_ path: String, _ bytes: [UInt8]) throws {
        var folder = root
        for part in path.split(separator: "/").dropLast() {
            folder += "/" + part
            mkdir(folder, 0o755)
        }
        guard let file = fopen("\(root)/\(path)", "w") else { throw ContractError("\(path) cannot be written") }
        defer { fclose(file) }
        guard fwrite(bytes, 1, bytes.count, file) == bytes.count else {
            throw ContractError("\(path) could not be written to its end")
        }
    }

    /// Removes a file.
    public func remove(_ path: String) { unlink("\(root)/\(path)") }

    /// The paths of all files below a folder, sorted.
    public func files(below folder: String) -> [String] {
        var found: [String] = []
        guard let directory = opendir("\(root)/\(folder)") else { return [] }
        defer { closedir(directory) }
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasPrefix(".") { continue }
            let path = "\(folder)/\(name)"
            if entry.pointee.d_type == UInt8(DT_DIR) { found += files(below: path) } else { found.append(path) }
        }
        return found.sorted()
    }

    /// The paths of all golden files of the contract's types, sorted; the folder holds others beside them.
    public func goldenFiles() -> [String] {
        Contract.serviceNames.flatMap { files(below: "schemas/golden/\($0)") }.sorted()
    }

    /// Reads the contract's documents.
    public func contract() throws -> Contract {
        try Contract(
            documents: Contract.serviceNames.map { name in
                let path = "schemas/openapi/\(name).json"
                guard let bytes = read(path) else { throw ContractError("\(path) cannot be read") }
                return (name, try JSONValue(json: bytes, subject: path))
            })
    }

    /// All generated files that are read by people or compilers, by their path.
    public func expectedFiles() throws -> [String: [UInt8]] {
        var files: [String: [UInt8]] = [:]
        for (path, text) in try contract().swiftFiles() {
            files["\(SourceTree.generatedFolder)/\(path)"] = Array(text.utf8)
        }
        files["schemas/errors.md"] = Array(try errorTable().markdown().utf8)
        return files
    }

    /// Where the generated Swift files are.
    public static let generatedFolder = "Libraries/HarbourProtocol/Generated"

    private func errorTable() throws -> ErrorTable {
        var table = ErrorTable()
        for path in ["Libraries", "Plugins", "Services"].flatMap(files(below:)) where path.hasSuffix(".swift") {
            let parts = path.split(separator: "/")
            guard let bytes = read(path), parts.count > 2, parts[1] != "ContractGenerator" else { continue }
            table.add(source: String(decoding: bytes, as: UTF8.self), module: String(parts[1]))
        }
        guard table.contradictions.isEmpty else {
            throw ContractError("these error codes have two statuses: \(table.contradictions.joined(separator: ", "))")
        }
        return table
    }

    /// What is not as it should be: files that differ, are missing, or are left over.
    public func staleFiles() throws -> [String] {
        let expected = try expectedFiles()
        let leftOver = files(below: SourceTree.generatedFolder).filter { expected[$0] == nil }
        return (expected.filter { read($0.key) != $0.value }.map(\.key) + leftOver).sorted()
    }
}
