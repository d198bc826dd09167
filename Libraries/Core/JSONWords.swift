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

    /// Reads a string within the limits all of whose characters are among the letters.
    public mutating func string(length limits: ClosedRange<Int>, letters: JSONLetters) throws(JSONError) -> String {
        let start = try valueOffset()
        var text = try string(length: limits)
        guard text.withUTF8({ letters.contains($0) }) else {
            throw JSONError(.invalidValue, at: start, "must match \(letters.pattern)")
        }
        return text
    }
}

/// The one kind of regular expression that the contract uses: one class of ASCII characters, anchored, as in
/// `^[A-Za-z0-9_-]+$`.
public struct JSONLetters: Sendable, Hashable {
    /// The pattern, for messages.
    public let pattern: String
    /// A bit for each character below 64.
    public let low: UInt64
    /// A bit for each character from 64 to 127.
    public let high: UInt64

    /// Takes what `init(pattern:)` found before; written by the generator.
    public init(pattern: String, low: UInt64, high: UInt64) {
        self.pattern = pattern
        self.low = low
        self.high = high
    }

    /// Reads a pattern; nil when it is of another kind.
    public init?(pattern: String) {
        guard pattern.hasPrefix("^["), pattern.hasSuffix("]+$"), pattern.utf8.count > 5 else { return nil }
        let members = Array(pattern.utf8.dropFirst(2).dropLast(3))
        var bits: [UInt64] = [0, 0]
        var index = 0
        while index < members.count {
            let isRange = index + 2 < members.count && members[index + 1] == UInt8(ascii: "-")
            let last = isRange ? members[index + 2] : members[index]
            guard members[index] <= last, last < 0x80, !"[]^\\".utf8.contains(members[index]) else { return nil }
            for letter in members[index]...last { bits[Int(letter >> 6)] |= 1 << UInt64(letter & 63) }
            index += isRange ? 3 : 1
        }
        self.init(pattern: pattern, low: bits[0], high: bits[1])
    }

    /// Whether the text is made of these letters only, and is not empty.
    func contains(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        for byte in text {
            guard byte < 0x80, (byte < 64 ? low : high) >> UInt64(byte & 63) & 1 == 1 else { return false }
        }
        return !text.isEmpty
    }
}
