import Core
import Cryptography
import Testing

@Suite struct SealedBoxTests {
    @Test func whatIsSealedOpensAndNothingElseDoes() throws {
        let box = SealedBox(key: derivedKey(from: Array("a master secret".utf8), purpose: "tests"))
        for size in [0, 1, 15, 16, 17, 1000, 131_072] {
            let plain = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            let sealed = box.seal(plain, context: "scope/key")
            #expect(sealed.count == size + 29)
            #expect(try box.open(sealed, context: "scope/key") == plain)
            // Never the same twice: the nonce is new.
            #expect(box.seal(plain, context: "scope/key") != sealed)
            #expect(throws: HarbourError.self) { try box.open(sealed, context: "scope/other") }
            for at in Set([0, 1, 13, sealed.count / 2, sealed.count - 1]) {
                var changed = sealed
                changed[at] ^= 1
                #expect(throws: HarbourError.self) { try box.open(changed, context: "scope/key") }
            }
            #expect(throws: HarbourError.self) { try box.open(Array(sealed.dropLast()), context: "scope/key") }
        }
        let other = SealedBox(key: derivedKey(from: Array("a master secret".utf8), purpose: "other"))
        #expect(throws: HarbourError.self) { try other.open(box.seal([1], context: ""), context: "") }
    }

    @Test func keysAreDerivedByTheBook() {
        // RFC 5869, with the salt and one block: T(1) = HMAC(PRK, info | 0x01).
        let extracted = HMAC.sha256(key: Array("dataharbour".utf8), Array("s".utf8))
        #expect(derivedKey(from: Array("s".utf8), purpose: "p") == HMAC.sha256(key: extracted, Array("p".utf8) + [1]))
    }
}
