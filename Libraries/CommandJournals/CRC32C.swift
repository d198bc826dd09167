/// The checksum of journal records: CRC-32C (Castagnoli, RFC 3720 appendix B.4), by table.
public enum CRC32C {
    private static let table: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { value, _ in value & 1 == 1 ? (value >> 1) ^ 0x82f6_3b78 : value >> 1 }
    }

    /// The checksum of the bytes. Over pointers and not any sequence, which costs a debug build ten times as much.
    public static func checksum(_ bytes: [UInt8]) -> UInt32 {
        bytes.withUnsafeBufferPointer { bytes in
            table.withUnsafeBufferPointer { table in
                var value: UInt32 = 0xffff_ffff
                var index = 0
                while index < bytes.count {
                    value = table[Int((value ^ UInt32(bytes[index])) & 0xff)] ^ (value >> 8)
                    index += 1
                }
                return ~value
            }
        }
    }
}
