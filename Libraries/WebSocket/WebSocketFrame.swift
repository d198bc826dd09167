/// The kinds of frames (RFC 6455 section 5.2); the others are reserved.
enum WebSocketOpcode: UInt8 {
    case continuation = 0
    case text = 1
    case binary = 2
    case close = 8
    case ping = 9
    case pong = 10

    var isControl: Bool { rawValue >= 8 }
}

/// What stands before a frame's payload (RFC 6455 section 5.2).
struct WebSocketFrameHeader: Equatable {
    var isFinal: Bool
    var opcode: WebSocketOpcode
    var mask: (UInt8, UInt8, UInt8, UInt8)?
    var length: Int
    /// How many bytes the header itself has: 2 to 14.
    var size: Int

    static func == (left: Self, right: Self) -> Bool {
        left.isFinal == right.isFinal && left.opcode == right.opcode && left.length == right.length
            && left.size == right.size && (left.mask == nil) == (right.mask == nil)
    }

    enum Parsed {
        case header(WebSocketFrameHeader)
        case incomplete
        /// Says which rule is broken.
        case invalid(String)
    }

    /// Reads a header and checks every rule that can be checked without knowing the frames before.
    static func parse(_ bytes: UnsafeBufferPointer<UInt8>, from role: WebSocketRole) -> Parsed {
        guard bytes.count >= 2 else { return .incomplete }
        // No extension has been negotiated that would give these bits a meaning.
        if bytes[0] & 0x70 != 0 { return .invalid("a reserved bit is set") }
        guard let opcode = WebSocketOpcode(rawValue: bytes[0] & 0x0f) else {
            return .invalid("the frame is of a reserved kind")
        }
        let isFinal = bytes[0] & 0x80 != 0
        let isMasked = bytes[1] & 0x80 != 0
        if isMasked != (role == .client) {
            return .invalid(isMasked ? "a server's frame is masked" : "a client's frame is not masked")
        }
        let short = Int(bytes[1] & 0x7f)
        if opcode.isControl, !isFinal || short > 125 { return .invalid("a control frame is fragmented or too long") }
        let extra = short == 126 ? 2 : short == 127 ? 8 : 0
        let size = 2 + extra + (isMasked ? 4 : 0)
        guard bytes.count >= size else { return .incomplete }
        var length: UInt64 = extra == 0 ? UInt64(short) : 0
        for index in 2..<(2 + extra) { length = length << 8 | UInt64(bytes[index]) }
        let minimum: UInt64 = extra == 2 ? 126 : extra == 8 ? 65_536 : 0
        if length < minimum { return .invalid("a length is written with more bytes than it needs") }
        if length > UInt64(Int.max) { return .invalid("a length has its highest bit set") }
        var header = WebSocketFrameHeader(
            isFinal: isFinal, opcode: opcode, mask: nil, length: Int(length), size: size)
        if isMasked { header.mask = (bytes[size - 4], bytes[size - 3], bytes[size - 2], bytes[size - 1]) }
        return .header(header)
    }

    /// Appends a whole frame, masked when there is a mask.
    static func encode(
        _ opcode: WebSocketOpcode, _ payload: [UInt8], isFinal: Bool = true,
        mask: (UInt8, UInt8, UInt8, UInt8)?, to output: inout [UInt8]
    ) {
        output.reserveCapacity(output.count + payload.count + 14)
        output.append((isFinal ? 0x80 : 0) | opcode.rawValue)
        let maskBit: UInt8 = mask == nil ? 0 : 0x80
        switch payload.count {
        case ..<126: output.append(maskBit | UInt8(payload.count))
        case ..<65_536:
            output.append(maskBit | 126)
            appendBigEndian(UInt64(payload.count), 2, to: &output)
        default:
            output.append(maskBit | 127)
            appendBigEndian(UInt64(payload.count), 8, to: &output)
        }
        if let mask { output += [mask.0, mask.1, mask.2, mask.3] }
        let start = output.count
        output += payload
        if let mask { WebSocketMask.apply(mask, offset: 0, to: &output, from: start) }
    }

    private static func appendBigEndian(_ value: UInt64, _ count: Int, to output: inout [UInt8]) {
        for index in (0..<count).reversed() { output.append(UInt8(truncatingIfNeeded: value >> (index * 8))) }
    }
}

/// Masking and unmasking, which are the same (RFC 6455 section 5.3).
enum WebSocketMask {
    /// Changes the bytes from `start` on; `offset` is where in the frame's payload they begin.
    static func apply(
        _ mask: (UInt8, UInt8, UInt8, UInt8), offset: Int, to bytes: inout [UInt8], from start: Int
    ) {
        let keys = [mask.0, mask.1, mask.2, mask.3]
        var word: UInt64 = 0
        for index in 0..<8 { word |= UInt64(keys[(offset + index) & 3]) << (index * 8) }
        word = UInt64(littleEndian: word)
        bytes.withUnsafeMutableBytes { all in
            var index = start
            while index + 8 <= all.count {
                let value = all.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                all.storeBytes(of: value ^ word, toByteOffset: index, as: UInt64.self)
                index += 8
            }
            while index < all.count {
                all[index] ^= keys[(offset + index - start) & 3]
                index += 1
            }
        }
    }
}
