// How JSONReader reads strings, words and whole numbers, and what it says about fields.

/// Where a string stands, without its quotes.
struct JSONTextRange {
    let start: Int
    let count: Int
    let hasEscapes: Bool
    let isASCII: Bool
}

extension JSONReader {
    // MARK: Values

    /// Reads a string.
    public mutating func string() throws(JSONError) -> String {
        guard try next() == 0x22 else { throw try wrongType("a string") }
        return try text(try scanQuoted())
    }

    /// Reads a string whose length, counted in Unicode scalars as JSON Schema does, is within the limits.
    public mutating func string(length limits: ClosedRange<Int>) throws(JSONError) -> String {
        guard try next() == 0x22 else { throw try wrongType("a string") }
        let start = position
        let range = try scanQuoted()
        let text = try text(range)
        // Scalars are never more than bytes, so most strings need no counting.
        let bytes = range.hasEscapes ? text.utf8.count : range.count
        if bytes <= limits.upperBound, limits.lowerBound == 0 || (limits.lowerBound == 1 && bytes > 0) { return text }
        try check(text, length: limits, at: start)
        return text
    }

    @inline(never)
    private func check(_ text: String, length limits: ClosedRange<Int>, at start: Int) throws(JSONError) {
        let length = text.unicodeScalars.count
        if limits.contains(length) { return }
        if length < limits.lowerBound {
            let expected = limits.lowerBound == 1 ? "must not be empty" : "must have \(limits.lowerBound) characters"
            throw JSONError(.invalidValue, at: start, expected)
        }
        throw JSONError(
            .invalidValue, at: start, "must have at most \(limits.upperBound) characters, and has \(length)")
    }

    /// The string that stands there, its escapes undone.
    @inline(__always)
    private func text(_ range: JSONTextRange) throws(JSONError) -> String {
        if range.hasEscapes { return try unescapedText(range) }
        // The scan has checked the bytes; String would check them again.
        let bytes = UnsafeBufferPointer(start: base + range.start, count: range.count)
        return String(copying: UTF8Span(unchecked: bytes.span, isKnownASCII: range.isASCII))
    }

    /// Reads `true` or `false`.
    public mutating func bool() throws(JSONError) -> Bool {
        switch try next() {
        case 0x74:
            try word("true")
            return true
        case 0x66:
            try word("false")
            return false
        default: throw try wrongType("true or false")
        }
    }

    /// Reads over a null; false, and nothing read, when something else comes next.
    @inlinable @inline(__always)
    public mutating func null() throws(JSONError) -> Bool {
        // Most values are another, and nothing stands before them.
        if position < count, base[position] > 0x20, base[position] != 0x6e { return false }
        return try isNull()
    }

    @usableFromInline @inline(never)
    mutating func isNull() throws(JSONError) -> Bool {
        guard try next() == 0x6e else { return false }
        try word("null")
        return true
    }

    /// Reads a whole number of 64 bits, written without fraction and exponent.
    public mutating func int64() throws(JSONError) -> Int64 {
        let first = try next()
        guard first == 0x2d || first &- 0x30 < 10 else { throw try wrongType("a whole number") }
        let start = position
        if first == 0x2d { position &+= 1 }
        let firstDigit = position
        var magnitude: UInt64 = 0
        while position < count {
            let digit = base[position] &- 0x30
            guard digit < 10, position &- firstDigit < 19 else { break }
            magnitude = magnitude &* 10 &+ UInt64(digit)
            position &+= 1
        }
        let digits = position &- firstDigit
        let more = position < count ? base[position] : 0x2c
        // Everything unusual is first checked as a number, so that what is no number is called that.
        let unusual = digits == 0 || (digits > 1 && base[firstDigit] == 0x30) || more &- 0x30 < 10 || more == 0x2e
        guard !unusual, more | 0x20 != 0x65 else { throw try notWhole(from: start) }
        if first == 0x2d {
            guard magnitude <= UInt64(Int64.max) + 1 else { throw try notWhole(from: start) }
            return Int64(truncatingIfNeeded: 0 &- magnitude)
        }
        guard magnitude <= UInt64(Int64.max) else { throw try notWhole(from: start) }
        return Int64(truncatingIfNeeded: magnitude)
    }

    /// Reads a whole number within the limits.
    public mutating func int64(in limits: ClosedRange<Int64>) throws(JSONError) -> Int64 {
        _ = try next()
        let start = position
        let value = try int64()
        guard limits.contains(value) else {
            throw JSONError(.invalidValue, at: start, JSONReader.rangeMessage(limits, value))
        }
        return value
    }

    /// Reads a whole number of 64 bits.
    public mutating func int() throws(JSONError) -> Int { Int(try int64()) }

