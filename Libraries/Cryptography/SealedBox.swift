internal import COpenSSL
public import Core

extension ErrorCode {
    /// What was encrypted was changed, or the key is another one.
    public static let secretUnreadable = ErrorCode("SECRET_UNREADABLE", status: 500)
}

/// A key made from a secret text, for one purpose (HKDF with SHA-256, RFC 5869).
public func derivedKey(from secret: [UInt8], purpose: String) -> [UInt8] {
    let extracted = HMAC.sha256(key: Array("dataharbour".utf8), secret)
    return HMAC.sha256(key: extracted, Array(purpose.utf8), [1])
}

/// Encryption that also notices every change: AES-256 in Galois/Counter Mode (NIST SP 800-38D).
///
/// What comes out is a version byte, a random nonce of 12 bytes, the ciphertext and a tag of 16 bytes.
public struct SealedBox: Sendable {
    private static let version: UInt8 = 1
    private static let nonceSize = 12
    private static let tagSize = 16
    private let key: [UInt8]

    /// Takes a key of 32 bytes, as `derivedKey` makes.
    public init(key: [UInt8]) {
        precondition(key.count == 32, "AES-256 has keys of 32 bytes")
        self.key = key
    }

    /// Encrypts. `context` is not in the result, and the same must be given to `open`: it says what the value belongs to,
    /// so that one cannot be put in another's place.
    public func seal(_ plain: [UInt8], context: String) -> [UInt8] {
        let nonce = SystemRandom.bytes(SealedBox.nonceSize)
        var tag = [UInt8](repeating: 0, count: SealedBox.tagSize)
        let sealed = run(plain, nonce, Array(context.utf8), encrypt: true) { cipher in
            EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, Int32(SealedBox.tagSize), &tag) == 1
        }
        guard let sealed else { preconditionFailure("OpenSSL was built without AES-GCM, which TLS needs") }
        return [SealedBox.version] + nonce + sealed + tag
    }

    /// Decrypts.
    /// - Throws: `SECRET_UNREADABLE` when anything was changed, or the key or context is another one.
    public func open(_ box: [UInt8], context: String) throws(HarbourError) -> [UInt8] {
        let overhead = 1 + SealedBox.nonceSize + SealedBox.tagSize
        guard box.count >= overhead, box[0] == SealedBox.version else { throw SealedBox.damaged }
        let nonce = Array(box[1...SealedBox.nonceSize])
        var tag = Array(box.suffix(SealedBox.tagSize))
        let sealed = Array(box[(1 + SealedBox.nonceSize)..<(box.count - SealedBox.tagSize)])
        let plain = run(sealed, nonce, Array(context.utf8), encrypt: false) { cipher in
            // The tag has to be there before the end is asked for.
            true
        } beforeEnd: { cipher in
            EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, Int32(SealedBox.tagSize), &tag) == 1
        }
        guard let plain else { throw SealedBox.damaged }
        return plain
    }

    private static var damaged: HarbourError {
        HarbourError(
            .secretUnreadable,
            "A kept secret cannot be read: it was changed, or was written with another key. Put it again.")
    }

    private func run(
        _ input: [UInt8], _ nonce: [UInt8], _ context: [UInt8], encrypt: Bool,
        _ atEnd: (OpaquePointer) -> Bool, beforeEnd: (OpaquePointer) -> Bool = { _ in true }
    ) -> [UInt8]? {
        guard let cipher = EVP_CIPHER_CTX_new() else { preconditionFailure("out of memory") }
        defer { EVP_CIPHER_CTX_free(cipher) }
        let direction: Int32 = encrypt ? 1 : 0
        var count: Int32 = 0
        guard EVP_CipherInit_ex(cipher, EVP_aes_256_gcm(), nil, key, nonce, direction) == 1,
            context.isEmpty || EVP_CipherUpdate(cipher, nil, &count, context, Int32(context.count)) == 1
        else { return nil }
        var output = [UInt8](repeating: 0, count: input.count + 16)
        guard input.isEmpty || EVP_CipherUpdate(cipher, &output, &count, input, Int32(input.count)) == 1,
            beforeEnd(cipher)
        else { return nil }
        let written = input.isEmpty ? 0 : Int(count)
        // A counter mode has nothing left at its end; only the tag is made or looked at.
        var rest = [UInt8](repeating: 0, count: 16)
        guard EVP_CipherFinal_ex(cipher, &rest, &count) == 1, atEnd(cipher) else { return nil }
        return Array(output[..<written])
    }
}
