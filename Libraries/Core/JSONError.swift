/// Why bytes are not the JSON that was asked for, and where.
public struct JSONError: Error, Sendable, Hashable {
    /// The kinds of refusal.
    public enum Code: Sendable, Hashable {
        /// Not JSON: a character that cannot be there.
        case syntax
        /// The bytes end inside a value.
        case unexpectedEnd
        /// A string is not UTF-8, or an escape names half a surrogate pair.
        case invalidText
        /// A number is not written as RFC 8259 section 6 says.
        case invalidNumber
        /// Nested deeper than the limit.
        case tooDeep
        /// Bytes follow the value.
        case trailingBytes
        /// A key appears twice in one object.
        case duplicateKey
        /// A value of another type was expected.
        case wrongType
        /// A required field is not there.
        case missingField
        /// The object may not have this field.
        case unknownField
        /// The value is outside its limits, or not one of those allowed.
        case invalidValue
    }

    /// The kind of refusal.
    public var code: Code
    /// Bytes from the start of the document to what is refused.
    public var offset: Int
    /// The field, as in `tasks[2].name`; empty for the document itself.
    public var path = ""
    /// What is wrong: the end of a sentence that starts with the field, or for broken JSON what was expected.
    public var message: String

    /// Makes an error; the path is found by `located(in:)`.
    public init(_ code: Code, at offset: Int, _ message: String) {
        self.code = code
        self.offset = offset
        self.message = message
    }

    /// Whether the bytes are not JSON at all, rather than JSON of another shape.
    public var isBroken: Bool {
        switch code {
        case .syntax, .unexpectedEnd, .invalidText, .invalidNumber, .tooDeep, .trailingBytes: true
        case .duplicateKey, .wrongType, .missingField, .unknownField, .invalidValue: false
        }
    }

    /// The same error with the path of its field, found by reading the document again up to the offset.
    ///
    /// Readers need not keep track of where they are, because nobody pays for the path but a caller in error.
    public func located(in bytes: UnsafeBufferPointer<UInt8>) -> JSONError {
        var located = self
        located.path = JSONPath.find(offset: offset, in: bytes)
        return located
    }

    /// The error for a user; `subject` says what the document is: "request body".
    public func harbourError(code: ErrorCode = .malformedRequest, subject: String = "body") -> HarbourError {
        HarbourError(code, sentence(subject: subject), detail: "byte \(offset)")
    }

    private func sentence(subject: String) -> String {
        if isBroken { return "The \(subject) is not valid JSON: at byte \(offset), \(message)." }
        return path.isEmpty ? "The \(subject) \(message)." : "The field `\(path)` of the \(subject) \(message)."
    }
}

extension JSONError: CustomStringConvertible {
    /// The sentence for the user.
    public var description: String { sentence(subject: "document") }
}

/// Finds out which field an offset belongs to, in a document that is sound up to there.
enum JSONPath {
    private enum Level {
        case object(key: String)
        case array(index: Int)
    }

    /// Keys of outside documents are shortened to this many characters, so that an error stays a sentence.
    private static let longestKey = 64

    static func find(offset: Int, in bytes: UnsafeBufferPointer<UInt8>) -> String {
        var levels: [Level] = []
        var index = 0
        var expectsKey = false
        while index < min(offset, bytes.count) {
            switch bytes[index] {
            case UInt8(ascii: "{"):
                levels.append(.object(key: ""))
                expectsKey = true
            case UInt8(ascii: "["):
                levels.append(.array(index: 0))
                expectsKey = false
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                _ = levels.popLast()
                expectsKey = false
            case UInt8(ascii: ","):
                switch levels.popLast() {
                case .array(let position): levels.append(.array(index: position + 1))
                case .object:
                    levels.append(.object(key: ""))
                    expectsKey = true
                case nil: break
                }
            case UInt8(ascii: "\""):
                let end = stringEnd(from: index, in: bytes)
                if expectsKey, end <= offset, case .object = levels.last {
                    levels[levels.count - 1] = .object(key: name(bytes[index + 1..<max(index + 1, end - 1)]))
                    expectsKey = false
                }
                index = end - 1
            default: break
            }
            index += 1
        }
        // A closing brace stands for its whole object, not for the object's last field.
        if offset < bytes.count, bytes[offset] == UInt8(ascii: "}"), case .object = levels.last {
            levels[levels.count - 1] = .object(key: "")
        }
        return text(levels)
    }

    /// The index after the closing quote, or the end of the bytes.
    private static func stringEnd(from start: Int, in bytes: UnsafeBufferPointer<UInt8>) -> Int {
        var index = start + 1
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "\"") { return index + 1 }
            index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1
        }
        return bytes.count
    }

    private static func name(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) -> String {
        let text = String(decoding: bytes, as: UTF8.self)
        return text.count > longestKey ? text.prefix(longestKey) + "…" : text
    }

    private static func text(_ levels: [Level]) -> String {
        var path = ""
        for level in levels {
            switch level {
            case .array(let index): path += "[\(index)]"
            case .object(let key):
                if key.isEmpty { continue }
                if !path.isEmpty { path += "." }
                path += key
            }
        }
        return path
    }
}