    /// Reads a whole number within the limits.
    public mutating func int(in limits: ClosedRange<Int>) throws(JSONError) -> Int {
        Int(try int64(in: Int64(limits.lowerBound)...Int64(limits.upperBound)))
    }

    static func rangeMessage(_ limits: ClosedRange<Int64>, _ value: Int64) -> String {
        if limits.upperBound == .max { return "must be at least \(limits.lowerBound), and is \(value)" }
        if limits.lowerBound == .min { return "must be at most \(limits.upperBound), and is \(value)" }
        return "must be from \(limits.lowerBound) to \(limits.upperBound), and is \(value)"
    }

    @inline(never)
    private mutating func notWhole(from start: Int) throws(JSONError) -> JSONError {
        position = start
        _ = try scanNumber()
        return JSONError(.wrongType, at: start, "must be a whole number of 64 bits, without fraction or exponent")
    }

    // MARK: Fields

    /// Notes that a field has been read, by its bit.
    /// - Throws: `duplicateKey` when it has been read before.
    @inlinable @inline(__always)
    public func once(_ bit: UInt64, _ seen: inout UInt64) throws(JSONError) {
        guard seen & bit == 0 else { throw duplicateKey() }
        seen |= bit
    }

    /// The error for a key that stands in its object a second time; call it right after `key()`.
    @inline(never)
    public func duplicateKey() -> JSONError {
        duplicateKey(at: keyOffset)
    }

    /// The same for a key that started at that offset.
    @usableFromInline func duplicateKey(at offset: Int) -> JSONError {
        JSONError(.duplicateKey, at: offset, "has the key `\(keyText(at: offset))` twice")
    }

    /// The error for a key that the object may not have; call it right after `key()`.
    @inline(never)
    public func unknownField() -> JSONError {
        JSONError(.unknownField, at: keyOffset, "has the unknown field `\(keyText(at: keyOffset))`")
    }

    /// The error for a field that should have been in the object that has just been left.
    @inline(never)
    public func missingField(_ name: StaticString) -> JSONError {
        JSONError(.missingField, at: max(position &- 1, 0), "has no `\(name)`, which is required")
    }

    /// The error for a value that is not allowed; call it right after reading a value that started at `offset`.
    public func invalidValue(at offset: Int, _ message: String) -> JSONError {
        JSONError(.invalidValue, at: offset, message)
    }

    private func keyText(at offset: Int) -> String {
        var end = offset &+ 1
        while end < position, base[end] != 0x22 { end &+= base[end] == 0x5c ? 2 : 1 }
        let bytes = UnsafeBufferPointer(start: base + offset + 1, count: min(end, count) &- offset &- 1)
        return String(String(decoding: bytes, as: UTF8.self).prefix(64))
    }

    // MARK: Inside

    private mutating func word(_ text: StaticString) throws(JSONError) {
        guard JSONKey(base: base + position, count: min(text.utf8CodeUnitCount, count &- position)).matches(text)
        else {
            throw unexpected("`\(text)` was expected")
        }
        position &+= text.utf8CodeUnitCount
    }

    /// Reads over a string, whose quote comes next, and checks all but its escapes.
    mutating func scanString() throws(JSONError) -> JSONTextRange { try scanQuoted() }

    /// The same in place, for the readers that are called most.
    @inline(__always)
    private mutating func scanQuoted() throws(JSONError) -> JSONTextRange {
        let start = position &+ 1
        position = start
        var hasEscapes = false
        var seen: UInt64 = 0
        while true {
            while position &+ 8 <= count {
                let word = UnsafeRawPointer(base + position).loadUnaligned(as: UInt64.self)
                let special = JSONScan.special(word)
                if special != 0 {
                    let plain = special.trailingZeroBitCount & 0x38
                    seen |= word & (1 << UInt64(truncatingIfNeeded: plain) &- 1)
                    position &+= plain >> 3
                    break
                }
                seen |= word
                position &+= 8
            }
            guard position < count else { throw ended() }
            let byte = base[position]
            if byte == 0x22 { break }
            if byte < 0x20 { throw unexpected("a control character inside a string must be escaped") }
            if byte == 0x5c {
                hasEscapes = true
                // The escaped character is stepped over; the end of the text is found by the next round.
                position &+= 1
            }
            if position < count { seen |= UInt64(base[position]) }
            position &+= 1
        }
        let isASCII = seen & JSONScan.highBits == 0
        let text = JSONTextRange(
            start: start, count: position &- start, hasEscapes: hasEscapes, isASCII: isASCII)
        position &+= 1
        if !isASCII {
            let bytes = UnsafeBufferPointer(start: base + start, count: text.count)
            if let wrong = UTF8Check.firstInvalid(bytes) {
                throw JSONError(.invalidText, at: start &+ wrong, "a string is not UTF-8")
            }
        }
        return text
    }
}
