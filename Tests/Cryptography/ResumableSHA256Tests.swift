import Cryptography
import Testing

@Suite("SHA-256 that is kept and taken up again")
struct ResumableSHA256Tests {
    /// What the whole has, whatever the pieces, and whoever goes on.
    @Test(arguments: [0, 1, 63, 64, 65, 6_400, 1_000_003])
    func piecesHaveTheDigestOfTheWhole(_ count: Int) throws {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 131 &+ $0 / 251) }
        for piece in [64, 640, 65_536] {
            var hash = ResumableSHA256()
            var start = 0
            while bytes.count - start >= piece {
                hash.update(Array(bytes[start..<(start + piece)]))
                start += piece
                hash = try #require(ResumableSHA256(state: hash.state, count: hash.count))
            }
            #expect(hash.digest(adding: Array(bytes[start...])) == Digest.sha256(bytes))
        }
    }

    /// The length is counted in bits, in two words of which the lower one overflows at half a gigabyte.
    @Test func theLengthOfALongTextCounts() {
        let piece = [UInt8](repeating: 0x61, count: 1 << 20)
        var hash = ResumableSHA256()
        var usual = SHA256()
        for _ in 0..<520 {
            hash.update(piece)
            usual.update(piece)
        }
        usual.update([1, 2, 3])
        let wanted = usual.finish()
        #expect(hash.digest(adding: [1, 2, 3]) == wanted)
    }

    @Test func whatIsNoStateIsRefused() {
        #expect(ResumableSHA256(state: [1], count: 0) == nil)
        #expect(ResumableSHA256(state: ResumableSHA256().state, count: 63) == nil)
        #expect(ResumableSHA256(state: ResumableSHA256().state, count: -64) == nil)
    }
}
