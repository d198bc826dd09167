internal import Core
internal import Glibc

/// A file of `KEY=value` lines: `#` comments, an optional `export`, single quotes as they are, double quotes with
/// `\n \t \" \\ \$`. Nothing is expanded, so a password may hold any character.
struct EnvironmentFile {
    let path: String
    var values: [String: String] = [:]
    /// Keys with their line numbers, in order.
    var lines: [(key: String, line: Int)] = []
    var problems: [String] = []

    static func parse(_ text: String, path: String) -> EnvironmentFile {
        var file = EnvironmentFile(path: path)
        for (index, raw) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            var line = ValueParser.trimmed(raw)[...]
            if line.isEmpty || line.hasPrefix("#") { continue }
            if line.hasPrefix("export ") { line = ValueParser.trimmed(line.dropFirst(7))[...] }
            file.add(line, number: index + 1)
        }
        return file
    }

    private mutating func add(_ line: Substring, number: Int) {
        guard let equals = line.firstIndex(of: "=") else {
            problems.append("\(path):\(number): not KEY=value")
            return
        }
        let key = ValueParser.trimmed(line[..<equals])
        guard !key.isEmpty, key.utf8.allSatisfy({ Self.isKeyByte($0) }) else {
            problems.append("\(path):\(number): \"\(key)\" is not a name of letters, digits and underscores")
            return
        }
        guard let value = Self.unquote(ValueParser.trimmed(line[line.index(after: equals)...])) else {
            problems.append("\(path):\(number): the quotes of \(key) do not match")
            return
        }
        guard values.updateValue(value, forKey: key) == nil else {
            problems.append("\(path):\(number): \(key) is set a second time")
            return
        }
        lines.append((key, number))
    }

    private static func isKeyByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    /// An unquoted value ends where ` #` begins.
    private static func withoutComment(_ text: String) -> String {
        var previous: Character?
        for index in text.indices {
            if text[index] == "#", previous == " " || previous == "\t" { return ValueParser.trimmed(text[..<index]) }
            previous = text[index]
        }
        return text
    }

    private static func unquote(_ text: String) -> String? {
        guard let quote = text.first, quote == "'" || quote == "\"" else {
            return withoutComment(text)
        }
        var value = ""
        var escaped = false
        var rest = text.dropFirst()
        while let character = rest.popFirst() {
            if escaped {
                switch character {
                case "n": value.append("\n")
                case "t": value.append("\t")
                case "\"", "\\", "$": value.append(character)
                default: value.append("\\\(character)")
                }
                escaped = false
            } else if character == "\\" && quote == "\"" {
                escaped = true
            } else if character == quote {
                let tail = ValueParser.trimmed(rest)
                return tail.isEmpty || tail.hasPrefix("#") ? value : nil
            } else {
                value.append(character)
            }
        }
        return nil
    }
}

/// Small text files: settings and secrets.
enum TextFile {
    /// Reads a whole file of at most `limit` bytes.
    /// Throws `INVALID_CONFIGURATION` when it is not there, too large or not UTF-8.
    static func read(_ path: String, limit: Int) throws(HarbourError) -> String {
        guard let text = String(validating: try bytes(of: path, limit: limit), as: UTF8.self) else {
            throw HarbourError(.invalidConfiguration, "\(path) is not UTF-8 text.")
        }
        return text
    }

    static func bytes(of path: String, limit: Int) throws(HarbourError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw HarbourError(
                .invalidConfiguration, "\(path) cannot be opened: \(String(cString: strerror(errno))).")
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else {
                throw HarbourError(
                    .invalidConfiguration, "\(path) cannot be read: \(String(cString: strerror(errno))).")
            }
            if count == 0 { break }
            bytes += chunk[..<count]
            guard bytes.count <= limit else {
                throw HarbourError(.invalidConfiguration, "\(path) is larger than \(limit) bytes.")
            }
        }
        return bytes
    }
}

/// The environment this process was started with.
public enum ProcessEnvironment {
    /// All variables as of the process's start; bytes that are not UTF-8 are replaced.
    public static var current: [String: String] {
        var values: [String: String] = [:]
        // Only a machine without /proc fails here, and there no variable can be told.
        guard let bytes = try? TextFile.bytes(of: "/proc/self/environ", limit: 16 << 20) else { return [:] }
        for entry in bytes.split(separator: 0) {
            guard let equals = entry.firstIndex(of: UInt8(ascii: "=")) else { continue }
            values[String(decoding: entry[..<equals], as: UTF8.self)] =
                String(decoding: entry[(equals + 1)...], as: UTF8.self)
        }
        return values
    }
}
