import Cryptography
import Testing

@Suite struct DigestTests {
    @Test(arguments: [
        // FIPS 180-2 appendix B; NIST's empty message.
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    ])
    func sha256(_ text: String, _ expected: String) {
        #expect(hexadecimal(Digest.sha256(text)) == expected)
        var pieces = SHA256()
        for byte in text.utf8 { pieces.update([byte]) }
        #expect(hexadecimal(pieces.finish()) == expected)
        pieces.update(Array(text.utf8))
        #expect(hexadecimal(pieces.finish()) == expected)
    }

    @Test func sha1() {
        #expect(hexadecimal(Digest.sha1(Array("abc".utf8))) == "a9993e364706816aba3e25717850c26c9cd0d89d")
        #expect(hexadecimal(Digest.sha1([])) == "da39a3ee5e6b4b0d3255bfef95601890afd80709")
    }

    /// RFC 4231 sections 4.2 to 4.8, 4.6 (a truncated output) left out.
    @Test(arguments: [
        (
            [UInt8](repeating: 0x0b, count: 20), Array("Hi There".utf8),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            Array("Jefe".utf8), Array("what do ya want for nothing?".utf8),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            [UInt8](repeating: 0xaa, count: 20), [UInt8](repeating: 0xdd, count: 50),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
        ),
        (
            Array(UInt8(1)...25), [UInt8](repeating: 0xcd, count: 50),
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"
        ),
        (
            [UInt8](repeating: 0xaa, count: 131), Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
        (
            [UInt8](repeating: 0xaa, count: 131),
            Array(
                """
                This is a test using a larger than block-size key and a larger than block-size data. The key needs to \
                be hashed before being used by the HMAC algorithm.
                """.utf8),
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"
        ),
    ])
    func hmac(_ key: [UInt8], _ message: [UInt8], _ expected: String) {
        #expect(hexadecimal(HMAC.sha256(key: key, message)) == expected)
        let middle = message.count / 2
        #expect(hexadecimal(HMAC.sha256(key: key, Array(message[..<middle]), Array(message[middle...]))) == expected)
    }

    @Test func anEmptyKeyIsAKey() {
        let first = HMAC.sha256(key: [1, 2, 3], [])
        #expect(
            hexadecimal(HMAC.sha256(key: [], []))
                == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad")
        #expect(HMAC.sha256(key: [], []) != first)
    }

    @Test func secretsCompareByValue() {
        #expect(constantTimeEquals([1, 2, 3], [1, 2, 3]))
        #expect(!constantTimeEquals([1, 2, 3], [1, 2, 4]))
        #expect(!constantTimeEquals([1, 2, 3], [1, 2]))
        #expect(constantTimeEquals("", ""))
        #expect(!constantTimeEquals("token", "tokem"))
    }

    @Test func randomBytesAreNew() {
        #expect(SystemRandom.bytes(32) != SystemRandom.bytes(32))
        #expect(SystemRandom.bytes(0).isEmpty)
        #expect(SystemRandom.bytes(100_000).count == 100_000)
        #expect(SystemRandom.token(bytes: 8).count == 16)
    }
}
