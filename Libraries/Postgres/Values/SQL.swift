/// A statement with its arguments. What is interpolated is bound, never pasted, so outside text cannot become SQL:
///
///     let rows = try await pool.query("SELECT name FROM jobs WHERE job_id = \(id)")
///
/// A `String` cannot become a statement by accident; names are quoted with `\(identifier:)`, and text that the program
/// itself vouches for is pasted with `\(unescaped:)`.
public struct SQL: ExpressibleByStringInterpolation, Sendable {
    /// The statement as the server sees it, arguments as `$1`, `$2`, ...
    public private(set) var text: String
    /// The values of the arguments.
    var arguments = PostgresArguments()
    /// Where in `text` each argument's mark begins, in bytes, so that a statement can be embedded in another.
    private var marks: [Int] = []

    /// A statement without arguments from a literal of the program's.
    public init(stringLiteral text: String) { self.text = text }

    /// A statement with arguments.
    public init(stringInterpolation interpolation: Interpolation) { self = interpolation.statement }

    /// A statement from text that the program vouches for, such as a file of its own.
    public init(unescaped text: String) { self.text = text }

    /// Several statements' parts with a separator between them, such as conditions with ` AND `.
    public static func joined(_ parts: [SQL], separator: SQL) -> SQL {
        var result = SQL(unescaped: "")
        for (index, part) in parts.enumerated() {
            if index > 0 { result.append(separator) }
            result.append(part)
        }
        return result
    }

    /// A name in double quotes, whatever characters it holds.
    public static func identifier(_ name: String) -> SQL { SQL(unescaped: quoted(name)) }

    static func quoted(_ name: String) -> String {
        var quoted = "\""
        for scalar in name.unicodeScalars {
            if scalar == "\"" { quoted += "\"" }
            // PostgreSQL knows no zero byte; left in, it would end the statement early.
            if scalar != "\0" { quoted.unicodeScalars.append(scalar) }
        }
        return quoted + "\""
    }

    mutating func append(_ other: SQL) {
        var rest = Substring(other.text).utf8
        var done = 0
        for (index, mark) in other.marks.enumerated() {
            text += String(Substring(rest.prefix(mark - done)))
            let old = 1 + String(index + 1).utf8.count
            rest = rest.dropFirst(mark - done + old)
            done = mark + old
            markArgument()
            arguments.copy(index, of: other.arguments)
        }
        text += String(Substring(rest))
    }

    /// Most statements need no more, and making a number into text costs more than all else about an argument.
    private static let firstMarks = (0..<16).map { "$\($0)" }

    private mutating func markArgument() {
        marks.append(text.utf8.count)
        text += marks.count < SQL.firstMarks.count ? SQL.firstMarks[marks.count] : "$\(marks.count)"
    }

    /// Collects the parts of an interpolated statement.
    public struct Interpolation: StringInterpolationProtocol {
        fileprivate var statement = SQL(unescaped: "")

        /// Makes an empty statement.
        public init(literalCapacity: Int, interpolationCount: Int) {
            statement.text.reserveCapacity(literalCapacity + interpolationCount * 2)
        }

        /// Text of the program's own.
        public mutating func appendLiteral(_ literal: String) { statement.text += literal }

        /// Binds a value.
        public mutating func appendInterpolation(_ value: some PostgresEncodable) {
            statement.markArgument()
            statement.arguments.append(value)
        }

        /// Binds a value or NULL.
        public mutating func appendInterpolation<Value: PostgresEncodable>(_ value: Value?) {
            statement.markArgument()
            if let value {
                statement.arguments.append(value)
            } else {
                statement.arguments.appendNull(Value.postgresType)
            }
        }

        /// Embeds a part of a statement with its arguments.
        public mutating func appendInterpolation(_ part: SQL) { statement.append(part) }

        /// A name in double quotes.
        public mutating func appendInterpolation(identifier: String) { statement.text += SQL.quoted(identifier) }

        /// Text that the program vouches for, pasted as it is.
        public mutating func appendInterpolation(unescaped: String) { statement.text += unescaped }
    }

    /// How interpolated statements are built.
    public typealias StringInterpolation = Interpolation

    /// Whether the statement can only read, as far as its text shows without a parser: it begins with SELECT, calls
    /// nothing (a function might write) and locks nothing. Such statements may share a Sync with others.
    var isPlainRead: Bool {
        var copy = text
        return copy.withUTF8 { bytes in
            var start = 0
            while start < bytes.count, bytes[start] == 0x20 || bytes[start] == 0x0a { start += 1 }
            guard SQL.word("select", in: bytes, at: start) else { return false }
            for index in start..<bytes.count {
                switch bytes[index] {
                case UInt8(ascii: "("), UInt8(ascii: ";"): return false
                case 0x20, 0x0a, 0x09:
                    if SQL.word("for", in: bytes, at: index + 1) || SQL.word("into", in: bytes, at: index + 1) {
                        return false
                    }
                default: continue
                }
            }
            return true
        }
    }

    /// Whether the statement is a COPY, which needs a connection of its own protocol state.
    var isCopy: Bool {
        var copy = text
        return copy.withUTF8 { bytes in
            let start = bytes.firstIndex { $0 > 0x20 } ?? 0
            return SQL.word("copy", in: bytes, at: start)
        }
    }

    /// Whether this lower-case word stands at the offset in any case.
    private static func word(_ word: StaticString, in bytes: UnsafeBufferPointer<UInt8>, at offset: Int) -> Bool {
        guard bytes.count - offset >= word.utf8CodeUnitCount else { return false }
        for index in 0..<word.utf8CodeUnitCount where bytes[offset + index] | 0x20 != word.utf8Start[index] {
            return false
        }
        return true
    }
}
