// Escapes of strings, and UTF-8.

extension JSONReader {
    /// The bytes of a string with its escapes undone (RFC 8259 section 7).
    @inline(never)
    func unescape(_ text: JSONTextRange) throws(JSONError) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        var index = text.start
        let end = text.start &+ text.count
        while index < end {
            var plain = index
            while plain < end, base[plain] != 0x5c { plain &+= 1 }
            if plain > index {
                bytes.append(contentsOf: UnsafeBufferPointer(start: base + index, count: plain &- index))
                index = plain
                continue
            }
            guard index &+ 1 < end else { throw JSONError(.syntax, at: index, "an escape was not finished") }
            switch base[index &+ 1] {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): bytes.append(base[index &+ 1])
            case UInt8(ascii: "b"): bytes.append(0x08)
            case UInt8(ascii: "f"): bytes.append(0x0c)
            case UInt8(ascii: "n"): bytes.append(0x0a)
            case UInt8(ascii: "r"): bytes.append(0x0d)
            case UInt8(ascii: "t"): bytes.append(0x09)
            case UInt8(ascii: "u"):
                index = try unescapeUnicode(at: index, end: end, into: &bytes)
                continue
            default:
                throw JSONError(.syntax, at: index, "an escape is not one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u")
            }
            index &+= 2
        }
        return bytes
    }

    /// A string with its escapes undone.
    @inline(never)
    func unescapedText(_ text: JSONTextRange) throws(JSONError) -> String {
        // The bytes were checked, and escapes stand for whole characters.
        let bytes = try unescape(text)
        return String(copying: UTF8Span(unchecked: bytes.span))
    }

    /// Undoes `\uXXXX`, or two of them that are a surrogate pair; the index after it.
    private func unescapeUnicode(at index: Int, end: Int, into bytes: inout [UInt8]) throws(JSONError) -> Int {
        let unit = try hexadecimal(at: index, end: end)
        var value = UInt32(unit)
        var after = index &+ 6
        if unit & 0xf800 == 0xd800 {
            guard unit < 0xdc00, after &+ 1 < end, base[after] == 0x5c, base[after &+ 1] == UInt8(ascii: "u") else {
                throw JSONError(.invalidText, at: index, "an escape is half of a surrogate pair")
            }
            let low = try hexadecimal(at: after, end: end)
            guard low & 0xfc00 == 0xdc00 else {
                throw JSONError(.invalidText, at: index, "an escape is half of a surrogate pair")
            }
            value = 0x10000 + (UInt32(unit) & 0x3ff) << 10 + UInt32(low) & 0x3ff
            after &+= 6
        }
        guard let scalar = Unicode.Scalar(value) else {
            throw JSONError(.invalidText, at: index, "an escape is not a character")
        }
        bytes.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
        return after
    }

    private func hexadecimal(at index: Int, end: Int) throws(JSONError) -> UInt16 {
        guard index &+ 6 <= end else { throw JSONError(.syntax, at: index, "four hexadecimal digits were expected") }
        var value: UInt16 = 0
        for offset in 2..<6 {
            let byte = base[index &+ offset]
            let letter = (byte | 0x20) &- UInt8(ascii: "a")
            let digit = byte &- 0x30
            guard digit < 10 || letter < 6 else {
                throw JSONError(.syntax, at: index, "four hexadecimal digits were expected")
            }
            value = value << 4 | UInt16(digit < 10 ? digit : letter + 10)
        }
        return value
    }
}

/// Checks UTF-8 as RFC 3629 defines it: no overlong forms, no surrogates, nothing over U+10FFFF.
public enum UTF8Check {
    /// The index of the first byte of the first sequence that is wrong, or nil.
    public static func firstInvalid(_ bytes: UnsafeBufferPointer<UInt8>) -> Int? {
        guard let base = bytes.baseAddress else { return nil }
        let count = bytes.count
        var index = 0
        while index < count {
            if index &+ 8 <= count {
                let word = UnsafeRawPointer(base + index).loadUnaligned(as: UInt64.self)
                if word & JSONScan.highBits == 0 {
                    index &+= 8
                    continue
                }
            }
            let lead = base[index]
            if lead < 0x80 {
                index &+= 1
                continue
            }
            let length = sequenceLength(lead)
            guard length > 0, index &+ length <= count else { return index }
            // The second byte carries the limits against overlong forms, surrogates and too large values.
            let lowest: UInt8 = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80
            let highest: UInt8 = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf
            guard base[index &+ 1] >= lowest, base[index &+ 1] <= highest else { return index }
            for offset in 2..<max(length, 2) where base[index &+ offset] & 0xc0 != 0x80 { return index }
            index &+= length
        }
        return nil
    }

    /// Bytes in a sequence with that first byte; 0 when none starts with it.
    private static func sequenceLength(_ lead: UInt8) -> Int {
        switch lead {
        case 0xc2...0xdf: 2
        case 0xe0...0xef: 3
        case 0xf0...0xf4: 4
        default: 0
        }
    }
}
