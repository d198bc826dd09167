import Core
import Testing

@testable import Cryptography

@Suite struct PasswordHashTests {
    /// Small, so that the tests are quick.
    private static let cost = PasswordHash.Cost(logarithm: 4, passes: 1)

    /// RFC 7914 section 12.
    @Test func keysAreDerivedByTheBook() throws {
        let first = try PasswordHash.derive("", [], .init(logarithm: 4, blockSize: 1, passes: 1), 64)
        #expect(hexadecimal(first).hasPrefix("77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"))
        let second = try PasswordHash.derive(
            "password", Array("NaCl".utf8), .init(logarithm: 10, blockSize: 8, passes: 16), 64)
        #expect(hexadecimal(second).hasPrefix("fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"))
    }

    @Test func onlyThePasswordMatches() throws {
        for password in ["correct horse", "ünïcödé 🔑", String(repeating: "x", count: 256), "a\0b"] {
            let hash = try PasswordHash(password, cost: PasswordHashTests.cost)
            #expect(try hash.matches(password))
            for other in ["", password + " ", String(password.dropLast()), password.uppercased()] {
                #expect(try !hash.matches(other), "\(other)")
            }
            // Never the same twice: the salt is new.
            #expect(try PasswordHash(password, cost: PasswordHashTests.cost) != hash)
        }
    }

    @Test func whatIsKeptIsReadAgain() throws {
        let hash = try PasswordHash("correct horse", cost: PasswordHashTests.cost)
        let read = try #require(PasswordHash(text: hash.text))
        #expect(read == hash)
        #expect(hash.text.hasPrefix("$scrypt$ln=4,r=8,p=1$") && !hash.text.contains("horse"))
        #expect(try read.matches("correct horse"))
        #expect(read.isWeaker() && !read.isWeaker(than: PasswordHashTests.cost))
        let tail = hash.text.split(separator: "$").suffix(2).joined(separator: "$")
        for wrong in [
            "", "secret", "$scrypt$ln=4,r=8,p=1$\(tail)$", "$scrypt$ln=40,r=8,p=1$\(tail)", "$scrypt$ln=4,r=8$\(tail)",
            "$scrypt$ln=-4,r=8,p=1$\(tail)", "$argon2id$v=19$\(tail)", "$scrypt$ln=4,r=8,p=1$!$!",
            "$scrypt$ln=4,r=8,p=1$$",
        ] {
            #expect(PasswordHash(text: wrong) == nil, "\(wrong)")
        }
    }

    @Test func theStandardIsMemoryHard() throws {
        #expect(PasswordHash.Cost.standard.memory == 32 << 20)
        let hash = try PasswordHash("correct horse")
        #expect(try hash.matches("correct horse"))
        #expect(!hash.isWeaker())
    }
}
