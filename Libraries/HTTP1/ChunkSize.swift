internal import Core

/// The line before a chunk's data (RFC 9112 section 7.1).
enum ChunkSize {
    /// The size; extensions are checked and ignored.
    static func parse(_ line: UnsafeBufferPointer<UInt8>) throws(HarbourError) -> Int {
        var size = 0
        var digits = 0
        for byte in line {
            guard let value = hexadecimalValue(byte) else { break }
            digits += 1
            // Fifteen digits stay far below Int.max.
            guard digits <= 15 else { throw .malformed("a chunk's size has too many digits") }
            size = size << 4 | value
        }
        guard digits > 0 else { throw .malformed("a chunk does not begin with its size") }
        let extensions = line[digits...].drop { $0 == 0x20 || $0 == 0x09 }
        if extensions.isEmpty, digits == line.count { return size }
        guard extensions.first == UInt8(ascii: ";"),
            extensions.allSatisfy({ $0 >= 0x20 && $0 < 0x7f || $0 == 0x09 })
        else { throw .malformed("a chunk's size is followed by something that is no extension") }
        return size
    }

    private static func hexadecimalValue(_ byte: UInt8) -> Int? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(byte) - 0x30
        case UInt8(ascii: "a")...UInt8(ascii: "f"): Int(byte) - 0x57
        case UInt8(ascii: "A")...UInt8(ascii: "F"): Int(byte) - 0x37
        default: nil
        }
    }
}
