// How JSONReader reads strings of which only some are allowed.

extension JSONReader {
    /// Reads a string and gives its bytes, unescaped, for the duration of the call: how words are told apart without
    /// making a String.
    public mutating func word<Value>(_ body: (JSONKey) -> Value) throws(JSONError) -> Value {
        guard try next() == 0x22 else { throw try wrongType("a string") }
        wordOffset = position
        let text = try scanString()
        guard text.hasEscapes else { return body(JSONKey(base: base + text.start, count: text.count)) }
        let nowhere = base
        return try unescape(text).withUnsafeBufferPointer { bytes in
            body(JSONKey(base: bytes.baseAddress ?? nowhere, count: bytes.count))
        }
    }

    /// Reads the one string that is allowed.
    public mutating func constant(_ text: StaticString) throws(JSONError) {
        guard try word({ $0.matches(text) }) else {
            throw JSONError(.invalidValue, at: wordOffset, "must be `\(text)`")
        }
    }

    /// The error for a word that is none of those allowed; call it right after `word`.
    @inline(never)
    public func unknownName(_ allowed: some Collection<some RawRepresentable<String>>) -> JSONError {
        let names = allowed.map(\.rawValue).joined(separator: ", ")
        return JSONError(.invalidValue, at: wordOffset, "must be one of \(names)")
    }

    /// Reads a string within the limits all of whose characters are of one class.
    /// The pattern is one class of ASCII characters and ranges, anchored, and nothing else: `^[A-Za-z0-9_-]+$`.
    public mutating func string(length limits: ClosedRange<Int>, pattern: StaticString) throws(JSONError) -> String {
        let start = try valueOffset()
        let text = try string(length: limits)
        guard JSONPattern.matches(text, pattern) else {
            throw JSONError(.invalidValue, at: start, "must match \(pattern)")
        }
        return text
    }
}

/// The one kind of regular expression that the contract uses.
public enum JSONPattern {
    /// Whether the pattern is of that kind.
    public static func isSupported(_ pattern: String) -> Bool {
        pattern.hasPrefix("^[") && pattern.hasSuffix("]+$") && pattern.utf8.count > 5
            && !pattern.dropFirst(2).dropLast(3).contains { "[]^\\".contains($0) }
    }

    /// Whether the text is made of the pattern's characters only, and not empty.
    public static func matches(_ text: String, _ pattern: StaticString) -> Bool {
        let letters = UnsafeBufferPointer(start: pattern.utf8Start, count: pattern.utf8CodeUnitCount)
        guard letters.count > 5, !text.isEmpty else { return false }
        let members = letters[2..<letters.count - 3]
        return text.utf8.allSatisfy { isMember($0, of: members) }
    }

    private static func isMember(_ byte: UInt8, of members: Slice<UnsafeBufferPointer<UInt8>>) -> Bool {
        var index = members.startIndex
        while index < members.endIndex {
            let isRange = index + 2 < members.endIndex && members[index + 1] == UInt8(ascii: "-")
            if isRange ? (members[index]...members[index + 2]).contains(byte) : members[index] == byte { return true }
            index += isRange ? 3 : 1
        }
        return false
    }
}
