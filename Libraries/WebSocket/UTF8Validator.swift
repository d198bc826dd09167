/// Checks UTF-8 that comes in pieces (Unicode 15 table 3-7): no overlong forms, no surrogates, nothing above U+10FFFF.
struct UTF8Validator {
    /// Continuation bytes that must still come.
    private var missing = 0
    /// What the next one may be; narrower than 80..BF after some first bytes.
    private var lower: UInt8 = 0x80
    private var upper: UInt8 = 0xbf

    /// Whether no character is cut off at this point.
    var isComplete: Bool { missing == 0 }

    /// Takes more bytes; false as soon as no continuation could make them valid.
    mutating func accept(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        let raw = UnsafeRawBufferPointer(bytes)
        var index = 0
        while index < raw.count {
            // Most text is mostly ASCII: eight bytes at a time while no character is open.
            while missing == 0, index + 8 <= raw.count,
                raw.loadUnaligned(fromByteOffset: index, as: UInt64.self) & 0x8080_8080_8080_8080 == 0
            {
                index += 8
            }
            guard index < raw.count else { return true }
            guard accept(raw[index]) else { return false }
            index += 1
        }
        return true
    }

    @inline(__always)
    private mutating func accept(_ byte: UInt8) -> Bool {
        if missing == 0 { return byte < 0x80 || begin(byte) }
        guard byte >= lower, byte <= upper else { return false }
        missing -= 1
        lower = 0x80
        upper = 0xbf
        return true
    }

    private mutating func begin(_ byte: UInt8) -> Bool {
        switch byte {
        case 0xc2...0xdf: missing = 1
        case 0xe0...0xef:
            missing = 2
            if byte == 0xe0 { lower = 0xa0 }
            if byte == 0xed { upper = 0x9f }
        case 0xf0...0xf4:
            missing = 3
            if byte == 0xf0 { lower = 0x90 }
            if byte == 0xf4 { upper = 0x8f }
        default: return false
        }
        return true
    }
}
