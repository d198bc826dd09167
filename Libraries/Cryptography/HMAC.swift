internal import COpenSSL

/// Keyed message authentication (RFC 2104).
public enum HMAC {
    /// HMAC with SHA-256 over the parts as if they were one: 32 bytes.
    public static func sha256(key: [UInt8], _ parts: [UInt8]...) -> [UInt8] { sha256(key: key, parts: parts) }

    /// HMAC with SHA-256 over the parts as if they were one: 32 bytes.
    public static func sha256(key: [UInt8], parts: [[UInt8]]) -> [UInt8] {
        let message = parts.count == 1 ? parts[0] : joined(parts)
        return [UInt8](unsafeUninitializedCapacity: 32) { output, count in
            // A nil key would mean "the key of the last call" (HMAC(3)); an empty one is a key like any other.
            let status = key.withUnsafeBytes { key in
                withUnsafeTemporaryAllocation(byteCount: 1, alignment: 1) { empty in
                    authenticate(key.baseAddress ?? UnsafeRawPointer(empty.baseAddress), key.count, message, output)
                }
            }
            precondition(status, "OpenSSL was built without a hash function that TLS needs")
            count = 32
        }
    }

    /// Part by part: the iterator of `joined()` goes byte by byte, which in a debug build takes seconds for a large message.
    private static func joined(_ parts: [[UInt8]]) -> [UInt8] {
        var message: [UInt8] = []
        message.reserveCapacity(parts.reduce(0) { $0 + $1.count })
        for part in parts { message += part }
        return message
    }

    private static func authenticate(
        _ key: UnsafeRawPointer?, _ keyCount: Int, _ message: [UInt8], _ output: UnsafeMutableBufferPointer<UInt8>
    ) -> Bool {
        var length: UInt32 = 0
        return COpenSSL.HMAC(
            Algorithm.sha256, key, Int32(keyCount), message, message.count, output.baseAddress, &length) != nil
    }
}

/// Compares secrets in a time that depends on their length only, so that an answer's delay betrays nothing.
public func constantTimeEquals(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    left.count == right.count && CRYPTO_memcmp(left, right, left.count) == 0
}

/// Compares secrets in a time that depends on their length only.
public func constantTimeEquals(_ left: String, _ right: String) -> Bool {
    constantTimeEquals(Array(left.utf8), Array(right.utf8))
}
