import Core
import Glibc

/// The repository as files on disk, read once for all rules.
struct SourceTree: Sendable {
    struct File: Sendable {
        /// Relative to the top, with `/`.
        let path: String
        let text: String
        /// Split once: every rule goes through all of them.
        let lines: [Substring]

        init(path: String, text: String) {
            self.path = path
            self.text = text
            lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        }

        var isGenerated: Bool { path.contains("/Generated/") }
    }

    static let top = String(#filePath.dropLast("/Tests/Architecture/SourceTree.swift".count))
    static let shared = SourceTree()

    let files: [File]

    init() {
        let listing = SourceTree.run("git -C '\(SourceTree.top)' ls-files --cached --others --exclude-standard")
        files = listing.split(separator: "\n").compactMap { line in
            let path = String(line)
            guard path.hasSuffix(".swift"), let text = SourceTree.read(path) else { return nil }
            return File(path: path, text: text)
        }
    }

    /// The names at the top level, whether tracked or about to be.
    static var topLevelEntries: Set<String> {
        let listing = run("git -C '\(top)' ls-files --cached --others --exclude-standard")
        return Set(listing.split(separator: "\n").map { String($0.prefix { $0 != "/" }) })
    }

    /// The whole file as text, or nil when it cannot be read.
    static func read(_ path: String) -> String? {
        guard let file = fopen("\(top)/\(path)", "r") else { return nil }
        defer { fclose(file) }
        return String(decoding: drain(file), as: UTF8.self)
    }

    /// What a shell command prints.
    static func run(_ command: String) -> String {
        guard let pipe = popen(command, "r") else { return "" }
        defer { pclose(pipe) }
        return String(decoding: drain(pipe), as: UTF8.self)
    }

    private static func drain(_ file: UnsafeMutablePointer<FILE>) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = fread(&buffer, 1, buffer.count, file)
            if count == 0 { return bytes }
            bytes += buffer[..<count]
        }
    }
}

extension SourceTree.File {
    /// The modules it imports.
    var imports: Set<String> {
        var modules: Set<String> = []
        // Indented ones belong to other languages, inside texts.
        for line in lines where line.first != " " {
            var words = line.split(separator: " ")
            while let first = words.first, first.hasPrefix("@") || ["public", "internal", "private"].contains(first) {
                words.removeFirst()
            }
            guard words.count >= 2, words[0] == "import" else { continue }
            modules.insert(String(words[words.count == 2 ? 1 : 2].prefix { $0 != "." }))
        }
        return modules
    }

    /// The first line and the length of each function, initialiser and computed body at declaration level.
    var functions: [(line: Int, length: Int, name: String)] {
        var found: [(Int, Int, String)] = []
        var open: (line: Int, indent: Int, name: String)?
        for (index, line) in lines.enumerated() {
            let indent = line.prefix { $0 == " " }.count
            let text = line.dropFirst(indent)
            if let current = open {
                if indent == current.indent && text.hasPrefix("}") {
                    found.append((current.line + 1, index - current.line + 1, current.name))
                    open = nil
                }
                continue
            }
            let words = text.split(separator: " ").map(String.init)
            guard let keyword = words.firstIndex(where: { $0 == "func" || $0.hasPrefix("init(") }), keyword <= 6,
                !text.hasPrefix("//"), !text.hasSuffix("}")
            else { continue }
            open = (index, indent, words[keyword...].prefix(2).joined(separator: " "))
        }
        return found
    }
}
