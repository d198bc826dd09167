internal import COpenSSL

/// Looked up once: OpenSSL 3 would otherwise search its providers, under a lock, at every call.
enum Algorithm {
    nonisolated(unsafe) static let sha256 = EVP_MD_fetch(nil, "SHA256", nil)
    nonisolated(unsafe) static let sha1 = EVP_MD_fetch(nil, "SHA1", nil)
}

/// Hash functions in one call (FIPS 180-4).
public enum Digest {
    /// SHA-256: 32 bytes.
    public static func sha256(_ bytes: [UInt8]) -> [UInt8] { bytes.withUnsafeBytes(sha256) }

    /// SHA-256 of bytes in memory: 32 bytes.
    public static func sha256(_ bytes: UnsafeRawBufferPointer) -> [UInt8] { digest(bytes, Algorithm.sha256, 32) }

    /// SHA-256 of the text's UTF-8.
    public static func sha256(_ text: String) -> [UInt8] { sha256(Array(text.utf8)) }

    /// SHA-1: 20 bytes. Only for protocols that fix it, such as the WebSocket handshake (RFC 6455 section 1.3): it
    /// proves nothing about who made the bytes.
    public static func sha1(_ bytes: [UInt8]) -> [UInt8] {
        bytes.withUnsafeBytes { digest($0, Algorithm.sha1, 20) }
    }

    private static func digest(
        _ bytes: UnsafeRawBufferPointer, _ algorithm: OpaquePointer?, _ size: Int
    ) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: size) { output, count in
            let status = EVP_Digest(bytes.baseAddress, bytes.count, output.baseAddress, nil, algorithm, nil)
            precondition(status == 1, "OpenSSL was built without a hash function that TLS needs")
            count = size
        }
    }
}

/// SHA-256 of bytes that come in pieces.
public struct SHA256: ~Copyable {
    private let context: OpaquePointer

    /// Starts with no bytes.
    public init() {
        guard let context = EVP_MD_CTX_new() else { preconditionFailure("out of memory") }
        self.context = context
        start()
    }

    deinit { EVP_MD_CTX_free(context) }

    /// Adds bytes.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        let status = EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
        precondition(status == 1, "OpenSSL refused bytes for a hash that had been started")
    }

    /// Adds bytes.
    public mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { update($0) } }

    /// The digest of all bytes so far; afterwards it starts anew with none.
    public mutating func finish() -> [UInt8] {
        let digest = [UInt8](unsafeUninitializedCapacity: 32) { output, count in
            let status = EVP_DigestFinal_ex(context, output.baseAddress, nil)
            precondition(status == 1, "OpenSSL refused to end a hash that had been started")
            count = 32
        }
        start()
        return digest
    }

    private func start() {
        let status = EVP_DigestInit_ex(context, Algorithm.sha256, nil)
        precondition(status == 1, "OpenSSL was built without a hash function that TLS needs")
    }
}

/// Bytes as lower-case hexadecimal digits, two each.
public func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits: StaticString = "0123456789abcdef"
    return String(unsafeUninitializedCapacity: bytes.count * 2) { output in
        for (index, byte) in bytes.enumerated() {
            output[index * 2] = digits.utf8Start[Int(byte >> 4)]
            output[index * 2 + 1] = digits.utf8Start[Int(byte & 15)]
        }
        return bytes.count * 2
    }
}
