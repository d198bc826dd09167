internal import CLZ4
public import Core

extension ErrorCode {
    /// Something that was stored cannot be read back.
    public static let dataCorrupted = ErrorCode("DATA_CORRUPTED", status: 500)
}

/// LZ4 frames (LZ4 Frame Format Description 1.6): what the platform stores compressed, readable by the `lz4` tool.
public enum LZ4Frame {
    /// Compresses into one frame that carries the content's size and its checksum.
    ///
    /// Level 0 is fast; 3 to 12 trade time for size.
    public static func compress(_ bytes: [UInt8], level: Int = 0) -> [UInt8] {
        var preferences = LZ4F_preferences_t()
        preferences.frameInfo.contentSize = UInt64(bytes.count)
        preferences.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled
        preferences.frameInfo.blockMode = LZ4F_blockLinked
        preferences.compressionLevel = Int32(clamping: level)
        let bound = LZ4F_compressFrameBound(bytes.count, &preferences)
        return [UInt8](unsafeUninitializedCapacity: bound) { target, count in
            let written = bytes.withUnsafeBytes { source in
                LZ4F_compressFrame(target.baseAddress, bound, source.baseAddress, source.count, &preferences)
            }
            // It fails only for lack of room or memory, and the bound is room enough.
            precondition(LZ4F_isError(written) == 0, "compression ran out of memory")
            count = written
        }
    }

    /// Takes one or more whole frames and gives back what was compressed.
    ///
    /// No more than `limit` bytes may come out, because a small input can hold gigabytes. Throws `DATA_CORRUPTED` when the input is not a whole, undamaged frame; `REQUEST_TOO_LARGE` past the limit.
    public static func decompress(_ bytes: [UInt8], limit: Int) throws(HarbourError) -> [UInt8] {
        var decompressor = try FrameDecompressor(limit: limit)
        return try decompressor.run(bytes)
    }
}

/// Owner of a decompression context.
private struct FrameDecompressor: ~Copyable {
    private let context: OpaquePointer
    private let limit: Int

    init(limit: Int) throws(HarbourError) {
        var context: OpaquePointer?
        guard LZ4F_isError(LZ4F_createDecompressionContext(&context, UInt32(LZ4F_VERSION))) == 0, let context else {
            throw HarbourError(.unavailable, "There is no memory left to decompress with.")
        }
        self.context = context
        self.limit = limit
    }

    deinit { LZ4F_freeDecompressionContext(context) }

    mutating func run(_ bytes: [UInt8]) throws(HarbourError) -> [UInt8] {
        var output: [UInt8] = []
        var offset = 0
        var hint = 1
        let chunkSize = min(256 * 1024, max(4096, bytes.count * 4))
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: chunkSize, alignment: 64)
        defer { chunk.deallocate() }
        try reserve(&output, bytes)
        while true {
            var produced = chunk.count
            var consumed = bytes.count - offset
            hint = bytes.withUnsafeBytes { source in
                LZ4F_decompress(
                    context, chunk.baseAddress, &produced, source.baseAddress.map { $0 + offset }, &consumed, nil)
            }
            if LZ4F_isError(hint) != 0 {
                throw HarbourError(
                    .dataCorrupted, "Stored data is damaged and cannot be decompressed.",
                    detail: String(cString: LZ4F_getErrorName(hint)))
            }
            offset += consumed
            try append(&output, chunk, produced)
            // A full chunk may mean that more is waiting inside, unless the frame is complete.
            if offset == bytes.count && (hint == 0 || produced < chunk.count) { break }
            if consumed == 0 && produced == 0 { break }
        }
        guard hint == 0, offset == bytes.count else {
            throw HarbourError(
                .dataCorrupted, "Stored data ends too early and cannot be decompressed.",
                detail: "\(bytes.count) bytes in, \(output.count) out")
        }
        return output
    }

    /// The size in the header is a claim of the input's: it may refuse at once but never reserve more than a
    /// compressed byte can hold (255 times itself).
    private func reserve(_ output: inout [UInt8], _ bytes: [UInt8]) throws(HarbourError) {
        var info = LZ4F_frameInfo_t()
        var length = bytes.count
        let status = bytes.withUnsafeBytes { LZ4F_getFrameInfo(context, &info, $0.baseAddress, &length) }
        LZ4F_resetDecompressionContext(context)
        // A header that cannot be read is reported by the decompression that follows.
        if LZ4F_isError(status) != 0 { return }
        if info.contentSize > UInt64(limit) { throw tooLarge() }
        output.reserveCapacity(min(Int(info.contentSize), bytes.count * 255))
    }

    private func append(
        _ output: inout [UInt8], _ chunk: UnsafeMutableRawBufferPointer, _ count: Int
    ) throws(HarbourError) {
        if output.count + count > limit { throw tooLarge() }
        output.append(contentsOf: UnsafeRawBufferPointer(chunk)[..<count])
    }

    private func tooLarge() -> HarbourError {
        HarbourError(.tooLarge, "Stored data is larger than the \(limit) bytes that are allowed here.")
    }
}
