internal import COpenSSL

/// SHA-256 of bytes that come in pieces over a long time: what has been hashed so far is 40 bytes, which can be kept and
/// taken up again by another process.
public struct ResumableSHA256: Sendable, Hashable {
    /// The size of the blocks that SHA-256 is made of; all pieces but the last must be whole blocks.
    public static let blockSize = 64

    private var words: [UInt32]
    /// How many bytes have been hashed.
    public private(set) var count: Int

    /// Starts with no bytes.
    public init() {
        words = [UInt32](repeating: 0, count: 8)
        openssl_sha256_begin(&words)
        count = 0
    }

    /// Takes up what was kept.
    /// - Parameters:
    ///   - state: the 32 bytes of `state`.
    ///   - count: how many bytes they stand for.
    /// - Returns: nil when that is no state.
    public init?(state: [UInt8], count: Int) {
        guard state.count == 32, count >= 0, count % ResumableSHA256.blockSize == 0 else { return nil }
        words = (0..<8).map { word in
            (0..<4).reduce(0) { $0 << 8 | UInt32(state[word * 4 + $1]) }
        }
        self.count = count
    }

    /// What is to be kept, with `count`.
    public var state: [UInt8] {
        words.flatMap { word in [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> $0) } }
    }

    /// Adds whole blocks.
    public mutating func update(_ bytes: [UInt8]) {
        precondition(bytes.count % ResumableSHA256.blockSize == 0, "only the last piece may end within a block")
        openssl_sha256_blocks(&words, bytes, bytes.count)
        count += bytes.count
    }

    /// The digest of all bytes so far and the last ones; 32 bytes.
    public func digest(adding last: [UInt8] = []) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 32) { output, initialized in
            openssl_sha256_end(words, UInt64(count), last, last.count, output.baseAddress)
            initialized = 32
        }
    }
}
