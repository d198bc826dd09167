/// In what a text is written, as far as its bytes tell.
///
/// What a UTF-8 text begins with may be cut in the middle of a character.
enum TextEncoding: String, Sendable {
    case utf8 = "UTF-8"
    /// With the mark at its beginning, as spreadsheets save "Unicode text".
    case utf16LittleEndian = "UTF-16LE"
    case utf16BigEndian = "UTF-16BE"
    /// What Windows programs of western Europe and America write without being asked.
    case windows1252 = "windows-1252"

    /// How much is looked at.
    private static let sampled = 1 << 20

    /// - Parameter isWhole: whether nothing follows these bytes.
    /// - Returns: nil for what is no text.
    static func of(_ bytes: [UInt8], isWhole: Bool) -> TextEncoding? {
        if bytes.starts(with: [0xff, 0xfe]) { return .utf16LittleEndian }
        if bytes.starts(with: [0xfe, 0xff]) { return .utf16BigEndian }
        if bytes.contains(0) { return nil }
        let sample = bytes.prefix(sampled)
        let isCut = !isWhole || sample.count < bytes.count
        for cut in 0...(isCut ? min(3, sample.count) : 0)
        where String(validating: sample.dropLast(cut), as: UTF8.self) != nil { return .utf8 }
        // Programs and pictures have bytes that no text of one has.
        return sample.allSatisfy(isOfWindowsText) ? .windows1252 : nil
    }

    private static func isOfWindowsText(_ byte: UInt8) -> Bool {
        byte >= 0x80 ? Windows1252[byte] != 0xfffd : byte >= 0x20 || [0x09, 0x0a, 0x0c, 0x0d].contains(byte)
    }

    /// The text in UTF-8.
    func utf8(_ bytes: [UInt8]) -> [UInt8] {
        switch self {
        case .utf8: return bytes
        case .utf16LittleEndian: return TextEncoding.utf8(bytes, high: 1)
        case .utf16BigEndian: return TextEncoding.utf8(bytes, high: 0)
        case .windows1252:
            var text = String.UnicodeScalarView()
            for byte in bytes { text.append(Unicode.Scalar(Windows1252[byte]) ?? "\u{fffd}") }
            return Array(String(text).utf8)
        }
    }

    /// - Parameter high: the place of the upper half in each pair of bytes.
    private static func utf8(_ bytes: [UInt8], high: Int) -> [UInt8] {
        // Without the mark; the end may be in the middle of a pair.
        let units = stride(from: 2, to: bytes.count - 1, by: 2).map { place in
            UInt16(bytes[place + high]) << 8 | UInt16(bytes[place + 1 - high])
        }
        return Array(String(decoding: units, as: UTF16.self).utf8)
    }

    /// The index of windows-1252 (https://encoding.spec.whatwg.org/#index-windows-1252): bytes are code points of their own
    /// number but for these 32. What stands for nothing is a replacement here, so that such bytes are no text.
    private enum Windows1252 {
        private static let upper: [UInt16] = [
            0x20ac, 0xfffd, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
            0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0xfffd, 0x017d, 0xfffd,
            0xfffd, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
            0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0xfffd, 0x017e, 0x0178,
        ]

        static subscript(byte: UInt8) -> UInt16 {
            (0x80...0x9f).contains(byte) ? upper[Int(byte) - 0x80] : UInt16(byte)
        }
    }
}
